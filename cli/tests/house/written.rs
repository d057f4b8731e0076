//! Every byte that server, workers and device write to any file, watched from the kernel's side while a design is printed.
//!
//! `strace` shows each write with the file it goes to, whatever library made it and however soon the file is gone again. The
//! ways past it (shared mappings, copies inside the kernel, io_uring) must not be taken at all.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use layerlock_slicer::slice;
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
use layerlock_terms::toolpath::Piece;

use crate::road::{DESIGN, Server, under, walk_under};

/// What is watched: everything by which bytes get into a file.
const CALLS: &str =
    "trace=write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,splice,mmap,io_uring_setup";
/// A window of a toolpath that is looked for, and how many different bytes make it unlike anything else.
const WINDOW: usize = 16;
const UNLIKE: usize = 11;
/// So many bytes of it are enough to look closer.
const HEAD: usize = 8;

/// A leaning prism whose corners nothing else has.
fn model() -> Mesh {
    let corner = |n: u32| {
        let (angle, top) = ((n % 7) as f32 * 0.897_598, n >= 7);
        let radius = if top { 9.317_2 } else { 12.731_9 };
        [40.613_7 + radius * angle.cos(), 31.271_3 + radius * angle.sin(), if top { 7.391_4 } else { 0.0 }]
    };
    let mut triangles = Vec::new();
    for n in 0..7 {
        let next = (n + 1) % 7;
        triangles.extend([[n, next, next + 7], [n, next + 7, n + 7]]);
    }
    triangles.extend((1..6).map(|n| [0, n + 1, n]));
    triangles.extend((1..6).map(|n| [7, 7 + n, 8 + n]));
    Mesh { vertices: (0..14).map(corner).collect(), triangles }
}

/// What must be in no file: by name, and the bytes.
struct Secrets(Vec<(&'static str, Vec<u8>)>);

impl Secrets {
    /// Of the model as it is uploaded, and of what it is sliced into for the printer that [`walk_under`] enrols.
    fn of(mesh: &Mesh, gcode: &str) -> Self {
        let corners = mesh.vertices.iter().map(|at| at.iter().flat_map(|x| x.to_le_bytes()).collect());
        let mut secrets: Vec<_> = corners.map(|bytes: Vec<u8>| ("a corner of the mesh", bytes)).collect();
        let fine =
            mesh.vertices.iter().map(|at| at.iter().flat_map(|x| f64::from(*x).to_le_bytes()).collect());
        secrets.extend(fine.map(|bytes| ("a corner of the mesh in double precision", bytes)));
        let windows = pieces(mesh).iter().flat_map(|piece| windows(piece)).collect::<Vec<_>>();
        assert!(windows.len() > 100, "a part leaves {} windows", windows.len());
        secrets.extend(windows.into_iter().map(|bytes| ("a part of the toolpath", bytes)));
        let moves = gcode.lines().filter_map(|line| line.strip_prefix("G1 ")).filter_map(|line| {
            let (x, rest) = line.split_once(' ')?;
            let (y, _) = rest.split_once(' ')?;
            (x.starts_with('X') && y.starts_with('Y') && x.len() > 5 && y.len() > 5)
                .then(|| format!("{x} {y}"))
        });
        let moves: Vec<_> = moves.map(String::into_bytes).collect();
        assert!(moves.len() > 100, "a part leaves {} moves", moves.len());
        secrets.extend(moves.into_iter().map(|bytes| ("a line of G-code", bytes)));
        Self(secrets)
    }

    /// The first of them in any file, with the file.
    fn found_in(&self, written: &Written) -> Option<String> {
        let mut by_head: HashMap<&[u8], Vec<&(&str, Vec<u8>)>> = HashMap::new();
        self.0.iter().for_each(|secret| by_head.entry(&secret.1[..HEAD]).or_default().push(secret));
        written.files.iter().find_map(|(file, bytes)| {
            let (name, _) = (0..bytes.len().saturating_sub(HEAD)).find_map(|at| {
                let secrets = by_head.get(&bytes[at..at + HEAD])?;
                secrets.iter().find(|(_, secret)| bytes[at..].starts_with(secret))
            })?;
            Some(format!("{name} was written to {file}"))
        })
    }
}

fn pieces(mesh: &Mesh) -> Vec<Vec<u8>> {
    let machine = Machine::named("prusa-mk3s").expect("the catalogue has it");
    let material = Material::named("pla").expect("the catalogue has it");
    let profile = Profile::new(machine, material, Preset::Standard);
    let mut pieces = Vec::new();
    let sliced = slice(mesh.clone(), &profile, NonZeroUsize::MIN, &mut |piece: Piece| {
        pieces.push(piece.emit());
        Ok(())
    });
    sliced.expect("it is a sound part");
    pieces
}

/// Windows of a piece that are like nothing else.
fn windows(piece: &[u8]) -> Vec<Vec<u8>> {
    let different = |window: &[u8]| window.iter().collect::<BTreeSet<_>>().len();
    let windows = piece.windows(WINDOW).step_by(5);
    windows.filter(|window| different(window) >= UNLIKE).map(<[u8]>::to_vec).collect()
}

/// What a watched program and its children wrote, file by file.
#[derive(Default)]
struct Written {
    files: BTreeMap<String, Vec<u8>>,
    /// Calls that put bytes into files without showing them.
    unseen: Vec<String>,
}

impl Written {
    /// Reads the notes of a watcher that has ended.
    fn read(notes: &Path) -> Self {
        let text = fs::read_to_string(notes).expect("strace wrote it");
        let ended = text.contains("+++ exited") || text.contains("+++ killed");
        assert!(ended, "{} stops in the middle", notes.display());
        let mut written = Self::default();
        text.lines().for_each(|line| written.note(line));
        written
    }

    /// `PID call(FD<PATH>, "BYTES", …) = N`; a call that another thread's cut in two is told in two lines, the first of
    /// which holds all that is read here.
    fn note(&mut self, line: &str) {
        let Some((_, call)) = line.split_once(' ') else { return };
        let call = call.trim_start();
        let Some((name, arguments)) = call.split_once('(') else { return };
        let file = file_of(arguments);
        match (name, file) {
            ("write" | "pwrite64" | "writev" | "pwritev" | "pwritev2", Some(file)) => {
                self.files.entry(file).or_default().extend(bytes_of(arguments));
            }
            ("mmap", Some(file)) if arguments.contains("MAP_SHARED") && arguments.contains("PROT_WRITE") => {
                self.unseen.push(format!("mmap of {file}"));
            }
            ("sendfile" | "copy_file_range" | "splice", Some(file)) => {
                self.unseen.push(format!("{name} with {file}"))
            }
            ("io_uring_setup", _) => self.unseen.push(line.to_owned()),
            _ => {}
        }
    }

    fn bytes(&self) -> usize {
        self.files.values().map(Vec::len).sum()
    }
}

/// The path behind the first descriptor, if it is a file's. strace writes paths byte for byte, too.
fn file_of(arguments: &str) -> Option<String> {
    let (_, rest) = arguments.split_once('<')?;
    let (path, _) = rest.split_once('>')?;
    let path = String::from_utf8_lossy(&unescaped(path)).into_owned();
    (path.starts_with('/') && !path.starts_with("/dev/") && !path.starts_with("/proc/")).then_some(path)
}

fn unescaped(text: &str) -> Vec<u8> {
    let pairs = text.split("\\x").skip(1);
    pairs.map(|pair| u8::from_str_radix(&pair[..2], 16).expect("strace -xx writes bytes")).collect()
}

/// All `"\x12\x34"` of a line.
fn bytes_of(arguments: &str) -> Vec<u8> {
    let (_, rest) = arguments.split_once('>').unwrap_or(("", arguments));
    rest.split('"').skip(1).step_by(2).flat_map(unescaped).collect()
}

/// The watcher in front of a program, writing to `notes`.
fn watcher(notes: &Path) -> Vec<String> {
    let options = ["strace", "-f", "--seccomp-bpf", "-y", "-q", "-xx", "-s", "16777216", "-e", "signal=none"];
    let mut words: Vec<String> = options.map(str::to_owned).into();
    words.extend(["-e".to_owned(), CALLS.to_owned(), "-o".to_owned(), notes.display().to_string()]);
    words
}

/// Runs a program to its end and gives what it wrote.
fn watched(notes: &Path, mut command: Command) -> Written {
    let status = command.stdout(Stdio::null()).status().expect("strace starts: the package is `strace`");
    assert!(status.success(), "{command:?}");
    Written::read(notes)
}

#[test]
fn no_file_that_server_worker_or_device_writes_holds_a_mesh_or_a_toolpath() {
    let dir = tempfile::tempdir().expect("a folder");
    let at = |name: &str| -> PathBuf { dir.path().join(name) };
    let mesh = model();
    fs::write(at(&format!("{}.stl", DESIGN)), to_binary_stl(&mesh)).expect("writable");
    fs::write(at("plain"), pieces(&mesh).concat()).expect("writable");

    // That they would be seen: a program of ours that writes G-code, and one that copies mesh and toolpath.
    let mut slicing = under(&watcher(&at("slicing")), dir.path());
    slicing.args(["slice", &format!("{}.stl", DESIGN), "--output", "part.gcode"]);
    let sliced = watched(&at("slicing"), slicing);
    let gcode = fs::read_to_string(at("part.gcode")).expect("it was sliced");
    let secrets = Secrets::of(&mesh, &gcode);
    let found = secrets.found_in(&sliced).expect("the G-code is seen to be written");
    assert!(found.starts_with("a line of G-code") && found.contains("part.gcode"), "{found}");
    for (name, what) in
        [(format!("{}.stl", DESIGN), "a corner"), ("plain".to_owned(), "a part of the toolpath")]
    {
        let words = watcher(&at("copying"));
        let mut copying = Command::new(&words[0]);
        copying.args(&words[1..]).arg("dd").arg("status=none").current_dir(dir.path());
        copying.args([format!("if={name}"), "of=copy".to_owned()]);
        let found = secrets.found_in(&watched(&at("copying"), copying));
        assert!(found.as_ref().is_some_and(|found| found.starts_with(what)), "{found:?}");
    }

    let (serving, printing) = (at("serving"), at("printing"));
    let server = Server::start_under(dir.path(), &watcher(&serving));
    walk_under(&server, &watcher(&printing));
    assert!(server.run(&["operator", "audit"]).contains("1 leaves"), "it was printed and settled");
    server.end();
    for (notes, least) in [(&serving, 100_000), (&printing, 10_000)] {
        let written = Written::read(notes);
        assert!(written.bytes() > least, "{} bytes were seen: is that all?", written.bytes());
        assert_eq!(written.unseen, Vec::<String>::new(), "bytes went to a file unseen");
        assert_eq!(secrets.found_in(&written), None);
    }
}

//! Inside the worker: read the request, put on the cage, read the mesh, do the one thing asked, end.
//!
//! Holds no key and no name; what it is given is a mesh and a profile, what it gives is frames. Panics say
//! where they happened and nothing of what was being worked on. Deliberately absent: anything that outlives one
//! mesh, so the next one sees nothing of the last (SECURITY-CASES X5).

use std::fs::{self, File};
use std::io::{self, BufWriter, Read, Write};
use std::num::NonZeroUsize;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

use layerlock_engines::custom::{self, CustomError};
use layerlock_engines::gcode;
use layerlock_slicer::mesh::{self, Limits, Mesh, MeshError, Parsed, analysis, to_binary_stl};
use layerlock_slicer::picture::{View, snapshots};
use layerlock_slicer::{SinkClosed, place_part, slice};
use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::Piece;
use layerlock_terms::wire::Noun;

use super::protocol::{Answer, CONFIG, Fault, Order, PART, Request, Task};
use super::sandbox::{self, Cage, Room};

/// Width and height of a design's first picture and of the others, in pixels.
const FIRST_PICTURE: [u32; 2] = [640, 480];
const PICTURE: [u32; 2] = [320, 240];

/// Bytes of a part given at once.
const PART_CHUNK: usize = 1 << 20;

/// Runs a worker to its end. Call it first thing in `main`: it must be the process's only thread.
///
/// The exit code says only whether the conversation ended as it should.
pub fn run(mut input: impl Read, mut output: impl Write) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place =
            panic.location().map_or_else(String::new, |at| format!(" at {}:{}", at.file(), at.line()));
        let _ = writeln!(io::stderr(), "the worker gave up{place}");
    }));
    match converse(&mut input, &mut output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "the worker ended: {error}");
            ExitCode::FAILURE
        }
    }
}

fn converse(input: &mut impl Read, output: &mut impl Write) -> io::Result<()> {
    let request = Request::read(input)?;
    if let Task::Engine(order) = &request.task {
        return become_engine(order, &request, input, output);
    }
    let confinement = sandbox::confine(Cage::Worker, request.memory, request.seconds)?;
    Answer::Confined(confinement).write(output)?;
    let mut bytes = input.take(request.mesh);
    let last = match &request.task {
        Task::Probe => Answer::Done,
        Task::Read(profile) => read_gcode(profile, &mut bytes, output)?,
        Task::Custom(profile) => read_custom(profile, &mut bytes, output)?,
        _ => {
            let read = read_upload(&request, &mut bytes)?;
            // Whoever feeds us listens once all is fed.
            io::copy(&mut bytes, &mut io::sink())?;
            match read {
                Err(error) => Answer::Refused(Fault::Mesh, error.to_string()),
                Ok((parsed, package)) => work(&request, parsed.mesh, &package, output)?,
            }
        }
    };
    last.write(output)
}

/// The mesh, and the package it came in where more of that is asked for.
fn read_upload(
    request: &Request,
    bytes: &mut io::Take<&mut impl Read>,
) -> io::Result<Result<(Parsed, Vec<u8>), MeshError>> {
    let limits = Limits::default();
    let mut head = Vec::new();
    if request.task == Task::Analyse {
        bytes.take(4).read_to_end(&mut head)?;
    }
    if mesh::is_zip(&head) && request.mesh <= limits.held_bytes {
        bytes.read_to_end(&mut head)?;
        return Ok(mesh::parse(&head, &limits).map(|parsed| (parsed, head)));
    }
    let parsed = mesh::read(&mut head.chain(bytes), request.mesh, &limits)?;
    Ok(parsed.map(|parsed| (parsed, Vec::new())))
}

/// Puts on an engine's cage, lays out what the engine is given, and becomes its program: what is written to `output` after
/// the first frame is the program's own.
fn become_engine(
    order: &Order,
    request: &Request,
    input: &mut impl Read,
    output: &mut impl Write,
) -> io::Result<()> {
    let folder = Path::new(&order.folder);
    let room = Room { program: Path::new(&order.program), folder, file: order.file };
    let confinement = sandbox::confine(Cage::Engine(room), request.memory, request.seconds)?;
    Answer::Confined(confinement).write(output)?;
    fs::write(folder.join(CONFIG), &order.config)?;
    let mut part = BufWriter::new(File::create(folder.join(PART))?);
    io::copy(&mut input.take(request.mesh), &mut part)?;
    part.flush()?;
    drop(part);
    let mut program = Command::new(&order.program);
    program.args(&order.arguments).current_dir(folder).env_clear();
    for (name, value) in [("HOME", &*order.folder), ("TMPDIR", &*order.folder), ("LC_ALL", "C")] {
        program.env(name, value);
    }
    if order.says_beside {
        rustix::stdio::dup2_stderr(io::stdout())?;
    }
    Err(program.exec())
}

/// Reads G-code as a toolpath; the result is the last answer.
fn read_gcode(profile: &[u8], bytes: &mut impl Read, output: &mut impl Write) -> io::Result<Answer> {
    let profile = Profile::parse(profile).map_err(io::Error::other)?;
    let mut text = Vec::new();
    bytes.read_to_end(&mut text)?;
    let Ok(text) = String::from_utf8(text) else {
        return Ok(Answer::Refused(Fault::Slicing, "the G-code is not text".to_owned()));
    };
    let mut sink = |piece: Piece| Answer::Piece(piece.emit()).write(output).map_err(|_| SinkClosed);
    Ok(match gcode::read(&text, &profile, &mut sink) {
        Ok(_) => Answer::Done,
        Err(error) => Answer::Refused(Fault::Slicing, error.to_string()),
    })
}

/// Reads the seller's own G-code as a toolpath; the result is the last answer.
fn read_custom(profile: &[u8], bytes: &mut impl Read, output: &mut impl Write) -> io::Result<Answer> {
    let profile = Profile::parse(profile).map_err(io::Error::other)?;
    let mut package = Vec::new();
    bytes.read_to_end(&mut package)?;
    let mut sink = |piece: Piece| Answer::Piece(piece.emit()).write(output).map_err(|_| SinkClosed);
    Ok(match custom::read(&package, &profile, &mut sink) {
        Ok(_) => Answer::Done,
        Err(error) => Answer::Refused(Fault::Slicing, error.to_string()),
    })
}

/// Does the task; the result is the last answer.
fn work(request: &Request, mesh: Mesh, package: &[u8], output: &mut impl Write) -> io::Result<Answer> {
    match &request.task {
        Task::Probe | Task::Read(_) | Task::Custom(_) | Task::Engine(_) => Ok(Answer::Done),
        Task::Analyse => describe(&mesh, package, output),
        Task::Place(profile) => {
            let profile = Profile::parse(profile).map_err(io::Error::other)?;
            match place_part(&mesh, &profile) {
                Ok(part) => give(&to_binary_stl(&part), output),
                Err(error) => Ok(Answer::Refused(Fault::Slicing, error.to_string())),
            }
        }
        Task::Slice(profile) => {
            let profile = Profile::parse(profile).map_err(io::Error::other)?;
            let threads = NonZeroUsize::new(request.threads.into()).unwrap_or(NonZeroUsize::MIN);
            let mut sink = |piece: Piece| Answer::Piece(piece.emit()).write(output).map_err(|_| SinkClosed);
            Ok(match slice(mesh, &profile, threads, &mut sink) {
                Ok(_) => Answer::Done,
                Err(error) => Answer::Refused(Fault::Slicing, error.to_string()),
            })
        }
    }
}

fn give(part: &[u8], output: &mut impl Write) -> io::Result<Answer> {
    part.chunks(PART_CHUNK).try_for_each(|chunk| Answer::Part(chunk.to_vec()).write(output))?;
    Ok(Answer::Done)
}

fn describe(mesh: &Mesh, package: &[u8], output: &mut impl Write) -> io::Result<Answer> {
    let gcode: Result<_, CustomError> = custom::inspect(package);
    let gcode = match gcode {
        Ok(gcode) => gcode,
        Err(error) => return Ok(Answer::Refused(Fault::Mesh, error.to_string())),
    };
    let size = |view| if view == View::ALL[0] { FIRST_PICTURE } else { PICTURE };
    let sides = View::ALL.map(|view| (view, size(view)));
    let (analysis, pictures) = rayon::join(|| analysis::analyse(mesh), || snapshots(mesh, &sides));
    Answer::Analysis(Box::new(analysis)).write(output)?;
    for picture in pictures {
        Answer::Picture(picture).write(output)?;
    }
    for gcode in gcode {
        Answer::Gcode(gcode).write(output)?;
    }
    Ok(Answer::Done)
}

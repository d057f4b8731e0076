//! What vault and worker say to each other over the worker's standard streams (SECURITY-CASES X1–X5).
//!
//! The vault writes one request and then the mesh as it is; the worker answers in frames
//! `kind u8 ‖ length u32 ‖ payload`, the last of which is `Done` or `Refused`. A worker may have been taken over
//! by the mesh it reads, so its answers are bytes seen: bounded here, checked where they are used.

use std::io::{self, Read, Write};

use layerlock_engines::custom::CustomGcode;
use layerlock_slicer::descriptor::Descriptor;
use layerlock_slicer::heal::Healing;
use layerlock_slicer::mesh::analysis::Analysis;
use layerlock_slicer::printability::Printability;
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::toolpath::Point3;
use layerlock_terms::units::Millis;
use layerlock_terms::wire::{Malformed, Reader, Writer};

use super::Confinement;

/// Longest request, in bytes.
const REQUEST_LIMIT: u32 = 256 * 1024;

/// Longest single answer, in bytes: one layer of a large print.
pub(crate) const ANSWER_LIMIT: u32 = 64 << 20;

/// Longest reason a worker may give, in bytes.
const WORDS_LIMIT: u32 = 1024;

/// Longest name of the catalogue, in bytes.
const NAME_LIMIT: u32 = 64;

/// Bytes of an answer's frame.
pub(crate) const FRAME: usize = 5;

/// What the worker is to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Task {
    /// Confine itself and say what could not be done.
    Probe,
    /// Parse and measure the mesh, draw it, and read what G-code lies beside it.
    Analyse,
    /// Slice the mesh with this profile (its byte form).
    Slice(Vec<u8>),
    /// Mend the mesh and put it in its place for this profile: what another engine is given.
    Place(Vec<u8>),
    /// Read G-code, in the mesh's place, as a toolpath for this profile.
    Read(Vec<u8>),
    /// Read the seller's own G-code, beside the mesh, as a toolpath for this profile.
    Custom(Vec<u8>),
    /// Become another engine's program, given a part in the mesh's place.
    Engine(Order),
}

/// How another engine is started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Order {
    /// The program.
    pub(crate) program: String,
    /// Its arguments.
    pub(crate) arguments: Vec<String>,
    /// The one folder it may write in, there already.
    pub(crate) folder: String,
    /// Its settings, for [`CONFIG`] in that folder.
    pub(crate) config: String,
    /// Longest file it may write, in bytes.
    pub(crate) file: u64,
    /// Whether what it complains is to be heard like what it says.
    pub(crate) says_beside: bool,
}

/// Files in an engine's folder.
pub(crate) const CONFIG: &str = "config.ini";
/// The part, binary STL.
pub(crate) const PART: &str = "part.stl";
/// What it makes.
pub(crate) const OUTPUT: &str = "out.gcode";

/// The first thing a worker reads; comes from the vault, before anything hostile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    /// What to do.
    pub(crate) task: Task,
    /// Address space, in bytes.
    pub(crate) memory: u64,
    /// Processor time, in seconds.
    pub(crate) seconds: u64,
    /// Threads to work with.
    pub(crate) threads: u16,
    /// Bytes of mesh that follow.
    pub(crate) mesh: u64,
}

/// Whose fault a refusal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Fault {
    /// The upload is no mesh we take.
    Mesh = 1,
    /// The mesh can't be printed with this profile.
    Slicing = 2,
}

/// One answer of a worker.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Answer {
    /// How far it could confine itself; before it reads the mesh.
    Confined(Confinement),
    /// What the mesh is like.
    Analysis(Box<Analysis>),
    /// The mesh drawn from the next side, PNG.
    Picture(Vec<u8>),
    /// G-code of the seller's own that lies beside the mesh.
    Gcode(CustomGcode),
    /// One encoded piece of the toolpath.
    Piece(Vec<u8>),
    /// The next bytes of the part in its place.
    Part(Vec<u8>),
    /// It can't be done; the last answer.
    Refused(Fault, String),
    /// All is said; the last answer.
    Done,
}

impl Request {
    /// Writes the request with its length.
    pub(crate) fn emit(&self) -> Vec<u8> {
        let mut body = Writer::new();
        let (task, order): (u8, &[u8]) = match &self.task {
            Task::Probe => (0, &[]),
            Task::Analyse => (1, &[]),
            Task::Slice(profile) => (2, profile),
            Task::Place(profile) => (3, profile),
            Task::Read(profile) => (4, profile),
            Task::Engine(order) => (5, &order.emit()),
            Task::Custom(profile) => (6, profile),
        };
        body.u8(task).bytes(order).u64(self.memory).u64(self.seconds).u16(self.threads).u64(self.mesh);
        Writer::new().bytes(&body.finish()).finish()
    }

    /// Reads a request with its length from `input`, not a byte more.
    pub(crate) fn read(input: &mut impl Read) -> io::Result<Self> {
        let mut length = [0; 4];
        input.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > REQUEST_LIMIT {
            return Err(io::Error::from(io::ErrorKind::InvalidData));
        }
        let mut body = vec![0; length as usize];
        input.read_exact(&mut body)?;
        Self::parse(&body).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
    }

    fn parse(body: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(body);
        let task = r.u8("task")?;
        let order = r.bytes("order", REQUEST_LIMIT)?;
        let task = match task {
            0 => Task::Probe,
            1 => Task::Analyse,
            2 => Task::Slice(order.to_vec()),
            3 => Task::Place(order.to_vec()),
            4 => Task::Read(order.to_vec()),
            5 => Task::Engine(Order::parse(order)?),
            6 => Task::Custom(order.to_vec()),
            _ => return Err(Malformed::Value("task")),
        };
        let request = Self {
            task,
            memory: r.u64("memory")?,
            seconds: r.u64("seconds")?,
            threads: r.u16("threads")?,
            mesh: r.u64("mesh")?,
        };
        r.finish()?;
        Ok(request)
    }
}

impl Order {
    fn emit(&self) -> Vec<u8> {
        let mut w = Writer::new();
        w.bytes(self.program.as_bytes());
        w.list(&self.arguments, |w, argument| {
            w.bytes(argument.as_bytes());
        });
        w.bytes(self.folder.as_bytes())
            .bytes(self.config.as_bytes())
            .u64(self.file)
            .u8(self.says_beside.into());
        w.finish()
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let order = Self {
            program: r.text("program", REQUEST_LIMIT)?,
            arguments: r.list("arguments", 64, |r| r.text("argument", REQUEST_LIMIT))?,
            folder: r.text("folder", REQUEST_LIMIT)?,
            config: r.text("config", REQUEST_LIMIT)?,
            file: r.u64("file")?,
            says_beside: r.flag("says beside")?,
        };
        r.finish()?;
        Ok(order)
    }
}

impl Answer {
    /// Writes one frame.
    pub(crate) fn write(&self, output: &mut impl Write) -> io::Result<()> {
        let (kind, payload) = self.parts();
        let length = u32::try_from(payload.len()).ok().filter(|length| *length <= ANSWER_LIMIT);
        let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
        output.write_all(&[kind])?;
        output.write_all(&length.to_be_bytes())?;
        output.write_all(&payload)?;
        output.flush()
    }

    fn parts(&self) -> (u8, Vec<u8>) {
        match self {
            Self::Confined(confinement) => (1, vec![confinement.missing()]),
            Self::Analysis(analysis) => {
                let mut w = Writer::new();
                write_analysis(&mut w, analysis);
                (2, w.finish())
            }
            Self::Picture(png) => (3, png.clone()),
            Self::Piece(piece) => (4, piece.clone()),
            Self::Refused(fault, words) => {
                let mut w = Writer::new();
                let words: String = words.chars().take(WORDS_LIMIT as usize / 4).collect();
                w.u8(*fault as u8).bytes(words.as_bytes());
                (5, w.finish())
            }
            Self::Done => (6, Vec::new()),
            Self::Part(bytes) => (7, bytes.clone()),
            Self::Gcode(gcode) => {
                let mut w = Writer::new();
                write_gcode(&mut w, gcode);
                (8, w.finish())
            }
        }
    }

    /// Reads the payload of a frame of this kind.
    pub(crate) fn parse(kind: u8, payload: Vec<u8>) -> Result<Self, Malformed> {
        let mut r = Reader::new(&payload);
        match kind {
            1 => {
                let confinement = Confinement::from_missing(r.u8("confined")?);
                r.finish()?;
                Ok(Self::Confined(confinement))
            }
            2 => {
                let analysis = read_analysis(&mut r)?;
                r.finish()?;
                Ok(Self::Analysis(Box::new(analysis)))
            }
            3 => Ok(Self::Picture(payload)),
            4 => Ok(Self::Piece(payload)),
            5 => parse_refusal(r),
            6 => r.finish().map(|()| Self::Done),
            7 => Ok(Self::Part(payload)),
            8 => {
                let gcode = read_gcode(&mut r)?;
                r.finish()?;
                Ok(Self::Gcode(gcode))
            }
            _ => Err(Malformed::Value("kind")),
        }
    }
}

fn parse_refusal(mut r: Reader<'_>) -> Result<Answer, Malformed> {
    let fault = match r.u8("fault")? {
        1 => Fault::Mesh,
        2 => Fault::Slicing,
        _ => return Err(Malformed::Value("fault")),
    };
    let words = r.text("words", WORDS_LIMIT)?;
    r.finish()?;
    Ok(Answer::Refused(fault, words.chars().filter(|c| !c.is_control()).collect()))
}

/// Writes an analysis inside a larger noun.
pub(crate) fn write_analysis(w: &mut Writer, analysis: &Analysis) {
    w.u32(analysis.triangles).u32(analysis.vertices);
    for corner in [analysis.min, analysis.max] {
        w.i32(corner.x).i32(corner.y).i32(corner.z);
    }
    w.u64(analysis.volume_nl.cast_unsigned()).u64(analysis.area_um2).u32(analysis.shells);
    w.u32(analysis.open_edges).u32(analysis.non_manifold_edges).u32(analysis.flipped_edges);
    w.u32(analysis.degenerate_faces).u32(analysis.duplicate_faces);
    for count in analysis.healing.counts() {
        w.u32(count);
    }
    let Printability { overhang_um2, islands, foot_um2, thin_ppm } = analysis.printability;
    w.u64(overhang_um2).u32(islands).u64(foot_um2);
    thin_ppm.into_iter().for_each(|share| {
        w.u32(share);
    });
    w.raw(&analysis.descriptor.to_bytes());
}

/// Reads an analysis inside a larger noun.
pub(crate) fn read_analysis(r: &mut Reader<'_>) -> Result<Analysis, Malformed> {
    let corner = |r: &mut Reader<'_>| {
        Ok::<_, Malformed>(Point3 { x: r.i32("corner")?, y: r.i32("corner")?, z: r.i32("corner")? })
    };
    Ok(Analysis {
        triangles: r.u32("triangles")?,
        vertices: r.u32("vertices")?,
        min: corner(r)?,
        max: corner(r)?,
        volume_nl: r.u64("volume")?.cast_signed(),
        area_um2: r.u64("area")?,
        shells: r.u32("shells")?,
        open_edges: r.u32("open edges")?,
        non_manifold_edges: r.u32("non-manifold edges")?,
        flipped_edges: r.u32("flipped edges")?,
        degenerate_faces: r.u32("degenerate faces")?,
        duplicate_faces: r.u32("duplicate faces")?,
        healing: read_healing(r)?,
        printability: read_printability(r)?,
        descriptor: Descriptor::from_bytes(r.array("descriptor")?),
    })
}

/// Writes what is known of a seller's own G-code inside a larger noun.
pub(crate) fn write_gcode(w: &mut Writer, gcode: &CustomGcode) {
    w.bytes(gcode.machine.name.as_bytes()).bytes(gcode.material.name().as_bytes());
    w.u32(gcode.layers).u64(gcode.duration.0).u64(gcode.filament_um);
}

/// Reads what is known of a seller's own G-code inside a larger noun.
pub(crate) fn read_gcode(r: &mut Reader<'_>) -> Result<CustomGcode, Malformed> {
    let machine = Machine::named(&r.text("machine", NAME_LIMIT)?).map_err(|_| Malformed::Value("machine"))?;
    let material =
        Material::named(&r.text("material", NAME_LIMIT)?).map_err(|_| Malformed::Value("material"))?;
    let (layers, duration) = (r.u32("layers")?, Millis(r.u64("duration")?));
    Ok(CustomGcode { machine, material, layers, duration, filament_um: r.u64("filament")? })
}

fn read_printability(r: &mut Reader<'_>) -> Result<Printability, Malformed> {
    let mut found = Printability {
        overhang_um2: r.u64("overhang")?,
        islands: r.u32("islands")?,
        foot_um2: r.u64("foot")?,
        thin_ppm: Default::default(),
    };
    for share in &mut found.thin_ppm {
        *share = r.u32("thin")?;
    }
    Ok(found)
}

fn read_healing(r: &mut Reader<'_>) -> Result<Healing, Malformed> {
    let mut counts = Healing::default().counts();
    for count in &mut counts {
        *count = r.u32("healing")?;
    }
    Ok(Healing::of_counts(counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(answer: &Answer) -> Answer {
        let mut bytes = Vec::new();
        answer.write(&mut bytes).unwrap();
        Answer::parse(bytes[0], bytes[FRAME..].to_vec()).unwrap()
    }

    #[test]
    fn every_kind_of_answer_reads_back() {
        for answer in [
            Answer::Confined(Confinement::from_missing(0)),
            Answer::Picture(vec![1, 2, 3]),
            Answer::Piece(vec![9]),
            Answer::Part(vec![8, 8]),
            Answer::Gcode(CustomGcode {
                machine: Machine::named("ender-3").unwrap(),
                material: Material::Petg,
                layers: 1,
                duration: Millis(2),
                filament_um: 3,
            }),
            Answer::Refused(Fault::Slicing, "too large".into()),
            Answer::Done,
        ] {
            assert_eq!(round_trip(&answer), answer);
        }
    }

    #[test]
    fn a_workers_words_reach_nobodys_terminal_as_commands() {
        let words = Answer::Refused(Fault::Mesh, "no \u{1b}[2Jmesh\r\n".into());
        assert_eq!(round_trip(&words), Answer::Refused(Fault::Mesh, "no [2Jmesh".into()));
    }

    #[test]
    fn a_request_reads_back_and_leaves_the_mesh_in_the_stream() {
        let order = Order {
            program: "/usr/bin/slicer".into(),
            arguments: vec!["--load".into(), "a".into()],
            folder: "/dev/shm/room".into(),
            config: "layer_height = 0.2".into(),
            file: 5,
            says_beside: true,
        };
        for task in [
            Task::Slice(vec![7; 40]),
            Task::Place(vec![1]),
            Task::Read(vec![2]),
            Task::Custom(vec![3]),
            Task::Engine(order),
        ] {
            let request = Request { task, memory: 1, seconds: 2, threads: 3, mesh: 4 };
            let mut stream = request.emit();
            stream.extend_from_slice(b"mesh");
            let mut input = &stream[..];
            assert_eq!(Request::read(&mut input).unwrap(), request);
            assert_eq!(input, b"mesh");
        }
    }

    #[test]
    fn control_characters_in_a_workers_words_never_reach_a_log() {
        let said = Answer::Refused(Fault::Mesh, "bad\u{1b}[2J\nmesh".into());
        assert_eq!(round_trip(&said), Answer::Refused(Fault::Mesh, "bad[2Jmesh".into()));
    }
}

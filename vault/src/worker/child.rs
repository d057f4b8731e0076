//! Inside the worker: read the request, put on the cage, read the mesh, do the one thing asked, end.
//!
//! Holds no key and no name; what it is given is a mesh and a profile, what it gives is frames. Panics say
//! where they happened and nothing of what was being worked on. Deliberately absent: anything that outlives one
//! mesh, so the next one sees nothing of the last (SECURITY-CASES X5).

use std::io::{self, Read, Write};
use std::num::NonZeroUsize;
use std::process::ExitCode;

use layerlock_slicer::mesh::{self, Mesh, analysis};
use layerlock_slicer::picture::snapshot;
use layerlock_slicer::{SinkClosed, slice};
use layerlock_terms::profile::Profile;
use layerlock_terms::toolpath::Piece;
use layerlock_terms::wire::Noun;

use super::protocol::{Answer, Fault, Request, Task};
use super::sandbox;

/// Width and height of a design's picture, in pixels.
const PICTURE: [u32; 2] = [640, 480];

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
    let confinement = sandbox::confine(request.memory, request.seconds)?;
    Answer::Confined(confinement).write(output)?;
    if let Task::Probe = request.task {
        return Answer::Done.write(output);
    }
    let mut bytes = input.take(request.mesh);
    let read = mesh::read(&mut bytes, request.mesh, &mesh::Limits::default())?;
    // Whoever feeds us listens once all is fed.
    io::copy(&mut bytes, &mut io::sink())?;
    let last = match read {
        Err(error) => Answer::Refused(Fault::Mesh, error.to_string()),
        Ok(parsed) => work(&request, parsed.mesh, output)?,
    };
    last.write(output)
}

/// Does the task; the result is the last answer.
fn work(request: &Request, mesh: Mesh, output: &mut impl Write) -> io::Result<Answer> {
    match &request.task {
        Task::Probe => Ok(Answer::Done),
        Task::Analyse => describe(&mesh, output),
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

fn describe(mesh: &Mesh, output: &mut impl Write) -> io::Result<Answer> {
    Answer::Analysis(analysis::analyse(mesh)).write(output)?;
    let [width, height] = PICTURE;
    Answer::Picture(snapshot(mesh, width, height).to_png()).write(output)?;
    Ok(Answer::Done)
}

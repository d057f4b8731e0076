//! The job both are given, the machine it goes to, and how whoever prints it is watched.

use std::fs;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use layerlock_cli::parties::buyer::Order;
use layerlock_cli::random::id_bytes;
use layerlock_device::gcode::{Comments, Marlin};
use layerlock_device::printer::simulated::{Bench, Faults, Firmware, Manners};
use layerlock_load::Failed;
use layerlock_load::house::{Used, server_dir};
use layerlock_load::shop::Shop;
use layerlock_slicer::mesh::{Limits, parse};
use layerlock_slicer::slice;
use layerlock_terms::ids::RequestId;
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
use layerlock_tests::marlin::PtyMarlin;
use rustix::process::Pid;
use tokio::process::{Child, Command};

/// How long anything may take to begin.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long an idle agent is left alone before it is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// Moves a second the machine is made to take.
const MOVES: f64 = 1000.0;

/// Commands after which a print is well under way: homing, heating and the first layer's slow lines are behind it.
const BEGUN: u64 = 2_000;

/// Commands from there on by which the machine's pace is set.
const STRETCH: u64 = 20_000;

const MACHINE: &str = "generic-250-marlin";

/// A part, and what it is to the machine.
pub(crate) struct Job {
    model: Vec<u8>,
    /// The G-code of the same toolpath.
    pub(crate) gcode: PathBuf,
    /// How many times faster than a real machine it takes a thousand of them a second.
    pub(crate) times: NonZeroU32,
}

/// What was seen of whoever printed.
pub(crate) struct Measured {
    /// Bytes in memory before the job.
    pub(crate) idle: u64,
    /// The most that was seen while it printed.
    pub(crate) printing: u64,
    cpu: Duration,
    wall: Duration,
    moves: u64,
    starved: u64,
}

impl Measured {
    pub(crate) fn moves_a_second(&self) -> f64 {
        self.moves as f64 / self.wall.as_secs_f64()
    }

    pub(crate) fn starved_share(&self) -> f64 {
        self.starved as f64 / self.moves.max(1) as f64
    }

    /// Of a core.
    pub(crate) fn share(&self) -> f64 {
        self.cpu.as_secs_f64() / self.wall.as_secs_f64()
    }

    /// Of a core, were it a thousand moves a second.
    pub(crate) fn at_a_thousand(&self) -> f64 {
        self.cpu.as_secs_f64() / self.moves.max(1) as f64 * MOVES
    }
}

impl Job {
    /// Slices the part once, writes its G-code and has a machine run it in no time to see how long it would take.
    pub(crate) fn of(stl: &Path, room: &Path) -> Result<Self, Failed> {
        let model = fs::read(stl).map_err(|error| Failed::at(stl.display(), error))?;
        let mesh = parse(&model, &Limits::default()).map_err(|error| Failed::at("the model", error))?.mesh;
        let mut marlin = Marlin::new(Comments::Omitted);
        let mut text = Vec::new();
        let mut sink = |piece| {
            text.extend_from_slice(marlin.text(&piece).map_err(|_| layerlock_slicer::SinkClosed)?);
            Ok(())
        };
        slice(mesh, &profile()?, NonZeroUsize::MIN, &mut sink)
            .map_err(|error| Failed::at("slicing", error))?;
        let gcode = room.join("job.gcode");
        fs::write(&gcode, &text).map_err(|error| Failed::at(gcode.display(), error))?;
        let (mut firmware, mut looked_at) =
            (Firmware::new(machine()?, Manners::default(), Faults::none()), None);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            firmware.receive(line, Duration::ZERO);
            firmware.take_output();
            let record = firmware.record();
            if record.commands == BEGUN {
                looked_at = Some(record.duration.0);
            }
            if record.commands == BEGUN + STRETCH {
                break;
            }
        }
        let (from, to) = (looked_at, firmware.record().duration.0);
        let from = from.ok_or_else(|| Failed("the part is too small for a bench".into()))?;
        let times = MOVES * (to - from) as f64 / 1000.0 / STRETCH as f64;
        let times = NonZeroU32::new(times.round() as u32).unwrap_or(NonZeroU32::MIN);
        Ok(Self { model, gcode, times })
    }

    /// The machine, switched on.
    pub(crate) fn printer(&self) -> Result<PtyMarlin, Failed> {
        let bench = Bench::paced(machine()?, self.times);
        PtyMarlin::plug_in(bench).map_err(|error| Failed::at("a pseudo-terminal", error))
    }
}

fn machine() -> Result<&'static Machine, Failed> {
    Machine::named(MACHINE).map_err(|error| Failed::at("the machine", error))
}

fn profile() -> Result<Profile, Failed> {
    Ok(Profile::new(machine()?, Material::Pla, Preset::Standard))
}

/// How long is looked.
#[derive(Clone, Copy)]
pub(crate) struct Watch {
    pub(crate) seconds: u64,
}

impl Watch {
    /// Lets whoever prints come to work, then looks.
    pub(crate) async fn over(self, printer: &PtyMarlin, pid: Pid, idle: u64) -> Result<Measured, Failed> {
        let begun = Instant::now();
        while printer.pace().0 < BEGUN {
            if begun.elapsed() > PATIENCE {
                return Err(Failed(format!("{} commands after {PATIENCE:?}", printer.pace().0)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let (from, before, at) = (printer.pace(), Used::by(pid)?, Instant::now());
        let mut printing = before.resident;
        for _ in 0..self.seconds * 2 {
            tokio::time::sleep(Duration::from_millis(500)).await;
            printing = printing.max(Used::by(pid)?.resident);
        }
        let (to, after, wall) = (printer.pace(), Used::by(pid)?, at.elapsed());
        let (moves, starved) = (to.0 - from.0, to.1 - from.1);
        Ok(Measured { idle, printing, cpu: after.cpu - before.cpu, wall, moves, starved })
    }
}

/// Bytes an agent holds that has nothing to do.
pub(crate) async fn idle(pid: Pid) -> Result<u64, Failed> {
    tokio::time::sleep(IDLE).await;
    Ok(Used::by(pid)?.resident)
}

/// The process of a child.
pub(crate) fn pid(child: &Child) -> Result<Pid, Failed> {
    let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
    pid.ok_or_else(|| Failed("a program ended at once".into()))
}

/// Our agent, from enrolment to printing.
pub(crate) async fn ours(
    program: &Path,
    shop: &Shop,
    job: &Job,
    room: &Path,
    watch: Watch,
) -> Result<Measured, Failed> {
    let printer = job.printer()?;
    let device = |arguments: &[&str]| {
        let mut command = Command::new(program);
        command.args(arguments).arg("--home").arg(room.join("device"));
        command.env("LAYERLOCK_CONNECT", server_dir(room).join("connect.toml")).kill_on_drop(true);
        command
    };
    let code = shop.enrolment_code().await?;
    let enrolled = device(&["enrol", &code, "--machine", MACHINE]).output().await;
    let enrolled = enrolled.map_err(|error| Failed::at(program.display(), error))?;
    let said = String::from_utf8_lossy(&enrolled.stdout).into_owned();
    let id = said.split_whitespace().find(|word| word.starts_with("device-"));
    let id = id.ok_or_else(|| Failed(String::from_utf8_lossy(&enrolled.stderr).into_owned()))?;

    let target = format!("serial:{}", printer.path().display());
    let agent = device(&["run", "--printer", &target]).stdout(Stdio::null()).spawn();
    let agent = agent.map_err(|error| Failed::at(program.display(), error))?;
    let pid = pid(&agent)?;
    let idle = idle(pid).await?;
    order(shop, job, id).await?;
    watch.over(&printer, pid, idle).await
}

async fn order(shop: &Shop, job: &Job, device: &str) -> Result<(), Failed> {
    let uploaded = shop.upload("bench", &job.model).await?;
    let license = shop.license(&uploaded, 1).await?;
    let failed = |error| Failed::at("an order", error);
    let request = RequestId::from_bytes(id_bytes());
    let held = shop.buyer.place_hold(&license, device, request).await.map_err(failed)?;
    let order = Order { license: &license, device, preset: "standard", material: "pla", settings: &[] };
    shop.buyer.create_job(&held, &order).await.map(drop).map_err(failed)
}

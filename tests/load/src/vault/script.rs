//! What people would script today: slice with PrusaSlicer, encrypt for one recipient with age.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use layerlock_bench::prusa;
use layerlock_load::Failed;

const AGE: &str = "age";

/// The two programs and a recipient.
pub(crate) struct Script {
    pub(crate) versions: String,
    recipient: String,
    gcode: PathBuf,
    sealed: PathBuf,
}

/// What one run took.
pub(crate) struct Run {
    pub(crate) sliced: Duration,
    pub(crate) whole: Duration,
}

impl Script {
    /// Makes sure both run, and makes a recipient in `room`.
    pub(crate) fn find(room: &Path) -> Result<Self, Failed> {
        let said = |program: &str, argument: &str| {
            let output = Command::new(program).arg(argument).output();
            let output = output.map_err(|error| Failed::at(program, error))?;
            Ok::<_, Failed>(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
        };
        let prusa = said(prusa::PROGRAM, "--help")?;
        let prusa = prusa.lines().find(|line| line.contains("Slicer-")).unwrap_or(prusa::PROGRAM);
        let versions = format!(
            "{}, age {}",
            prusa.split(" based on").next().unwrap_or_default(),
            said(AGE, "--version")?.trim()
        );
        let key = room.join("age.key");
        let made = Command::new("age-keygen").arg("-o").arg(&key).stderr(Stdio::null()).status();
        made.map_err(|error| Failed::at("age-keygen", error))?;
        let text = std::fs::read_to_string(&key).map_err(|error| Failed::at(key.display(), error))?;
        let recipient = text.lines().find_map(|line| line.strip_prefix("# public key: "));
        let recipient =
            recipient.ok_or_else(|| Failed::at("age-keygen", "it names no public key"))?.to_owned();
        let (gcode, sealed) = (room.join("script.gcode"), room.join("script.gcode.age"));
        Ok(Self { versions, recipient, gcode, sealed })
    }

    /// Slices and encrypts; nothing if PrusaSlicer refuses the model.
    pub(crate) fn run(&self, stl: &Path) -> Result<Option<Run>, Failed> {
        for old in [&self.gcode, &self.sealed] {
            let _ = std::fs::remove_file(old);
        }
        let begun = Instant::now();
        quiet(Command::new(prusa::PROGRAM).args(prusa::arguments(stl, &self.gcode)))?;
        let sliced = begun.elapsed();
        if !self.gcode.exists() {
            return Ok(None);
        }
        let mut age = Command::new(AGE);
        let age = age.args(["--encrypt", "--recipient", &self.recipient, "--output"]);
        let ended_well = quiet(age.arg(&self.sealed).arg(&self.gcode))?;
        let whole = begun.elapsed();
        match ended_well {
            true => Ok(Some(Run { sliced, whole })),
            false => Err(Failed::at(AGE, "it ended with an error")),
        }
    }
}

fn quiet(command: &mut Command) -> Result<bool, Failed> {
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    let status = status.map_err(|error| Failed::at(command.get_program().display(), error))?;
    Ok(status.success())
}

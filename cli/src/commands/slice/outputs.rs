//! The files a run writes: none is a file it reads, no two are the same, and each grows under a name of its own beside its
//! place. They take their places when all are whole, so a run that fails leaves what was there before.

use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tempfile::{Builder, NamedTempFile};

use crate::args::Slice;
use crate::files::{folder, named};

/// What a run writes.
pub(super) struct Outputs {
    gcode: Output,
    picture: Option<Output>,
    stats: Option<Output>,
}

/// One file on its way.
struct Output {
    place: PathBuf,
    growing: NamedTempFile,
}

impl Outputs {
    /// Checks all places and begins the files.
    ///
    /// # Errors
    /// The place that is no output: an input, a folder, a device, another output, or in a folder that isn't there.
    pub(super) fn begin(args: &Slice) -> io::Result<Self> {
        let changes = &args.changes;
        let others = [&changes.add, &changes.subtract, &changes.intersect].into_iter().flatten();
        let inputs: Vec<&Path> = [&args.model].into_iter().chain(others).map(PathBuf::as_path).collect();
        let places = [Some(&args.output), args.picture.as_ref(), args.stats.as_ref()];
        let places: Vec<&Path> = places.into_iter().flatten().map(PathBuf::as_path).collect();
        for (nth, place) in places.iter().enumerate() {
            check(place, &inputs, &places[..nth])?;
        }
        let begin = |place: &Option<PathBuf>| place.as_deref().map(Output::begin).transpose();
        Ok(Self {
            gcode: Output::begin(&args.output)?,
            picture: begin(&args.picture)?,
            stats: begin(&args.stats)?,
        })
    }

    /// The file the G-code goes to.
    pub(super) fn gcode(&self) -> io::Result<File> {
        self.gcode.growing.as_file().try_clone()
    }

    /// Fills the picture, if one is wanted.
    pub(super) fn fill_picture(&mut self, png: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<()> {
        self.picture.as_mut().map_or(Ok(()), |output| output.fill(&png()?))
    }

    /// Fills the statistics, if they are wanted.
    pub(super) fn fill_stats(&mut self, json: impl FnOnce() -> Vec<u8>) -> io::Result<()> {
        self.stats.as_mut().map_or(Ok(()), |output| output.fill(&json()))
    }

    /// Puts all files in their places, the G-code last.
    pub(super) fn place(self) -> io::Result<()> {
        self.picture.into_iter().chain(self.stats).chain([self.gcode]).try_for_each(Output::place)
    }
}

impl Output {
    fn begin(place: &Path) -> io::Result<Self> {
        let name = place.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // As any other file: the umask takes from it.
        let growing = Builder::new()
            .prefix(&format!("{name}."))
            .suffix(".part")
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(folder(place))
            .map_err(named(place))?;
        Ok(Self { place: place.to_owned(), growing })
    }

    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.growing.write_all(bytes).map_err(named(&self.place))
    }

    fn place(self) -> io::Result<()> {
        let Self { place, growing } = self;
        let put = || {
            growing.as_file().sync_all()?;
            growing.persist(&place)?;
            File::open(folder(&place))?.sync_all()
        };
        put().map_err(named(&place))
    }
}

/// Whether a file may be put there; the model is the first of the `inputs`.
fn check(place: &Path, inputs: &[&Path], outputs: &[&Path]) -> io::Result<()> {
    let refused = |why: &str| {
        let words = format!("{}: {why}; name a file that may be written", place.display());
        Err(io::Error::new(io::ErrorKind::InvalidInput, words))
    };
    let names_a_folder = place.file_name().is_none() || place.to_string_lossy().ends_with('/');
    if names_a_folder || fs::metadata(place).is_ok_and(|there| !there.is_file()) {
        return refused("is no regular file");
    }
    if !folder(place).is_dir() {
        return refused("its folder is not there");
    }
    // A model that has two names is still one file.
    match inputs.iter().position(|input| is_same(input, place)) {
        Some(0) => return refused("is the model itself"),
        Some(_) => return refused("is a mesh that changes the model"),
        None => {}
    }
    let at = |path: &Path| Some((fs::canonicalize(folder(path)).ok()?, path.file_name()?.to_owned()));
    if outputs.iter().any(|other| at(other) == at(place) || is_same(other, place)) {
        return refused("is written twice");
    }
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|there| (there.dev(), there.ino())).ok();
    identity(one).is_some_and(|id| identity(other) == Some(id))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    /// The command with just its arguments.
    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(flatten)]
        slice: Slice,
    }

    /// A folder with a model, its other name, and a mesh to add.
    fn room() -> tempfile::TempDir {
        let room = tempfile::tempdir().unwrap();
        fs::write(room.path().join("model.stl"), "model").unwrap();
        fs::write(room.path().join("added.stl"), "added").unwrap();
        fs::hard_link(room.path().join("model.stl"), room.path().join("other-name.stl")).unwrap();
        room
    }

    fn begin(room: &Path, arguments: &[(&str, &str)]) -> io::Result<Outputs> {
        let mut line = vec!["slice".to_owned(), room.join("model.stl").display().to_string()];
        for (option, file) in arguments {
            line.extend([(*option).to_owned(), room.join(file).display().to_string()]);
        }
        Outputs::begin(&Command::try_parse_from(line).expect("arguments").slice)
    }

    #[test]
    fn no_file_that_is_read_and_none_twice_is_an_output() {
        let room = room();
        for arguments in [
            [("-o", "model.stl"), ("--add", "added.stl")],
            [("-o", "other-name.stl"), ("--add", "added.stl")],
            [("-o", "added.stl"), ("--add", "added.stl")],
            [("-o", "out.gcode"), ("--picture", "model.stl")],
            [("-o", "out.gcode"), ("--stats", "other-name.stl")],
            [("-o", "out.gcode"), ("--stats", "out.gcode")],
            [("-o", "out.gcode"), ("--picture", "nowhere/out.png")],
            [("-o", "out.gcode"), ("--picture", "folder/")],
        ] {
            let refused = begin(room.path(), &arguments).err().expect("refused").to_string();
            assert!(refused.contains("name a file that may be written"), "{refused}");
        }
        assert_eq!(fs::read(room.path().join("model.stl")).unwrap(), b"model");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 3, "nothing is left beside");
    }

    #[test]
    fn what_was_there_stays_until_all_is_whole() {
        let room = room();
        let at = |name: &str| room.path().join(name);
        fs::write(at("out.gcode"), "old").unwrap();
        // Where a growing file used to lie: somebody else's.
        std::os::unix::fs::symlink(at("added.stl"), at("out.gcode.part")).unwrap();
        let arguments = [("-o", "out.gcode"), ("--picture", "out.png")];
        let mut failed = begin(room.path(), &arguments).unwrap();
        failed.gcode().unwrap().write_all(b"new").unwrap();
        failed.fill_picture(|| Err(io::Error::other("no such layer"))).unwrap_err();
        drop(failed);
        assert_eq!(fs::read(at("out.gcode")).unwrap(), b"old");
        let mut whole = begin(room.path(), &arguments).unwrap();
        whole.gcode().unwrap().write_all(b"new").unwrap();
        whole.fill_picture(|| Ok(b"png".to_vec())).unwrap();
        whole.place().unwrap();
        assert_eq!(fs::read(at("out.gcode")).unwrap(), b"new");
        assert_eq!(fs::read(at("out.png")).unwrap(), b"png");
        assert_eq!(fs::read(at("added.stl")).unwrap(), b"added");
        assert_eq!(fs::read_dir(room.path()).unwrap().count(), 6);
    }
}

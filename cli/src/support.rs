//! Support tokens: who may watch this device for a while, by its owner's leave.
//!
//! The owner makes a token and tells it to whoever helps; what is kept is its hash and its end, in the device's folder, where
//! the agent looks again every second: a token that was taken back is none a moment later. What is seen by it says
//! [`crate::status_page`]; nothing can be done by it.

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use layerlock_seal::token::{ApiKey, ApiKeyHash};
use layerlock_terms::units::{Millis, Timestamp};

use crate::files;
use crate::random::Random;

/// Where the device's folder keeps them.
const FILE: &str = "support";

/// Tokens at once.
const MOST: usize = 8;

/// The tokens of one device.
#[derive(Debug, Clone)]
pub struct Support {
    file: PathBuf,
}

/// A token as it is kept.
struct Leave {
    hash: ApiKeyHash,
    made: Timestamp,
    until: Timestamp,
}

/// All that is kept, while nobody else changes it.
struct Kept {
    leaves: Vec<Leave>,
    _lock: File,
}

impl Support {
    /// Of the device in this folder.
    pub fn of(home: &Path) -> Self {
        Self { file: home.join(FILE) }
    }

    /// Makes a token that is good for so long; it is shown once.
    ///
    /// # Errors
    /// The system's, and too many tokens.
    pub fn grant(&self, span: Millis, now: Timestamp) -> io::Result<ApiKey> {
        let mut kept = self.take(now)?;
        if kept.leaves.len() >= MOST {
            let words =
                format!("there are {MOST} support tokens already: take them back with --revoke first");
            return Err(io::Error::other(words));
        }
        let token = ApiKey::generate(&mut Random);
        kept.leaves.push(Leave { hash: token.hash(), made: now, until: now.plus(span) });
        self.write(&kept.leaves)?;
        Ok(token)
    }

    /// Takes all tokens back; answers how many were good.
    ///
    /// # Errors
    /// The system's.
    pub fn revoke_all(&self, now: Timestamp) -> io::Result<usize> {
        let kept = self.take(now)?;
        self.write(&[])?;
        Ok(kept.leaves.len())
    }

    /// Until when each token is good.
    ///
    /// # Errors
    /// The system's.
    pub fn ends(&self, now: Timestamp) -> io::Result<Vec<Timestamp>> {
        Ok(self.take(now)?.leaves.iter().map(|leave| leave.until).collect())
    }

    /// Whether a token is good now. What can't be read admits nobody.
    pub fn admits(&self, token: &ApiKey, now: Timestamp) -> bool {
        let hash = token.hash();
        self.take(now).is_ok_and(|kept| kept.leaves.iter().any(|leave| leave.hash == hash))
    }

    /// Those that are good. Others are struck out on sight: a clock that goes back makes none good again, nor one that it has
    /// set to before its making.
    fn take(&self, now: Timestamp) -> io::Result<Kept> {
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.file.with_extension("lock"))?;
        lock.lock()?;
        let mut leaves = self.read()?;
        let before = leaves.len();
        leaves.retain(|leave| (leave.made..leave.until).contains(&now));
        if leaves.len() < before {
            self.write(&leaves)?;
        }
        Ok(Kept { leaves, _lock: lock })
    }

    fn read(&self) -> io::Result<Vec<Leave>> {
        let text = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let leaves: Option<Vec<Leave>> = text.lines().map(Leave::parse).collect();
        let not = || {
            let words = format!("{}: not what `device support` writes: remove it", self.file.display());
            io::Error::new(io::ErrorKind::InvalidData, words)
        };
        leaves.ok_or_else(not)
    }

    fn write(&self, leaves: &[Leave]) -> io::Result<()> {
        let mut text = String::new();
        for leave in leaves {
            leave.hash.as_bytes().iter().for_each(|byte| {
                let _ = write!(text, "{byte:02x}");
            });
            let _ = writeln!(text, " {} {}", leave.made.0, leave.until.0);
        }
        files::write_private(&self.file, text.as_bytes())
    }
}

impl Leave {
    fn parse(line: &str) -> Option<Self> {
        let (hex, times) = line.split_once(' ')?;
        let (made, until) = times.split_once(' ')?;
        let mut hash = [0; 32];
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&hex[2 * at..2 * at + 2], 16).ok()?;
        }
        let time = |text: &str| text.parse().ok().map(Timestamp);
        Some(Self { hash: ApiKeyHash::from_bytes(hash), made: time(made)?, until: time(until)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_000_000);
    const HOUR: Millis = Millis(3_600_000);

    #[test]
    fn a_token_is_good_until_its_end_or_until_it_is_taken_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let support = Support::of(dir.path());
        let (first, second) = (support.grant(HOUR, NOON).unwrap(), support.grant(Millis(5), NOON).unwrap());
        assert!(support.admits(&first, NOON) && support.admits(&second, NOON));
        assert!(!support.admits(&ApiKey::generate(&mut Random), NOON));
        assert_eq!(support.ends(NOON).unwrap(), [NOON.plus(HOUR), NOON.plus(Millis(5))]);
        let later = NOON.plus(Millis(5));
        assert!(support.admits(&first, later) && !support.admits(&second, later));
        let kept = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!kept.contains(&first.reveal()["layerlock_".len()..]), "what is kept opens nothing");
        // A clock that goes back makes none good again that was seen to have ended.
        assert!(support.admits(&first, NOON) && !support.admits(&second, NOON));
        assert!(!support.admits(&first, Timestamp(NOON.0 - 1)), "it was not made yet");
        assert!(!support.admits(&first, NOON), "and is struck out");
        let third = support.grant(HOUR, NOON).unwrap();
        assert_eq!(support.revoke_all(later).unwrap(), 1);
        assert!(!support.admits(&third, later));
    }

    #[test]
    fn tokens_are_few_and_a_file_of_anything_else_admits_nobody() {
        let dir = tempfile::tempdir().expect("a folder");
        let support = Support::of(dir.path());
        let tokens: Vec<_> = (0..MOST).map(|_| support.grant(HOUR, NOON).unwrap()).collect();
        assert!(support.grant(HOUR, NOON).err().unwrap().to_string().contains("--revoke"));
        support.grant(HOUR, NOON.plus(HOUR)).expect("those before have ended");
        for text in ["x", "00 5", &format!("{} -", "0".repeat(64)), &format!("é{} 5", "0".repeat(62))] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            assert!(!support.admits(&tokens[0], NOON) && support.ends(NOON).is_err(), "{text}");
        }
    }
}

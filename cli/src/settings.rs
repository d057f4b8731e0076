//! `layerlock serve`'s settings: a TOML file, every field optional, unknown fields refused by name.

use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

use layerlock_store::blobs::S3;
use serde::Deserialize;

use crate::files;
use crate::kek::KekSources;
use crate::sight::PageAt;

/// Where the services listen and what they bound.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Address the licensor listens on.
    pub licensor: SocketAddr,
    /// Address the vault listens on.
    pub vault: SocketAddr,
    /// Where metrics are served, for this machine or its monitoring alone.
    pub metrics: PageAt,
    /// Where records are kept: `journal`, in the server's folder, or the address of a PostgreSQL database.
    pub records: RecordsAt,
    /// Where sealed designs and envelopes are kept: `directory`, in the server's folder, or the address of a bucket.
    pub files: FilesAt,
    /// Where the vault's key-encryption keys come from, the current one first.
    pub key_encryption_keys: KekSources,
    /// What this process does.
    pub roles: Vec<Duty>,
    /// Where clients, and a vault that has no licensor beside it, find the licensor, if not at this process.
    pub licensor_at: Option<String>,
    /// Where clients find the vault, if not at this process.
    pub vault_at: Option<String>,
    /// Names and addresses clients reach this machine by; the first one goes into the connection file. Used
    /// when the TLS identity is first made.
    pub names: Vec<String>,
    /// What the ledger calls itself in its checkpoints.
    pub ledger: String,
    /// Largest upload, bytes.
    pub upload_bytes: u64,
    /// Slicing threads of one job.
    pub slicing_threads: u16,
    /// Jobs that are sliced at the same time.
    pub slicing_jobs: u16,
    /// Connections open at each service at the same time; more are refused.
    pub connections: usize,
    /// Connections open from one address at the same time.
    pub connections_per_address: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            licensor: ([127, 0, 0, 1], 7421).into(),
            vault: ([127, 0, 0, 1], 7422).into(),
            metrics: PageAt(Some(([127, 0, 0, 1], 7423).into())),
            records: RecordsAt::Journal,
            files: FilesAt::Directory,
            key_encryption_keys: KekSources::default(),
            roles: vec![Duty::Licensor, Duty::Vault, Duty::Worker],
            licensor_at: None,
            vault_at: None,
            names: vec!["localhost".into(), "127.0.0.1".into()],
            ledger: "layerlock.local/ledger".into(),
            upload_bytes: 512 * 1024 * 1024,
            slicing_threads: std::thread::available_parallelism()
                .map_or(1, |cores| u16::try_from(cores.get()).unwrap_or(u16::MAX)),
            slicing_jobs: 2,
            connections: 4096,
            connections_per_address: 1024,
        }
    }
}

/// Where records are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum RecordsAt {
    /// In the server's folder.
    Journal,
    /// In this PostgreSQL database. The address may hold a password, so errors and logs never show it.
    Postgres(String),
}

impl fmt::Debug for RecordsAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Journal => "Journal",
            Self::Postgres(_) => "Postgres",
        })
    }
}

impl<'de> Deserialize<'de> for RecordsAt {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        match text.split(':').next() {
            Some("journal") if text == "journal" => Ok(Self::Journal),
            Some("postgresql" | "postgres") => Ok(Self::Postgres(text)),
            _ => Err(serde::de::Error::custom(
                "`records` is neither `journal` nor an address that begins with `postgresql://`",
            )),
        }
    }
}

/// Where sealed designs and envelopes are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FilesAt {
    /// In the server's folder.
    Directory,
    /// In this bucket of an S3-compatible store.
    S3(S3),
}

impl<'de> Deserialize<'de> for FilesAt {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "directory" {
            return Ok(Self::Directory);
        }
        S3::parse(&text).map(Self::S3).map_err(|error| {
            serde::de::Error::custom(format!("`files` is neither `directory` nor a bucket: {error}"))
        })
    }
}

/// What a process does. Several may do the same on shared records and files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Serves the licensor.
    Licensor,
    /// Serves the vault: uploads, jobs, sessions of devices.
    Vault,
    /// Slices and seals what any vault admitted.
    Worker,
}

/// Why the settings can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file can't be read.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// The file isn't what it should be.
    #[error("{file}: {why}")]
    Malformed {
        /// The file.
        file: String,
        /// Line, field and reason.
        why: String,
    },
}

/// What is wrong and in which line, without the line itself, which may hold a password.
fn in_line(text: &str, error: &toml::de::Error) -> String {
    let line = error.span().map(|span| text[..span.start].lines().count().max(1));
    line.map_or_else(String::new, |line| format!("line {line}: ")) + error.message()
}

impl Settings {
    /// Reads the file; without one, the defaults.
    pub fn read(file: Option<&Path>) -> Result<Self, SettingsError> {
        let Some(file) = file else { return Ok(Self::default()) };
        let malformed = |why: String| SettingsError::Malformed { file: file.display().to_string(), why };
        let text = String::from_utf8(files::read(file)?).map_err(|error| malformed(error.to_string()))?;
        let settings: Self = toml::from_str(&text).map_err(|error| malformed(in_line(&text, &error)))?;
        settings.check().map_err(|why| malformed(why.to_owned()))?;
        Ok(settings)
    }

    /// Whether this process does this.
    pub fn does(&self, duty: Duty) -> bool {
        self.roles.contains(&duty)
    }

    /// Whether other processes may use the same records and files.
    pub fn is_shared(&self) -> bool {
        matches!((&self.records, &self.files), (RecordsAt::Postgres(_), FilesAt::S3(_)))
    }

    fn check(&self) -> Result<(), &'static str> {
        if self.names.is_empty() {
            return Err("`names` is empty: clients need one name to reach this machine by");
        }
        if self.roles.is_empty() {
            return Err("`roles` is empty: name what this process does, licensor, vault or worker");
        }
        let does_all = [Duty::Licensor, Duty::Vault, Duty::Worker].iter().all(|duty| self.does(*duty));
        if !does_all && !self.is_shared() {
            return Err(
                "a process that does not do everything needs records in PostgreSQL and files in a bucket",
            );
        }
        if self.files != FilesAt::Directory && !self.is_shared() {
            return Err(
                "files in a bucket need records in PostgreSQL: a journal knows nothing of other processes",
            );
        }
        if !self.does(Duty::Licensor) && self.licensor_at.is_none() {
            return Err("without the role licensor `licensor-at` must say where the licensor is");
        }
        Ok(())
    }

    /// Any free port on loopback: for the demo and for tests, which must not meet each other.
    pub fn anywhere() -> Self {
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Self { licensor: anywhere, vault: anywhere, metrics: PageAt(None), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_served_at_an_address_or_off() {
        let metrics = |text: &str| toml::from_str::<Settings>(text).map(|settings| settings.metrics.0);
        assert_eq!(metrics("metrics = \"off\"").expect("off"), None);
        let address = metrics("metrics = \"127.0.0.1:9\"").expect("an address");
        assert_eq!(address, Some(SocketAddr::from(([127, 0, 0, 1], 9))));
        let error = metrics("metrics = \"nowhere\"").expect_err("no address").to_string();
        assert!(error.contains("`nowhere`") && error.contains("`off`"), "{error}");
    }

    #[test]
    fn records_are_in_a_journal_or_a_database() {
        let records = |text: &str| toml::from_str::<Settings>(text).map(|settings| settings.records);
        assert_eq!(records("").expect("none said"), RecordsAt::Journal);
        assert_eq!(records("records = \"journal\"").expect("said"), RecordsAt::Journal);
        let address = "postgresql:///layerlock";
        let postgres = records(&format!("records = \"{address}\"")).expect("an address");
        assert_eq!(postgres, RecordsAt::Postgres(address.to_owned()));
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("serve.toml");
        std::fs::write(&file, "\nrecords = \"mysql://me:secret@host/\"\n").expect("writable");
        let error = Settings::read(Some(&file)).expect_err("no such thing").to_string();
        assert!(error.contains("line 2: `records` is neither"), "{error}");
        assert!(!error.contains("secret"), "a password shows: {error}");
    }

    #[test]
    fn a_process_of_some_roles_must_share_records_and_files_and_know_its_licensor() {
        let check = |text: &str| toml::from_str::<Settings>(text).expect("it reads").check();
        let shared = "records = \"postgresql:///x\"\nfiles = \"s3://b\"\n";
        assert_eq!(check(""), Ok(()));
        assert_eq!(check(shared), Ok(()));
        for (more, word) in [
            ("roles = []", "empty"),
            ("roles = [\"worker\"]", "needs records in PostgreSQL"),
            ("files = \"s3://b\"", "need records in PostgreSQL"),
        ] {
            let refused = check(more).expect_err(more);
            assert!(refused.contains(word), "{refused}");
        }
        let worker = format!("{shared}roles = [\"worker\"]\n");
        assert!(check(&worker).expect_err("no licensor").contains("licensor-at"));
        assert_eq!(check(&format!("{worker}licensor-at = \"https://a:1\"\n")), Ok(()));
    }

    /// The settings in `deploy/`, files of their own or blocks of a manifest.
    fn deployed() -> Vec<(String, String)> {
        let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy");
        let read = |file: &Path| std::fs::read_to_string(file).expect("it reads");
        let entries = std::fs::read_dir(deploy.join("compose")).expect("the folder is there");
        let files = entries.map(|entry| entry.expect("readable").path());
        let files = files.filter(|file| file.extension().is_some_and(|ending| ending == "toml"));
        let files = files.filter(|file| !file.ends_with("garage.toml"));
        let mut all: Vec<_> = files.map(|file| (file.display().to_string(), read(&file))).collect();
        let manifest = read(&deploy.join("kubernetes/layerlock.yaml"));
        let mut lines = manifest.lines().peekable();
        while let Some(line) = lines.next() {
            if let Some(name) = line.trim().strip_suffix(".toml: |") {
                let mut block = String::new();
                while let Some(line) = lines.next_if(|line| line.starts_with("    ")) {
                    block += &format!("{}\n", line.trim());
                }
                all.push((name.to_owned(), block));
            }
        }
        all
    }

    #[test]
    fn every_settings_file_of_deploy_is_taken() {
        let deployed = deployed();
        assert!(deployed.len() >= 7, "{deployed:?}");
        for (name, text) in deployed {
            let settings: Settings = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(settings.check(), Ok(()), "{name}");
        }
    }

    #[test]
    fn an_unknown_setting_is_refused_by_name() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let file = dir.path().join("serve.toml");
        std::fs::write(&file, "licensor = \"127.0.0.1:1\"\nlicenser = \"127.0.0.1:2\"\n").expect("writable");
        let error = Settings::read(Some(&file)).expect_err("a misspelt setting must not be ignored");
        assert!(error.to_string().contains("licenser"), "{error}");
    }
}

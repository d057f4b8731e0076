//! The vectors of `proto/vectors` that reach a device over its session, each played as a job.
//!
//! The kit certifies the vector's vault key and writes license and hold to fit, so that only the vector's one
//! reason can be what is refused.

use std::sync::Arc;

use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::device_message::Message as FromDevice;
use layerlock_proto::vault::v1::vault_message::Message as ToDevice;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::Endorsement;
use layerlock_terms::digest::{Digest, SignKey};
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::ids::{DeviceId, HoldId, JobId, LicenseId};
use layerlock_terms::receipt::{Event, Outcome};
use layerlock_terms::trust::{Role, ServiceCertificate};
use layerlock_terms::wire::Noun;

use crate::bench::{Bench, Verdict, must, receipt};
use crate::peer::unhex;
use crate::world::{FAR, Nouns, Pressed};

/// Name and text of every vector.
const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/vectors.rs"));

/// One file of `proto/vectors`.
pub(crate) struct Vector {
    pub name: &'static str,
    text: &'static str,
}

pub(crate) fn all() -> impl Iterator<Item = Vector> {
    FILES.iter().map(|(name, text)| Vector { name, text })
}

impl Vector {
    fn fields(&self, name: &'static str) -> impl Iterator<Item = &'static str> + use<> {
        let pairs = self.text.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(move |(field, _)| *field == name).map(|(_, value)| value)
    }

    fn bytes(&self, name: &'static str) -> Result<Vec<Vec<u8>>, String> {
        let not_hex = || format!("the vector's `{name}` is not hex: this build of the kit is broken");
        self.fields(name).map(|value| unhex(value).ok_or_else(not_hex)).collect()
    }

    fn one(&self, name: &'static str) -> Result<Vec<u8>, String> {
        self.bytes(name)?.into_iter().next().ok_or_else(|| format!("the vector has no `{name}`"))
    }

    /// The rule it breaks, or that nothing right may be refused.
    pub(crate) fn rule(&self) -> Vec<&'static str> {
        let rules: Vec<_> = self.fields("rule").collect();
        if rules.is_empty() { vec!["MODE-1"] } else { rules }
    }

    /// Plays it.
    pub(crate) fn run(&self, bench: &mut Bench) -> Verdict {
        let expect = self.fields("expect").next().unwrap_or_default();
        let (pressed, offered) = self.pressed(bench)?;
        bench.begin()?;
        bench.connect()?;
        // The vault that made the envelope proves itself in a session of its own: certified by the same root.
        let answers = bench.say(offered)?;
        let is_fetched = answers.iter().any(|answer| matches!(answer, FromDevice::Fetch(_)));
        if self.name.starts_with("statement/") {
            return match expect {
                "success" => must(is_fetched, "a right header was not fetched"),
                _ => must(!is_fetched, &format!("a header that is {expect} was fetched")),
            };
        }
        must(is_fetched, "the offer is right, and was not fetched")?;
        let ended = bench.see_through(&pressed, answers)?;
        let is_bad_before_keys = expect != "success" && !expect.ends_with("cannot-open");
        let is_bad_before_keys = is_bad_before_keys && !expect.ends_with("no-epoch-secret");
        if is_bad_before_keys {
            must(!bench.has_checked(), &format!("an envelope that is {expect} was called checked"))?;
            must(bench.commands.is_empty(), &format!("the machine moved for an envelope that is {expect}"))?;
        } else if expect == "success" {
            let digest =
                Statement::parse(&pressed.recorded.manifest).map_err(|why| why.to_string())?.digest();
            let checked = bench.receipts.iter().filter_map(|bytes| receipt(bytes).ok());
            let said = checked.map(|receipt| receipt.event).next();
            must(said == Some(Event::Checked(digest)), "a right envelope was not called checked (RC-10)")?;
        }
        // What these vectors seal is text, not toolpath: no honest machine moves for it.
        must(bench.commands.is_empty(), "the machine moved for what is no toolpath, or can't be opened")?;
        must(
            !matches!(ended, Some(Event::Ended(Outcome::Printed, _))),
            "it was reported as printed, and is no toolpath",
        )
    }

    /// The job around the vector's header, and the message that offers it.
    fn pressed(&self, bench: &mut Bench) -> Result<(Pressed, ToDevice), String> {
        let bytes = self.one(if self.name.starts_with("statement/") { "statement" } else { "header" })?;
        if let Ok(seed) = self.one("opening-key") {
            bench.maker.open_seed = seed.try_into().map_err(|_| "the vector's key has not 32 bytes")?;
        }
        let key: [u8; 32] = self.one("key")?.try_into().map_err(|_| "the vector's key has not 32 bytes")?;
        let certificate = ServiceCertificate { role: Role::Vault, key: SignKey(key), expires: FAR };
        bench.world.also = vec![Endorsement::signed(&certificate, &[&bench.world.root])];
        let read = Statement::parse(&bytes).ok().and_then(|it| EnvelopeHeader::parse(it.payload()).ok());
        // Every vector's header speaks of the same job; one that can't be read can't be fitted to, nor has to be.
        let mut nouns = Nouns::of(&bench.maker, 0);
        nouns.header.job = JobId::from_bytes([0x11; 16]);
        nouns.header.hold = HoldId::from_bytes([0x22; 16]);
        nouns.header.license = LicenseId::from_bytes([0x33; 16]);
        nouns.header.design_version = Digest([0x44; 32]);
        nouns.header.device = DeviceId::from_bytes([0x55; 16]);
        nouns.header.machine = "prusa-mk3s".into();
        let header = read.unwrap_or_else(|| nouns.header.clone());
        bench.maker.id = header.device;
        bench.maker.machine.clone_from(&nouns.header.machine);
        nouns.license.id = header.license;
        nouns.license.version = header.design_version;
        nouns.hold.id = header.hold;
        nouns.hold.license = header.license;
        nouns.hold.job = header.job;
        nouns.hold.device = header.device;
        nouns.header = header;
        let licensor = Arc::clone(&bench.world.licensor);
        let recorded = crate::world::RecordedOffer {
            header: bytes,
            license: Statement::sign(&nouns.license, &licensor).emit(),
            hold: Statement::sign(&nouns.hold, &licensor).emit(),
            segments: self.bytes("segment")?,
            manifest: self.bytes("manifest")?.into_iter().next().unwrap_or_default(),
        };
        let keys = self.bytes("release")?;
        let keys = keys.iter().map(|bytes| Statement::parse(bytes)).collect::<Result<_, _>>();
        let keys = keys.map_err(|why| why.to_string())?;
        let offer = wire::JobOffer {
            job: nouns.hold.job.to_string(),
            header: recorded.header.clone(),
            license: recorded.license.clone(),
            hold: recorded.hold.clone(),
            profile: Vec::new(),
        };
        Ok((Pressed { nouns, recorded, keys, pieces: Vec::new() }, ToDevice::Offer(offer)))
    }
}

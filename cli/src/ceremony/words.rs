//! What a root or certificate says, in words a key holder can compare with a sheet of paper.

use std::io::Write;
use std::path::Path;

use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::sha256;
use layerlock_seal::trust::{Endorsement, TrustedRoot};
use layerlock_terms::digest::SignKey;
use layerlock_terms::trust::{Authority, Root, ServiceCertificate};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;
use time::OffsetDateTime;

use super::{CeremonyError, id_of, listed, not_trusted};
use crate::trust_files::TrustFileError;

/// Says what an endorsement holds, and what it changes of the root in force; gives its name in a few words.
pub(super) fn say(
    endorsement: &Endorsement,
    root: Option<&TrustedRoot>,
    file: &Path,
    out: &mut impl Write,
) -> Result<String, CeremonyError> {
    match endorsement.kind() {
        Root::TYPE => {
            let noun: Root = endorsement.read().map_err(not_trusted(file))?;
            say_root(&noun, out)?;
            writeln!(out, "  digest       {}", sha256(endorsement.payload()))?;
            if let Some(before) = root.filter(|before| before.version() < noun.version) {
                say_changes(before, &noun, out)?;
            }
            Ok(format!("root version {}", noun.version))
        }
        ServiceCertificate::TYPE => {
            let noun: ServiceCertificate = endorsement.read().map_err(not_trusted(file))?;
            writeln!(out, "service certificate")?;
            writeln!(out, "  serves as    {}", noun.role)?;
            writeln!(out, "  key          {}", noun.key)?;
            writeln!(out, "  key id       {}", id_of(noun.key))?;
            writeln!(out, "  ends         {}", moment(noun.expires))?;
            Ok(format!("the certificate of {} key {}", noun.role, id_of(noun.key)))
        }
        kind => Err(TrustFileError::OtherNoun { file: file.to_owned(), kind: kind.to_owned() }.into()),
    }
}

fn say_root(root: &Root, out: &mut impl Write) -> Result<(), CeremonyError> {
    writeln!(out, "root version {}", root.version)?;
    writeln!(out, "  ends         {}", moment(root.expires))?;
    writeln!(out, "  must sign    {} of these {} keys", root.threshold, root.keys.len())?;
    for key in &root.keys {
        writeln!(out, "  key id       {}", id_of(*key))?;
    }
    for maker in &root.authorities {
        writeln!(out, "  OEM          {}", describe(maker))?;
    }
    for key in &root.withdrawn {
        writeln!(out, "  withdrawn    {}", id_of(*key))?;
    }
    Ok(())
}

fn describe(maker: &Authority) -> String {
    let (key, end, machines) = (id_of(maker.key), moment(maker.expires), listed(&maker.machines));
    format!("{} with key {key} until {end}, for {machines}", maker.name)
}

fn say_changes(before: &Root, after: &Root, out: &mut impl Write) -> Result<(), CeremonyError> {
    let key = |key: &SignKey| format!("key {}", id_of(*key));
    let withdrawn = |key: &SignKey| format!("withdrawn service key {}", id_of(*key));
    let mut lines = difference(&before.keys, &after.keys, key);
    lines.extend(difference(&before.authorities, &after.authorities, |maker| {
        format!("OEM {}", describe(maker))
    }));
    lines.extend(difference(&before.withdrawn, &after.withdrawn, withdrawn));
    if before.threshold != after.threshold {
        lines.push(format!("~ {} must sign, where {} had to", after.threshold, before.threshold));
    }
    let dropped = before.withdrawn.iter().filter(|key| !after.withdrawn.contains(key));
    lines.extend(dropped.map(|key| {
        format!(
            "! {} is withdrawn no more: any certificate of it that has not ended serves again",
            id_of(*key)
        )
    }));
    lines.push(format!("~ ends {}, where it was {}", moment(after.expires), moment(before.expires)));
    writeln!(out, "changes of version {}", before.version)?;
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))?;
    Ok(())
}

fn difference<T: PartialEq>(before: &[T], after: &[T], name: impl Fn(&T) -> String) -> Vec<String> {
    let gone = before.iter().filter(|item| !after.contains(item)).map(|item| format!("- {}", name(item)));
    let come = after.iter().filter(|item| !before.contains(item)).map(|item| format!("+ {}", name(item)));
    gone.chain(come).collect()
}

/// Says who signed, and how many of those who must are still missing.
pub(super) fn say_signatures(
    endorsement: &Endorsement,
    root: Option<&TrustedRoot>,
    out: &mut impl Write,
) -> Result<(), CeremonyError> {
    let signers: Vec<_> = endorsement.signers().collect();
    writeln!(
        out,
        "  signed by    {}",
        if signers.is_empty() { "nobody yet".to_owned() } else { listed(&signers) }
    )?;
    if let Ok(noun) = endorsement.read::<Root>() {
        let keys: Vec<_> = noun.keys.iter().filter_map(|key| VerifyingKey::try_from(*key).ok()).collect();
        let signed = endorsement.count::<Root>(&keys).unwrap_or(0);
        say_count(signed, noun.threshold, "its own keys", out)?;
        if let Some(before) = root.filter(|before| before.version() + 1 == noun.version) {
            let signed = endorsement.count::<Root>(before.keys()).unwrap_or(0);
            say_count(signed, before.threshold, &format!("the keys of version {}", before.version()), out)?;
        }
    } else if let Some(root) = root {
        let signed = endorsement.count::<ServiceCertificate>(root.keys()).unwrap_or(0);
        say_count(signed, root.threshold, &format!("the keys of root version {}", root.version()), out)?;
    }
    Ok(())
}

fn say_count(signed: usize, threshold: u8, of: &str, out: &mut impl Write) -> Result<(), CeremonyError> {
    let missing = usize::from(threshold).saturating_sub(signed);
    let rest = if missing == 0 { "enough".to_owned() } else { format!("{missing} missing") };
    Ok(writeln!(out, "  counts       {signed} of {of}, {threshold} must sign: {rest}")?)
}

/// `2027-11-20 17:14 UTC`.
pub(super) fn moment(at: Timestamp) -> String {
    let seconds = i64::try_from(at.0 / 1000).unwrap_or(i64::MAX);
    OffsetDateTime::from_unix_timestamp(seconds).map_or_else(
        |_| "in the far future".to_owned(),
        |at| {
            let (date, time) = (at.date(), at.time());
            format!("{date} {:02}:{:02} UTC", time.hour(), time.minute())
        },
    )
}

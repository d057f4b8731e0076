//! Drafts: what is to be signed, made of what is in force and what was typed.

use std::io::Write;

use layerlock_seal::trust::{Endorsement, TrustError};
use layerlock_terms::digest::SignKey;
use layerlock_terms::machine::Machine;
use layerlock_terms::trust::{Authority, Root, ServiceCertificate};
use layerlock_terms::units::{Millis, Timestamp};

use super::{CeremonyError, create, id_of, public_key, trusted, words};
use crate::args::root::{Certify, Draft};

const DAY: u64 = 24 * 3600 * 1000;

/// Drafts a root.
pub(super) fn root(args: &Draft, now: Timestamp, out: &mut impl Write) -> Result<(), CeremonyError> {
    let before = args.from.as_deref().map(trusted).transpose()?;
    let mut root = match &before {
        Some(before) => Root { version: before.version() + 1, ..Root::clone(before) },
        None => Root::new(1, now, 0, Vec::new()),
    };
    root.expires = in_days(now, args.expires_in);
    change_keys(&mut root, args)?;
    change_makers(&mut root, args, now)?;
    // Parsed as a device parses it, so that what is drafted here can be a root.
    let draft = Endorsement::draft(&root);
    draft.read::<Root>().map_err(CeremonyError::Draft)?;
    words::say(&draft, before.as_ref(), &args.output, out)?;
    create(&args.output, &draft, args.dry, out)
}

fn change_keys(root: &mut Root, args: &Draft) -> Result<(), CeremonyError> {
    for typed in &args.remove_keys {
        remove(&mut root.keys, typed)?;
    }
    for typed in &args.add_keys {
        root.keys.push(public_key(typed)?.into());
    }
    for typed in &args.withdraw {
        root.withdrawn.push(public_key(typed)?.into());
    }
    root.withdrawn.sort();
    root.withdrawn.dedup();
    root.threshold = match args.threshold {
        Some(threshold) => threshold,
        // More than half: any two sets of so many keys share one.
        None if root.threshold == 0 => u8::try_from(root.keys.len() / 2 + 1).unwrap_or(u8::MAX),
        None => root.threshold,
    };
    Ok(())
}

/// Removes the key of this id, as `root show` prints it, or this public key.
fn remove(keys: &mut Vec<SignKey>, typed: &str) -> Result<(), CeremonyError> {
    let place = match keys.iter().position(|known| id_of(*known) == typed.trim()) {
        Some(place) => place,
        None => {
            let key = public_key(typed)?;
            let place = keys.iter().position(|known| *known == key.into());
            place.ok_or(CeremonyError::NoSuchKey(key.key_id()))?
        }
    };
    keys.remove(place);
    Ok(())
}

fn change_makers(root: &mut Root, args: &Draft, now: Timestamp) -> Result<(), CeremonyError> {
    for name in &args.remove_oems {
        let before = root.authorities.len();
        root.authorities.retain(|authority| authority.name != *name);
        if root.authorities.len() == before {
            return Err(CeremonyError::NoSuchOem(name.clone()));
        }
    }
    for typed in &args.add_oems {
        root.authorities.push(maker(typed, now)?);
    }
    Ok(())
}

/// `NAME=KEY:DAYS:MACHINE[,MACHINE…]`.
fn maker(typed: &str, now: Timestamp) -> Result<Authority, CeremonyError> {
    let not = || CeremonyError::NotAnOem(typed.to_owned());
    let (name, rest) = typed.split_once('=').ok_or_else(not)?;
    let mut parts = rest.rsplitn(3, ':');
    let (machines, days, key) = (parts.next(), parts.next(), parts.next());
    let (Some(machines), Some(days), Some(key)) = (machines, days, key) else { return Err(not()) };
    let days = days.parse().map_err(|_| not())?;
    let mut machines: Vec<String> = machines.split(',').map(str::to_owned).collect();
    for machine in &machines {
        Machine::named(machine).map_err(|error| CeremonyError::NotAnOem(format!("{typed}`: {error} `")))?;
    }
    machines.sort();
    machines.dedup();
    Ok(Authority {
        name: name.to_owned(),
        key: public_key(key)?.into(),
        expires: in_days(now, days),
        machines,
    })
}

/// Drafts a service certificate.
pub(super) fn certificate(args: &Certify, now: Timestamp, out: &mut impl Write) -> Result<(), CeremonyError> {
    let root = trusted(&args.root)?;
    let key = public_key(&args.key)?;
    if root.withdrawn.contains(&key.into()) {
        return Err(CeremonyError::Draft(TrustError::Withdrawn(key.key_id())));
    }
    if let Some(purpose) = root.purpose_of(&key.into()) {
        return Err(CeremonyError::Draft(TrustError::OtherPurpose { key: key.key_id(), purpose }));
    }
    let noun =
        ServiceCertificate { role: args.role, key: key.into(), expires: in_days(now, args.expires_in) };
    let draft = Endorsement::draft(&noun);
    words::say(&draft, Some(&root), &args.output, out)?;
    create(&args.output, &draft, args.dry, out)
}

fn in_days(now: Timestamp, days: u32) -> Timestamp {
    now.plus(Millis(u64::from(days) * DAY))
}

//! The byte form of a job's record: version, state, order, then what the state adds, in the states' order.
//!
//! A record is read as evidence: every statement in it is verified again and must be of this very order, header of
//! hold, license, device and profile, manifest of header, receipts of job and device. So parts of two jobs' records
//! make no third, and how far a print came is what its device signed. What nobody signed is believed as it stands:
//! times, figures, a refusal's words, and that the record is the job's newest.

use layerlock_proto::refusal::Reason;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::sha256;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::header_hash;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::receipt::{Event as Said, JobEvent, JobReport, Receipt};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};
use prost::Message;

use super::Signers;
use crate::admit::{Order, read_statement};
use crate::job::{
    Admitted, Closed, Delivering, Ending, Figures, Job, Pressed, Printing, Refused, Requested, Sealed,
    Settled, Slicing, check_speaker,
};
use crate::refusal::Refusal;
use crate::settle::check_entry;

const VERSION: u8 = 2;
const SECRET_LIMIT: u32 = 1024;
const ENTRY_LIMIT: u32 = 256 * 1024;
const WORDS_LIMIT: u32 = 4096;

/// The job's bytes.
pub(crate) fn emit_job(job: &Job) -> Vec<u8> {
    let mut w = Writer::new();
    w.u8(VERSION).u8(number(job));
    job.order().write(&mut w);
    match job {
        Job::Requested(_) => {}
        Job::Refused(refused) => write_refusal(&mut w, &refused.refusal),
        Job::Admitted(admitted) => {
            w.u64(admitted.at.0);
        }
        Job::Slicing(slicing) => write_slicing(&mut w, slicing),
        Job::Sealed(sealed) | Job::Delivering(Delivering { sealed }) => write_sealed(&mut w, sealed),
        Job::Printing(printing) => {
            write_sealed(&mut w, printing.sealed());
            let (checked, progress) = printing.receipts();
            w.bytes(&checked.statement().emit());
            match progress {
                None => w.u8(0),
                Some(progress) => w.u8(1).bytes(&progress.statement().emit()),
            };
        }
        Job::Closed(closed) => write_closed(&mut w, closed),
        Job::Settled(settled) => {
            write_closed(&mut w, &settled.closed);
            w.bytes(&settled.entry);
        }
    }
    w.finish()
}

/// Reads a job; every statement in it is verified again.
pub(crate) fn parse_job(bytes: &[u8], signers: Signers<'_>) -> Result<Job, Malformed> {
    let mut r = Reader::new(bytes);
    if r.u8("version")? != VERSION {
        return Err(Malformed::Value("version"));
    }
    let state = r.u8("state")?;
    let order = Order::read(&mut r, signers.licensor)?;
    let job = match state {
        0 => Job::Requested(Requested { order }),
        1 => Job::Admitted(read_admitted(&mut r, order)?),
        2 => Job::Slicing(read_slicing(&mut r, order, signers)?),
        3 => Job::Sealed(read_sealed(&mut r, order, signers)?),
        4 => Job::Delivering(Delivering { sealed: read_sealed(&mut r, order, signers)? }),
        5 => Job::Printing(read_printing(&mut r, order, signers)?),
        6 => Job::Closed(read_closed(&mut r, order, signers)?),
        7 => Job::Settled(read_settled(&mut r, order, signers)?),
        8 => Job::Refused(Refused { order, refusal: read_refusal(&mut r)? }),
        _ => return Err(Malformed::Value("state")),
    };
    r.finish()?;
    Ok(job)
}

const fn number(job: &Job) -> u8 {
    match job {
        Job::Requested(_) => 0,
        Job::Admitted(_) => 1,
        Job::Slicing(_) => 2,
        Job::Sealed(_) => 3,
        Job::Delivering(_) => 4,
        Job::Printing(_) => 5,
        Job::Closed(_) => 6,
        Job::Settled(_) => 7,
        Job::Refused(_) => 8,
    }
}

fn write_slicing(w: &mut Writer, slicing: &Slicing) {
    w.u64(slicing.admitted.at.0).bytes(&slicing.header.statement().emit()).bytes(&slicing.secret);
}

fn write_sealed(w: &mut Writer, sealed: &Sealed) {
    write_slicing(w, &sealed.slicing);
    write_manifest(w, &sealed.manifest, &sealed.figures);
}

fn write_manifest(w: &mut Writer, manifest: &Verified<Manifest>, figures: &Figures) {
    w.bytes(&manifest.statement().emit());
    w.u64(figures.plain_bytes).u64(figures.first_segment.0).u64(figures.last_segment.0);
}

fn write_closed(w: &mut Writer, closed: &Closed) {
    w.u64(closed.admitted.at.0);
    match &closed.ending {
        Ending::Receipt(receipt) => {
            w.u8(1).bytes(&receipt.statement().emit());
        }
        Ending::Withdrawn(report, refusal) => {
            w.u8(2).bytes(&report.statement().emit());
            write_refusal(w, refusal);
        }
    }
    match &closed.pressed {
        None => {
            w.u8(0);
        }
        Some(Pressed { header, manifest, figures }) => {
            w.u8(1).bytes(&header.statement().emit());
            write_manifest(w, manifest, figures);
        }
    }
}

pub(super) fn write_refusal(w: &mut Writer, refusal: &Refusal) {
    w.bytes(refusal.reason.as_str().as_bytes()).bytes(refusal.words.as_bytes());
}

fn read_admitted(r: &mut Reader<'_>, order: Order) -> Result<Admitted, Malformed> {
    Ok(Admitted { order, at: Timestamp(r.u64("admitted")?) })
}

fn read_slicing(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Slicing, Malformed> {
    let admitted = read_admitted(r, order)?;
    let header = read_header(r, &admitted.order, signers)?;
    let secret = r.bytes("secret", SECRET_LIMIT)?.to_vec();
    Ok(Slicing { admitted, header, secret })
}

fn read_sealed(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Sealed, Malformed> {
    let slicing = read_slicing(r, order, signers)?;
    let (manifest, figures) = read_manifest(r, &slicing.header, signers)?;
    Ok(Sealed { slicing, manifest, figures })
}

/// The envelope's header: of this order and no other.
fn read_header(
    r: &mut Reader<'_>,
    order: &Order,
    signers: Signers<'_>,
) -> Result<Verified<EnvelopeHeader>, Malformed> {
    let header: Verified<EnvelopeHeader> = own(&read_statement(r, "header")?, signers, "header")?;
    let (license, profile) = (order.license(), order.profile());
    let belongs = (header.job, header.hold, header.device) == (order.job(), order.hold().id, order.device())
        && (header.license, header.design_version) == (license.id, license.version)
        && header.machine == profile.machine().name
        && header.profile == sha256(&profile.emit());
    if belongs { Ok(header) } else { Err(Malformed::Value("header")) }
}

/// The envelope's manifest: of this header and no other.
fn read_manifest(
    r: &mut Reader<'_>,
    header: &Verified<EnvelopeHeader>,
    signers: Signers<'_>,
) -> Result<(Verified<Manifest>, Figures), Malformed> {
    let manifest: Verified<Manifest> = own(&read_statement(r, "manifest")?, signers, "manifest")?;
    if manifest.header != header_hash(header.statement()) {
        return Err(Malformed::Value("manifest"));
    }
    let figures = Figures {
        plain_bytes: r.u64("plain bytes")?,
        first_segment: Millis(r.u64("first segment")?),
        last_segment: Millis(r.u64("last segment")?),
    };
    Ok((manifest, figures))
}

fn read_printing(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Printing, Malformed> {
    let sealed = read_sealed(r, order, signers)?;
    let order = &sealed.slicing.admitted.order;
    let checked = read_receipt(r, order)?;
    let progress = if r.flag("progress")? { Some(read_receipt(r, order)?) } else { None };
    Printing::resume(sealed, checked, progress).map_err(|_| Malformed::Value("receipt"))
}

/// A receipt by the order's device; of which job, its reader asks.
fn read_receipt(r: &mut Reader<'_>, order: &Order) -> Result<Verified<Receipt>, Malformed> {
    let receipt = read_statement(r, "receipt")?.verify(order.device_key());
    receipt.map_err(|_| Malformed::Value("receipt"))
}

fn read_closed(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Closed, Malformed> {
    let admitted = read_admitted(r, order)?;
    let ending = read_ending(r, &admitted.order, signers)?;
    let pressed = if r.flag("pressed")? {
        let header = read_header(r, &admitted.order, signers)?;
        let (manifest, figures) = read_manifest(r, &header, signers)?;
        Some(Pressed { header, manifest, figures })
    } else {
        None
    };
    Ok(Closed { admitted, ending, pressed })
}

/// The last word about the order's job: its device's, or the vault's own.
fn read_ending(r: &mut Reader<'_>, order: &Order, signers: Signers<'_>) -> Result<Ending, Malformed> {
    match r.u8("ending")? {
        1 => {
            let receipt = read_receipt(r, order)?;
            let is_final = matches!(receipt.event, Said::Ended(..));
            if is_final && check_speaker(order, &receipt).is_ok() {
                Ok(Ending::Receipt(receipt))
            } else {
                Err(Malformed::Value("receipt"))
            }
        }
        2 => {
            let report: Verified<JobReport> = own(&read_statement(r, "report")?, signers, "report")?;
            if (report.job, report.hold, report.event) != (order.job(), order.hold().id, JobEvent::Withdrawn)
            {
                return Err(Malformed::Value("report"));
            }
            Ok(Ending::Withdrawn(report, read_refusal(r)?))
        }
        _ => Err(Malformed::Value("ending")),
    }
}

fn read_settled(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Settled, Malformed> {
    let closed = read_closed(r, order, signers)?;
    let bytes = r.bytes("entry", ENTRY_LIMIT)?.to_vec();
    let entry = LedgerEntry::decode(&bytes[..]).map_err(|_| Malformed::Value("entry"))?;
    check_entry(&entry, signers.licensor, closed.admitted.order.hold().id)
        .map_err(|_| Malformed::Value("entry"))?;
    Ok(Settled { closed, entry: bytes })
}

pub(super) fn read_refusal(r: &mut Reader<'_>) -> Result<Refusal, Malformed> {
    let name = r.text("reason", WORDS_LIMIT)?;
    let reason = Reason::ALL.iter().copied().find(|reason| reason.as_str() == name);
    let reason = reason.ok_or(Malformed::Value("reason"))?;
    Ok(Refusal { reason, words: r.text("words", WORDS_LIMIT)? })
}

/// Verifies what the vault itself signed.
fn own<T: Noun>(
    statement: &Statement,
    signers: Signers<'_>,
    field: &'static str,
) -> Result<Verified<T>, Malformed> {
    statement.verify(signers.vault).map_err(|_| Malformed::Value(field))
}

//! The byte form of a job's record: version, state, order, then what the state adds, in the states' order.

use layerlock_proto::refusal::Reason;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_terms::envelope::Manifest;
use layerlock_terms::receipt::Extent;
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_terms::wire::{Malformed, Noun, Reader, Writer};

use super::Signers;
use crate::admit::{Order, read_statement};
use crate::job::{
    Admitted, Closed, Delivering, Ending, Figures, Job, Pressed, Printing, Refused, Requested, Sealed,
    Settled, Slicing,
};
use crate::refusal::Refusal;

const VERSION: u8 = 1;
const SECRET_LIMIT: u32 = 1024;
const ENTRY_LIMIT: u32 = 256 * 1024;
const WORDS_LIMIT: u32 = 4096;

/// The job's bytes.
pub(super) fn emit_job(job: &Job) -> Vec<u8> {
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
            write_sealed(&mut w, &printing.sealed);
            let extent = printing.extent;
            w.u32(printing.sequence).u32(extent.layers).u32(extent.total_layers);
            w.u64(extent.lines).u64(extent.filament_um);
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
pub(super) fn parse_job(bytes: &[u8], signers: Signers<'_>) -> Result<Job, Malformed> {
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
        7 => {
            let closed = read_closed(&mut r, order, signers)?;
            Job::Settled(Settled { closed, entry: r.bytes("entry", ENTRY_LIMIT)?.to_vec() })
        }
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
        Some(pressed) => write_manifest(w.u8(1), &pressed.manifest, &pressed.figures),
    }
}

fn write_refusal(w: &mut Writer, refusal: &Refusal) {
    w.bytes(refusal.reason.as_str().as_bytes()).bytes(refusal.words.as_bytes());
}

fn read_admitted(r: &mut Reader<'_>, order: Order) -> Result<Admitted, Malformed> {
    Ok(Admitted { order, at: Timestamp(r.u64("admitted")?) })
}

fn read_slicing(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Slicing, Malformed> {
    let admitted = read_admitted(r, order)?;
    let header = own(&read_statement(r, "header")?, signers, "header")?;
    let secret = r.bytes("secret", SECRET_LIMIT)?.to_vec();
    Ok(Slicing { admitted, header, secret })
}

fn read_sealed(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Sealed, Malformed> {
    let slicing = read_slicing(r, order, signers)?;
    let Pressed { manifest, figures } = read_manifest(r, signers)?;
    Ok(Sealed { slicing, manifest, figures })
}

fn read_manifest(r: &mut Reader<'_>, signers: Signers<'_>) -> Result<Pressed, Malformed> {
    let manifest = own(&read_statement(r, "manifest")?, signers, "manifest")?;
    let figures = Figures {
        plain_bytes: r.u64("plain bytes")?,
        first_segment: Millis(r.u64("first segment")?),
        last_segment: Millis(r.u64("last segment")?),
    };
    Ok(Pressed { manifest, figures })
}

fn read_printing(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Printing, Malformed> {
    let sealed = read_sealed(r, order, signers)?;
    let sequence = r.u32("sequence")?;
    let extent = Extent {
        layers: r.u32("layers")?,
        total_layers: r.u32("total layers")?,
        lines: r.u64("lines")?,
        filament_um: r.u64("filament")?,
    };
    Ok(Printing { sealed, sequence, extent })
}

fn read_closed(r: &mut Reader<'_>, order: Order, signers: Signers<'_>) -> Result<Closed, Malformed> {
    let admitted = read_admitted(r, order)?;
    let ending = match r.u8("ending")? {
        1 => {
            let receipt = read_statement(r, "receipt")?.verify(admitted.order.device_key());
            Ending::Receipt(receipt.map_err(|_| Malformed::Value("receipt"))?)
        }
        2 => {
            let report = own(&read_statement(r, "report")?, signers, "report")?;
            Ending::Withdrawn(report, read_refusal(r)?)
        }
        _ => return Err(Malformed::Value("ending")),
    };
    let pressed = if r.flag("pressed")? { Some(read_manifest(r, signers)?) } else { None };
    Ok(Closed { admitted, ending, pressed })
}

fn read_refusal(r: &mut Reader<'_>) -> Result<Refusal, Malformed> {
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

//! What is said about a job: rules of the receipt page. Three kinds of files: nouns that are none, runs of receipts a
//! vault must not take, evidence a licensor must not settle by.

use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DeviceId, HoldId, JobId};
use layerlock_terms::receipt::{
    Cause, CopyOutcome, Countersignature, Counts, Event, Extent, JobEvent, JobReport, Outcome, Receipt,
    Settlement,
};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

use super::super::file::Vector;
use super::super::forge;
use super::super::support::header;
use super::{delivery, sealed, seed};

/// Layers of the envelope all of this is about.
const LAYERS: u32 = 3;

const AT: Timestamp = Timestamp(1_700_000_900_000);

pub fn all() -> Vec<Vector> {
    [nouns(), runs(), evidence()].concat()
}

fn device_key() -> ed25519_dalek::SigningKey {
    forge::key(&seed("device signing key"))
}

fn stranger() -> ed25519_dalek::SigningKey {
    forge::key(&seed("another key"))
}

fn state<T: Noun>(noun: &T, key: &ed25519_dalek::SigningKey) -> Vec<u8> {
    forge::statement(T::TYPE, &noun.emit(), key)
}

fn receipt(sequence: u32, event: Event) -> Receipt {
    Receipt { device: header().device, job: header().job, hold: header().hold, sequence, at: AT, event }
}

fn extent(layers: u32) -> Extent {
    let lines = u64::from(layers) * 100;
    Extent { layers, total_layers: LAYERS, lines, filament_um: lines * 40 }
}

fn checked() -> Event {
    Event::Checked(Digest(forge::sha256(&sealed().1)))
}

fn report(event: JobEvent) -> JobReport {
    JobReport { job: header().job, hold: header().hold, at: AT, event }
}

fn countersignature(receipt: &[u8]) -> Countersignature {
    let receipt = Digest(forge::sha256(receipt));
    Countersignature { job: header().job, hold: header().hold, receipt, at: AT }
}

fn settlement() -> Settlement {
    Settlement {
        license: header().license,
        hold: header().hold,
        job: header().job,
        at: AT,
        cause: Cause::Printed,
        copy: CopyOutcome::Spent,
        counts: Counts { granted: 5, free: 3, held: 1, spent: 1 },
    }
}

fn statement_vector<T: Noun>(
    name: &str,
    (expect, rule): (&str, &str),
    comment: &str,
    payload: &[u8],
    key: &ed25519_dalek::SigningKey,
) -> Vector {
    Vector::new(&format!("receipt/{name}"), expect, rule, comment)
        .text("kind", "statement")
        .text("type", T::TYPE)
        .bytes("key", &forge::public(key))
        .bytes("statement", &forge::statement(T::TYPE, payload, key))
}

/// A payload with one byte replaced, counted from its end.
fn with(payload: Vec<u8>, from_end: usize, byte: u8) -> Vec<u8> {
    let at = payload.len() - from_end;
    [&payload[..at], &[byte], &payload[at + 1..]].concat()
}

/// The closed lists and the one sum: RC-1 to RC-6.
fn nouns() -> Vec<Vector> {
    let (device, vault, licensor) = (device_key(), delivery(), forge::key(&seed("licensor key")));
    let right = ("success", "");
    let wrong = |rule| ("refused-payload", rule);
    let ended = receipt(9, Event::Ended(Outcome::Printed, extent(3))).emit();
    let progress = receipt(1, Event::Progress(extent(1))).emit();
    let admitted = report(JobEvent::Admitted).emit();
    let said = countersignature(&state(&receipt(9, Event::Ended(Outcome::Printed, extent(3))), &device));
    let settled = settlement().emit();
    let poorer = Settlement { counts: Counts { free: 2, ..settlement().counts }, ..settlement() }.emit();
    vec![
        statement_vector::<Receipt>(
            "final",
            right,
            "a device says: printed, all three layers",
            &ended,
            &device,
        ),
        statement_vector::<Receipt>("event", wrong("RC-1"), "event 4", &with(progress, 25, 4), &device),
        statement_vector::<Receipt>("outcome", wrong("RC-2"), "outcome 0", &with(ended, 25, 0), &device),
        statement_vector::<JobReport>("report", right, "a vault admits the job", &admitted, &vault),
        statement_vector::<JobReport>(
            "report-event",
            wrong("RC-3"),
            "event 3",
            &with(admitted, 1, 3),
            &vault,
        ),
        statement_vector::<Countersignature>(
            "countersignature",
            right,
            "a vault closes the job by that receipt",
            &said.emit(),
            &vault,
        ),
        statement_vector::<Settlement>("settlement", right, "the copy is spent", &settled, &licensor),
        statement_vector::<Settlement>(
            "cause",
            wrong("RC-4"),
            "cause 7",
            &with(settled.clone(), 18, 7),
            &licensor,
        ),
        statement_vector::<Settlement>("copy", wrong("RC-5"), "copy 3", &with(settled, 17, 3), &licensor),
        statement_vector::<Settlement>(
            "counts",
            wrong("RC-6"),
            "5 granted, but 2 free, 1 held and 1 spent",
            &poorer,
            &licensor,
        ),
    ]
}

fn run(name: &str, expect: &str, rule: &str, comment: &str, receipts: &[Vec<u8>]) -> Vector {
    let mut vector = Vector::new(&format!("receipt/run-{name}"), expect, rule, comment)
        .text("kind", "receipts")
        .bytes("key", &forge::public(&device_key()))
        .bytes("vault-key", &forge::public(&delivery()))
        .bytes("device", header().device.as_bytes())
        .bytes("job", header().job.as_bytes())
        .bytes("hold", header().hold.as_bytes())
        .bytes("manifest", &sealed().1);
    for receipt in receipts {
        vector = vector.bytes("receipt", receipt);
    }
    vector
}

/// Runs whose last receipt isn't taken: RC-7 to RC-13.
fn runs() -> Vec<Vector> {
    let say = |sequence, event| state(&receipt(sequence, event), &device_key());
    let progress = |sequence, layers| say(sequence, Event::Progress(extent(layers)));
    let ended = |sequence, outcome, layers| say(sequence, Event::Ended(outcome, extent(layers)));
    let begun = [say(0, checked()), progress(1, 2)];
    let then = |last: Vec<u8>| [&begun[..], &[last]].concat();
    let then_twice = |last: Vec<u8>| [&begun[..], &[last.clone(), last]].concat();
    let of = |changed: Receipt| state(&changed, &device_key());
    let printed = Event::Ended(Outcome::Printed, extent(3));
    let elsewhere = |name: &str, comment, changed: Receipt| {
        run(name, "refused-at 2 other-job", "RC-8", comment, &then(of(changed)))
    };
    let layers_of = |total_layers, layers| Event::Progress(Extent { total_layers, ..extent(layers) });
    let less = Extent { filament_um: 0, ..extent(2) };
    vec![
        run("right", "success", "", "checked, two layers, printed", &then(ended(2, Outcome::Printed, 3))),
        run(
            "gap",
            "success",
            "",
            "a receipt that never came leaves a gap",
            &then(ended(7, Outcome::Printed, 3)),
        ),
        run(
            "again",
            "success",
            "",
            "a lost answer: receipt 1 again, which changes nothing",
            &[&begun[..], &[begun[1].clone(), ended(2, Outcome::Printed, 3)]].concat(),
        ),
        run(
            "checked-again",
            "success",
            "",
            "a device that lost its keys proves itself again; progress numbered below that was said before",
            &[&begun[..], &[say(5, checked()), progress(4, 1), ended(6, Outcome::Printed, 3)]].concat(),
        ),
        run(
            "over-again",
            "success",
            "",
            "the answer to the last receipt was lost: the same again, byte for byte",
            &then_twice(ended(2, Outcome::Failed, 2)),
        ),
        run(
            "stopped",
            "success",
            "",
            "cancelled before anything was checked",
            &[ended(0, Outcome::Cancelled, 0)],
        ),
        run(
            "signer",
            "refused-at 2 signer",
            "RC-7",
            "the final receipt is by another key",
            &then(state(&receipt(2, printed), &stranger())),
        ),
        elsewhere(
            "device",
            "another device",
            Receipt { device: DeviceId::from_bytes([9; 16]), ..receipt(2, printed) },
        ),
        elsewhere("job", "another job", Receipt { job: JobId::from_bytes([9; 16]), ..receipt(2, printed) }),
        elsewhere(
            "hold",
            "another hold",
            Receipt { hold: HoldId::from_bytes([9; 16]), ..receipt(2, printed) },
        ),
        run(
            "unchecked",
            "refused-at 0 out-of-place",
            "RC-9",
            "progress of an envelope nobody checked",
            &begun[1..],
        ),
        run(
            "after-end",
            "refused-at 3 out-of-place",
            "RC-9",
            "progress after the end",
            &[&then(ended(2, Outcome::Failed, 2))[..], &[progress(3, 3)]].concat(),
        ),
        run(
            "over-otherwise",
            "refused-at 3 out-of-place",
            "RC-9",
            "failed, and then printed after all",
            &[&then(ended(2, Outcome::Failed, 2))[..], &[ended(3, Outcome::Printed, 3)]].concat(),
        ),
        run(
            "manifest",
            "refused-at 0 other-manifest",
            "RC-10",
            "checked, but another manifest",
            &[say(0, Event::Checked(Digest([9; 32])))],
        ),
        run("backwards", "refused-at 2 backwards", "RC-11", "one layer after two", &then(progress(2, 1))),
        run(
            "unfed",
            "refused-at 2 backwards",
            "RC-11",
            "less filament than before",
            &then(say(2, Event::Progress(less))),
        ),
        run(
            "total",
            "refused-at 2 other-total",
            "RC-12",
            "three layers of four",
            &then(say(2, layers_of(4, 3))),
        ),
        run("too-many", "refused-at 2 other-total", "RC-12", "four layers of three", &then(progress(2, 4))),
        run(
            "not-all",
            "refused-at 2 not-printed",
            "RC-13",
            "printed, it says, and two layers of three",
            &then(ended(2, Outcome::Printed, 2)),
        ),
        run(
            "too-early",
            "refused-at 0 not-printed",
            "RC-13",
            "failed at layer one, and no key was released yet",
            &[ended(0, Outcome::Failed, 1)],
        ),
    ]
}

fn evidence_vector(name: &str, (expect, rule): (&str, &str), comment: &str) -> Vector {
    Vector::new(&format!("receipt/evidence-{name}"), expect, rule, comment)
        .text("kind", "evidence")
        .bytes("key", &forge::public(&device_key()))
        .bytes("vault-key", &forge::public(&delivery()))
        .bytes("device", header().device.as_bytes())
        .bytes("job", header().job.as_bytes())
        .bytes("hold", header().hold.as_bytes())
}

/// What a hold is settled by: RC-17 to RC-20, RC-22.
fn evidence() -> Vec<Vector> {
    let last = receipt(9, Event::Ended(Outcome::Printed, extent(3)));
    let right = state(&last, &device_key());
    let closed = countersignature(&right);
    let both = |name, ends, comment, receipt: &[u8], said: &[u8]| {
        evidence_vector(name, ends, comment).bytes("receipt", receipt).bytes("countersignature", said)
    };
    let receipt_of = |name, ends, comment, changed: Receipt, key| {
        let stated = state(&changed, key);
        both(name, ends, comment, &stated, &state(&countersignature(&stated), &delivery()))
    };
    let closing = |name, ends, comment, said: Countersignature, key| {
        both(name, ends, comment, &right, &state(&said, key))
    };
    let withdrawn = |name, ends, comment, report: JobReport, key| {
        evidence_vector(name, ends, comment).bytes("report", &state(&report, key))
    };
    let (device, vault, other) = (&device_key(), &delivery(), &stranger());
    let (yes, other_hold) = (("success", ""), "refused-other-hold");
    let (hold, job) = (HoldId::from_bytes([9; 16]), JobId::from_bytes([9; 16]));
    let other_device = Receipt { device: DeviceId::from_bytes([9; 16]), ..last.clone() };
    let unfinished = receipt(9, Event::Progress(extent(3)));
    let withdrawal = || report(JobEvent::Withdrawn);
    vec![
        closing("receipt", yes, "a final receipt and its countersignature", closed.clone(), vault),
        receipt_of("signer", ("refused-signer", "RC-17"), "by another key", last.clone(), other),
        receipt_of("device", (other_hold, "RC-18"), "of another device", other_device, device),
        receipt_of("job", (other_hold, "RC-18"), "of another job", Receipt { job, ..last.clone() }, device),
        receipt_of(
            "hold",
            (other_hold, "RC-18"),
            "of another hold",
            Receipt { hold, ..last.clone() },
            device,
        ),
        receipt_of(
            "progress",
            ("refused-not-final", "RC-19"),
            "all layers, but not its last word",
            unfinished,
            device,
        ),
        closing(
            "countersigner",
            ("refused-signer", "RC-20"),
            "countersigned by another key",
            closed.clone(),
            other,
        ),
        closing(
            "other-receipt",
            ("refused-other-receipt", "RC-20"),
            "the countersignature is of another receipt",
            countersignature(b"another receipt"),
            vault,
        ),
        closing(
            "other-job",
            ("refused-other-receipt", "RC-20"),
            "the countersignature names another job",
            Countersignature { job, ..closed.clone() },
            vault,
        ),
        closing(
            "other-hold",
            ("refused-other-receipt", "RC-20"),
            "the countersignature names another hold",
            Countersignature { hold, ..closed },
            vault,
        ),
        withdrawn("withdrawal", yes, "a vault withdraws the job", withdrawal(), vault),
        withdrawn("withdrawer", ("refused-signer", "RC-22"), "withdrawn by another key", withdrawal(), other),
        withdrawn(
            "admission",
            ("refused-not-withdrawn", "RC-22"),
            "an admission is no withdrawal",
            report(JobEvent::Admitted),
            vault,
        ),
        withdrawn(
            "withdrawn-job",
            (other_hold, "RC-22"),
            "another job is withdrawn",
            JobReport { job, ..withdrawal() },
            vault,
        ),
    ]
}

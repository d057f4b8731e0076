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
    [nouns(), taken(), strangers(), moments(), extents(), receipts(), closings(), withdrawals()].concat()
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

/// A receipt of the job, by its device.
fn say(sequence: u32, event: Event) -> Vec<u8> {
    state(&receipt(sequence, event), &device_key())
}

fn progress(sequence: u32, layers: u32) -> Vec<u8> {
    say(sequence, Event::Progress(extent(layers)))
}

fn over(sequence: u32, outcome: Outcome, layers: u32) -> Vec<u8> {
    say(sequence, Event::Ended(outcome, extent(layers)))
}

/// What every run begins with, unless its beginning is the matter, and then the others.
fn begun(then: &[Vec<u8>]) -> Vec<Vec<u8>> {
    [&[say(0, checked()), progress(1, 2)], then].concat()
}

/// Runs that end well: what a device may say.
fn taken() -> Vec<Vector> {
    let taken = |name, comment, receipts: &[Vec<u8>]| run(name, "success", "", comment, receipts);
    let (printed, failed) = (over(2, Outcome::Printed, 3), over(2, Outcome::Failed, 2));
    let proven = [say(5, checked()), progress(4, 1), over(6, Outcome::Printed, 3)];
    vec![
        taken("right", "checked, two layers, printed", &begun(std::slice::from_ref(&printed))),
        taken("gap", "a receipt that never came leaves a gap", &begun(&[over(7, Outcome::Printed, 3)])),
        taken(
            "again",
            "a lost answer: receipt 1 again, which changes nothing",
            &begun(&[progress(1, 2), printed]),
        ),
        taken(
            "checked-again",
            "a device that lost its keys proves itself again; progress numbered below that was said before",
            &begun(&proven),
        ),
        taken(
            "over-again",
            "the answer to the last receipt was lost: the same again, byte for byte",
            &begun(&[failed.clone(), failed]),
        ),
        taken("stopped", "cancelled before anything was checked", &[over(0, Outcome::Cancelled, 0)]),
    ]
}

/// Whose receipts: RC-7, RC-8.
fn strangers() -> Vec<Vector> {
    let last = receipt(2, Event::Ended(Outcome::Printed, extent(3)));
    let signed = begun(&[state(&last, &stranger())]);
    let elsewhere = |name, comment, changed: Receipt| {
        let receipts = begun(&[state(&changed, &device_key())]);
        run(name, "refused-at 2 other-job", "RC-8", comment, &receipts)
    };
    let (device, job) = (DeviceId::from_bytes([9; 16]), JobId::from_bytes([9; 16]));
    let hold = HoldId::from_bytes([9; 16]);
    vec![
        run("signer", "refused-at 2 signer", "RC-7", "the final receipt is by another key", &signed),
        elsewhere("device", "another device", Receipt { device, ..last.clone() }),
        elsewhere("job", "another job", Receipt { job, ..last.clone() }),
        elsewhere("hold", "another hold", Receipt { hold, ..last.clone() }),
    ]
}

/// When: RC-9, RC-10.
fn moments() -> Vec<Vector> {
    let late = |name, comment, last: Vec<u8>| {
        let receipts = begun(&[over(2, Outcome::Failed, 2), last]);
        run(name, "refused-at 3 out-of-place", "RC-9", comment, &receipts)
    };
    let unproven = say(0, Event::Checked(Digest([9; 32])));
    vec![
        run(
            "unchecked",
            "refused-at 0 out-of-place",
            "RC-9",
            "progress of an envelope nobody checked",
            &[progress(1, 2)],
        ),
        late("after-end", "progress after the end", progress(3, 3)),
        late("over-otherwise", "failed, and then printed after all", over(3, Outcome::Printed, 3)),
        run("manifest", "refused-at 0 other-manifest", "RC-10", "checked, but another manifest", &[unproven]),
    ]
}

/// How much: RC-11 to RC-13.
fn extents() -> Vec<Vector> {
    let wrong = |name, (word, rule): (&str, &str), comment, last: Vec<u8>| {
        run(name, &format!("refused-at 2 {word}"), rule, comment, &begun(&[last]))
    };
    let (backwards, other_total) = (("backwards", "RC-11"), ("other-total", "RC-12"));
    let unfed = Event::Progress(Extent { filament_um: 0, ..extent(2) });
    let of_four = Event::Progress(Extent { total_layers: 4, ..extent(3) });
    vec![
        wrong("backwards", backwards, "one layer after two", progress(2, 1)),
        wrong("unfed", backwards, "less filament than before", say(2, unfed)),
        wrong("total", other_total, "three layers of four", say(2, of_four)),
        wrong("too-many", other_total, "four layers of three", progress(2, 4)),
        wrong(
            "not-all",
            ("not-printed", "RC-13"),
            "printed, it says, and two layers of three",
            over(2, Outcome::Printed, 2),
        ),
        run(
            "too-early",
            "refused-at 0 not-printed",
            "RC-13",
            "failed at layer one, and no key was released yet",
            &[over(0, Outcome::Failed, 1)],
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

/// Evidence of a receipt and a countersignature.
fn pair(name: &str, ends: (&str, &str), comment: &str, receipt: &[u8], said: &[u8]) -> Vector {
    evidence_vector(name, ends, comment).bytes("receipt", receipt).bytes("countersignature", said)
}

fn last() -> Receipt {
    receipt(9, Event::Ended(Outcome::Printed, extent(3)))
}

/// A device's final receipt: RC-17 to RC-19. Each is rightly countersigned.
fn receipts() -> Vec<Vector> {
    let receipt_of = |name, ends, comment, changed: Receipt, key: &ed25519_dalek::SigningKey| {
        let stated = state(&changed, key);
        pair(name, ends, comment, &stated, &state(&countersignature(&stated), &delivery()))
    };
    let other_hold = ("refused-other-hold", "RC-18");
    let key = &device_key();
    let (device, job) = (DeviceId::from_bytes([9; 16]), JobId::from_bytes([9; 16]));
    let hold = HoldId::from_bytes([9; 16]);
    let unfinished = receipt(9, Event::Progress(extent(3)));
    vec![
        receipt_of("signer", ("refused-signer", "RC-17"), "by another key", last(), &stranger()),
        receipt_of("device", other_hold, "of another device", Receipt { device, ..last() }, key),
        receipt_of("job", other_hold, "of another job", Receipt { job, ..last() }, key),
        receipt_of("hold", other_hold, "of another hold", Receipt { hold, ..last() }, key),
        receipt_of(
            "progress",
            ("refused-not-final", "RC-19"),
            "all layers, but not its last word",
            unfinished,
            key,
        ),
    ]
}

/// A vault's countersignature: RC-20.
fn closings() -> Vec<Vector> {
    let right = state(&last(), &device_key());
    let closed = countersignature(&right);
    let closing = |name, ends, comment, said: Countersignature, key: &ed25519_dalek::SigningKey| {
        pair(name, ends, comment, &right, &state(&said, key))
    };
    let other = ("refused-other-receipt", "RC-20");
    let vault = &delivery();
    let (hold, job) = (HoldId::from_bytes([9; 16]), JobId::from_bytes([9; 16]));
    let of_another = countersignature(b"another receipt");
    vec![
        closing(
            "receipt",
            ("success", ""),
            "a final receipt and its countersignature",
            closed.clone(),
            vault,
        ),
        closing(
            "countersigner",
            ("refused-signer", "RC-20"),
            "countersigned by another key",
            closed.clone(),
            &stranger(),
        ),
        closing("other-receipt", other, "the countersignature is of another receipt", of_another, vault),
        closing(
            "other-job",
            other,
            "the countersignature names another job",
            Countersignature { job, ..closed.clone() },
            vault,
        ),
        closing(
            "other-hold",
            other,
            "the countersignature names another hold",
            Countersignature { hold, ..closed.clone() },
            vault,
        ),
    ]
}

/// A vault's withdrawal: RC-22.
fn withdrawals() -> Vec<Vector> {
    let withdrawn = |name, ends, comment, report: JobReport, key: &ed25519_dalek::SigningKey| {
        evidence_vector(name, ends, comment).bytes("report", &state(&report, key))
    };
    let withdrawal = || report(JobEvent::Withdrawn);
    let elsewhere = JobReport { job: JobId::from_bytes([9; 16]), ..withdrawal() };
    let vault = &delivery();
    vec![
        withdrawn("withdrawal", ("success", ""), "a vault withdraws the job", withdrawal(), vault),
        withdrawn(
            "withdrawer",
            ("refused-signer", "RC-22"),
            "withdrawn by another key",
            withdrawal(),
            &stranger(),
        ),
        withdrawn(
            "admission",
            ("refused-not-withdrawn", "RC-22"),
            "an admission is no withdrawal",
            report(JobEvent::Admitted),
            vault,
        ),
        withdrawn(
            "withdrawn-job",
            ("refused-other-hold", "RC-22"),
            "another job is withdrawn",
            elsewhere,
            vault,
        ),
    ]
}

//! A job's record in every state, and what parts of another job's record, or edited ones, are taken for: nothing.

use layerlock_proto::types::v1::LedgerEntry;
use layerlock_terms::license::Hold;
use layerlock_terms::receipt::{Cause, CopyOutcome, Counts, Settlement};
use layerlock_terms::wire::Malformed;
use prost::Message;

use super::*;
use crate::records::{Signers, emit_job, parse_job};

fn read(job: &Job) -> Result<Job, Malformed> {
    let (anchors, vault) = (trust(), key(VAULT).verifying_key());
    parse_job(&emit_job(job), Signers { licensor: &anchors, vault: &vault })
}

/// A splice is one when this record is refused for that part.
fn is_refused_for(part: &'static str, job: &Job) -> bool {
    read(job).err() == Some(Malformed::Value(part))
}

fn other_hold() -> HoldId {
    HoldId::from_bytes([77; 16])
}

fn entry_of(hold: HoldId, signer: u8) -> Vec<u8> {
    let Hold { license, job, .. } = **order().hold();
    let counts = Counts { granted: 1, free: 0, held: 0, spent: 1 };
    let (cause, copy) = (Cause::Printed, CopyOutcome::Spent);
    let settlement = Settlement { license, hold, job, at: NOW, cause, copy, counts };
    let settlement = Statement::sign(&settlement, &key(signer)).emit();
    LedgerEntry { settlement, ..LedgerEntry::default() }.encode_to_vec()
}

fn settled_by(entry: Vec<u8>) -> Job {
    after([to_closed(), vec![Event::Settled(entry)]].concat())
}

fn slicing_of(header: &EnvelopeHeader) -> Job {
    let admitted = Admitted { order: order(), at: NOW };
    Job::Slicing(Slicing { admitted, header: signed(header, VAULT), secret: vec![1] })
}

fn sealed() -> Sealed {
    after(to_sealed()).sealed().expect("it is sealed").clone()
}

/// What a device says of a job and hold, signed by a key.
fn receipt(job: JobId, hold: HoldId, signer: u8, event: Said) -> Verified<Receipt> {
    signed(&Receipt { device: order().device(), job, hold, sequence: 3, at: NOW, event }, signer)
}

fn rightly(event: Said) -> Verified<Receipt> {
    receipt(order().job(), order().hold().id, DEVICE, event)
}

fn proof() -> Said {
    Said::Checked(manifest().statement().digest())
}

fn printing(checked: Verified<Receipt>, progress: Option<Verified<Receipt>>) -> Job {
    Job::Printing(Printing { sealed: sealed(), checked: Box::new(checked), progress: progress.map(Box::new) })
}

fn closed(ending: Ending) -> Job {
    Job::Closed(Closed { admitted: Admitted { order: order(), at: NOW }, ending, pressed: None })
}

#[test]
fn a_job_of_every_state_reads_back_from_its_record() {
    let refused = Event::Refused(Refusal::new(Reason::HoldUsed, "used"));
    let progress = [to_printing(), vec![said(5, Said::Progress(extent(9)))]].concat();
    for job in [
        after([]),
        after([refused]),
        after([Event::Admitted]),
        after(to_slicing()),
        after(to_sealed()),
        after([to_sealed(), vec![Event::Delivered]].concat()),
        after(to_printing()),
        after(progress),
        after(to_closed()),
        after([to_sealed(), vec![withdrawn()]].concat()),
        settled_by(entry_of(order().hold().id, LICENSOR)),
    ] {
        let again = read(&job).unwrap_or_else(|error| panic!("{}: {error}", job.state()));
        assert_eq!((again.state(), emit_job(&again)), (job.state(), emit_job(&job)));
    }
}

#[test]
fn how_far_a_print_came_is_what_its_device_signed() {
    let job = after([to_printing(), vec![said(5, Said::Progress(extent(9)))]].concat());
    // It lost its keys and proves itself again: the progress stays.
    let job = job.step(said(6, proof()), NOW).unwrap().next;
    let Ok(Job::Printing(again)) = read(&job) else { panic!("not printing") };
    assert_eq!((again.sequence(), again.extent()), (6, extent(9)));
}

#[test]
fn a_record_whose_header_is_of_another_order_is_refused() {
    let ours = EnvelopeHeader::clone(&header());
    assert!(read(&slicing_of(&ours)).is_ok());
    for spliced in [
        EnvelopeHeader { job: JobId::from_bytes([88; 16]), ..ours.clone() },
        EnvelopeHeader { hold: other_hold(), ..ours.clone() },
        EnvelopeHeader { license: LicenseId::from_bytes([88; 16]), ..ours.clone() },
        EnvelopeHeader { design_version: Digest([88; 32]), ..ours.clone() },
        EnvelopeHeader { device: DeviceId::from_bytes([88; 16]), ..ours.clone() },
        EnvelopeHeader { machine: "another".into(), ..ours.clone() },
        EnvelopeHeader { profile: Digest([88; 32]), ..ours.clone() },
    ] {
        assert!(is_refused_for("header", &slicing_of(&spliced)), "{spliced:?}");
    }
}

#[test]
fn a_record_whose_manifest_is_of_another_envelope_is_refused() {
    let later = EnvelopeHeader { created: Timestamp(NOW.0 + 1), ..EnvelopeHeader::clone(&header()) };
    let slicing = Slicing { header: signed(&later, VAULT), ..sealed().slicing };
    let spliced = Sealed { slicing, ..sealed() };
    assert!(is_refused_for("manifest", &Job::Sealed(spliced.clone())));
    let ending = Ending::Receipt(rightly(Said::Ended(Outcome::Failed, extent(2))));
    let admitted = Admitted { order: order(), at: NOW };
    let closed = Closed { admitted, ending, pressed: Some(spliced.pressed()) };
    assert!(is_refused_for("manifest", &Job::Closed(closed)));
}

#[test]
fn a_record_that_no_receipt_of_its_own_stands_behind_is_refused() {
    let (job, hold, progress) = (order().job(), order().hold().id, Said::Progress(extent(9)));
    assert!(read(&printing(rightly(proof()), Some(rightly(progress)))).is_ok());
    for checked in [
        receipt(JobId::from_bytes([88; 16]), hold, DEVICE, proof()),
        receipt(job, other_hold(), DEVICE, proof()),
        receipt(job, hold, VAULT, proof()),
        rightly(Said::Checked(Digest([88; 32]))),
        rightly(progress),
    ] {
        assert!(is_refused_for("receipt", &printing(checked.clone(), None)), "{checked:?}");
    }
    for progress in [
        receipt(JobId::from_bytes([88; 16]), hold, DEVICE, progress),
        receipt(job, hold, VAULT, progress),
        rightly(Said::Progress(extent(LAYERS + 1))),
        rightly(Said::Progress(Extent { total_layers: LAYERS + 1, ..extent(9) })),
        rightly(Said::Ended(Outcome::Printed, extent(LAYERS))),
    ] {
        let spliced = printing(rightly(proof()), Some(progress.clone()));
        assert!(is_refused_for("receipt", &spliced), "{progress:?}");
    }
}

#[test]
fn a_record_that_ended_by_another_jobs_end_is_refused() {
    let (job, hold, over) = (order().job(), order().hold().id, Said::Ended(Outcome::Failed, extent(2)));
    for receipt in [
        receipt(JobId::from_bytes([88; 16]), hold, DEVICE, over),
        receipt(job, other_hold(), DEVICE, over),
        receipt(job, hold, VAULT, over),
        rightly(Said::Progress(extent(2))),
    ] {
        assert!(is_refused_for("receipt", &closed(Ending::Receipt(receipt.clone()))), "{receipt:?}");
    }
    let report = |job, hold, event| {
        let report = signed(&JobReport { job, hold, at: NOW, event }, VAULT);
        closed(Ending::Withdrawn(report, Refusal::new(Reason::NotPrintable, "too large")))
    };
    assert!(read(&report(job, hold, JobEvent::Withdrawn)).is_ok());
    for spliced in [
        report(JobId::from_bytes([88; 16]), hold, JobEvent::Withdrawn),
        report(job, other_hold(), JobEvent::Withdrawn),
        report(job, hold, JobEvent::Admitted),
    ] {
        assert!(is_refused_for("report", &spliced));
    }
}

#[test]
fn a_record_settled_by_another_holds_entry_or_by_nobodys_is_refused() {
    let ours = order().hold().id;
    for entry in [entry_of(other_hold(), LICENSOR), entry_of(ours, VAULT), vec![1], vec![]] {
        assert!(is_refused_for("entry", &settled_by(entry)));
    }
}

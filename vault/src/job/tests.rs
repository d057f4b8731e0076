//! The table of what may happen to a job in which state, and the receipts no state takes.

mod receipts;
mod records;

use layerlock_seal::keys::{SigningKey, VerifyingKey};
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::header_hash;
use layerlock_seal::trust::{Anchors, Endorsement, TrustedRoot};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::Summary;
use layerlock_terms::ids::{BuyerId, DesignId, DeviceId, HoldId, JobId, LicenseId, OfferId, SellerId};
use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Hold, License, Release, Terms};
use layerlock_terms::receipt::JobEvent;
use layerlock_terms::toolpath::Point3;
use layerlock_terms::trust::{DeviceCertificate, Role, Root, ServiceCertificate};
use layerlock_terms::units::Percent;
use layerlock_terms::wire::Noun;

use super::*;
use crate::admit::Request;

const NOW: Timestamp = Timestamp(1000);
const LAYERS: u32 = 20;

fn key(number: u8) -> SigningKey {
    SigningKey::from_seed(&[number; 32])
}

fn signed<T: Noun>(noun: &T, number: u8) -> Verified<T> {
    Statement::sign(noun, &key(number)).verify(&key(number).verifying_key()).unwrap()
}

const LICENSOR: u8 = 1;
const VAULT: u8 = 2;
const DEVICE: u8 = 3;
const ROOT: u8 = 4;

fn order() -> Order {
    let (device, job, hold) =
        (DeviceId::from_bytes([9; 16]), JobId::from_bytes([8; 16]), HoldId::from_bytes([7; 16]));
    order_of(device, key(DEVICE).verifying_key(), job, hold)
}

/// An order for this job of this device, whose signing key this is.
fn order_of(device: DeviceId, sign: VerifyingKey, job: JobId, hold: HoldId) -> Order {
    let terms = Terms {
        copies: 1,
        expires: Expiry::Never,
        devices: DeviceScope::Any,
        scale_min: Percent(100),
        scale_max: Percent(100),
        materials: vec![],
        failure: FailurePolicy::Return,
        release: Release::Window(2),
    };
    let license = License {
        id: LicenseId::from_bytes([1; 16]),
        offer: OfferId::from_bytes([2; 16]),
        seller: SellerId::from_bytes([3; 16]),
        buyer: BuyerId::from_bytes([4; 16]),
        design: DesignId::from_bytes([5; 16]),
        version: Digest([6; 32]),
        issued: NOW,
        terms,
    };
    let hold = Hold {
        id: hold,
        license: license.id,
        job,
        device,
        issued: NOW,
        admit_by: Timestamp(2000),
        settle_by: Timestamp(9000),
    };
    let opening = layerlock_seal::keys::OpeningKey::from_seed(&[DEVICE; 32]);
    let certificate = DeviceCertificate {
        device: hold.device,
        sign: sign.into(),
        open: opening.wrapping_key().into(),
        machine: "prusa-mk3s".into(),
        expires: Timestamp(9000),
    };
    let request = Request {
        license: Statement::sign(&license, &key(LICENSOR)),
        hold: Statement::sign(&hold, &key(LICENSOR)),
        certificate: Statement::sign(&certificate, &key(LICENSOR)),
        preset: "draft".into(),
        material: "pla".into(),
        settings: vec![],
    };
    Order::check(&request, &trust(), NOW).unwrap()
}

/// A root that certifies the licensor.
fn trust() -> Anchors {
    let root = Root::new(1, Timestamp(9000), 1, vec![key(ROOT).verifying_key().into()]);
    let licensor = ServiceCertificate {
        role: Role::Licensor,
        key: key(LICENSOR).verifying_key().into(),
        expires: Timestamp(9000),
    };
    let root = TrustedRoot::begin(&Endorsement::signed(&root, &[&key(ROOT)])).unwrap();
    Anchors::new(root, &[Endorsement::signed(&licensor, &[&key(ROOT)])]).unwrap()
}

fn header() -> Verified<EnvelopeHeader> {
    header_of(NOW)
}

fn header_of(created: Timestamp) -> Verified<EnvelopeHeader> {
    let order = order();
    let header = EnvelopeHeader {
        job: order.job(),
        hold: order.hold().id,
        license: order.license().id,
        design_version: order.license().version,
        device: order.device(),
        machine: "prusa-mk3s".into(),
        profile: sha256(&order.profile().emit()),
        created,
        segment_limit: 100,
        epoch_layers: 4,
    };
    signed(&header, VAULT)
}

fn manifest() -> Verified<Manifest> {
    let (min, max) = (Point3::default(), Point3::default());
    let manifest = Manifest {
        header: header_hash(header().statement()),
        segments: LAYERS,
        sealed_bytes: 1,
        digest: Digest([0; 32]),
        layers: LAYERS,
        commitments: vec![[5; 32]; 5],
        summary: Summary { duration: Millis(1), filament_um: 1, min, max },
    };
    signed(&manifest, VAULT)
}

fn said_by(device: u8, sequence: u32, event: Said) -> Event {
    let order = order();
    let receipt =
        Receipt { device: order.device(), job: order.job(), hold: order.hold().id, sequence, at: NOW, event };
    Event::Received(signed(&receipt, device))
}

fn said(sequence: u32, event: Said) -> Event {
    said_by(DEVICE, sequence, event)
}

fn extent(layers: u32) -> Extent {
    Extent { layers, total_layers: LAYERS, lines: layers.into(), filament_um: layers.into() }
}

fn checked() -> Event {
    said(0, Said::Checked(manifest().statement().digest()))
}

fn ended(sequence: u32, outcome: Outcome, layers: u32) -> Event {
    said(sequence, Said::Ended(outcome, extent(layers)))
}

fn withdrawn() -> Event {
    let report =
        JobReport { job: order().job(), hold: order().hold().id, at: NOW, event: JobEvent::Withdrawn };
    Event::Withdrawn(signed(&report, VAULT), Refusal::new(Reason::NotPrintable, "too large"))
}

/// The job after these events, each of which must be taken.
fn after(events: impl IntoIterator<Item = Event>) -> Job {
    let requested = Job::Requested(Requested { order: order() });
    events.into_iter().fold(requested, |job, event| job.step(event, NOW).expect("the event is taken").next)
}

fn to_slicing() -> Vec<Event> {
    vec![Event::Admitted, Event::Begun(header(), vec![1])]
}

fn to_sealed() -> Vec<Event> {
    [to_slicing(), vec![Event::Sealed(manifest(), Figures::default())]].concat()
}

fn to_printing() -> Vec<Event> {
    [to_sealed(), vec![Event::Delivered, checked()]].concat()
}

fn to_closed() -> Vec<Event> {
    [to_printing(), vec![ended(1, Outcome::Printed, LAYERS)]].concat()
}

fn to_settled() -> Vec<Event> {
    [to_closed(), vec![Event::Settled(vec![1])]].concat()
}

#[test]
fn the_straight_road_leads_from_requested_to_settled() {
    assert_eq!(after([Event::Admitted]).state(), "admitted");
    assert_eq!(after(to_slicing()).state(), "slicing");
    assert_eq!(after(to_sealed()).state(), "sealed");
    assert_eq!(after([to_sealed(), vec![Event::Delivered]].concat()).state(), "delivering");
    assert_eq!(after(to_printing()).state(), "printing");
    assert_eq!(after(to_closed()).state(), "closed");
    assert_eq!(after(to_settled()).state(), "settled");
}

#[test]
fn an_envelope_that_was_begun_before_another_process_began_anew_seals_nothing() {
    let begun_anew = header_of(Timestamp(NOW.0 + 1));
    let job = after([to_slicing(), vec![Event::Begun(begun_anew, vec![2])]].concat());
    let refusal = job.step(Event::Sealed(manifest(), Figures::default()), NOW).unwrap_err();
    assert!(refusal.words.contains("begun anew"), "{refusal}");
}

#[test]
fn in_each_state_exactly_these_events_are_taken() {
    let events = || {
        [
            Event::Admitted,
            Event::Refused(Refusal::new(Reason::HoldUsed, "used")),
            Event::Begun(header(), vec![2]),
            Event::Begun(header_of(Timestamp(NOW.0 + 1)), vec![2]),
            Event::Sealed(manifest(), Figures::default()),
            Event::Delivered,
            checked(),
            said(1, Said::Progress(extent(1))),
            ended(1, Outcome::Printed, LAYERS),
            ended(1, Outcome::Cancelled, 0),
            withdrawn(),
            Event::Settled(vec![1]),
        ]
    };
    let refused = vec![Event::Refused(Refusal::new(Reason::HoldUsed, "used"))];
    let delivering = [to_sealed(), vec![Event::Delivered]].concat();
    // Columns in the order of the events above.
    let table = [
        (vec![], "xx.........."),
        (refused, "............"),
        (vec![Event::Admitted], "..xx......x."),
        (to_slicing(), "...xx....xx."),
        (to_sealed(), ".....xx..xx."),
        (delivering, ".....xx..xx."),
        (to_printing(), ".....xxxxx.."),
        (to_closed(), "........x..x"),
        (to_settled(), "........x..x"),
    ];
    for (road, wanted) in table {
        let job = after(road);
        let taken = events().map(|event| if job.clone().step(event, NOW).is_ok() { 'x' } else { '.' });
        assert_eq!(taken.iter().collect::<String>(), wanted, "{}", job.state());
    }
}

#[test]
fn keys_are_released_by_checked_and_progress_and_by_nothing_else() {
    let releases = |job: Job, event| {
        let effects = job.step(event, NOW).unwrap().effects;
        effects.into_iter().find_map(|effect| match effect {
            Effect::Release(window, layers) => Some(window.at(layers)),
            _ => None,
        })
    };
    assert_eq!(releases(after(to_sealed()), checked()), Some(0..=2));
    assert_eq!(releases(after(to_printing()), said(1, Said::Progress(extent(9)))), Some(2..=4));
    assert_eq!(releases(after(to_sealed()), Event::Delivered), None);
    assert_eq!(releases(after(to_printing()), ended(1, Outcome::Failed, 3)), None);
}

#[test]
fn an_old_receipt_moves_nothing_back() {
    let job = after([to_printing(), vec![said(5, Said::Progress(extent(9)))]].concat());
    let job = job.step(said(4, Said::Progress(extent(2))), NOW).unwrap().next;
    let Job::Printing(printing) = job else { panic!("not printing") };
    assert_eq!((printing.sequence(), printing.extent()), (5, extent(9)));
}

#[test]
fn a_device_that_uses_a_number_twice_is_a_clone() {
    let progress = |sequence, layers| said(sequence, Said::Progress(extent(layers)));
    let printing = after([to_printing(), vec![progress(5, 9)]].concat());
    let Job::Printing(at) = &printing else { panic!("not printing") };
    let checked = at.receipts().0.sequence;
    let closed = after([to_printing(), vec![progress(5, 9), ended(6, Outcome::Printed, LAYERS)]].concat());
    for (job, forked) in [
        (&printing, progress(5, 10)),
        (&printing, progress(checked, 10)),
        (&printing, ended(5, Outcome::Printed, LAYERS)),
        (&closed, ended(6, Outcome::Failed, LAYERS)),
    ] {
        let refused = job.clone().step(forked.clone(), NOW).expect_err("one device signs no such two");
        assert_eq!(refused.reason, Reason::DeviceCloned, "{forked:?}");
    }
    for (job, honest) in [
        (&printing, progress(5, 9)),
        (&printing, progress(4, 8)),
        (&printing, progress(6, 10)),
        (&closed, ended(6, Outcome::Printed, LAYERS)),
    ] {
        assert!(job.clone().step(honest.clone(), NOW).is_ok(), "{honest:?}");
    }
    for late in [progress(5, 9), progress(7, 9), ended(7, Outcome::Failed, LAYERS)] {
        let refused = closed.clone().step(late, NOW).expect_err("it is over");
        assert_eq!(
            refused.reason,
            Reason::InvalidField,
            "a disk may have lost the last word: that is no clone"
        );
    }
}

#[test]
fn a_receipt_that_says_what_cant_be_is_refused() {
    let of_another = Extent { total_layers: LAYERS + 1, ..extent(10) };
    let too_many = Extent { layers: LAYERS + 1, ..extent(10) };
    let job = after([to_printing(), vec![said(5, Said::Progress(extent(9)))]].concat());
    for impossible in [
        said(6, Said::Progress(extent(8))),
        said(6, Said::Progress(of_another)),
        said(6, Said::Progress(too_many)),
        said(6, Said::Checked(Digest([1; 32]))),
        ended(6, Outcome::Printed, LAYERS - 1),
        ended(6, Outcome::Cancelled, 8),
    ] {
        assert!(job.clone().step(impossible.clone(), NOW).is_err(), "{impossible:?}");
    }
}

#[test]
fn a_receipt_by_another_key_is_refused_in_every_state() {
    for road in [to_slicing(), to_sealed(), to_printing(), to_closed()] {
        let job = after(road);
        let forged = said_by(VAULT, 1, Said::Ended(Outcome::Cancelled, extent(0)));
        let refused = job.step(forged, NOW).unwrap_err();
        assert_eq!(refused.reason, Reason::NotTrusted);
    }
}

#[test]
fn the_final_receipt_said_again_changes_nothing_and_another_one_is_refused() {
    for road in [to_closed(), to_settled()] {
        let job = after(road);
        let step = job.clone().step(ended(1, Outcome::Printed, LAYERS), NOW).unwrap();
        assert_eq!((step.next.state(), step.effects), (job.state(), vec![]));
        assert!(job.step(ended(2, Outcome::Failed, LAYERS), NOW).is_err());
    }
}

#[test]
fn a_job_whose_keys_are_out_is_never_withdrawn() {
    let refused = after(to_printing()).step(withdrawn(), NOW).unwrap_err();
    assert_eq!(refused.words, "this has no place in a job that is printing");
}

#[test]
fn pressing_anew_replaces_header_and_secret() {
    let anew = Event::Begun(header_of(Timestamp(NOW.0 + 1)), vec![2]);
    let job = after([to_slicing(), vec![anew]].concat());
    assert_eq!(job.slicing().map(|slicing| slicing.secret.clone()), Some(vec![2]));
}

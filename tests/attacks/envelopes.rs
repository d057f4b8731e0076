//! Envelopes: copied, replayed, tampered with, cut, mixed. Each attacker has what lay on a device's disk.

use layerlock_device::{RecordedOffer, Refusal};
use layerlock_seal::keys::SigningKey;
use layerlock_seal::statement::Statement;
use layerlock_terms::envelope::EnvelopeHeader;
use layerlock_terms::license::License;
use layerlock_terms::wire::Noun as _;
use layerlock_tests::world::World;

use crate::WORKER;

/// A device that stands just before its print, and the envelope it is about to print: what is recorded from one
/// device is shown to another enrolled under the very same identity only through its folder's copy.
async fn recorded(world: &World) -> (RecordedOffer, RecordedOffer) {
    let licensed = world.licensed(2).await;
    let mut device = world.device("device").await;
    let first = world.print(&licensed, &mut device, "device").await;
    let second = world.print(&licensed, &mut device, "device").await;
    (first.recorded, second.recorded)
}

/// The device as its folder was before it printed anything: what a thief of a disk image has.
async fn fresh_twin(world: &World) -> layerlock_device::Device {
    let twin = world.folder("twin");
    copy(&world.folder("device"), &twin);
    std::fs::remove_file(twin.join("journal")).expect("the image is older than the journal");
    world.reopen("twin")
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &to.join(entry.file_name()));
        } else {
            std::fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_envelope_is_refused_on_another_device() {
    let world = World::begin(WORKER).await;
    let (recorded, _) = recorded(&world).await;
    let refusal = world.device("another").await.examine(&recorded).expect_err("it is bound to one device");
    assert!(matches!(refusal, Refusal::OtherDevice { .. }), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_job_is_refused_also_after_a_restart() {
    let world = World::begin(WORKER).await;
    let (recorded, _) = recorded(&world).await;
    let refusal = world.reopen("device").examine(&recorded).expect_err("it was printed");
    assert!(matches!(refusal, Refusal::Spent(_)), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_byte_of_an_envelope_can_be_changed_moved_cut_or_mixed() {
    let world = World::begin(WORKER).await;
    let (recorded, other) = recorded(&world).await;
    let mut device = fresh_twin(&world).await;
    device.examine(&recorded).expect("the untouched envelope passes, or nothing below means anything");
    let count = recorded.segments.len();
    assert!(count >= 3, "an envelope of {count} segments is too short for this test");

    for index in [0, count / 2, count - 1] {
        let bytes = recorded.segments[index].len();
        for at in [0, 9, bytes / 2, bytes - 1] {
            let mut tampered = recorded.clone();
            tampered.segments[index][at] ^= 1;
            refused(&mut device, &tampered, &format!("segment {index}, byte {at} flipped"));
        }
    }
    let mut swapped = recorded.clone();
    swapped.segments.swap(0, 1);
    refused(&mut device, &swapped, "two segments swapped");
    let mut doubled = recorded.clone();
    doubled.segments.insert(1, recorded.segments[0].clone());
    refused(&mut device, &doubled, "a segment twice");
    let mut skipped = recorded.clone();
    skipped.segments.remove(1);
    refused(&mut device, &skipped, "a segment skipped");
    let mut cut = recorded.clone();
    cut.segments.pop();
    refused(&mut device, &cut, "the last segment dropped");
    let mut longer = recorded.clone();
    longer.segments.push(recorded.segments[count - 1].clone());
    refused(&mut device, &longer, "data after the last segment");
    let spliced = RecordedOffer { segments: other.segments.clone(), ..recorded.clone() };
    refused(&mut device, &spliced, "another job's segments under this header");
    let manifest = RecordedOffer { manifest: other.manifest.clone(), ..recorded.clone() };
    refused(&mut device, &manifest, "another job's manifest");
}

fn refused(device: &mut layerlock_device::Device, recorded: &RecordedOffer, what: &str) {
    match device.examine(recorded) {
        Err(Refusal::Envelope(_) | Refusal::NotTrusted { .. }) => {}
        Err(other) => panic!("{what}: refused as {other:?}"),
        Ok(_) => panic!("{what}: taken"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edited_license_is_refused_by_the_device() {
    let world = World::begin(WORKER).await;
    let (recorded, _) = recorded(&world).await;
    let mut device = fresh_twin(&world).await;
    let mut edited = recorded.clone();
    let at = edited.license.len() / 2;
    edited.license[at] ^= 1;
    let refusal = device.examine(&edited).expect_err("the licensor did not sign this");
    assert!(
        matches!(refusal, Refusal::NotTrusted { what: "license", .. } | Refusal::Malformed { .. }),
        "{refusal}"
    );

    let statement = Statement::parse(&recorded.license).expect("a statement");
    let mut license = License::parse(statement.payload()).expect("a license");
    license.terms.copies = 1_000;
    let forger = SigningKey::from_seed(&[7; 32]);
    let forged = RecordedOffer { license: Statement::sign(&license, &forger).emit(), ..recorded };
    let refusal = device.examine(&forged).expect_err("a forger is no licensor");
    assert!(matches!(refusal, Refusal::NotTrusted { what: "license", .. }), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_envelope_of_a_vault_the_root_does_not_know_is_refused() {
    let world = World::begin(WORKER).await;
    let (recorded, _) = recorded(&world).await;
    let mut device = fresh_twin(&world).await;
    let statement = Statement::parse(&recorded.header).expect("a statement");
    let header = EnvelopeHeader::parse(statement.payload()).expect("a header");
    let stranger = SigningKey::from_seed(&[9; 32]);
    let foreign = RecordedOffer { header: Statement::sign(&header, &stranger).emit(), ..recorded };
    let refusal = device.examine(&foreign).expect_err("no root certifies this vault");
    assert!(matches!(refusal, Refusal::NotTrusted { what: "header", .. }), "{refusal}");
}

use layerlock_seal::keys::SigningKey;
use layerlock_seal::toolpath::{Reason, Refused};
use layerlock_terms::license::{DeviceScope, Expiry};
use layerlock_terms::units::{Millis, Timestamp};

use super::*;
use crate::Device;
use crate::testbed::{NOW, Nouns, Pressed, World, enrol, press};

/// Two enrolled devices of one world, and a job for the first.
struct Bench {
    world: World,
    device: Device,
    other: Device,
    _homes: [tempfile::TempDir; 2],
}

fn bench() -> Bench {
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let world = World::new(1);
    let (device, other) = (enrol(&world, homes[0].path(), 1), enrol(&world, homes[1].path(), 2));
    Bench { world, device, other, _homes: homes }
}

impl Bench {
    fn nouns(&self) -> Nouns {
        Nouns::of(&self.device, 5)
    }

    fn press(&self, change: impl FnOnce(&mut Nouns)) -> Pressed {
        let mut nouns = self.nouns();
        change(&mut nouns);
        press(nouns, &self.world, &self.device)
    }

    fn refusal(&mut self, recorded: &RecordedOffer) -> Refusal {
        self.device.examine(recorded).expect_err("it must be refused")
    }
}

fn refused_at(index: u32, reason: Reason) -> Refusal {
    Refusal::Envelope(Refused { index, reason })
}

#[test]
fn an_envelope_for_this_device_is_cleared() {
    let mut bench = bench();
    let pressed = bench.press(|_| {});
    let cleared = bench.device.examine(&pressed.recorded).unwrap();
    assert_eq!(cleared.envelope().manifest().layers, pressed.nouns.layers);
    assert_eq!(cleared.hold().job, pressed.nouns.hold.job);
}

#[test]
fn a_second_device_is_refused_and_could_not_open_it_with_anyones_consent() {
    let mut bench = bench();
    let pressed = bench.press(|_| {});
    let refusal = bench.other.examine(&pressed.recorded).unwrap_err();
    let (bound_to, here) = (bench.device.id(), bench.other.id());
    assert_eq!(refusal, Refusal::OtherDevice { what: "hold", bound_to, here });
    // Even with the very message that releases the key to the first device.
    let header = &pressed.recorded.header;
    let keys = pressed.keys[0].emit();
    assert_eq!(bench.other.try_keys(header, &keys), Err(Refusal::CannotUnwrap { epoch: 0 }));
    assert_eq!(bench.device.try_keys(header, &keys), Ok(()));
}

#[test]
fn every_flipped_byte_of_every_segment_is_refused() {
    let mut bench = bench();
    let pressed = bench.press(|nouns| nouns.layers = 2);
    for index in 0..pressed.recorded.segments.len() {
        for at in 0..pressed.recorded.segments[index].len() {
            let mut recorded = pressed.recorded.clone();
            recorded.segments[index][at] ^= 0x40;
            let refusal = bench.refusal(&recorded);
            assert!(
                matches!(&refusal, Refusal::Envelope(refused) if refused.index as usize >= index),
                "byte {at} of {index}: {refusal}"
            );
        }
    }
}

#[test]
fn cut_doubled_swapped_and_foreign_segments_are_refused_where_they_stand() {
    let mut bench = bench();
    let pressed = bench.press(|_| {});
    let other = press(Nouns::of(&bench.device, 6), &bench.world, &bench.device);
    let count = pressed.recorded.segments.len();
    let mut changed = |change: &dyn Fn(&mut Vec<Vec<u8>>)| {
        let mut recorded = pressed.recorded.clone();
        change(&mut recorded.segments);
        bench.refusal(&recorded)
    };
    let last = count as u32 - 1;
    assert_eq!(changed(&|s| drop(s.pop())), refused_at(last, Reason::Incomplete));
    assert_eq!(changed(&|s| s.swap(3, 4)), refused_at(3, Reason::OutOfOrder));
    assert_eq!(changed(&|s| s.insert(3, s[2].clone())), refused_at(3, Reason::OutOfOrder));
    assert_eq!(changed(&|s| drop(s.remove(3))), refused_at(3, Reason::OutOfOrder));
    assert_eq!(changed(&|s| s.push(s[last as usize].clone())), refused_at(last + 1, Reason::AfterFinal));
    assert_eq!(
        changed(&|s| s[5] = other.recorded.segments[5].clone()),
        refused_at(last + 1, Reason::BadManifest("digest"))
    );
    assert_eq!(changed(&|s| s[2].push(0)), refused_at(2, Reason::Trailing));
}

#[test]
fn a_header_or_manifest_of_another_job_is_refused_by_name() {
    let mut bench = bench();
    let pressed = bench.press(|_| {});
    let other = press(Nouns::of(&bench.device, 6), &bench.world, &bench.device);
    let header = RecordedOffer { header: other.recorded.header.clone(), ..pressed.recorded.clone() };
    let refusal = bench.refusal(&header);
    assert!(matches!(refusal, Refusal::Spliced { this: "header", that: "license", .. }), "{refusal}");
    let hold = RecordedOffer { hold: other.recorded.hold.clone(), ..pressed.recorded.clone() };
    let refusal = bench.refusal(&hold);
    assert!(matches!(refusal, Refusal::Spliced { this: "hold", that: "license", .. }), "{refusal}");
    let count = pressed.recorded.segments.len() as u32;
    let manifest = RecordedOffer { manifest: other.recorded.manifest, ..pressed.recorded };
    assert_eq!(bench.refusal(&manifest), refused_at(count, Reason::WrongHeader));
}

#[test]
fn statements_that_are_edited_or_signed_by_others_are_not_believed() {
    let mut bench = bench();
    let pressed = bench.press(|_| {});
    let stranger = SigningKey::from_seed(&[0xee; 32]);
    let forged_license = Statement::sign(&pressed.nouns.license, &stranger).emit();
    let forged_hold = Statement::sign(&pressed.nouns.hold, &bench.world.vault).emit();
    let forged_header = Statement::sign(&pressed.nouns.header, &bench.world.licensor).emit();
    let right = &pressed.recorded;
    let mut edited = right.license.clone();
    let copies = edited.len() - 80;
    edited[copies] ^= 1;
    for (recorded, name) in [
        (RecordedOffer { license: forged_license, ..right.clone() }, "license"),
        (RecordedOffer { license: edited, ..right.clone() }, "license"),
        (RecordedOffer { hold: forged_hold, ..right.clone() }, "hold"),
        (RecordedOffer { header: forged_header, ..right.clone() }, "header"),
    ] {
        let refusal = bench.refusal(&recorded);
        assert!(matches!(&refusal, Refusal::NotTrusted { what, .. } if *what == name), "{refusal}");
    }
}

#[test]
fn bytes_that_are_no_statement_are_refused_by_name() {
    let mut bench = bench();
    let pressed = bench.press(|_| {});
    for end in 0..pressed.recorded.hold.len() {
        let mut recorded = pressed.recorded.clone();
        recorded.hold.truncate(end);
        assert!(matches!(bench.refusal(&recorded), Refusal::Malformed { what: "hold", .. }), "{end}");
    }
}

#[test]
fn an_expired_hold_or_license_stays_expired_when_the_clock_is_set_back() {
    let mut bench = bench();
    let hold = bench.press(|nouns| nouns.hold.settle_by = NOW.plus(Millis(500))).recorded;
    let license =
        bench.press(|nouns| nouns.license.terms.expires = Expiry::At(NOW.plus(Millis(500)))).recorded;
    assert!(bench.device.examine(&hold).is_ok() && bench.device.examine(&license).is_ok());
    bench.device.time.hear(NOW.plus(Millis(500)));
    assert!(matches!(bench.refusal(&hold), Refusal::Expired { what: "hold", .. }));
    assert!(matches!(bench.refusal(&license), Refusal::Expired { what: "license", .. }));
    bench.device.time.hear(Timestamp(5));
    assert!(matches!(bench.refusal(&hold), Refusal::Expired { what: "hold", .. }));
}

#[test]
fn a_job_for_another_machine_or_outside_this_one_is_refused() {
    let mut bench = bench();
    let machine = bench.press(|nouns| nouns.header.machine = "prusa-mk4".into()).recorded;
    let refusal = bench.refusal(&machine);
    assert!(matches!(refusal, Refusal::OtherMachine { here: "ender-3", .. }), "{refusal}");
    let high = bench.press(|nouns| nouns.summary.max.z = 250_001).recorded;
    assert_eq!(bench.refusal(&high), Refusal::OutsideMachine { axis: 'z' });
    let left = bench.press(|nouns| nouns.summary.min.x = -1).recorded;
    assert_eq!(bench.refusal(&left), Refusal::OutsideMachine { axis: 'x' });
}

#[test]
fn a_license_that_names_other_devices_is_refused() {
    let mut bench = bench();
    let listed = DeviceScope::Listed(vec![bench.other.id()]);
    let recorded = bench.press(|nouns| nouns.license.terms.devices = listed).recorded;
    assert_eq!(bench.refusal(&recorded), Refusal::DeviceNotAllowed(bench.device.id()));
}

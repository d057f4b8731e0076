//! What keys a thief of everything ends up with: the whole wire recorded, and the device's keys stolen afterwards.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;

use house::device::{Delivered, Session};
use house::{House, Order, Printer, mesh, upload};
use layerlock_proto::vault::v1 as wire;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_seal::statement::Verified;
use layerlock_seal::toolpath::Opener;
use layerlock_terms::license::Release;
use layerlock_terms::receipt::{Event, Outcome};
use layerlock_terms::release::{Grounds, KeyRelease};
use layerlock_vault::Vault;

/// All that was said about one job, as somebody on the wire has it.
struct Recorded {
    delivered: Delivered,
    releases: Vec<Verified<KeyRelease>>,
}

impl Recorded {
    /// The epochs that open to whoever has this and the printer's keys, and how many segments open with them.
    fn open(&self, printer: &Printer) -> (BTreeSet<u32>, usize) {
        let checked = self.delivered.check();
        let mut epochs = BTreeSet::new();
        let mut opener = Opener::new(&checked);
        // Every epoch is tried against every release, not only those a release names.
        for release in &self.releases {
            for epoch in 0..checked.manifest().epochs() {
                if let Ok(secret) = printer.open().open_epoch(release, &self.delivered.header, epoch) {
                    opener.add_epoch(secret).unwrap();
                    epochs.insert(epoch);
                }
            }
        }
        let opens = |segment: &Vec<u8>| opener.open(&mut segment.clone()).is_ok();
        (epochs, self.delivered.segments.iter().map(opens).take_while(|open| *open).count())
    }
}

/// A printer in session, and a job for it.
struct Begun {
    _house: House,
    vault: Arc<Vault>,
    printer: Printer,
    order: Order,
    session: Session,
}

async fn begun() -> Begun {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let order = Order::new(21, &mesh(), &printer);
    order.create(&vault).await.unwrap();
    let session = Session::open(&vault, &printer, 1).await.unwrap();
    Begun { _house: house, vault, printer, order, session }
}

/// Prints so many layers of all by the book, cancels, and records the wire.
async fn cancelled_after(session: &mut Session, order: &Order, of: impl Fn(u32) -> u32) -> Recorded {
    let delivered = session.receive(order).await;
    let layers = of(delivered.manifest.layers);
    session.report(order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
    for sequence in 1..=layers {
        session.report(order, sequence, Event::Progress(delivered.extent(sequence))).await;
    }
    let ended = Event::Ended(Outcome::Cancelled, delivered.extent(layers));
    session.report(order, layers + 1, ended).await;
    let mut releases = Vec::new();
    loop {
        match session.next().await.unwrap() {
            Answer::Keys(keys) => releases.push(Delivered::release(&keys)),
            Answer::Settled(_) => return Recorded { delivered, releases },
            other => panic!("neither keys nor the end: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_device_key_stolen_after_the_job_opens_no_epoch_that_was_not_released() {
    let Begun { _house, vault, printer, order, mut session } = begun().await;
    // All of the ciphertext is out: it runs ahead as far as it likes. A window of one epoch beyond the printed one.
    let recorded = cancelled_after(&mut session, &order, |_| 9).await;
    let layers = recorded.delivered.header.epoch_layers;
    assert!(layers * 3 < recorded.delivered.manifest.layers, "some epochs stay unreleased");
    let (epochs, opened) = recorded.open(&printer);
    assert_eq!(epochs, BTreeSet::from([0, 1, 2]));
    assert!(opened < recorded.delivered.segments.len(), "{opened} of {}", recorded.delivered.segments.len());

    // With both stolen keys the thief is the device: the vault has no more for it, whatever it says.
    let mut thief = Session::open(&vault, &printer, 2).await.unwrap();
    thief.report(&order, 0, Event::Checked(recorded.delivered.manifest.statement().digest())).await;
    thief.report(&order, 20, Event::Progress(recorded.delivered.extent(20))).await;
    assert!(matches!(thief.next().await.unwrap(), Answer::Ended(_)));
}

#[tokio::test]
async fn a_device_that_plays_along_to_the_end_can_collect_every_epoch_by_having_printed_it() {
    let Begun { _house, printer, order, mut session, .. } = begun().await;
    // The window reaches the end before the print does: cancelled a layer early, all of it is known.
    let recorded = cancelled_after(&mut session, &order, |all| all - 1).await;
    let (epochs, opened) = recorded.open(&printer);
    assert_eq!(epochs, (0..recorded.delivered.manifest.epochs()).collect());
    assert_eq!(opened, recorded.delivered.segments.len());
}

#[tokio::test]
async fn offline_terms_release_every_epoch_at_once_under_a_number_of_the_jobs_own() {
    let house = House::new();
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    for (number, count) in [(21, 1), (22, 2)] {
        let mut order = Order::new(number, &mesh(), &printer);
        order.license.terms.release = Release::Offline;
        order.create(&vault).await.unwrap();
        let mut session = Session::open(&vault, &printer, count * 2).await.unwrap();
        let delivered = session.receive(&order).await;
        session.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
        let Answer::Keys(keys) = session.next().await.unwrap() else { panic!("no keys") };
        let release = Delivered::release(&keys);
        let counted = |count| Grounds::Offline(NonZeroU64::new(count).unwrap());
        assert_eq!(release.grounds, counted(count));
        assert_eq!(release.epochs.len() as u32, delivered.manifest.epochs());

        // A device that lost them asks again, as often as it likes, and gets them under the same number.
        drop(session);
        let mut again = Session::open(&vault, &printer, count * 2 + 1).await.unwrap();
        again.offer().await;
        again.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
        let Answer::Keys(keys) = again.next().await.unwrap() else { panic!("no keys") };
        assert_eq!(Delivered::release(&keys).grounds, counted(count));
        again.report(&order, 0, Event::Checked(delivered.manifest.statement().digest())).await;
        let Answer::Keys(keys) = again.next().await.unwrap() else { panic!("no keys") };
        assert_eq!(Delivered::release(&keys).grounds, counted(count));
        let ended = Event::Ended(Outcome::Printed, delivered.extent(delivered.manifest.layers));
        again.report(&order, 1, ended).await;
        let last = again.next().await.unwrap();
        assert!(matches!(last, Answer::Settled(wire::Settled { .. })), "{last:?}");
    }
}

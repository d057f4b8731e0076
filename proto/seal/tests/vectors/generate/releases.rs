//! Key releases and the epochs in them: rules REL-1 to REL-4, EP-1, EP-2.

use std::num::NonZeroU64;

use layerlock_seal::keys::OpeningKey;
use layerlock_terms::digest::Digest;
use layerlock_terms::release::{Grounds, KeyRelease, WrappedEpoch};
use layerlock_terms::wire::Noun;

use super::super::file::Vector;
use super::super::forge;
use super::super::support::{Repeatable, device};
use super::{RELEASE, delivery, release, sealer, seed, stated_release, vault};

pub fn all() -> Vec<Vector> {
    [whole(), epochs()].concat()
}

fn vector(name: &str, expect: &str, rule: &str, comment: &str, release: &[u8]) -> Vector {
    Vector::new(&format!("release/{name}"), expect, rule, comment)
        .text("kind", "release")
        .bytes("key", &forge::public(&delivery()))
        .bytes("opening-key", &device().to_seed()[..])
        .bytes("header", &vault().header)
        .bytes("release", release)
}

/// The release itself: REL-1 to REL-4.
fn whole() -> Vec<Vector> {
    let payload = |name, rule, comment, release: &KeyRelease| {
        vector(name, "refused-payload", rule, comment, &stated_release(release))
    };
    let by_another = forge::statement(RELEASE, &release().emit(), &forge::key(&seed("another key")));
    let other_header = of(&Digest([9; 32]), &device(), Grounds::Receipts);
    let offline = Grounds::Offline(NonZeroU64::MIN);
    let mut falling = release();
    falling.epochs.reverse();
    vec![
        vector("right", "success", "", "epochs 0 and 1, against receipts", &stated_release(&release())),
        vector("offline", "success", "", "the device's first offline print", &stated_release(&on(offline))),
        vector("signer", "refused-signer", "REL-1", "signed by another key", &by_another),
        vector(
            "other-header",
            "cannot-open",
            "REL-2",
            "rightly wrapped, of another header",
            &stated_release(&other_header),
        ),
        payload("none", "REL-3", "no epoch", &KeyRelease { epochs: Vec::new(), ..release() }),
        vector(
            "1025-epochs",
            "refused-payload",
            "REL-3",
            "announces 1,025 epochs, and ends",
            &announcing(1025),
        ),
        payload("falling", "REL-4", "epoch 1 before epoch 0", &falling),
        payload("twice", "REL-4", "epoch 0 twice", &twice()),
    ]
}

/// One epoch of a rightly signed release: EP-1, EP-2.
fn epochs() -> Vec<Vector> {
    let clone = OpeningKey::generate(&mut Repeatable::new("another device"));
    let opens_not = |name, rule, comment, release: &KeyRelease| {
        vector(name, "cannot-open", rule, comment, &stated_release(release))
    };
    vec![
        opens_not("other-device", "EP-1", "wrapped to another device", &to(&clone, Grounds::Receipts)),
        opens_not("other-epoch", "EP-1", "epoch 1 renamed epoch 2", &with(|second| second.epoch = 2)),
        opens_not(
            "other-grounds",
            "EP-1",
            "wrapped for the first offline print, released against receipts",
            &KeyRelease { grounds: Grounds::Receipts, ..on(Grounds::Offline(NonZeroU64::MIN)) },
        ),
        opens_not(
            "later-count",
            "EP-1",
            "wrapped for the first offline print, renamed the second",
            &KeyRelease {
                grounds: Grounds::Offline(NonZeroU64::MIN.saturating_add(1)),
                ..on(Grounds::Offline(NonZeroU64::MIN))
            },
        ),
        opens_not(
            "changed",
            "EP-1",
            "one bit of the second sealed secret is flipped",
            &with(|second| second.sealed[4] ^= 1),
        ),
        opens_not("low-order", "EP-1", "the encapsulated key is zero", &with(|second| second.enc = [0; 32])),
        opens_not(
            "commitment",
            "EP-2",
            "the second epoch commits to another secret",
            &with(|second| second.commitment[0] ^= 1),
        ),
    ]
}

fn on(grounds: Grounds) -> KeyRelease {
    to(&device(), grounds)
}

fn to(device: &OpeningKey, grounds: Grounds) -> KeyRelease {
    of(&Digest(vault().header_hash()), device, grounds)
}

fn of(header: &Digest, device: &OpeningKey, grounds: Grounds) -> KeyRelease {
    sealer().job_secret().release(
        header,
        grounds,
        0..=1,
        &device.wrapping_key(),
        &mut Repeatable::new("wrap"),
    )
}

/// The right release with its second epoch changed.
fn with(change: impl FnOnce(&mut WrappedEpoch)) -> KeyRelease {
    let mut release = release();
    change(&mut release.epochs[1]);
    release
}

fn twice() -> KeyRelease {
    let first = release().epochs[0].clone();
    KeyRelease { epochs: vec![first.clone(), first], ..release() }
}

fn announcing(count: u32) -> Vec<u8> {
    let mut payload = release().emit();
    payload.truncate(40);
    payload.extend_from_slice(&count.to_be_bytes());
    forge::statement(RELEASE, &payload, &delivery())
}

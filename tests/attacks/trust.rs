//! The trust chain: older roots, roots kept back, stolen keys, makers that speak for others.

use std::fs;
use std::path::PathBuf;

use layerlock_cli::trust_files::name_of;
use layerlock_device::trust::{Anchors, TrustError};
use layerlock_device::{Device, RenewError};
use layerlock_seal::keys::{OpeningKey, SigningKey};
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::{Endorsement, TrustedRoot};
use layerlock_terms::digest::{OpenKey, SignKey};
use layerlock_terms::trust::{Authority, DeviceAttestation, Root};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_tests::world::World;

use crate::WORKER;

const YEAR: Millis = Millis(365 * 24 * 3600 * 1000);

fn keys(world: &World) -> PathBuf {
    world.folder("server").join("keys")
}

fn read_key(world: &World, name: &str) -> SigningKey {
    let seed = fs::read(keys(world).join(name)).expect("the operator reads its own disk");
    SigningKey::from_seed(&seed.try_into().expect("32 bytes"))
}

fn root_of(world: &World, version: u32) -> Root {
    let bytes = fs::read(keys(world).join(format!("root-{version}.trust"))).expect("it is installed");
    Endorsement::parse(&bytes).expect("an endorsement").read().expect("a root")
}

/// Has the embedded root's key sign this and puts it into the server's folder.
fn install(world: &World, root: &Root) {
    let signed = Endorsement::signed(root, &[&read_key(world, "root.key")]);
    fs::write(keys(world).join(name_of(&signed).expect("a root has a name")), signed.emit())
        .expect("writable");
}

/// The next version, as it was but for what `change` does to it.
fn next(world: &World, version: u32, change: impl FnOnce(&mut Root)) -> Root {
    let mut root = Root { version, ..root_of(world, version - 1) };
    change(&mut root);
    root
}

/// The licensor's key is replaced; its former one is kept by the thief, or the museum.
fn replace_licensor_key(world: &World) -> SigningKey {
    let former = read_key(world, "licensor.key");
    fs::remove_file(keys(world).join("licensor.key")).expect("it was there");
    former
}

async fn renew(world: &World, device: &mut Device) -> Result<u32, RenewError> {
    device.renew_trust(world.licensor().await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_never_goes_back_to_an_older_root() {
    let world = World::begin(WORKER).await;
    let mut device = world.device("device").await;
    install(&world, &next(&world, 2, |_| {}));
    let world = world.restart().await;
    assert_eq!(renew(&world, &mut device).await.expect("it follows"), 2);
    fs::remove_file(keys(&world).join("root-2.trust")).expect("it was there");
    let world = world.restart().await;
    let refused = renew(&world, &mut device).await.expect_err("it is older");
    let older = RenewError::NotTrusted(TrustError::OlderRoot { found: 1, pinned: 2 });
    assert_eq!(refused.to_string(), older.to_string());
    assert_eq!(device.root().version(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_kept_from_newer_roots_prints_nothing_once_its_own_has_ended() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(2).await;
    let mut device = world.device("device").await;
    let recorded = world.print(&licensed, &mut device, "device").await.recorded;
    world.time.pass(Millis(11 * YEAR.0));
    let refused = device.examine(&recorded).map(drop).expect_err("its root has ended").to_string();
    assert!(refused.contains("the root expired"), "{refused}");
    let refused = renew(&world, &mut device).await.expect_err("only the ended root is shown");
    assert!(matches!(refused, RenewError::NotTrusted(TrustError::Expired { what: "root", .. })), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_its_own_keys_alone_signed_is_no_successor() {
    let world = World::begin(WORKER).await;
    let device = world.device("device").await;
    let thief = SigningKey::from_seed(&[66; 32]);
    let seized = next(&world, 2, |root| root.keys = vec![thief.verifying_key().into()]);
    let seized = Endorsement::signed(&seized, &[&thief]);
    let refused = device.root().clone().walk(&[seized]).expect_err("the pinned key handed nothing over");
    assert_eq!(refused, TrustError::BelowThreshold { root: 1, signed: 0, threshold: 1 });
}

#[tokio::test(flavor = "multi_thread")]
async fn licenses_of_a_former_licensor_key_stand_until_the_root_withdraws_it() {
    let world = World::begin(WORKER).await;
    let licensed = world.licensed(3).await;
    let mut device = world.device("device").await;
    world.print(&licensed, &mut device, "device").await;

    // Rotated: the root certifies the new key and, as before, the former one.
    let former = replace_licensor_key(&world);
    let world = world.restart().await;
    let licensed = world.again(&licensed).await;
    renew(&world, &mut device).await.expect("it learns the new key");
    world.print(&licensed, &mut device, "device").await;

    // Revoked: version 2 withdraws it, and whatever it signed falls.
    install(&world, &next(&world, 2, |root| root.withdrawn = vec![former.verifying_key().into()]));
    let world = world.restart().await;
    let licensed = world.again(&licensed).await;
    let refused = renew(&world, &mut device).await.expect_err("the former key certified this device");
    assert!(matches!(refused, RenewError::NotCertified(_)), "{refused}");
    assert_eq!(device.root().version(), 2, "it is pinned all the same");
    let held = licensed.hold(&device).await.expect("the licensor knows its own licenses");
    let refused = licensed.order(&held, &device).await.expect_err("the vault does not believe them");
    assert!(refused.to_string().contains("not the licensor's"), "{refused}");
}

/// A root that lists two makers, each for its own machine; and their keys.
fn makers() -> (Anchors, SigningKey, SigningKey) {
    let [root, acme, apex] = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]));
    let maker = |name: &str, key: &SigningKey, machine: &str| Authority {
        name: name.to_owned(),
        key: key.verifying_key().into(),
        expires: Timestamp(YEAR.0),
        machines: vec![machine.to_owned()],
    };
    let mut noun = Root::new(1, Timestamp(YEAR.0), 1, vec![root.verifying_key().into()]);
    noun.authorities = vec![maker("acme", &acme, "prusa-mk3s"), maker("apex", &apex, "ender-3")];
    let root = TrustedRoot::begin(&Endorsement::signed(&noun, &[&root])).expect("it signed itself");
    (Anchors::new(root, &[]).expect("no certificate is refused"), acme, apex)
}

#[test]
fn a_maker_attests_its_own_devices_and_no_others() {
    let (anchors, acme, apex) = makers();
    let sign = SignKey::from(SigningKey::from_seed(&[8; 32]).verifying_key());
    let open = OpenKey::from(OpeningKey::from_seed(&[9; 32]).wrapping_key());
    let attest = |oem: &str, machine: &str, by: &SigningKey| {
        let (oem, machine) = (oem.to_owned(), machine.to_owned());
        Statement::sign(&DeviceAttestation { oem, machine, sign, open }, by)
    };
    let judge = |statement: &Statement| anchors.attested(statement, (sign, open), Timestamp(1)).map(drop);
    assert_eq!(judge(&attest("acme", "prusa-mk3s", &acme)), Ok(()));
    let other_machine = judge(&attest("apex", "prusa-mk3s", &apex)).expect_err("it is acme's machine");
    assert!(matches!(other_machine, TrustError::OtherMachine { .. }), "{other_machine}");
    let other_name = judge(&attest("acme", "prusa-mk3s", &apex)).expect_err("apex is not acme");
    assert!(matches!(other_name, TrustError::OtherOem { .. }), "{other_name}");
    let stranger = judge(&attest("acme", "prusa-mk3s", &SigningKey::from_seed(&[4; 32])));
    assert!(matches!(stranger, Err(TrustError::NoAuthority(_))));
    let copied = attest("acme", "prusa-mk3s", &acme);
    let cloned = anchors.attested(&copied, (SignKey([7; 32]), open), Timestamp(1)).map(drop);
    assert_eq!(cloned, Err(TrustError::OtherDevice("signing key")));
    let ended = anchors.attested(&copied, (sign, open), Timestamp(YEAR.0)).map(drop);
    assert!(matches!(ended, Err(TrustError::Expired { .. })));
}

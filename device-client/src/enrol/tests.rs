use layerlock_seal::keys::OpeningKey;

use super::*;
use crate::testbed::licensor::{CODE, FakeLicensor};
use crate::testbed::{Counted, MACHINE, NOW, World};
use crate::trust::root_digest;
use crate::{Device, RenewError};

fn licensor() -> FakeLicensor {
    FakeLicensor::new(World::new(1))
}

fn wanted(home: &Path) -> Enrolment<'_> {
    Enrolment { code: CODE, machine: MACHINE, home, root_digest: None, clock: Clock::of(|| NOW) }
}

async fn enrol_with(licensor: &FakeLicensor, wanted: Enrolment<'_>) -> Result<Device, EnrolError> {
    Device::enrol(licensor.channel(), wanted, &mut Counted::from(1)).await
}

#[tokio::test(start_paused = true)]
async fn a_device_enrols_once_and_opens_again_as_itself() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    let device = enrol_with(&licensor, wanted(home.path())).await.unwrap();
    let (id, machine) = (device.id(), device.machine().name);
    assert_eq!(device.certificate().statement().emit(), licensor.given()[0]);
    let in_use = Device::open_at(home.path(), Clock::of(|| NOW)).unwrap_err();
    assert!(matches!(in_use, OpenError::InUse(_)), "{in_use}");
    drop(device);
    let again = Device::open_at(home.path(), Clock::of(|| NOW)).unwrap();
    assert_eq!((again.id(), again.machine().name), (id, machine));
    drop(again);
    let twice = enrol_with(&licensor, wanted(home.path())).await.unwrap_err();
    assert!(matches!(twice, EnrolError::Already(_)), "{twice}");
}

#[tokio::test(start_paused = true)]
async fn a_wrong_root_a_wrong_code_and_an_unknown_machine_are_refused_by_name() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    let told = Some(Digest([1; 32]));
    let root = enrol_with(&licensor, Enrolment { root_digest: told, ..wanted(home.path()) }).await;
    assert!(matches!(root, Err(EnrolError::NotTrusted(TrustError::WrongRoot { .. }))));
    assert!(!files::keys(home.path()).exists(), "no key is made for a stranger");
    let code = Enrolment { code: "0000-0000-0000-0000", ..wanted(home.path()) };
    let refused = enrol_with(&licensor, code).await.unwrap_err();
    assert!(matches!(&refused, EnrolError::Refused(status) if status.message().contains("code")));
    let machine = Enrolment { machine: "ender3", ..wanted(home.path()) };
    let refused = enrol_with(&licensor, machine).await.unwrap_err();
    assert!(refused.to_string().contains("`ender-3`"), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn an_enrolment_cut_off_after_the_certificate_ends_at_the_same_one() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    drop(enrol_with(&licensor, wanted(home.path())).await.unwrap());
    // As if power was cut before the identity was written: the keys are there, the certificate is not.
    std::fs::remove_file(files::identity(home.path())).unwrap();
    let again = Device::enrol(licensor.channel(), wanted(home.path()), &mut Counted::from(99)).await;
    assert_eq!(again.unwrap().certificate().statement().emit(), licensor.given()[0]);
    assert_eq!(licensor.given().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_certificate_for_another_opening_key_is_refused() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    licensor.swap_open_key(OpeningKey::from_seed(&[7; 32]).wrapping_key().into());
    let refused = enrol_with(&licensor, wanted(home.path())).await.unwrap_err();
    let other = matches!(&refused, EnrolError::Certificate(IdentityError::OtherDevice("opening key")));
    assert!(other, "{refused}");
    assert!(!files::identity(home.path()).exists());
}

#[tokio::test(start_paused = true)]
async fn trust_is_renewed_forward_and_never_back() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    licensor.show_root(2);
    let mut device = enrol_with(&licensor, wanted(home.path())).await.unwrap();
    licensor.show_root(1);
    let older = device.renew_trust(licensor.channel()).await.unwrap_err();
    assert!(matches!(older, RenewError::NotTrusted(TrustError::OlderRoot { found: 1, pinned: 2 })));
    licensor.show_root(3);
    device.renew_trust(licensor.channel()).await.unwrap();
    drop(device);
    let device = Device::open_at(home.path(), Clock::of(|| NOW)).unwrap();
    let root = layerlock_terms::wire::Noun::parse(licensor.world().root_statement(3).payload()).unwrap();
    assert_eq!(device.identity.anchors().root_digest(), root_digest(&root));
}

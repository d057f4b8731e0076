use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::FileExt as _;
use std::path::PathBuf;

use layerlock_seal::keys::OpeningKey;
use layerlock_seal::trust::TrustedRoot;
use layerlock_terms::units::Timestamp;

use super::*;
use crate::embed::{Embedded, Host, HostError, Item};
use crate::keys::KeyPlace;
use crate::testbed::licensor::{CODE, FakeLicensor};
use crate::testbed::{Counted, MACHINE, NOW, World, ended_root};
use crate::trust::Anchors;
use crate::{Device, RenewError};

fn licensor() -> FakeLicensor {
    FakeLicensor::new(World::new(1))
}

fn wanted(home: &Path) -> Enrolment<'_> {
    let clock = Clock::of(|| NOW);
    Enrolment {
        code: CODE,
        machine: MACHINE,
        home,
        root_digest: None,
        attestation: None,
        keys: KeyPlace::File,
        clock,
    }
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

/// A host over the files that enrolling leaves.
struct Home(PathBuf);

impl Home {
    fn of(&self, item: Item) -> PathBuf {
        match item {
            Item::Keys => files::keys(&self.0),
            Item::Identity => files::identity(&self.0),
            item => self.0.join(item.name()),
        }
    }
}

impl Host for Home {
    fn now(&mut self) -> Timestamp {
        NOW
    }

    fn random(&mut self, out: &mut [u8]) -> Result<(), HostError> {
        out.fill(7);
        Ok(())
    }

    fn send(&mut self, _: &[u8]) -> Result<(), HostError> {
        Ok(())
    }

    fn read(&mut self, item: Item, offset: u64, out: &mut [u8]) -> Result<usize, HostError> {
        match std::fs::File::open(self.of(item)) {
            Ok(file) => file.read_at(out, offset).map_err(|_| HostError("read")),
            Err(_) => Ok(0),
        }
    }

    fn replace(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError> {
        std::fs::write(self.of(item), bytes).map_err(|_| HostError("replace"))
    }

    fn append(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError> {
        let file = OpenOptions::new().create(true).append(true).open(self.of(item));
        file.and_then(|mut file| file.write_all(bytes)).map_err(|_| HostError("append"))
    }
}

#[tokio::test(start_paused = true)]
async fn firmware_opens_the_very_files_that_enrolling_leaves() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    let device = enrol_with(&licensor, wanted(home.path())).await.unwrap();
    let (id, machine) = (device.id(), device.machine().name);
    drop(device);
    let embedded = Embedded::open(Home(home.path().to_owned())).unwrap();
    assert_eq!((embedded.id(), embedded.machine().name), (id, machine));
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
    licensor.show_roots(1, 2);
    let mut device = enrol_with(&licensor, wanted(home.path())).await.unwrap();
    assert_eq!(device.root().version(), 2);
    licensor.show_roots(1, 1);
    let older = device.renew_trust(licensor.channel()).await.unwrap_err();
    assert!(matches!(older, RenewError::NotTrusted(TrustError::OlderRoot { found: 1, pinned: 2 })));
    licensor.show_roots(4, 4);
    let gap = device.renew_trust(licensor.channel()).await.unwrap_err();
    assert!(matches!(gap, RenewError::NotTrusted(TrustError::SkippedRoot { found: 4, due: 3 })));
    licensor.show_roots(1, 3);
    assert_eq!(device.renew_trust(licensor.channel()).await.unwrap(), 3);
    drop(device);
    assert_eq!(Device::open_at(home.path(), Clock::of(|| NOW)).unwrap().root().version(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_device_that_slept_through_forty_rotations_walks_them_all() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    let mut device = enrol_with(&licensor, wanted(home.path())).await.unwrap();
    licensor.show_roots(1, 41);
    assert_eq!(device.renew_trust(licensor.channel()).await.unwrap(), 41);
}

#[tokio::test(start_paused = true)]
async fn a_newcomer_told_of_an_earlier_root_walks_from_there() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    licensor.show_roots(1, 5);
    let told = Some(TrustedRoot::begin(&licensor.world().root(2)).unwrap().digest());
    let device = enrol_with(&licensor, Enrolment { root_digest: told, ..wanted(home.path()) }).await.unwrap();
    assert_eq!(device.root().version(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_device_whose_root_ended_while_it_was_off_opens_and_can_only_walk_on() {
    let (home, licensor) = (tempfile::tempdir().unwrap(), licensor());
    drop(enrol_with(&licensor, wanted(home.path())).await.unwrap());
    // The certificate ends at FAR too, in this world, so the root is swapped for one that ended before.
    let ended = ended_root(licensor.world());
    let path = files::identity(home.path());
    let keys = DeviceKeys::load(&files::keys(home.path()), None).unwrap();
    let certificate = Statement::parse(&licensor.given()[0]).unwrap();
    let anchors = Anchors::new(TrustedRoot::begin(&ended).unwrap(), &licensor.world().services()).unwrap();
    let identity = Identity::load(&path, keys, NOW).unwrap().under(anchors.clone());
    identity.store(&path).unwrap();
    let refused = anchors.device(&certificate, NOW).unwrap_err();
    assert!(matches!(refused, TrustError::Expired { what: "root", .. }), "{refused}");

    let mut device = Device::open_at(home.path(), Clock::of(|| NOW)).unwrap();
    licensor.show_roots(1, 3);
    assert_eq!(device.renew_trust(licensor.channel()).await.unwrap(), 3);
}

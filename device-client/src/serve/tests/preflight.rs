//! What a job waits for before anything of it is fetched.

use layerlock_seal::sha256;
use layerlock_terms::machine::Material;
use layerlock_terms::profile::{Preset, Profile};

use super::*;

/// A machine from which a print must be taken by hand.
struct ByHand;

#[async_trait]
impl Berth for ByHand {
    async fn dock(&self, machine: &Machine) -> Result<Box<dyn Printer>, PrinterError> {
        let (printer, _) = MarlinPrinter::simulated(Bench::instant(machine)).await?;
        Ok(Box::new(printer))
    }

    fn keeps_what_it_printed(&self) -> bool {
        true
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_waits_until_the_bed_is_clear_and_leaves_it_taken() {
    let mut scene = scene([]);
    let home = scene.home.path().to_owned();
    let word = OwnersWord { bed: Bed::Taken, ..OwnersWord::default() };
    word.write(&home).unwrap();
    let (mut asked, mut offered) = (0, 0);
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Unready { why, .. } => {
            asked += 1;
            assert_eq!((why, offered), (&Unready::BedTaken, 0));
            // Somebody comes, takes it off and says so.
            OwnersWord::default().write(&home).unwrap();
        }
        Notice::Offered { .. } => offered += 1,
        Notice::Heating => assert_eq!(OwnersWord::read(&home).unwrap(), word, "said before anything moves"),
        _ => {}
    };
    let channel = scene.vault.channel();
    let served = Shift::serve(&mut scene.device, channel, &ByHand, &mut watch, Until::OneJob).await;
    let report = served.unwrap().unwrap();
    assert_eq!((report.outcome, asked, offered), (Outcome::Printed, 1, 1));
    assert_eq!(OwnersWord::read(&home).unwrap(), word);
}

#[tokio::test(start_paused = true)]
async fn a_bed_that_clears_itself_stays_so() {
    let mut scene = scene([]);
    let word = OwnersWord { bed: Bed::ClearsItself, ..OwnersWord::default() };
    word.write(scene.home.path()).unwrap();
    let channel = scene.vault.channel();
    let served = Shift::serve(&mut scene.device, channel, &ByHand, &mut |_| {}, Until::OneJob).await;
    assert_eq!(served.unwrap().unwrap().outcome, Outcome::Printed);
    assert_eq!(OwnersWord::read(scene.home.path()).unwrap(), word);
}

#[tokio::test(start_paused = true)]
async fn a_profile_the_header_does_not_name_is_refused() {
    let mut scene = scene([]);
    scene.vault.desk().profile = b"of another job".to_vec();
    let refused = scene.print().await.unwrap_err();
    let spliced = Refusal::Spliced { this: "profile", that: "header", field: "digest" };
    assert!(matches!(&refused, DeviceError::Refused(why) if *why == spliced), "{refused}");
}

#[tokio::test(start_paused = true)]
async fn a_job_for_another_filament_waits_until_it_is_in() {
    let home = tempfile::tempdir().unwrap();
    let world = World::new(1);
    let device = enrol(&world, home.path(), 1);
    let profile = Profile::new(device.machine(), Material::Pla, Preset::Standard).emit();
    let mut nouns = Nouns::of(&device, 5);
    nouns.header.profile = sha256(&profile);
    let pressed = press(nouns, &world, &device);
    let mut desk = Desk::new(world);
    desk.jobs.push(pressed.clone());
    desk.profile = profile;
    let mut scene = Scene { home, device, vault: FakeVault::new(desk), pressed };
    let folder = scene.home.path().to_owned();
    OwnersWord { material: Some(Material::Petg), ..OwnersWord::default() }.write(&folder).unwrap();
    let mut asked = Vec::new();
    let mut watch = |notice: Notice<'_>| {
        if let Notice::Unready { why, .. } = notice {
            asked.push(why.clone());
            OwnersWord { material: Some(Material::Pla), ..OwnersWord::default() }.write(&folder).unwrap();
        }
    };
    let channel = scene.vault.channel();
    let served = Shift::serve(&mut scene.device, channel, &ByHand, &mut watch, Until::OneJob).await;
    assert_eq!(served.unwrap().unwrap().outcome, Outcome::Printed);
    assert_eq!(asked, [Unready::Material { asked: "pla", loaded: "petg" }]);
}

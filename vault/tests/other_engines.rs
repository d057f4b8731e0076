//! Another engine under the same seal: the same job, envelope, receipts and end; and its own words when it fails.

#![allow(clippy::unwrap_used, reason = "a failed unwrap in a test is the test failing")]

mod house;

use house::device::Session;
use house::{House, Order, Printer, block, mesh, reason, upload};
use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1::JobState;
use layerlock_proto::vault::v1::vault_message::Message as Answer;
use layerlock_terms::profile::Engine;
use layerlock_vault::worker::EnginePrograms;

/// A house with every engine that is installed here.
fn house() -> House {
    let engines = EnginePrograms::found_in(&std::env::var_os("PATH").unwrap());
    House { engines, ..House::new() }
}

const ENGINES: [Engine; 2] = [Engine::PrusaSlicer, Engine::CuraEngine];

fn by(engine: Engine, number: u8, mesh: &[u8], printer: &Printer) -> Order {
    Order { settings: vec![("engine", engine.name())], ..Order::new(number, mesh, printer) }
}

#[tokio::test]
async fn a_job_of_another_engine_is_sealed_delivered_printed_and_settled_as_any_other() {
    let house = house();
    let vault = house.open().await;
    let installed: Vec<_> = vault.engines().iter().collect();
    assert_eq!(installed.iter().map(|one| one.engine).collect::<Vec<_>>(), ENGINES, "its package is missing");
    for (one, begins) in installed.iter().zip(["PrusaSlicer-2.", "Cura_SteamEngine version 4."]) {
        assert!(one.version.starts_with(begins), "{}", one.version);
        assert_eq!(one.confinement.lacking().count(), 0);
    }
    upload(&vault, &mesh()).await.unwrap();
    let printer = Printer::new(40);
    let orders = [
        Order::new(21, &mesh(), &printer),
        by(Engine::PrusaSlicer, 22, &mesh(), &printer),
        by(Engine::CuraEngine, 23, &mesh(), &printer),
    ];
    let mut sizes = Vec::new();
    for (count, order) in (1..).zip(orders) {
        order.create(&vault).await.unwrap();
        let mut session = Session::open(&vault, &printer, count).await.unwrap();
        let delivered = session.receive(&order).await;
        let toolpath = session.print(&order, &delivered).await;
        assert!(matches!(session.next_but_keys().await.unwrap(), Answer::Settled(_)));
        sizes.push((
            delivered.manifest.layers,
            (delivered.manifest.summary.min.z, delivered.manifest.summary.max.z),
            toolpath,
        ));
    }
    let [(our_layers, ours, our_path), others @ ..] = &sizes[..] else { panic!() };
    for (their_layers, theirs, their_path) in others {
        assert_eq!((our_layers, ours), (their_layers, theirs), "the same part in the same place");
        assert_ne!(our_path, their_path, "but not by the same engine");
    }
    assert_ne!(others[0].2, others[1].2);
}

#[tokio::test]
async fn an_engine_that_fails_is_quoted_in_the_refusal_and_the_copy_is_free_again() {
    let house = house();
    let vault = house.open().await;
    // Too small for any line: PrusaSlicer says so itself, of CuraEngine's work the reader does.
    let crumb = block(0.05, 0.05, 2.0);
    upload(&vault, &crumb).await.unwrap();
    let printer = Printer::new(40);
    for (number, (engine, says)) in (21..).zip([
        (Engine::PrusaSlicer, "the engine gave up: The print is empty"),
        (Engine::CuraEngine, "the G-code lays no plastic"),
    ]) {
        let order = by(engine, number, &crumb, &printer);
        order.create(&vault).await.unwrap();
        let words = order.when(&vault, |job| job.state() == JobState::Settled).await.reason;
        assert!(words.contains(says), "{engine:?}: {words}");
        assert!(!words.contains("/dev/shm"), "{engine:?}: {words}");
    }
}

#[tokio::test]
async fn an_engine_that_is_not_there_or_lacks_a_setting_is_refused_before_the_hold_is_used() {
    let mut house = house();
    let printer = Printer::new(40);
    let vault = house.open().await;
    upload(&vault, &mesh()).await.unwrap();
    let mut order = by(Engine::PrusaSlicer, 21, &mesh(), &printer);
    order.settings.push(("support", "tree"));
    let refused = order.create(&vault).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::InvalidField);
    assert!(refused.message().contains("`support` = tree"), "{refused}");
    drop(vault);

    house.engines = EnginePrograms::default();
    let vault = house.open().await;
    let refused = by(Engine::PrusaSlicer, 22, &mesh(), &printer).create(&vault).await.unwrap_err();
    assert_eq!(reason(&refused), Reason::InvalidField);
    assert!(refused.message().contains("`prusaslicer` is not installed"), "{refused}");
    assert!(house.licensor.admitted.lock().unwrap().is_empty(), "no hold was used");
}

#[tokio::test]
async fn a_program_that_is_no_engine_or_does_not_start_is_not_offered() {
    for program in ["/bin/true", "/bin/false", "/no/such/program"] {
        let engines = EnginePrograms::default().with(Engine::PrusaSlicer, program.into());
        let vault = House { engines, ..House::new() }.open().await;
        assert_eq!(vault.engines().iter().count(), 0, "{program}");
    }
}

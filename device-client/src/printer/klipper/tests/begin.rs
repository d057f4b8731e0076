//! Finding Klipper and beginning a job: rules K1, K3 and K16.

use super::*;

#[tokio::test(start_paused = true)]
async fn k3_a_klipper_that_is_not_ready_is_refused_with_what_mends_it() {
    for tongue in BOTH {
        for (state, message, mend) in [
            ("error", "Option 'foo' is not valid in section 'bar'\nPrinter is halted", "mend printer.cfg"),
            ("shutdown", "MCU 'mcu' shutdown: Timer too close\nPrinter is shutdown", "relieve the host"),
        ] {
            let double = Double::new();
            double.set_state(state, message);
            let refused = plug(&double, tongue).await.greet().await.unwrap_err().to_string();
            assert!(refused.contains(&format!("no job now: {mend}")), "{refused}");
            assert!(refused.contains("FIRMWARE_RESTART"), "{refused}");
        }
        for (print, card, mend) in
            [("printing", false, "wait"), ("standby", true, "wait"), ("paused", false, "CANCEL_PRINT")]
        {
            let double = Double::new();
            double.set_print(print, card);
            let refused = plug(&double, tongue).await.greet().await.unwrap_err();
            assert!(matches!(&refused, PrinterError::Unready(why) if why.contains(mend)), "{refused}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k3_a_klipper_that_starts_is_waited_for_and_not_for_ever() {
    let double = Double::new();
    double.set_state("startup", "Printer is not ready\nThe klippy host software is attempting to connect.");
    let later = double.clone();
    let starting = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_secs(4)).await;
        later.set_state("ready", "Printer is ready");
    });
    let (_, greeting) =
        KlipperPrinter::by(Box::new((double.clone(), Tongue::Klipper)), Tap::default()).await.unwrap();
    assert_eq!(greeting.firmware, "Klipper v0.13.0");
    starting.await.unwrap();
    double.set_state("startup", "Printer is not ready");
    let begun = Instant::now();
    let refused =
        KlipperPrinter::by(Box::new((double, Tongue::Klipper)), Tap::default()).await.err().unwrap();
    assert!(matches!(&refused, PrinterError::Unready(why) if why.contains("controller")), "{refused}");
    assert!(begun.elapsed() <= START + LOOK);
}

#[tokio::test]
async fn k3_what_is_not_there_is_named_with_what_to_do() {
    let none = Address::Socket("/nowhere/klippy_uds".into());
    let refused = KlipperPrinter::connect(&none, Tap::default()).await.err().unwrap().to_string();
    assert!(refused.contains("klipper:/nowhere/klippy_uds") && refused.contains("-a"), "{refused}");
    let file = Address::Moonraker { host: "127.0.0.1".into(), port: 1, key: Some("/nowhere/key".into()) };
    let refused = KlipperPrinter::connect(&file, Tap::default()).await.err().unwrap().to_string();
    assert!(refused.contains("/nowhere/key"), "{refused}");
    let none = Address::Moonraker { host: "127.0.0.1".into(), port: 1, key: None };
    let refused = KlipperPrinter::connect(&none, Tap::default()).await.err().unwrap().to_string();
    assert!(refused.contains("moonraker:http://127.0.0.1:1") && refused.contains("7125"), "{refused}");
}

#[tokio::test]
async fn k1_klippers_socket_is_found_by_its_path_and_speaks() {
    let dir = tempfile::tempdir().unwrap();
    let double = Double::new();
    let target = format!("klipper:{}", double.listen(dir.path()).display()).parse::<PrinterTarget>().unwrap();
    let machine = layerlock_terms::machine::Machine::named("ender-3").unwrap();
    let (mut printer, greeting) = target.connect(machine).await.unwrap();
    assert_eq!(greeting.firmware, "Klipper v0.13.0");
    printer.send(&command("M107")).await.unwrap();
    printer.drain().await.unwrap();
    assert!(ran(&double, "M107"));
}

#[tokio::test]
async fn k16_moonrakers_key_comes_from_a_file_and_its_absence_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let double = Double::new().with_key("a1b2c3");
    let port = double.listen_moonraker().await;
    let without = format!("moonraker:http://127.0.0.1:{port}").parse::<PrinterTarget>().unwrap();
    let machine = layerlock_terms::machine::Machine::named("ender-3").unwrap();
    let refused = without.connect(machine).await.err().unwrap().to_string();
    assert!(refused.contains("?key=FILE"), "{refused}");
    let wrong = Path::join(dir.path(), "wrong");
    std::fs::write(&wrong, "a1b2c4").unwrap();
    let other = format!("moonraker:http://127.0.0.1:{port}?key={}", wrong.display());
    let refused = other.parse::<PrinterTarget>().unwrap().connect(machine).await.err().unwrap().to_string();
    assert!(refused.contains("?key=FILE") && !refused.contains("a1b2c4"), "{refused}");
    let file = Path::join(dir.path(), "key");
    std::fs::write(&file, "a1b2c3\n").unwrap();
    let with = format!("moonraker:http://127.0.0.1:{port}?key={}", file.display());
    let (mut printer, greeting) = with.parse::<PrinterTarget>().unwrap().connect(machine).await.unwrap();
    assert_eq!(greeting.firmware, "Klipper v0.13.0");
    printer.send(&command("M107")).await.unwrap();
    printer.drain().await.unwrap();
    assert!(ran(&double, "M107"));
}

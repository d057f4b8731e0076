//! What Klipper and people at it do: errors, heaters, halts and pauses (rules K11, K12, K14 and K15).

use super::*;

#[tokio::test(start_paused = true)]
async fn k11_a_refused_line_ends_the_job_in_plain_words_and_leaves_the_machine_safe() {
    for tongue in BOTH {
        let refusal = "Move out of range: 500.000 0.000 0.000 [0.000]";
        let double = Double::new().failing(80, Fault::Refuses(refusal));
        let mut printer = ready(&double, tongue).await;
        let error = squares(&mut printer).await.unwrap_err();
        let PrinterError::Refused { last, message } = &error else { panic!("{error}") };
        assert!(*last > 5, "{last}");
        assert!(message.starts_with("check position_max") && message.contains(refusal), "{message}");
        printer.stop(Stop::Safe).await.unwrap();
        assert_eq!(double.see(|seen| (seen.targets, seen.emergency)), ([0.0; 2], None));
        assert!(ran(&double, "M84"));
    }
}

#[tokio::test(start_paused = true)]
async fn k11_a_command_klipper_only_murmurs_about_ends_the_job() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        // Somebody else's slip of the tongue is not the job's.
        double.person("G32").await;
        send(&mut printer, &["G28", "G29", "G1 X1 F600"]).await.ok();
        let error = printer.drain().await.unwrap_err().to_string();
        assert!(error.contains("define a macro") && error.contains("\"G29\""), "{error}");
        assert!(!ran(&double, "G1 X1 F600"), "nothing follows");
    }
}

#[tokio::test(start_paused = true)]
async fn k11_cold_extrusion_is_told_as_on_any_machine() {
    let double = Double::new();
    let mut printer = ready(&double, Tongue::Klipper).await;
    send(&mut printer, &["G28", "G1 E1 F600"]).await.unwrap();
    let error = printer.drain().await.unwrap_err();
    assert!(matches!(error, PrinterError::ColdExtrusion { last: 1 }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn k12_heating_is_waited_for_here_so_that_a_cancel_ends_it() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        let begun = Instant::now();
        send(&mut printer, &["M140 S60", "M104 S200", "M190 S60", "M109 S200", "M109 R180", "G28"])
            .await
            .unwrap();
        printer.drain().await.unwrap();
        let took = begun.elapsed() - HOMING;
        assert!(took > Duration::from_secs(8) && took < Duration::from_secs(14), "{took:?}");
        assert_eq!(printer.temperatures().unwrap().nozzle_target, 180.0);

        let mut printer = ready(&double, tongue).await;
        let heating = async {
            send(&mut printer, &["M109 S250"]).await?;
            printer.drain().await
        };
        assert!(tokio::time::timeout(Duration::from_millis(700), heating).await.is_err(), "it heats");
        let cancelled = Instant::now();
        printer.stop(Stop::Safe).await.unwrap();
        assert!(cancelled.elapsed() < Duration::from_secs(3), "{:?}", cancelled.elapsed());
        assert_eq!(double.see(|seen| (seen.targets, seen.emergency)), ([0.0; 2], None));
    }
}

#[tokio::test(start_paused = true)]
async fn k12_klippers_idle_timeout_does_not_cool_what_is_waited_for() {
    for tongue in BOTH {
        let double = Double::new().slow_and_idle(0.05, Duration::from_secs(600));
        let mut printer = ready(&double, tongue).await;
        let begun = Instant::now();
        send(&mut printer, &["M190 S90"]).await.unwrap();
        printer.drain().await.unwrap();
        assert!(begun.elapsed() > Duration::from_secs(1_200), "{:?}", begun.elapsed());
        assert_eq!(double.see(|seen| seen.targets[1]), 90.0);
    }
}

#[tokio::test(start_paused = true)]
async fn k12_a_heater_turned_off_while_it_is_waited_for_ends_the_job() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        let person = double.clone();
        let typing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            person.person("M104 S0").await;
        });
        let begun = Instant::now();
        send(&mut printer, &["M109 S250"]).await.unwrap();
        let error = printer.drain().await.unwrap_err().to_string();
        assert!(error.contains("turned a heater off"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
        typing.await.unwrap();
        printer.stop(Stop::Safe).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn k14_a_klipper_that_stops_itself_ends_the_job_in_plain_words_and_is_not_revived() {
    for tongue in BOTH {
        let double = Double::new().failing(100, Fault::ShutsDown("MCU 'mcu' shutdown: Timer too close"));
        let mut printer = ready(&double, tongue).await;
        let error = squares(&mut printer).await.unwrap_err();
        let PrinterError::Fault { last, message } = &error else { panic!("{error}") };
        assert!(*last > 5, "{last}");
        assert!(message.starts_with("relieve the host"), "{message}");
        assert!(message.contains("Timer too close") && message.contains("FIRMWARE_RESTART"), "{message}");
        let asked = double.see(|seen| seen.lines.len());
        printer.stop(Stop::Safe).await.unwrap();
        double.see(|seen| {
            assert_eq!(seen.lines.len(), asked, "nothing is sent to it");
            assert!(!seen.methods.iter().any(|method| method.contains("restart")));
        });
    }
}

#[tokio::test(start_paused = true)]
async fn k15_pause_resume_and_cancel_at_the_machine_are_events_each_told_once() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        double.person("PAUSE").await;
        let person = double.clone();
        let typing = tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(30)).await;
            person.person("RESUME").await;
            tokio::time::sleep(Duration::from_secs(5)).await;
            person.person("CANCEL_PRINT").await;
        });
        let mut told = Vec::new();
        while told.last() != Some(&PrinterEvent::Cancel) {
            told.push(printer.attend().await.unwrap());
        }
        typing.await.unwrap();
        assert_eq!(told, [PrinterEvent::Paused, PrinterEvent::Resumed, PrinterEvent::Cancel]);
    }
}

#[test]
fn k15_a_pause_told_as_a_state_before_it_is_told_as_a_line_is_one() {
    let state = |paused: bool| {
        format!(r#"{{"method":"status","params":{{"status":{{"pause_resume":{{"is_paused":{paused}}}}}}}}}"#)
    };
    let line = |said: &str| format!(r#"{{"method":"output","params":{{"response":"// action:{said}"}}}}"#);
    let mut wire = Wire::new(Tongue::Klipper, Duration::ZERO);
    for message in [
        state(false),
        state(true),
        line("paused"),
        state(false),
        line("resumed"),
        line("paused"),
        state(true),
    ] {
        wire.receive(message.as_bytes(), Duration::ZERO);
    }
    let told: Vec<_> = std::iter::from_fn(|| wire.take_event()).collect();
    assert_eq!(told, [PrinterEvent::Paused, PrinterEvent::Resumed, PrinterEvent::Paused]);
}

#[tokio::test(start_paused = true)]
async fn k15_a_job_that_ends_in_a_pause_leaves_no_pause_behind() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        send(&mut printer, &["G28"]).await.unwrap();
        printer.drain().await.unwrap();
        double.person("PAUSE").await;
        printer.attend().await.unwrap();
        printer.stop(Stop::Safe).await.unwrap();
        assert!(ran(&double, "CANCEL_PRINT"));
        ready(&double, tongue).await;
    }
}

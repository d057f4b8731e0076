//! A link that is silent, broken or lost: rules K8, K9 and K13.

use super::*;

#[tokio::test(start_paused = true)]
async fn k8_a_klipper_that_stands_still_is_asked_once_and_given_up() {
    let double = Double::new().failing(60, Fault::Hangs);
    let mut printer = ready(&double, Tongue::Klipper).await;
    let begun = Instant::now();
    let error = squares(&mut printer).await.unwrap_err();
    assert!(matches!(error, PrinterError::Silent { last, .. } if last > 5), "{error}");
    assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    // It does not take the stop either, which is told.
    printer.stop(Stop::Safe).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn k9_a_link_that_breaks_in_any_way_ends_the_job_and_names_the_last_command() {
    for tongue in BOTH {
        for (fault, cause) in [
            (Fault::Closes, "end of file"),
            (Fault::Breaks, "within a message"),
            (Fault::Floods, "262144"),
            (Fault::Babbles, "no JSON"),
        ] {
            if tongue == Tongue::Moonraker && !matches!(fault, Fault::Closes | Fault::Babbles) {
                continue;
            }
            let double = Double::new().failing(100, fault.clone());
            let mut printer = ready(&double, tongue).await;
            let error = squares(&mut printer).await.unwrap_err();
            let PrinterError::LinkLost { last, cause: said } = &error else { panic!("{fault:?}: {error}") };
            assert!(*last > 5 && *last <= 105, "{last}");
            assert!(tongue == Tongue::Moonraker || said.contains(cause), "{said}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k13_after_a_lost_link_the_heaters_are_turned_off_over_another_and_nothing_else_is_sent() {
    for tongue in BOTH {
        let double = Double::new().failing(100, Fault::Closes);
        let (mut printer, _) =
            KlipperPrinter::by(Box::new((double.clone(), tongue)), Tap::default()).await.unwrap();
        let error = squares(&mut printer).await.unwrap_err();
        assert!(matches!(error, PrinterError::LinkLost { .. }), "{error}");
        printer.send(&command("G1 X1")).await.expect_err("the job is over");
        assert_eq!(double.see(|seen| (seen.targets[0], seen.connections)), (200.0, 1));
        let moves = double.see(|seen| seen.moves.len());
        printer.stop(Stop::Safe).await.unwrap();
        double.see(|seen| {
            assert_eq!((seen.targets, seen.connections), ([0.0; 2], 2));
            assert_eq!(seen.moves[moves..].iter().filter(|moved| is_of_the_job(&moved.line)).count(), 0);
        });
    }
    // Where there is nobody to reach any more, that is told.
    let double = Double::new().failing(20, Fault::Closes);
    let mut printer = ready(&double, Tongue::Klipper).await;
    squares(&mut printer).await.unwrap_err();
    printer.stop(Stop::Safe).await.unwrap_err();
}

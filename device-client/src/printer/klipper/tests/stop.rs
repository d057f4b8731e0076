//! Stopping: rule K10.

use super::*;

#[tokio::test(start_paused = true)]
async fn k10_after_a_cancel_the_head_moves_for_what_is_planned_and_under_way_and_no_longer() {
    for tongue in BOTH {
        for after in [16_500, 20_000, 33_333, 70_070] {
            let double = Double::new();
            let mut printer = ready(&double, tongue).await;
            let job = tokio::time::timeout(Duration::from_millis(after), squares(&mut printer)).await;
            assert!(job.is_err(), "the job is under way");
            let cancelled = Instant::now();
            printer.stop(Stop::Safe).await.unwrap();
            let moved = double.motion_after(cancelled, is_of_the_job);
            assert!(moved <= AHEAD + LOAD, "{moved:?} of motion after the cancel");
            double.see(|seen| {
                let job = seen.moves.iter().filter(|moved| is_of_the_job(&moved.line));
                let rest = job.map(|moved| moved.until).max().unwrap();
                assert!(rest <= cancelled + REST, "{:?}", rest - cancelled);
                assert_eq!((seen.targets, seen.emergency), ([0.0; 2], None));
                let ends = &seen.lines[seen.lines.len() - 5..];
                assert_eq!(ends, ["G91", "G1 Z10 F600", "G90", "M400", "M84"]);
            });
            assert!(matches!(printer.send(&command("G1 X1")).await, Err(PrinterError::Over)));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn k10_a_head_that_does_not_come_to_rest_is_stopped_for_good() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        send(&mut printer, &["G28"]).await.unwrap();
        let job = tokio::time::timeout(Duration::from_secs(2), printer.drain()).await;
        assert!(job.is_err(), "it is homing");
        let cancelled = Instant::now();
        let error = printer.stop(Stop::Safe).await.unwrap_err();
        assert!(matches!(error, PrinterError::NotObeyed { .. }), "{error}");
        assert!(error.to_string().contains("FIRMWARE_RESTART"), "{error}");
        let off = double.see(|seen| seen.emergency).unwrap();
        assert!(off >= cancelled + REST && off <= cancelled + REST + Duration::from_millis(50));
    }
}

#[tokio::test(start_paused = true)]
async fn k10_the_emergency_stop_passes_everything_that_waits() {
    for tongue in BOTH {
        let double = Double::new();
        let mut printer = ready(&double, tongue).await;
        let job = tokio::time::timeout(Duration::from_secs(30), squares(&mut printer)).await;
        assert!(job.is_err());
        let stopped = Instant::now();
        printer.stop(Stop::Emergency).await.unwrap();
        let off = double.see(|seen| seen.emergency).unwrap();
        assert!(off - stopped < Duration::from_millis(10));
        assert_eq!(double.see(|seen| seen.targets), [0.0; 2]);
    }
}

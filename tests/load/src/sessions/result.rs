//! What a run came to, beside the bars it is held to.

use std::time::Duration;

/// Resident bytes of an idle session, at most.
const RESIDENT: u64 = 24 * 1024;
/// From a job's making to its arrival, 99 of 100.
const ARRIVAL: Duration = Duration::from_millis(100);

/// The stop.
pub(crate) struct Drained {
    /// From the signal to the end of the process.
    pub(crate) whole: Duration,
    /// From the signal to the end of the last session.
    pub(crate) last: Duration,
    /// Sessions that ended in the busiest second.
    pub(crate) busiest: usize,
}

/// A run.
pub(crate) struct Result {
    pub(crate) sessions: usize,
    pub(crate) resident: u64,
    pub(crate) whole: u64,
    pub(crate) handshake_cpu: Duration,
    pub(crate) per_second: f64,
    pub(crate) idle_cores: f64,
    /// In order.
    pub(crate) arrivals: Vec<Duration>,
    pub(crate) drained: Drained,
}

impl Result {
    pub(crate) fn print(&self) {
        let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
        let p99 = quantile(&self.arrivals, 99);
        println!(
            "{} sessions held by one server; {cores} cores and {} GiB of memory, shared with the devices",
            self.sessions,
            memory_gib()
        );
        let line = |what: &str, figure: String, note: &str| println!("{what:<34} {figure:>16}  {note}");
        line(
            "resident per idle session",
            format!("{:.1} KiB", self.resident as f64 / 1024.0),
            &verdict(self.resident <= RESIDENT, "the bar of 24 KiB"),
        );
        line("resident, whole server", format!("{} MiB", self.whole >> 20), "");
        line("server CPU per opened session", format!("{} µs", self.handshake_cpu.as_micros()), "");
        line("sessions opened per second", format!("{:.0}", self.per_second), "both sides on these cores");
        line("server CPU while all are idle", format!("{:.3} cores", self.idle_cores), "");
        line(
            &format!("job made to offer arrived, {} jobs", self.arrivals.len()),
            format!("p50 {:.1} ms", millis(quantile(&self.arrivals, 50))),
            "",
        );
        line("", format!("p99 {:.1} ms", millis(p99)), &verdict(p99 <= ARRIVAL, "the bar of 100 ms"));
        line("", format!("max {:.1} ms", millis(quantile(&self.arrivals, 100))), "");
        let Drained { whole, last, busiest } = &self.drained;
        line("stop: last session ended after", format!("{:.1} s", last.as_secs_f64()), "");
        line("stop: process ended after", format!("{:.1} s", whole.as_secs_f64()), "");
        line("stop: most ended in one second", busiest.to_string(), "");
    }
}

fn verdict(met: bool, bar: &str) -> String {
    format!("{} {bar}", if met { "within" } else { "MISSES" })
}

/// The figure that so many of a hundred do not exceed.
fn quantile(sorted: &[Duration], hundredths: usize) -> Duration {
    let rank = (sorted.len() * hundredths).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn memory_gib() -> u64 {
    let text = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = text.lines().find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next());
    total.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default().div_ceil(1 << 20)
}

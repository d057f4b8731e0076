//! The result, for people: one line a model, ratios, geometric means, the bars.

use std::time::Duration;

/// The first sealed segment, of the script's whole time, at most.
const FIRST: f64 = 1.0 / 20.0;
/// Upload and job together, of the script's whole time, at most.
const WHOLE: f64 = 1.0 / 5.0;

/// One model's medians.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) triangles: usize,
    /// The script's slicing; none where it refuses.
    pub(crate) sliced: Option<Duration>,
    /// Slicing and encrypting.
    pub(crate) script: Option<Duration>,
    pub(crate) ready: Duration,
    pub(crate) first: Duration,
    pub(crate) whole: Duration,
    pub(crate) each_of_many: Duration,
}

impl Row {
    /// First sealed segment, whole pipeline and whole job, each of the script's time.
    fn shares(&self) -> Option<[f64; 3]> {
        let script = self.script?.as_secs_f64();
        let ours = [self.first, self.ready + self.whole, self.whole];
        Some(ours.map(|time| time.as_secs_f64() / script))
    }
}

/// Prints it.
pub(crate) fn print(rows: &[Row], runs: usize) {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("\n{cores} cores, wall time in seconds, median of {runs}\n");
    println!(
        "| model | triangles | script: sliced | sliced + age | upload → ready | job → first segment | job → whole | 4 jobs at once, each |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
    for row in rows {
        let [sliced, script] =
            [row.sliced, row.script].map(|time| time.map_or("refuses".to_owned(), seconds));
        let [ready, first, whole, each] = [row.ready, row.first, row.whole, row.each_of_many].map(seconds);
        println!(
            "| {} | {} | {sliced} | {script} | {ready} | {first} | {whole} | {each} |",
            row.name, row.triangles
        );
    }
    println!("\n| ours ÷ script | first segment | upload + job | job alone |");
    println!("| --- | --- | --- | --- |");
    for row in rows {
        let shares = row.shares().map_or_else(|| "– | – | –".to_owned(), |shares| written(&shares));
        println!("| {} | {shares} |", row.name);
    }
    let shares: Vec<[f64; 3]> = rows.iter().filter_map(Row::shares).collect();
    if shares.is_empty() {
        println!("\nthe script refuses every model: nothing to compare with");
        return;
    }
    let mean = |at: usize| {
        let sum: f64 = shares.iter().map(|shares| shares[at].ln()).sum();
        (sum / shares.len() as f64).exp()
    };
    println!("| geometric mean | {} |", written(&[mean(0), mean(1), mean(2)]));
    println!("\nfirst sealed segment: aim {FIRST:.3}, {}", met(shares.iter().map(|shares| shares[0]), FIRST));
    println!("upload and job: aim {WHOLE:.3}, {}", met(shares.iter().map(|shares| shares[1]), WHOLE));
}

fn met(shares: impl Iterator<Item = f64>, aim: f64) -> String {
    let (mut met, mut of) = (0, 0);
    for share in shares {
        met += usize::from(share <= aim);
        of += 1;
    }
    format!("met by {met} of {of} models")
}

fn written(shares: &[f64; 3]) -> String {
    shares.map(|share| format!("{share:.3}")).join(" | ")
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}

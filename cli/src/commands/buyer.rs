//! `layerlock buyer …`: take a copy, print it, watch it.

use std::io::Write;
use std::time::Duration;

use layerlock_proto::vault::v1::{Job, JobState};
use layerlock_seal::statement::Statement;
use layerlock_terms::ids::RequestId;
use layerlock_terms::license::{Hold, License};
use layerlock_terms::profile::Key;
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun as _;
use tokio::time::timeout;
use tonic::Streaming;
use zeroize::Zeroizing;

use crate::args::{Buyer as Args, Party, Printing};
use crate::commands::show;
use crate::ledger::Witness;
use crate::parties::PartyError;
use crate::parties::buyer::{Buyer, Order};
use crate::people;
use crate::random::id_bytes;

/// Runs one command.
pub async fn run(args: Args, now: Timestamp, out: &mut impl Write) -> Result<(), PartyError> {
    match args {
        Args::Join { api_key, party } => {
            let connection = party.connection()?;
            let (licensor, vault) = (connection.licensor().await?, connection.vault().await?);
            // Tried before it is kept: a mistyped key must not take the place of a good one.
            let buyer = Buyer::new(licensor, vault, Zeroizing::new(api_key.trim().to_owned()));
            let licenses = buyer.licenses().await?.len();
            party.home("buyer")?.keep_api_key(&api_key)?;
            writeln!(out, "joined; licenses here: {licenses}")?;
        }
        Args::Licenses { party } => {
            for license in open(&party).await?.licenses().await? {
                show::license(&license, out)?;
            }
        }
        Args::Print { license, device, printing, request_id, party } => {
            let settings = printing.pairs().map_err(|error| PartyError::Malformed(error.to_string()))?;
            let request = match request_id {
                Some(text) => text.parse::<RequestId>()?,
                None => RequestId::from_bytes(id_bytes()),
            };
            let buyer = open(&party).await?;
            // Before a copy is taken for it: a mistyped name must not cost one.
            within_terms(&buyer, &license, &device, &printing).await?;
            let held = buyer.place_hold(&license, &device, request).await?;
            writeln!(out, "{request} holds a copy (repeat with --request-id: it never prints twice)")?;
            let order = Order {
                license: &license,
                device: &device,
                preset: &printing.preset,
                material: &printing.material,
                settings: &settings,
            };
            let job = match buyer.create_job(&held, &order).await {
                Ok(job) => job,
                Err(refused) => {
                    writeln!(out, "{}", still_held(&held.hold, request, now))?;
                    return Err(refused);
                }
            };
            writeln!(out, "{}", job.job)?;
            watch(&party, buyer.watch(&job.job).await?, now, out).await?;
        }
        Args::Watch { job, party } => {
            let watching = open(&party).await?.watch(&job).await?;
            watch(&party, watching, now, out).await?;
        }
    }
    Ok(())
}

/// What becomes of a copy that was held for a job that is none.
fn still_held(hold: &[u8], request: RequestId, now: Timestamp) -> String {
    let hold = Statement::parse(hold).ok().and_then(|statement| Hold::parse(statement.payload()).ok());
    let until = hold.map_or_else(String::new, |hold| {
        let left = hold.admit_by.0.saturating_sub(now.0) as f64 / 1000.0;
        format!(" for {}", people::span(left))
    });
    format!(
        "the copy stays held{until} and is free again then: mend what is wrong and print with --request-id {request}"
    )
}

/// Refuses what the vault would refuse for its profile.
async fn within_terms(
    buyer: &Buyer,
    license: &str,
    device: &str,
    printing: &Printing,
) -> Result<(), PartyError> {
    let malformed = |words: String| PartyError::Malformed(words);
    let machine = buyer.machine_of(device).await?;
    let profile = printing.profile(&machine).map_err(|error| malformed(error.to_string()))?;
    let statement = buyer.license(license).await?.statement;
    let statement = Statement::parse(&statement).map_err(|error| malformed(error.to_string()))?;
    // Read, not verified: the vault and the device verify it. This only spares the buyer a wasted hold.
    let terms = License::parse(statement.payload()).map_err(|error| malformed(error.to_string()))?.terms;
    let material = profile.material().name();
    if !terms.materials.is_empty() && !terms.materials.iter().any(|allowed| allowed == material) {
        let allowed = terms.materials.join(", ");
        return Err(malformed(format!("the license does not allow {material}; it allows {allowed}")));
    }
    if profile.count(Key::Parts) != 1 {
        return Err(malformed("a copy is one part: leave `parts` at 1 and print a copy for each".to_owned()));
    }
    let scale = profile.percent(Key::Scale);
    let (low, high) = (u32::from(terms.scale_min.0), u32::from(terms.scale_max.0));
    if !(low..=high).contains(&scale) {
        return Err(malformed(format!("the license allows a scale of {low} to {high} %, not {scale} %")));
    }
    Ok(())
}

async fn open(party: &Party) -> Result<Buyer, PartyError> {
    let connection = party.connection()?;
    let api_key = party.home("buyer")?.api_key()?;
    Ok(Buyer::new(connection.licensor().await?, connection.vault().await?, api_key))
}

/// How the vault names the one outcome that is a part on the bed.
const PRINTED: &str = "printed";

/// After so long without news of a job that nothing keeps, its buyer is told where to look.
const IDLE: Duration = Duration::from_secs(15);

/// Two bars, then the settlement, verified here and not believed.
async fn watch(
    party: &Party,
    mut jobs: Streaming<Job>,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), PartyError> {
    let bar = show::layer_count("slicing");
    let mut last: Option<Job> = None;
    let mut waits = false;
    loop {
        let Ok(next) = timeout(IDLE, jobs.message()).await else {
            let is_ready = |job: &Job| matches!(job.state(), JobState::Sealed | JobState::Delivering);
            if !waits && last.as_ref().is_some_and(is_ready) {
                waits = true;
                bar.suspend(|| {
                    writeln!(out, "sealed; the device has not begun: it may be off, at another print, or waiting for somebody, as its page says")
                })?;
            }
            continue;
        };
        let job = match next {
            Ok(Some(job)) => job,
            Ok(None) => break,
            Err(status) => {
                let id = last.map(|job| job.job).unwrap_or_default();
                bar.finish_and_clear();
                writeln!(
                    out,
                    "the print goes on without this watch; see it again with: layerlock buyer watch {id}"
                )?;
                return Err(status.into());
            }
        };
        match job.estimate.as_ref() {
            None => bar.set_position(job.layers_sealed.into()),
            Some(estimate) => {
                show::now_of(&bar, "printing", estimate.layers.into());
                bar.set_position(job.layers_printed.into());
            }
        }
        match job.engine_percent {
            Some(done) => bar.set_message(format!("its engine is at {done} %")),
            None => bar.set_message(show::job_state(&job)),
        }
        last = Some(job);
    }
    bar.finish_and_clear();
    let job = last.ok_or_else(|| PartyError::Malformed("the vault told nothing of this job".into()))?;
    if job.state() == JobState::Refused {
        return Err(PartyError::Malformed(format!("the vault refused the job: {}", job.reason)));
    }
    if let Some(estimate) = show::estimate(&job) {
        writeln!(out, "{estimate}")?;
    }
    let words = [show::job_state(&job), &job.outcome, &job.reason];
    writeln!(out, "{}", words.join(" ").trim_end())?;
    if let Some(entry) = &job.entry {
        let connection = party.connection()?;
        let witness = Witness::of(connection.licensor().await?, connection.root_digest(), now).await?;
        show::entry(&witness.check(entry)?, out)?;
    }
    if job.outcome == PRINTED { Ok(()) } else { Err(PartyError::NotPrinted) }
}

//! `layerlock buyer …`: take a copy, print it, watch it.

use std::io::Write;

use layerlock_proto::vault::v1::{Job, JobState};
use layerlock_terms::ids::RequestId;
use layerlock_terms::units::Timestamp;
use tonic::Streaming;

use crate::args::{Buyer as Args, Party};
use crate::commands::show;
use crate::ledger::Witness;
use crate::parties::PartyError;
use crate::parties::buyer::{Buyer, Order};
use crate::random::id_bytes;

/// Runs one command.
pub async fn run(args: Args, now: Timestamp, out: &mut impl Write) -> Result<(), PartyError> {
    match args {
        Args::Join { api_key, party } => {
            let home = party.home("buyer")?;
            home.keep_api_key(&api_key)?;
            let licenses = open(&party).await?.licenses().await?.len();
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
            writeln!(out, "{request} (repeat with --request-id: it never prints twice)")?;
            let buyer = open(&party).await?;
            let held = buyer.place_hold(&license, &device, request).await?;
            let order = Order {
                license: &license,
                device: &device,
                preset: &printing.preset,
                material: &printing.material,
                settings: &settings,
            };
            let job = buyer.create_job(&held, &order).await?;
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

async fn open(party: &Party) -> Result<Buyer, PartyError> {
    let connection = party.connection()?;
    let api_key = party.home("buyer")?.api_key()?;
    Ok(Buyer::new(connection.licensor().await?, connection.vault().await?, api_key))
}

/// Two bars, then the settlement, verified here and not believed.
async fn watch(
    party: &Party,
    mut jobs: Streaming<Job>,
    now: Timestamp,
    out: &mut impl Write,
) -> Result<(), PartyError> {
    let bar = show::layer_bar("slicing");
    let mut last = None;
    while let Some(job) = jobs.message().await? {
        match job.estimate.as_ref() {
            None => bar.set_position(job.layers_sealed.into()),
            Some(estimate) => {
                bar.set_prefix("printing");
                bar.set_length(estimate.layers.into());
                bar.set_position(job.layers_printed.into());
            }
        }
        bar.set_message(show::job_state(&job));
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
    writeln!(out, "{} {} {}", show::job_state(&job), job.outcome, job.reason)?;
    if let Some(entry) = &job.entry {
        let connection = party.connection()?;
        let witness = Witness::of(connection.licensor().await?, connection.root_digest(), now).await?;
        show::entry(&witness.check(entry)?, out)?;
    }
    Ok(())
}

//! The road itself: ten hops, each a call of the party whose turn it is.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use layerlock_device::enrol::Enrolment;
use layerlock_device::keys::KeyPlace;
use layerlock_device::{Clock, Device, Notice, PrintReport, PrinterTarget, Until};
use layerlock_proto::types::v1::Counts as WireCounts;
use layerlock_proto::vault::v1::{Job, JobState};
use layerlock_seal::token::ApiKey;
use layerlock_terms::ids::{JobId, RequestId};
use layerlock_terms::license::{Release, Terms};
use layerlock_terms::profile::Profile;
use layerlock_terms::receipt::{Counts, Outcome};
use tokio::sync::watch;
use tonic::Streaming;
use tonic::transport::Channel;
use zeroize::Zeroizing;

use super::attacks::{self, Loot};
use super::pictures::Pictures;
use super::report::{Copies, Report};
use super::teller::Teller;
use super::{DemoError, Model};
use crate::args::Demo;
use crate::commands::seller::widest;
use crate::commands::show;
use crate::embedded::Embedded;
use crate::ledger::{self, Entry, Witness};
use crate::now;
use crate::parties::buyer::{Buyer, Order};
use crate::parties::home::Home;
use crate::parties::operator::Operator;
use crate::parties::seller::{Seller, Upload};
use crate::people;
use crate::random::{Random, id_bytes};

const COPIES: u32 = 2;

/// Everybody who takes part.
struct Cast {
    licensor: Channel,
    vault: Channel,
    seller: Seller,
    device: Device,
    another: Device,
}

/// Walks it.
pub async fn walk<W: Write + Send>(
    house: &Embedded,
    dir: &Path,
    args: &Demo,
    model: &Model,
    profile: &Profile,
    out: &mut W,
) -> Result<Report, DemoError> {
    let printer: PrinterTarget =
        args.printer.parse().map_err(|error| DemoError::Printer(format!("{error}")))?;
    let headline =
        format!("Layerlock · {} · {} · {}", model.name, profile.machine().title, profile.preset().name());
    let mut teller = Teller::new(out, &headline)?;
    let mut cast = cast(house, dir, &args.printer_model).await?;
    let (buyer, license) = sell(&cast, model, &mut teller).await?;
    let copies_before = counts(buyer.license(&license).await?.counts);

    let begun = Instant::now();
    let (job, watching) = order(&buyer, &license, &cast.device, args, &mut teller).await?;
    let home = dir.join("device");
    let printed = print(&mut cast, printer, &home, watching, &mut teller).await?;
    let print_ms = begun.elapsed().as_millis();

    let settled = settle(&cast.licensor, house, &printed, &mut teller).await?;
    printed.pictures.write(profile.machine(), &args.picture)?;
    teller.line(&format!("\n    picture  {}", args.picture.display()))?;
    let refusals = attacks::try_all(&mut cast.device, &mut cast.another, &printed.loot, job)?;
    teller.line("\n    refused")?;
    for refusal in &refusals {
        teller.line(&format!("    ✗ {}\n      {}", refusal.attack, refusal.answer))?;
    }
    let report = report(model, profile, &printed, &settled, copies_before, refusals, args);
    held(&report, teller.told())?;
    Ok(Report { print_ms: u64::try_from(print_ms).unwrap_or(u64::MAX), ..report })
}

/// Makes the parties: one seller, two devices.
async fn cast(house: &Embedded, dir: &Path, machine: &str) -> Result<Cast, DemoError> {
    let connection = &house.connection;
    let licensor = connection.licensor().await.map_err(crate::parties::PartyError::from)?;
    let vault = connection.vault().await.map_err(crate::parties::PartyError::from)?;
    let operator_key = ApiKey::parse(&house.operator.as_ref().expect("the whole house is here").reveal())
        .expect("a key reads back");
    let operator = Operator::new(licensor.clone(), operator_key);
    let home = Home::at(&dir.join("seller"))?;
    let joined = operator.create_seller().await?;
    Seller::join(licensor.clone(), &home, &joined.api_key, now()).await?;
    let seller = Seller::open(licensor.clone(), vault.clone(), &home).await?;
    let mut devices = Vec::new();
    for name in ["device", "another-device"] {
        let code = operator.enrolment_code().await?.code;
        let wanted = Enrolment {
            code: &code,
            machine,
            home: &dir.join(name),
            root_digest: Some(house.root),
            attestation: None,
            keys: KeyPlace::File,
            clock: Clock::system(),
        };
        devices.push(Device::enrol(licensor.clone(), wanted, &mut Random).await?);
    }
    let [device, another] =
        devices.try_into().map_err(|_| DemoError::Broken("two devices were enrolled".into()))?;
    Ok(Cast { licensor, vault, seller, device, another })
}

/// Hops 1 and 2.
async fn sell<W: Write>(
    cast: &Cast,
    model: &Model,
    teller: &mut Teller<'_, W>,
) -> Result<(Buyer, String), DemoError> {
    let bar = show::upload_bar(model.bytes.len() as u64);
    let heard = bar.clone();
    let upload = Upload { model: &model.bytes, name: &model.name, design: None, terms: widest(1000) };
    let uploaded = cast.seller.upload(upload, now(), move |sent| heard.set_position(sent)).await;
    bar.finish_and_clear();
    let uploaded = uploaded?;
    let found = uploaded.analysis.unwrap_or_default();
    let side = |low: i32, high: i32| f64::from(high - low) / 1000.0;
    teller.hop(&format!(
        "{} sealed at rest: {:.1} × {:.1} × {:.1} mm, {} triangles, {} open edges",
        people::bytes(model.bytes.len() as u64),
        side(found.min_x, found.max_x),
        side(found.min_y, found.max_y),
        side(found.min_z, found.max_z),
        found.triangles,
        found.open_edges
    ))?;
    let terms = Terms { copies: COPIES, release: Release::Window(2), ..widest(COPIES) };
    let offer = cast.seller.offer(&uploaded.manifest, &terms).await?;
    let joined = cast.seller.create_buyer().await?;
    let license = cast.seller.license(&offer.offer, &joined.buyer).await?.license;
    teller.hop(&format!("{license}: {COPIES} copies, signed"))?;
    let buyer = Buyer::new(cast.licensor.clone(), cast.vault.clone(), Zeroizing::new(joined.api_key));
    Ok((buyer, license))
}

/// Hops 3 and 4.
async fn order<W: Write>(
    buyer: &Buyer,
    license: &str,
    device: &Device,
    args: &Demo,
    teller: &mut Teller<'_, W>,
) -> Result<(JobId, Streaming<Job>), DemoError> {
    let device = device.id().to_string();
    let held = buyer.place_hold(license, &device, RequestId::from_bytes(id_bytes())).await?;
    let after = counts(buyer.license(license).await?.counts);
    teller.hop(&format!("one copy for {device}: {} free + {} held", after.free, after.held))?;
    let settings = args.printing.pairs()?;
    let order = Order {
        license,
        device: &device,
        preset: &args.printing.preset,
        material: &args.printing.material,
        settings: &settings,
    };
    let job = buyer.create_job(&held, &order).await?;
    teller.hop(&format!("{}: license, hold, device and profile verified", job.job))?;
    let id = job.job.parse().map_err(crate::parties::PartyError::from)?;
    Ok((id, buyer.watch(&job.job).await?))
}

/// What printing left.
struct Printed {
    report: PrintReport,
    job: Job,
    loot: Loot,
    pictures: Pictures,
    epochs: u32,
}

/// Hops 5 to 9: the vault slices and seals while the device already fetches.
async fn print<W: Write + Send>(
    cast: &mut Cast,
    printer: PrinterTarget,
    home: &Path,
    watching: Streaming<Job>,
    teller: &mut Teller<'_, W>,
) -> Result<Printed, DemoError> {
    let bar = show::layer_count("slicing");
    let (told, latest) = watch::channel(Job::default());
    let follow = tokio::spawn(follow(watching, told, bar.clone()));
    let mut loot = None;
    let mut pictures = None;
    let mut epochs = 0;
    let mut watch = |notice: Notice<'_>| match notice {
        Notice::Checked(cleared) => {
            let manifest = cleared.envelope().manifest();
            epochs = manifest.epochs();
            pictures = Some(Pictures::new(manifest.summary.min, manifest.summary.max, manifest.layers));
            loot = Some(Loot::take(home, home.with_extension("stolen")));
            show::now_of(&bar, "printing", manifest.layers.into());
        }
        Notice::Layer(layer) => drop(pictures.as_mut().map(|pictures: &mut Pictures| pictures.add(layer))),
        Notice::Progress { layers, .. } => bar.set_position(layers.into()),
        Notice::LinkLost { why, .. } => bar.println(format!("    link lost: {why}")),
        Notice::Unready { why, .. } => bar.println(format!("    {why}")),
        Notice::Machine(event) => bar.println(format!("    machine: {event:?}")),
        Notice::LinkUp
        | Notice::Offered { .. }
        | Notice::Segments { .. }
        | Notice::Heating
        | Notice::Pausing
        | Notice::Stopping(_)
        | Notice::Paused
        | Notice::Resumed
        | Notice::Ended { .. }
        | Notice::Temperatures(_)
        | Notice::Settled(_)
        | Notice::Refused(_)
        | Notice::Over(_) => {}
    };
    let refused = until_refused(latest.clone());
    let report = tokio::select! {
        report = cast.device.serve(cast.vault.clone(), printer, &mut watch, Until::OneJob) => report?,
        why = refused => return Err(DemoError::Broken(why)),
    };
    let report = report.ok_or_else(|| DemoError::Broken("the device printed nothing".into()))?;
    let job = follow.await.map_err(|error| DemoError::Broken(error.to_string()))??;
    bar.finish_and_clear();
    let missing = || DemoError::Broken("the device never checked the envelope".into());
    let printed = Printed {
        epochs,
        loot: loot.ok_or_else(missing)??,
        pictures: pictures.ok_or_else(missing)?,
        report,
        job,
    };
    tell_print(&printed, teller)?;
    Ok(printed)
}

/// Keeps the newest state of the job, and moves the bar while it is sliced.
async fn follow(
    mut jobs: Streaming<Job>,
    told: watch::Sender<Job>,
    bar: indicatif::ProgressBar,
) -> Result<Job, DemoError> {
    while let Some(job) = jobs.message().await.map_err(crate::parties::PartyError::from)? {
        if job.estimate.is_none() {
            bar.set_position(job.layers_sealed.into());
        }
        told.send_replace(job);
    }
    Ok(told.borrow().clone())
}

async fn until_refused(mut latest: watch::Receiver<Job>) -> String {
    match latest.wait_for(|job| job.state() == JobState::Refused).await {
        Ok(job) => format!("the vault refused the job: {}", job.reason),
        Err(_) => std::future::pending().await,
    }
}

fn tell_print<W: Write>(printed: &Printed, teller: &mut Teller<'_, W>) -> Result<(), DemoError> {
    let Printed { report, job, .. } = printed;
    let estimate = show::estimate(job).unwrap_or_default();
    teller.hop(&format!("{estimate}; in a worker without keys"))?;
    teller.hop(&format!(
        "{} segments, {} → {} sealed; first after {} ms, last after {} ms",
        job.segments_sealed,
        people::bytes(job.plain_bytes),
        people::bytes(job.sealed_bytes),
        job.first_segment_ms.unwrap_or_default(),
        job.last_segment_ms.unwrap_or_default()
    ))?;
    teller.hop(&format!("all {} segments authenticated before the first move", report.segments))?;
    teller.hop(&format!("{} epochs of layers, each released against a signed receipt", printed.epochs))?;
    teller.hop(&format!(
        "{} of {} layers acknowledged, {} lines sent, {} resent",
        report.extent.layers, report.extent.total_layers, report.link.lines_sent, report.link.resends
    ))?;
    Ok(())
}

/// Where the print stands in the ledger, verified.
struct Settled {
    entry: Entry,
    ledger_size: u64,
}

/// Hop 10.
async fn settle<W: Write>(
    licensor: &Channel,
    house: &Embedded,
    printed: &Printed,
    teller: &mut Teller<'_, W>,
) -> Result<Settled, DemoError> {
    let wire =
        printed.job.entry.as_ref().ok_or_else(|| DemoError::Broken("the job has no ledger entry".into()))?;
    let witness = Witness::of(licensor.clone(), Some(house.root), now()).await?;
    let entry = witness.check(wire)?;
    let audited = ledger::audit(licensor.clone(), &witness).await?;
    let Counts { free, held, spent, .. } = entry.settlement.counts;
    teller.hop(&format!(
        "receipt: {}; {free} free + {held} held + {spent} spent; ledger entry {} of {}, proof and whole log verified",
        show::cause(entry.settlement.cause),
        entry.index,
        audited.size
    ))?;
    Ok(Settled { entry, ledger_size: audited.size })
}

fn report(
    model: &Model,
    profile: &Profile,
    printed: &Printed,
    settled: &Settled,
    copies_before: Copies,
    refusals: Vec<super::report::Refused>,
    args: &Demo,
) -> Report {
    let Printed { report, job, .. } = printed;
    let estimate = job.estimate.unwrap_or_default();
    Report {
        model: model.name.clone(),
        machine: profile.machine().name,
        preset: profile.preset().name(),
        layers: estimate.layers,
        segments: job.segments_sealed,
        mesh_bytes: model.bytes.len() as u64,
        sealed_bytes: job.sealed_bytes,
        plain_bytes: job.plain_bytes,
        first_segment_ms: job.first_segment_ms.unwrap_or_default(),
        last_segment_ms: job.last_segment_ms.unwrap_or_default(),
        print_ms: 0,
        estimated_ms: estimate.duration_ms,
        filament_um: estimate.filament_um,
        lines_sent: report.link.lines_sent,
        resends: report.link.resends,
        layers_printed: report.extent.layers,
        receipt_outcome: format!("{:?}", report.outcome).to_lowercase(),
        copies_before,
        copies_after: copies(settled.entry.settlement.counts),
        ledger_index: settled.entry.index,
        ledger_size: settled.ledger_size,
        refusals,
        picture: args.picture.display().to_string(),
    }
}

/// The end: everything that was told must have held.
fn held(report: &Report, hops: usize) -> Result<(), DemoError> {
    let must = |holds: bool, what: &str| match holds {
        true => Ok(()),
        false => Err(DemoError::Broken(format!("{what} does not hold: {report:?}"))),
    };
    must(hops == 10, "ten hops")?;
    must(
        report.receipt_outcome == format!("{:?}", Outcome::Printed).to_lowercase(),
        "the print ending well",
    )?;
    must(report.layers > 0 && report.layers_printed == report.layers, "every layer being printed")?;
    must(report.copies_before == Copies { granted: 2, free: 2, held: 0, spent: 0 }, "two copies before")?;
    must(report.copies_after == Copies { granted: 2, free: 1, held: 0, spent: 1 }, "one copy spent")?;
    must(report.refusals.len() == 3, "three refusals")
}

fn counts(counts: Option<WireCounts>) -> Copies {
    let WireCounts { granted, free, held, spent } = counts.unwrap_or_default();
    Copies { granted, free, held, spent }
}

fn copies(Counts { granted, free, held, spent }: Counts) -> Copies {
    Copies { granted, free, held, spent }
}

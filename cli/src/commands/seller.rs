//! `layerlock seller …`: each command is one call of the seller's road.

use std::io::Write;
use std::path::Path;

use layerlock_proto::refusal::Reason;
use layerlock_proto::vault::v1::{Design, UploadState};
use layerlock_seal::sha256;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::DesignId;
use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Release, Terms};
use layerlock_terms::machine::Material;
use layerlock_terms::units::{Millis, Percent, Timestamp};

use crate::args::{ModelArgs, Party, Seller as Args, TermsArgs};
use crate::commands::show;
use crate::files;
use crate::ledger::{self, Witness};
use crate::package::{self, Gcode};
use crate::parties::PartyError;
use crate::parties::home::Home;
use crate::parties::seller::{Seller, Upload};
use crate::people;

const DAY: u64 = 24 * 3600 * 1000;

/// Runs one command.
pub async fn run(args: Args, now: Timestamp, out: &mut impl Write) -> Result<(), PartyError> {
    match args {
        Args::Join { api_key, party } => {
            let licensor = party.connection()?.licensor().await?;
            let seller = Seller::join(licensor, &party.home("seller")?, &api_key, now).await?;
            writeln!(out, "joined as {seller}")?;
        }
        Args::Upload { model, snapshots, party } => {
            let model = Model::read(model)?;
            let (seller, home) = (open(&party).await?, party.home("seller")?);
            model.check_design(&seller, now).await?;
            let upload = model.upload(&home)?;
            let bar = show::upload_bar(model.bytes.len() as u64);
            let heard = bar.clone();
            let uploaded = seller.upload(upload, now, move |sent| heard.set_position(sent)).await;
            bar.finish_and_clear();
            let uploaded = uploaded?;
            home.forget_upload(&model.version)?;
            keep_snapshots(&uploaded, snapshots.as_deref())?;
            show::design(&uploaded, out)?;
        }
        Args::Ticket { model, party } => {
            let model = Model::read(model)?;
            let (seller, home) = (open(&party).await?, party.home("seller")?);
            model.check_design(&seller, now).await?;
            let upload = seller.begin(&model.upload(&home)?, now).await?;
            if upload.state() != UploadState::Receiving {
                return Err(PartyError::Malformed(format!("{} wants no bytes any more", upload.design)));
            }
            let left = Timestamp(upload.path_expires).0.saturating_sub(now.0) as f64 / 1000.0;
            writeln!(out, "{}{}", party.connection()?.vault.trim_end_matches('/'), upload.path)?;
            writeln!(out, "{}  takes exactly this file, for {}", upload.design, people::span(left))?;
        }
        Args::Design { design, version, snapshots, party } => {
            let design = open(&party).await?.design(&design, version, now).await?;
            keep_snapshots(&design, snapshots.as_deref())?;
            show::design(&design, out)?;
        }
        Args::Designs { design, party } => {
            for design in open(&party).await?.designs(design.as_deref(), now).await? {
                show::design_line(&design, out)?;
            }
        }
        Args::Offer { design, version, terms, party } => {
            let seller = open(&party).await?;
            let design = seller.design(&design, version, now).await?;
            let offer = seller.offer(&design.manifest, &terms.terms(now)?).await?;
            writeln!(out, "{}", offer.offer)?;
        }
        Args::Offers { party } => {
            for offer in open(&party).await?.offers().await? {
                let copies = offer.terms.map_or(0, |terms| terms.copies);
                writeln!(out, "{}  {}  {copies} copies a license", offer.offer, offer.design)?;
            }
        }
        Args::CreateBuyer { party } => {
            let buyer = open(&party).await?.create_buyer().await?;
            writeln!(out, "{}\nAPI key (shown once): {}", buyer.buyer, buyer.api_key)?;
        }
        Args::License { offer, buyer, party } => {
            show::license(&open(&party).await?.license(&offer, &buyer).await?, out)?;
        }
        Args::Licenses { party } => {
            for license in open(&party).await?.licenses().await? {
                show::license(&license, out)?;
            }
        }
        Args::Revoke { license, party } => show::license(&open(&party).await?.revoke(&license).await?, out)?,
        Args::Entry { hold, party } => {
            let connection = party.connection()?;
            let licensor = connection.licensor().await?;
            let witness = Witness::of(licensor.clone(), connection.root_digest(), now).await?;
            let api_key = party.home("seller")?.api_key()?;
            let entry = ledger::entry(licensor, &api_key, &hold).await?;
            show::entry(&witness.check(&entry)?, out)?;
        }
    }
    Ok(())
}

/// A model file, read, and what its manifest will say.
struct Model {
    bytes: Vec<u8>,
    version: Digest,
    name: String,
    design: Option<DesignId>,
    terms: Terms,
}

impl Model {
    fn read(args: ModelArgs) -> Result<Self, PartyError> {
        let mut bytes = files::read(&args.file)?;
        let gcode = args.gcode.iter().map(|typed| read_gcode(typed)).collect::<Result<Vec<_>, _>>()?;
        if !gcode.is_empty() {
            bytes =
                package::with_gcode(&bytes, &gcode).map_err(|why| PartyError::Malformed(why.to_string()))?;
        }
        let named = |name: &str| !name.is_empty() && !name.chars().any(char::is_control);
        if args.name.as_deref().is_some_and(|name| !named(name)) {
            return Err(PartyError::Malformed("--name: some letters, and no control characters".to_owned()));
        }
        let stem = || args.file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        Ok(Self {
            version: sha256(&bytes),
            name: args.name.clone().or_else(stem).unwrap_or_default(),
            design: args.design.as_deref().map(str::parse).transpose()?,
            terms: widest(args.max_copies),
            bytes,
        })
    }

    /// A mistyped design would begin a new one, beside the offers of the one meant.
    async fn check_design(&self, seller: &Seller, now: Timestamp) -> Result<(), PartyError> {
        let Some(design) = self.design else { return Ok(()) };
        match seller.design(&design.to_string(), None, now).await {
            Err(why) if why.reason() == Some(Reason::NotFound) => {
                let words = format!("--design: you have no {design}; leave it out for a new design");
                Err(PartyError::Malformed(words))
            }
            answer => answer.map(drop),
        }
    }

    /// An upload of it that broke off before goes on under the same design.
    fn upload(&self, home: &Home) -> Result<Upload<'_>, PartyError> {
        let design = self.design.map_or_else(|| home.upload_of(&self.version), Ok)?;
        Ok(Upload { model: &self.bytes, name: &self.name, design: Some(design), terms: self.terms.clone() })
    }
}

/// What `--gcode` names, read.
fn read_gcode(typed: &str) -> Result<Gcode, PartyError> {
    let malformed = |why: String| PartyError::Malformed(format!("--gcode {typed}: {why}"));
    let (purpose, file) =
        typed.split_once('=').filter(|(purpose, _)| purpose.contains(':')).ok_or_else(|| {
            malformed("write MACHINE:MATERIAL=FILE, as in prusa-mk3s:pla=part.gcode".to_owned())
        })?;
    let (machine, material) = package::purpose(purpose).map_err(|why| malformed(why.to_string()))?;
    Ok(Gcode { machine, material, text: files::read(Path::new(file))? })
}

async fn open(party: &Party) -> Result<Seller, PartyError> {
    let connection = party.connection()?;
    let home = party.home("seller")?;
    Seller::open(connection.licensor().await?, connection.vault().await?, &home).await
}

fn keep_snapshots(design: &Design, dir: Option<&Path>) -> Result<(), PartyError> {
    let Some(dir) = dir else { return Ok(()) };
    files::private_dir(dir)?;
    for snapshot in &design.snapshots {
        files::write_public(&dir.join(format!("{}.png", show::view(snapshot.view()))), &snapshot.png)?;
    }
    Ok(())
}

/// The terms a manifest allows when the seller narrows nothing but the count: offers do the rest.
pub fn widest(copies: u32) -> Terms {
    Terms {
        copies,
        expires: Expiry::Never,
        devices: DeviceScope::Any,
        scale_min: Percent(1),
        scale_max: Percent(u8::MAX),
        materials: Vec::new(),
        failure: FailurePolicy::Return,
        release: Release::Offline,
    }
}

/// Names of the catalogue only: terms nobody could print under are a mistake.
fn materials(typed: &[String]) -> Result<Vec<String>, PartyError> {
    let named = |name: &String| Material::named(name).map(|material| material.name().to_owned());
    typed
        .iter()
        .map(named)
        .collect::<Result<_, _>>()
        .map_err(|error| PartyError::Malformed(error.to_string()))
}

impl TermsArgs {
    /// The terms typed, as of `now`.
    pub fn terms(&self, now: Timestamp) -> Result<Terms, PartyError> {
        let malformed = |text: &str| PartyError::Malformed(text.to_owned());
        let (low, high) = self.scale.split_once('-').unwrap_or((&self.scale, &self.scale));
        let percent = |text: &str| {
            text.parse()
                .map(Percent)
                .map_err(|_| malformed("--scale: percent, `100` or `80-120`, at most 255"))
        };
        let devices = match self.devices.as_slice() {
            [] => DeviceScope::Any,
            listed => DeviceScope::Listed(listed.iter().map(|id| id.parse()).collect::<Result<_, _>>()?),
        };
        let span = |days: u32| now.plus(Millis(u64::from(days) * DAY));
        let terms = Terms {
            copies: self.copies,
            expires: self.expires_in.map_or(Expiry::Never, |days| Expiry::At(span(days))),
            devices,
            scale_min: percent(low)?,
            scale_max: percent(high)?,
            materials: materials(&self.materials)?,
            failure: self
                .spend_failed_from
                .map_or(FailurePolicy::Return, |share| FailurePolicy::SpendFrom(Percent(share))),
            release: if self.offline { Release::Offline } else { Release::Window(self.window) },
        };
        terms.validate().map_err(|error| PartyError::Malformed(format!("terms: {error}")))?;
        Ok(terms)
    }
}

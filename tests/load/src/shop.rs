//! Who is behind the jobs of a bench: a house's operator, a seller, a buyer, and devices the licensor knows.

use std::path::Path;

use layerlock_cli::commands::seller::widest;
use layerlock_cli::connect::Connection;
use layerlock_cli::kek::KekSources;
use layerlock_cli::keyring::{self, Holds, Keyring, LicensorKeys};
use layerlock_cli::now;
use layerlock_cli::parties::buyer::Buyer;
use layerlock_cli::parties::home::Home;
use layerlock_cli::parties::operator::Operator;
use layerlock_cli::parties::seller::{Seller, Upload};
use layerlock_cli::random::Random;
use layerlock_proto::licensor::v1::devices_client::DevicesClient;
use layerlock_proto::licensor::v1::{BeginEnrolmentRequest, CompleteEnrolmentRequest};
use layerlock_proto::vault::v1::Design;
use layerlock_seal::enrolment::{EnrolmentCode, WrappedAnswer};
use layerlock_seal::keys::{OpeningKey, SigningKey};
use layerlock_seal::statement::Statement;
use layerlock_seal::token::ApiKey;
use layerlock_terms::trust::{DeviceCertificate, EnrolmentRequest};
use layerlock_terms::wire::Noun as _;
use zeroize::Zeroizing;

use crate::Failed;
use crate::device::Papers;
use crate::house;

/// Copies an upload's manifest allows: more than any bench prints.
const MOST: u32 = 100_000;

/// Those who make jobs.
pub struct Shop {
    /// The licensor's own, of the house that was made for this run.
    pub keys: LicensorKeys,
    /// Whoever prints.
    pub buyer: Buyer,
    buyer_id: String,
    seller: Seller,
    operator: Operator,
    connection: Connection,
}

impl Shop {
    /// Joins everybody to a house whose folder lies in `dir`.
    pub async fn open(connection: &Connection, dir: &Path) -> Result<Self, Failed> {
        let party = |error| Failed::at("the house", error);
        let connect = |error| Failed::at("the house", error);
        let folder = keyring::folder(&house::server_dir(dir));
        let keys = Keyring::open(&folder, Holds::Everything, &KekSources::default(), now(), &mut Random);
        let keys = keys.map_err(|error| Failed::at("keys", error))?.licensor.expect("it holds everything");
        let licensor = connection.licensor().await.map_err(connect)?;
        let vault = connection.vault().await.map_err(connect)?;
        let operator = Operator::new(licensor.clone(), operator_key(&keys)?);
        let home = Home::at(&dir.join("seller")).map_err(party)?;
        let joined = operator.create_seller().await.map_err(party)?;
        Seller::join(licensor.clone(), &home, &joined.api_key, now()).await.map_err(party)?;
        let seller = Seller::open(licensor.clone(), vault.clone(), &home).await.map_err(party)?;
        let made = seller.create_buyer().await.map_err(party)?;
        let buyer = Buyer::new(licensor, vault, Zeroizing::new(made.api_key));
        Ok(Self { keys, buyer, buyer_id: made.buyer, seller, operator, connection: connection.clone() })
    }

    /// Uploads a model; it is ready when this returns.
    pub async fn upload(&self, name: &str, model: &[u8]) -> Result<Design, Failed> {
        let upload = Upload { model, name, design: None, terms: widest(MOST) };
        self.seller.upload(upload, now(), |_| {}).await.map_err(|error| Failed::at("an upload", error))
    }

    /// Gives the buyer so many copies.
    pub async fn license(&self, uploaded: &Design, copies: usize) -> Result<String, Failed> {
        let party = |error| Failed::at("a license", error);
        let terms = widest(u32::try_from(copies).unwrap_or(u32::MAX));
        let offer = self.seller.offer(&uploaded.manifest, &terms).await.map_err(party)?;
        Ok(self.seller.license(&offer.offer, &self.buyer_id).await.map_err(party)?.license)
    }

    /// What a device enrols with that runs as a program of its own.
    pub async fn enrolment_code(&self) -> Result<String, Failed> {
        let made = self.operator.enrolment_code().await;
        made.map(|made| made.code).map_err(|error| Failed::at("an enrolment code", error))
    }

    /// A device the licensor knows.
    pub async fn enrol(&self, machine: &str) -> Result<Papers, Failed> {
        let failed = |error: &dyn std::fmt::Display| Failed::at("enrolment", error);
        let licensor = self.connection.licensor().await.map_err(|error| failed(&error))?;
        let code = self.operator.enrolment_code().await.map_err(|error| failed(&error))?.code;
        let code = EnrolmentCode::parse(&code).map_err(|error| failed(&error))?;
        let (key, open) = (SigningKey::generate(&mut Random), OpeningKey::generate(&mut Random));
        let request = EnrolmentRequest {
            code: code.digest(),
            sign: key.verifying_key().into(),
            open: open.wrapping_key().into(),
            machine: machine.to_owned(),
        };
        let request = Statement::sign(&request, &key);
        let mut devices = DevicesClient::new(licensor);
        let begun = devices.begin_enrolment(BeginEnrolmentRequest { request: request.emit() }).await;
        let begun = begun.map_err(|error| failed(&error))?.into_inner();
        let wrapped =
            WrappedAnswer::parse(&begun.encapsulated, &begun.ciphertext).map_err(|error| failed(&error))?;
        let answer = open
            .open_enrolment(&wrapped, &request.digest())
            .map_err(|_| Failed("enrolment: the challenge is for another key".into()))?;
        let complete = CompleteEnrolmentRequest {
            request: request.emit(),
            answer: answer.to_bytes().to_vec(),
            attestation: Vec::new(),
        };
        let certified = devices.complete_enrolment(complete).await.map_err(|error| failed(&error))?;
        let certificate = certified.into_inner().certificate;
        let statement = Statement::parse(&certificate).map_err(|error| failed(&error))?;
        let device = DeviceCertificate::parse(statement.payload()).map_err(|error| failed(&error))?.device;
        Ok(Papers { device, certificate: certificate.into(), key })
    }
}

fn operator_key(keys: &LicensorKeys) -> Result<ApiKey, Failed> {
    ApiKey::parse(&keys.operator.reveal()).map_err(|error| Failed::at("the operator's key", error))
}

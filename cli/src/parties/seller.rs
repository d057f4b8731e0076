//! The seller's calls: join, upload, offer, license.

use std::time::Duration;

use bytes::Bytes;
use layerlock_device::trust::{self, Anchors};
use layerlock_proto::licensor::v1 as licensor_wire;
use layerlock_proto::licensor::v1::licenses_client::LicensesClient;
use layerlock_proto::licensor::v1::sellers_client::SellersClient;
use layerlock_proto::types::v1 as types_wire;
use layerlock_proto::vault::v1 as vault_wire;
use layerlock_proto::vault::v1::UploadState;
use layerlock_proto::vault::v1::designs_client::DesignsClient;
use layerlock_proto::vault::v1::upload_design_request::Part;
use layerlock_seal::keys::SigningKey;
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::TrustedRoot;
use layerlock_terms::digest::SignKey;
use layerlock_terms::ids::{DesignId, SellerId};
use layerlock_terms::license::Terms;
use layerlock_terms::trust::{DesignManifest, Role, SellerCertificate, SellerPass};
use layerlock_terms::units::{Millis, Timestamp};
use layerlock_terms::wire::Noun;
use tokio::time::Instant;
use tonic::Request;
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use zeroize::Zeroizing;

use crate::connect::with_key;
use crate::parties::home::Home;
use crate::parties::pieces::{self, Broken};
use crate::parties::{PartyError, request_id};
use crate::random::id_bytes;

/// How long one call's pass is good for.
const PASS: Millis = Millis(5 * 60 * 1000);
const CHUNK: usize = 64 * 1024;

/// A longer model goes in pieces.
const AT_ONCE: usize = 8 << 20;

/// Pause before an upload that broke off goes on, or is asked for again.
const PAUSE: Duration = Duration::from_millis(500);

/// Breaks in a row that an upload survives; one that came on for this long is the first again.
const LONG: Duration = Duration::from_secs(5);
const BREAKS: u32 = 10;

/// A seller, with its keys.
pub struct Seller {
    licensor: Channel,
    vault: Channel,
    api_key: Zeroizing<String>,
    key: SigningKey,
    certificate: Statement,
    vault_key: SignKey,
}

/// What to upload.
pub struct Upload<'a> {
    /// The model file's bytes.
    pub model: &'a [u8],
    /// What people call it.
    pub name: &'a str,
    /// The design this is a version of; a new one without it.
    pub design: Option<DesignId>,
    /// The widest terms an offer may carry.
    pub terms: Terms,
}

impl Seller {
    /// Makes the signing key in `home` and has it certified.
    pub async fn join(
        licensor: Channel,
        home: &Home,
        api_key: &str,
        now: Timestamp,
    ) -> Result<SellerId, PartyError> {
        home.keep_api_key(api_key)?;
        let key = home.signing_key()?;
        let licensor_key = service_key(licensor.clone(), Role::Licensor).await?;
        let proof = Statement::sign(
            &SellerPass {
                seller: SellerId::from_bytes([0; 16]),
                vault: licensor_key,
                expires: now.plus(PASS),
            },
            &key,
        );
        let message = licensor_wire::CertifySellerKeyRequest {
            request_id: request_id(),
            key: key.verifying_key().as_bytes().to_vec(),
            proof: proof.emit(),
        };
        let call = with_key(message, &home.api_key()?)?;
        let answer = SellersClient::new(licensor).certify_seller_key(call).await?.into_inner();
        home.keep_certificate(&answer.certificate)?;
        Ok(certificate(home)?.seller)
    }

    /// A seller that joined before.
    pub async fn open(licensor: Channel, vault: Channel, home: &Home) -> Result<Self, PartyError> {
        Ok(Self {
            vault_key: service_key(licensor.clone(), Role::Vault).await?,
            licensor,
            vault,
            api_key: home.api_key()?,
            key: home.signing_key()?,
            certificate: home.certificate()?,
        })
    }

    fn id(&self) -> Result<SellerId, PartyError> {
        parsed::<SellerCertificate>(&self.certificate).map(|certificate| certificate.seller)
    }

    fn manifest(&self, upload: &Upload<'_>) -> Result<Statement, PartyError> {
        let manifest = DesignManifest {
            seller: self.id()?,
            design: upload.design.unwrap_or_else(|| DesignId::from_bytes(id_bytes())),
            version: sha256(upload.model),
            length: upload.model.len() as u64,
            name: upload.name.to_owned(),
            terms: upload.terms.clone(),
        };
        Ok(Statement::sign(&manifest, &self.key))
    }

    /// Signs a manifest for the model and uploads both; `sent` hears how many bytes have left. A long model goes in pieces,
    /// so that a break costs little, also one of this program.
    pub async fn upload(
        &self,
        upload: Upload<'_>,
        now: Timestamp,
        sent: impl Fn(u64) + Clone + Send + 'static,
    ) -> Result<vault_wire::Design, PartyError> {
        let manifest = self.manifest(&upload)?;
        if upload.model.len() > AT_ONCE {
            return self.upload_in_pieces(upload.model, &manifest, now, sent).await;
        }
        let mut parts = vec![Part::Manifest(manifest.emit())];
        parts.extend(upload.model.chunks(CHUNK).map(|chunk| Part::Chunk(chunk.to_vec())));
        let mut total = 0;
        let stream = tokio_stream::iter(parts.into_iter().map(move |part| {
            if let Part::Chunk(chunk) = &part {
                total += chunk.len() as u64;
                sent(total);
            }
            vault_wire::UploadDesignRequest { part: Some(part) }
        }));
        let call = self.with_pass(stream, now)?;
        Ok(DesignsClient::new(self.vault.clone()).upload_design(call).await?.into_inner())
    }

    /// Begins an upload in pieces, or finds how far it has come.
    pub async fn begin(&self, upload: &Upload<'_>, now: Timestamp) -> Result<vault_wire::Upload, PartyError> {
        self.create_upload(&self.manifest(upload)?, now).await
    }

    async fn create_upload(
        &self,
        manifest: &Statement,
        now: Timestamp,
    ) -> Result<vault_wire::Upload, PartyError> {
        let call = self.with_pass(vault_wire::CreateUploadRequest { manifest: manifest.emit() }, now)?;
        Ok(DesignsClient::new(self.vault.clone()).create_upload(call).await?.into_inner())
    }

    async fn upload_in_pieces(
        &self,
        model: &[u8],
        manifest: &Statement,
        now: Timestamp,
        sent: impl Fn(u64) + Clone + Send + 'static,
    ) -> Result<vault_wire::Design, PartyError> {
        let model = Bytes::copy_from_slice(model);
        let (started, mut breaks) = (Instant::now(), 0);
        loop {
            let begun = Instant::now();
            // Passes are short-lived, uploads need not be.
            let now = now.plus(Millis(started.elapsed().as_millis() as u64));
            let upload = self.create_upload(manifest, now).await?;
            match upload.state() {
                UploadState::Ready => {
                    let (design, version) = (upload.design, upload.version);
                    let message = vault_wire::GetDesignRequest { design, version, number: 0 };
                    return self.get_design(message, now).await;
                }
                UploadState::Receiving => {
                    let bytes = model.slice(upload.offset.min(model.len() as u64) as usize..);
                    match pieces::send(self.vault.clone(), &upload, bytes, sent.clone()).await {
                        Ok(()) => continue,
                        // Whoever got on for a while may break off as often as it takes.
                        Err(Broken::Off(_)) if begun.elapsed() > LONG => breaks = 0,
                        Err(Broken::Off(_)) if breaks < BREAKS => breaks += 1,
                        Err(Broken::Off(why) | Broken::Refused(why)) => return Err(why.into()),
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                UploadState::Unspecified | UploadState::Analysing | UploadState::Refused => {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// All there is to say of one version of a design, or of its newest.
    pub async fn design(
        &self,
        design: &str,
        number: Option<u32>,
        now: Timestamp,
    ) -> Result<vault_wire::Design, PartyError> {
        let number = number.unwrap_or(0);
        let message = vault_wire::GetDesignRequest { design: design.to_owned(), version: Vec::new(), number };
        self.get_design(message, now).await
    }

    async fn get_design(
        &self,
        message: vault_wire::GetDesignRequest,
        now: Timestamp,
    ) -> Result<vault_wire::Design, PartyError> {
        let call = self.with_pass(message, now)?;
        Ok(DesignsClient::new(self.vault.clone()).get_design(call).await?.into_inner())
    }

    /// All design versions, or those of one design.
    pub async fn designs(
        &self,
        design: Option<&str>,
        now: Timestamp,
    ) -> Result<Vec<vault_wire::Design>, PartyError> {
        let design = design.unwrap_or_default();
        let mut client = DesignsClient::new(self.vault.clone());
        let (mut designs, mut page_token) = (Vec::new(), Vec::new());
        loop {
            let message =
                vault_wire::ListDesignsRequest { page_size: 100, page_token, design: design.to_owned() };
            let page = client.list_designs(self.with_pass(message, now)?).await?.into_inner();
            designs.extend(page.designs);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(designs);
            }
        }
    }

    /// Makes an offer for the design version of this manifest.
    pub async fn offer(&self, manifest: &[u8], terms: &Terms) -> Result<licensor_wire::Offer, PartyError> {
        let message = licensor_wire::CreateOfferRequest {
            request_id: request_id(),
            design_manifest: manifest.to_vec(),
            terms: Some(types_wire::Terms::from(terms)),
        };
        let call = with_key(message, &self.api_key)?;
        Ok(LicensesClient::new(self.licensor.clone()).create_offer(call).await?.into_inner())
    }

    /// All offers.
    pub async fn offers(&self) -> Result<Vec<licensor_wire::Offer>, PartyError> {
        let mut client = LicensesClient::new(self.licensor.clone());
        let (mut offers, mut page_token) = (Vec::new(), Vec::new());
        loop {
            let message = licensor_wire::ListOffersRequest { page_size: 100, page_token };
            let page = client.list_offers(with_key(message, &self.api_key)?).await?.into_inner();
            offers.extend(page.offers);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return Ok(offers);
            }
        }
    }

    /// Makes a buyer; answers its id and API key.
    pub async fn create_buyer(&self) -> Result<licensor_wire::CreateBuyerResponse, PartyError> {
        let call = with_key(licensor_wire::CreateBuyerRequest { request_id: request_id() }, &self.api_key)?;
        Ok(SellersClient::new(self.licensor.clone()).create_buyer(call).await?.into_inner())
    }

    /// Issues a license.
    pub async fn license(&self, offer: &str, buyer: &str) -> Result<licensor_wire::License, PartyError> {
        let message = licensor_wire::IssueLicenseRequest {
            request_id: request_id(),
            offer: offer.to_owned(),
            buyer: buyer.to_owned(),
        };
        let call = with_key(message, &self.api_key)?;
        Ok(LicensesClient::new(self.licensor.clone()).issue_license(call).await?.into_inner())
    }

    /// All licenses issued.
    pub async fn licenses(&self) -> Result<Vec<licensor_wire::License>, PartyError> {
        all_licenses(self.licensor.clone(), &self.api_key).await
    }

    /// Revokes a license.
    pub async fn revoke(&self, license: &str) -> Result<licensor_wire::License, PartyError> {
        let message =
            licensor_wire::RevokeLicenseRequest { request_id: request_id(), license: license.to_owned() };
        let call = with_key(message, &self.api_key)?;
        Ok(LicensesClient::new(self.licensor.clone()).revoke_license(call).await?.into_inner())
    }

    /// A request the vault knows this seller by.
    fn with_pass<T>(&self, message: T, now: Timestamp) -> Result<Request<T>, PartyError> {
        let pass = Statement::sign(
            &SellerPass { seller: self.id()?, vault: self.vault_key, expires: now.plus(PASS) },
            &self.key,
        );
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        let certificate = MetadataValue::from_bytes(&self.certificate.emit());
        metadata.insert_bin("layerlock-seller-certificate-bin", certificate);
        metadata.insert_bin("layerlock-seller-pass-bin", MetadataValue::from_bytes(&pass.emit()));
        Ok(request)
    }
}

pub(super) async fn all_licenses(
    licensor: Channel,
    api_key: &str,
) -> Result<Vec<licensor_wire::License>, PartyError> {
    let mut client = LicensesClient::new(licensor);
    let (mut licenses, mut page_token) = (Vec::new(), Vec::new());
    loop {
        let message = licensor_wire::ListLicensesRequest { page_size: 100, page_token };
        let page = client.list_licenses(with_key(message, api_key)?).await?.into_inner();
        licenses.extend(page.licenses);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(licenses);
        }
    }
}

fn certificate(home: &Home) -> Result<SellerCertificate, PartyError> {
    parsed(&home.certificate()?)
}

/// The key a service was certified for: the first of its role, which is the one in use. The address was pinned by
/// TLS; a seller risks nothing more here than a pass for the wrong vault, which that vault alone could use. So no
/// clock is asked: a service past its end says so itself.
async fn service_key(licensor: Channel, role: Role) -> Result<SignKey, PartyError> {
    let no = |error: &dyn std::fmt::Display| PartyError::NotTrusted(error.to_string());
    let chain = trust::fetch(licensor, 0).await.map_err(|error| no(&error))?;
    let root = TrustedRoot::first(&chain.roots, None).map_err(|error| no(&error))?;
    let anchors = Anchors::new(root, &chain.certificates).map_err(|error| no(&error))?;
    let certificate = anchors.services().iter().find(|certificate| certificate.role == role);
    let certificate = certificate.ok_or_else(|| no(&format!("the root certifies no {role} key")))?;
    Ok(certificate.key)
}

fn parsed<T: Noun>(statement: &Statement) -> Result<T, PartyError> {
    T::parse(statement.payload()).map_err(|error| PartyError::Malformed(format!("{}: {error}", T::TYPE)))
}

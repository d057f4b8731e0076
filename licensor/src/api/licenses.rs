//! Licenses: offers within a signed manifest, and licenses of offers.
//!
//! A manifest is believed by the seller's certified key alone; an offer narrows it; a license carries the offer's
//! terms as they are. The counts of a license begin here and move in `copies` and `settle` only.

use layerlock_proto::convert;
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::Statement;
use layerlock_store::{Commit, Expect};
use layerlock_terms::ids::{BuyerId, LicenseId, OfferId, SellerId};
use layerlock_terms::license as terms;
use layerlock_terms::trust::{DesignManifest, SellerCertificate};
use tonic::{Request, Response, Status};

use super::{Door, listing};
use crate::Licensor;
use crate::license::{Standing, State};
use crate::offer;
use crate::once::{Call, Draft};
use crate::records::shelf::put;
use crate::records::{Buyer, License, Loaded, Offer, Pointer, Seller, tables};
use crate::refuse;

#[tonic::async_trait]
impl wire::licenses_server::Licenses for Door {
    async fn create_offer(
        &self,
        request: Request<wire::CreateOfferRequest>,
    ) -> Result<Response<wire::Offer>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let seller = caller.seller()?;
        let call = Call::new(caller, "CreateOffer", &body.request_id, &body)?;
        let manifest = refuse::parse_statement(&body.design_manifest, "design_manifest")?;
        let terms: terms::Terms = convert::required(body.terms, "terms")?.try_into()?;
        let answer = self.0.shelf.once(&call, || self.0.draft_offer(seller, &manifest, &terms)).await?;
        Ok(Response::new(answer))
    }

    async fn get_offer(
        &self,
        request: Request<wire::GetOfferRequest>,
    ) -> Result<Response<wire::Offer>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let (seller, id) = (caller.seller()?, convert::id(&body.offer)?);
        Ok(Response::new(offer_message(id, &self.0.offer_of(seller, id).await?)))
    }

    async fn list_offers(
        &self,
        request: Request<wire::ListOffersRequest>,
    ) -> Result<Response<wire::ListOffersResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let index = tables::offers_of(&caller.seller()?);
        let page = listing::page(body.page_size, &body.page_token)?;
        let key_of = |id| tables::offer(&OfferId::from_bytes(id));
        let listed = self.0.shelf.listed::<Offer>(&index, page, key_of).await?;
        let offers = listed.records.iter().map(|(id, offer)| offer_message(OfferId::from_bytes(*id), offer));
        Ok(Response::new(wire::ListOffersResponse { offers: offers.collect(), next_page_token: listed.next }))
    }

    async fn issue_license(
        &self,
        request: Request<wire::IssueLicenseRequest>,
    ) -> Result<Response<wire::License>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let seller = caller.seller()?;
        let call = Call::new(caller, "IssueLicense", &body.request_id, &body)?;
        let (offer, buyer) = (convert::id(&body.offer)?, convert::id(&body.buyer)?);
        let answer = self.0.shelf.once(&call, || self.0.draft_license(seller, offer, buyer)).await?;
        Ok(Response::new(answer))
    }

    async fn get_license(
        &self,
        request: Request<wire::GetLicenseRequest>,
    ) -> Result<Response<wire::License>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let owner = caller.seller_or_buyer()?;
        let id = convert::id(&body.license)?;
        let (record, license) = self.0.license(id).await?;
        if owner != *license.seller.as_bytes() && owner != *license.buyer.as_bytes() {
            return Err(refuse::not_found(id));
        }
        Ok(Response::new(self.0.license_message(&record.value, &license)))
    }

    async fn list_licenses(
        &self,
        request: Request<wire::ListLicensesRequest>,
    ) -> Result<Response<wire::ListLicensesResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let index = tables::licenses_of(&caller.seller_or_buyer()?);
        let page = listing::page(body.page_size, &body.page_token)?;
        let key_of = |id| tables::license(&LicenseId::from_bytes(id));
        let listed = self.0.shelf.listed::<License>(&index, page, key_of).await?;
        let licenses = listed.records.iter().map(|(_, record)| {
            let license = self.0.issued(&record.statement)?;
            Ok(self.0.license_message(record, &license))
        });
        let licenses = licenses.collect::<Result<_, Status>>()?;
        Ok(Response::new(wire::ListLicensesResponse { licenses, next_page_token: listed.next }))
    }

    async fn revoke_license(
        &self,
        request: Request<wire::RevokeLicenseRequest>,
    ) -> Result<Response<wire::License>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let seller = caller.seller()?;
        let call = Call::new(caller, "RevokeLicense", &body.request_id, &body)?;
        let id: LicenseId = convert::id(&body.license)?;
        let _lane = self.0.lanes.enter(id.as_bytes()).await;
        let answer = self.0.shelf.once(&call, || self.0.draft_revocation(seller, id)).await?;
        Ok(Response::new(answer))
    }
}

impl Licensor {
    /// A license as it is recorded and as it was signed.
    pub(super) async fn license(&self, id: LicenseId) -> Result<(Loaded<License>, terms::License), Status> {
        let record = self.shelf.find::<License>(&tables::license(&id), id).await?;
        let license: terms::License = self.issued(&record.value.statement)?;
        if license.id == id { Ok((record, license)) } else { Err(refuse::damaged(id)) }
    }

    async fn offer_of(&self, seller: SellerId, id: OfferId) -> Result<Offer, Status> {
        let offer = self.shelf.find::<Offer>(&tables::offer(&id), id).await?.value;
        if offer.seller == seller { Ok(offer) } else { Err(refuse::not_found(id)) }
    }

    async fn draft_offer(
        &self,
        seller: SellerId,
        statement: &Statement,
        terms: &terms::Terms,
    ) -> Result<Draft<wire::Offer>, Status> {
        let key = self.seller_key(seller).await?;
        let manifest =
            statement.verify::<DesignManifest>(&key).map_err(refuse::refused("design_manifest"))?;
        if manifest.seller != seller {
            return Err(refuse::untrusted("design_manifest", "it names another seller"));
        }
        offer::within(terms, &manifest.terms).map_err(refuse::status)?;
        let id = OfferId::from_bytes(self.randomness.bytes());
        let offer = Offer {
            seller,
            design: manifest.design,
            version: manifest.version,
            terms: terms.clone(),
            manifest: statement.digest(),
        };
        let row = tables::offer_of(&seller, self.clock.now(), &id);
        let commit = put(Commit::new(), tables::offer(&id), &offer, Expect::Absent);
        let commit = put(commit, row, &Pointer(*id.as_bytes()), Expect::Absent);
        Ok(Draft { commit, answer: offer_message(id, &offer) })
    }

    /// The key a seller certified last, unless its certificate has ended.
    async fn seller_key(&self, id: SellerId) -> Result<VerifyingKey, Status> {
        let seller = self.shelf.owned::<Seller>(&tables::seller(&id)).await?.value;
        let uncertified =
            || refuse::untrusted("design_manifest", "the seller has no certified key: certify one first");
        let certificate: SellerCertificate = self.issued(&seller.certificate.ok_or_else(uncertified)?)?;
        if self.clock.now() >= certificate.expires {
            return Err(refuse::untrusted(
                "design_manifest",
                "the seller's certificate has ended: certify the key again",
            ));
        }
        VerifyingKey::try_from(certificate.key).map_err(|_| refuse::damaged(id))
    }

    async fn draft_license(
        &self,
        seller: SellerId,
        offer_id: OfferId,
        buyer: BuyerId,
    ) -> Result<Draft<wire::License>, Status> {
        let offer = self.offer_of(seller, offer_id).await?;
        if self.shelf.find::<Buyer>(&tables::buyer(&buyer), buyer).await?.value.seller != seller {
            return Err(refuse::not_found(buyer));
        }
        let now = self.clock.now();
        if offer.terms.expired_at(now) {
            return Err(Reason::LicenseExpired.status("the offer's terms have ended: make another offer"));
        }
        let license = self.license_of(offer_id, &offer, buyer);
        let record =
            License { statement: self.keys.state(&license), standing: Standing::issued(&license.terms) };
        let pointer = Pointer(*license.id.as_bytes());
        let commit = put(Commit::new(), tables::license(&license.id), &record, Expect::Absent);
        let commit =
            put(commit, tables::license_of(seller.as_bytes(), now, &license.id), &pointer, Expect::Absent);
        let commit =
            put(commit, tables::license_of(buyer.as_bytes(), now, &license.id), &pointer, Expect::Absent);
        Ok(Draft { commit, answer: self.license_message(&record, &license) })
    }

    fn license_of(&self, id: OfferId, offer: &Offer, buyer: BuyerId) -> terms::License {
        terms::License {
            id: LicenseId::from_bytes(self.randomness.bytes()),
            offer: id,
            seller: offer.seller,
            buyer,
            design: offer.design,
            version: offer.version,
            issued: self.clock.now(),
            terms: offer.terms.clone(),
        }
    }

    async fn draft_revocation(
        &self,
        seller: SellerId,
        id: LicenseId,
    ) -> Result<Draft<wire::License>, Status> {
        let (mut record, license) = self.license(id).await?;
        if license.seller != seller {
            return Err(refuse::not_found(id));
        }
        record.value.standing = record.value.standing.revoke(self.clock.now());
        let commit = put(Commit::new(), tables::license(&id), &record.value, record.expected());
        Ok(Draft { commit, answer: self.license_message(&record.value, &license) })
    }

    fn license_message(&self, record: &License, license: &terms::License) -> wire::License {
        wire::License {
            license: license.id.to_string(),
            statement: record.statement.emit(),
            state: state_code(record.standing.state(&license.terms, self.clock.now())).into(),
            counts: Some(record.standing.copies.counts().into()),
        }
    }
}

fn state_code(state: State) -> wire::LicenseState {
    match state {
        State::Ready => wire::LicenseState::Ready,
        State::Active => wire::LicenseState::Active,
        State::Exhausted => wire::LicenseState::Exhausted,
        State::Expired => wire::LicenseState::Expired,
        State::Revoked => wire::LicenseState::Revoked,
    }
}

fn offer_message(id: OfferId, offer: &Offer) -> wire::Offer {
    wire::Offer {
        offer: id.to_string(),
        design: offer.design.to_string(),
        version: offer.version.as_bytes().to_vec(),
        terms: Some((&offer.terms).into()),
    }
}

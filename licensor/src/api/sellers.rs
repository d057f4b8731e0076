//! Sellers: who may speak to the licensor.
//!
//! API keys are derived from the request that asks for them, so a repeated request is answered with the same key
//! although nothing but its hash is stored; the remembered answer has no key in it.

use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::token::ApiKey;
use layerlock_store::{Commit, Expect};
use layerlock_terms::ids::{BuyerId, SellerId};
use layerlock_terms::trust::{SellerCertificate, SellerPass};
use layerlock_terms::units::Timestamp;
use tonic::{Request, Response, Status};

use super::Door;
use crate::Licensor;
use crate::once::{Call, Draft};
use crate::records::shelf::put;
use crate::records::{Buyer, Party, Seller, tables};
use crate::refuse;

/// Stands in a pass made before its seller was told its id.
const NOBODY: SellerId = SellerId::from_bytes([0; 16]);

#[tonic::async_trait]
impl wire::sellers_server::Sellers for Door {
    async fn create_seller(
        &self,
        request: Request<wire::CreateSellerRequest>,
    ) -> Result<Response<wire::CreateSellerResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        caller.operator()?;
        let call = Call::new(caller, "CreateSeller", &body.request_id, &body)?;
        let key = self.0.keys.tokens.api_key(call.context());
        let answer = self.0.shelf.once(&call, || async { Ok(self.0.draft_seller(&key)) }).await?;
        self.0.still_opens(&key).await?;
        Ok(Response::new(wire::CreateSellerResponse { api_key: key.reveal().to_string(), ..answer }))
    }

    async fn certify_seller_key(
        &self,
        request: Request<wire::CertifySellerKeyRequest>,
    ) -> Result<Response<wire::CertifySellerKeyResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let seller = caller.seller()?;
        let call = Call::new(caller, "CertifySellerKey", &body.request_id, &body)?;
        let key = self.0.proven_key(seller, &body)?;
        let answer = self.0.shelf.once(&call, || self.0.draft_certificate(seller, key)).await?;
        Ok(Response::new(answer))
    }

    async fn create_buyer(
        &self,
        request: Request<wire::CreateBuyerRequest>,
    ) -> Result<Response<wire::CreateBuyerResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let seller = caller.seller()?;
        let call = Call::new(caller, "CreateBuyer", &body.request_id, &body)?;
        let key = self.0.keys.tokens.api_key(call.context());
        let answer = self.0.shelf.once(&call, || async { Ok(self.0.draft_buyer(seller, &key)) }).await?;
        self.0.still_opens(&key).await?;
        Ok(Response::new(wire::CreateBuyerResponse { api_key: key.reveal().to_string(), ..answer }))
    }
}

impl Licensor {
    fn draft_seller(&self, key: &ApiKey) -> Draft<wire::CreateSellerResponse> {
        let id = SellerId::from_bytes(self.randomness.bytes());
        let seller = Seller { certificate: None };
        let commit = put(Commit::new(), tables::seller(&id), &seller, Expect::Absent);
        let commit = put(commit, tables::api_key(&key.hash()), &Party::Seller(id), Expect::Absent);
        Draft {
            commit,
            answer: wire::CreateSellerResponse { seller: id.to_string(), api_key: String::new() },
        }
    }

    fn draft_buyer(&self, seller: SellerId, key: &ApiKey) -> Draft<wire::CreateBuyerResponse> {
        let id = BuyerId::from_bytes(self.randomness.bytes());
        let commit = put(Commit::new(), tables::buyer(&id), &Buyer { seller }, Expect::Absent);
        let commit = put(commit, tables::api_key(&key.hash()), &Party::Buyer(id), Expect::Absent);
        Draft { commit, answer: wire::CreateBuyerResponse { buyer: id.to_string(), api_key: String::new() } }
    }

    /// A repeat from before the licensor's key was rotated derives another key than was given then.
    async fn still_opens(&self, key: &ApiKey) -> Result<(), Status> {
        match self.shelf.load::<Party>(&tables::api_key(&key.hash())).await? {
            Some(_) => Ok(()),
            None => Err(Reason::RequestIdReused
                .status("this request was answered under a former licensor key: draw a fresh request id")),
        }
    }

    /// The key a seller shows to hold: a pass of that seller, made out to this licensor and signed with it.
    ///
    /// A pass names the service it opens by its key. This licensor's own key stands there, so a pass that was
    /// given to a vault proves nothing here. Who joins knows an API key but not yet its own id, so the pass may
    /// name nobody: a certificate over another's key is of no use to who can't sign with it.
    fn proven_key(
        &self,
        seller: SellerId,
        body: &wire::CertifySellerKeyRequest,
    ) -> Result<VerifyingKey, Status> {
        let key = VerifyingKey::parse(&body.key).map_err(|unfit| refuse::unfit("key", unfit))?;
        let proof = refuse::parse_statement(&body.proof, "proof")?;
        let pass = proof.verify::<SellerPass>(&key).map_err(refuse::refused("proof"))?;
        let names_another = pass.seller != seller && pass.seller != NOBODY;
        if names_another || pass.vault != self.keys.issuer().into() {
            return Err(refuse::untrusted("proof", "made out by another seller or to another service"));
        }
        if self.clock.now() >= pass.expires {
            return Err(refuse::untrusted("proof", "past its end: sign a fresh pass"));
        }
        Ok(key)
    }

    async fn draft_certificate(
        &self,
        id: SellerId,
        key: VerifyingKey,
    ) -> Result<Draft<wire::CertifySellerKeyResponse>, Status> {
        let now = self.clock.now();
        let mut seller = self.shelf.owned::<Seller>(&tables::seller(&id)).await?;
        if let Some(statement) = &seller.value.certificate {
            let held: SellerCertificate = self.issued(statement)?;
            if held.key == key.into() && self.in_first_half(held.expires, now) {
                let certificate = statement.emit();
                return Ok(Draft::unchanged(wire::CertifySellerKeyResponse { certificate }));
            }
        }
        let expires = now.plus(self.lifetimes.certificate);
        let statement = self.keys.state(&SellerCertificate { seller: id, key: key.into(), expires });
        let certificate = statement.emit();
        let expected = seller.expected();
        seller.value.certificate = Some(statement);
        let commit = put(Commit::new(), tables::seller(&id), &seller.value, expected);
        Ok(Draft { commit, answer: wire::CertifySellerKeyResponse { certificate } })
    }

    /// Whether a certificate is young enough to be given again; an older one is renewed before it ends.
    fn in_first_half(&self, expires: Timestamp, now: Timestamp) -> bool {
        expires.since(now).0 > self.lifetimes.certificate.0 / 2
    }
}

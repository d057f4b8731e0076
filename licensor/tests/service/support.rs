//! A licensor with its trust, and the people around it: operator, sellers, buyers, devices, one vault.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use layerlock_licensor::{Clock, Config, Licensor, Lifetimes, OpenError, Randomness};
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::commitment::BlindingFactor;
use layerlock_seal::keys::{OpeningKey, SigningKey};
use layerlock_seal::note::{self, NoteSigner};
use layerlock_seal::sha256;
use layerlock_seal::statement::Statement;
use layerlock_seal::token::{ApiKey, TokenSource};
use layerlock_seal::trust::Endorsement;
use layerlock_store::{MemoryStore, Store};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DeviceId, HoldId, JobId, RequestId, SellerId};
use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Hold, Release, Terms};
use layerlock_terms::receipt::{
    Countersignature, Counts, Event, Extent, JobEvent, JobReport, Outcome, Receipt, Settlement,
};
use layerlock_terms::trust::{
    DesignManifest, DeviceCertificate, EnrolmentRequest, Role, Root, SellerPass, ServiceCertificate,
};
use layerlock_terms::units::{Millis, Percent, Timestamp};
use layerlock_terms::wire::Noun;
use layerlock_tlog::{
    Checkpoint, ConsistencyProof, Hash, InclusionProof, Note, Tree, ed25519_key_id, leaf_hash,
};
use tonic::service::Routes;
use tonic::{Request, Status};

pub const ORIGIN: &str = "test.example/ledger";
pub const START: Timestamp = Timestamp(1_800_000_000_000);
pub const FOREVER: Timestamp = Timestamp(u64::MAX);
pub const MACHINE: &str = "ender-3";

/// A licensor and its clock.
pub struct World {
    pub store: Arc<dyn Store>,
    pub licensor: Arc<Licensor>,
    clock: Arc<AtomicU64>,
    draws: Arc<AtomicU64>,
    requests: Arc<AtomicU64>,
    /// The newest checkpoint the outsider has seen.
    seen: Mutex<Option<Checkpoint>>,
}

pub struct Seller {
    pub id: SellerId,
    pub api_key: String,
    pub key: SigningKey,
}

pub struct Buyer {
    pub id: String,
    pub api_key: String,
}

pub struct Device {
    pub id: DeviceId,
    pub sign: SigningKey,
    pub open: OpeningKey,
}

/// One license with everybody it takes to use it.
pub struct Sale {
    pub seller: Seller,
    pub buyer: Buyer,
    pub device: Device,
    pub license: String,
}

pub fn key(name: &str) -> SigningKey {
    SigningKey::from_seed(sha256(name.as_bytes()).as_bytes())
}

pub fn vault() -> SigningKey {
    key("vault")
}

pub fn operator() -> ApiKey {
    TokenSource::of(&key("operator")).api_key(b"operator")
}

pub fn certificate_of(role: Role, service: &SigningKey) -> Endorsement {
    let noun = ServiceCertificate { role, key: service.verifying_key().into(), expires: FOREVER };
    Endorsement::signed(&noun, &[&key("root")])
}

pub fn checkpoint_signer() -> NoteSigner {
    NoteSigner::from_seed(ORIGIN, sha256(b"checkpoint").as_bytes())
}

pub fn config(store: Arc<dyn Store>, clock: &Arc<AtomicU64>, draws: &Arc<AtomicU64>) -> Config {
    let root = Root::new(1, FOREVER, 1, vec![key("root").verifying_key().into()]);
    let (now, draws) = (Arc::clone(clock), Arc::clone(draws));
    Config {
        issuer: key("licensor"),
        checkpoint: checkpoint_signer(),
        roots: vec![Endorsement::signed(&root, &[&key("root")])],
        service_certificates: vec![
            certificate_of(Role::Licensor, &key("licensor")),
            certificate_of(Role::Vault, &vault()),
            certificate_of(Role::Checkpoint, &SigningKey::from_seed(sha256(b"checkpoint").as_bytes())),
        ],
        operator_key: operator().hash(),
        store,
        clock: Clock::of(move || Timestamp(now.load(Ordering::SeqCst))),
        randomness: Randomness::of(move |bytes| draw(&draws, bytes)),
        lifetimes: Lifetimes::default(),
    }
}

/// SHA-256 of a counter, block after block.
fn draw(counter: &AtomicU64, bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(32) {
        let block = sha256(&counter.fetch_add(1, Ordering::SeqCst).to_be_bytes());
        chunk.copy_from_slice(&block.as_bytes()[..chunk.len()]);
    }
}

pub fn reason(status: &Status) -> Reason {
    Reason::of(status).unwrap_or_else(|| panic!("a status with a reason, not {status:?}"))
}

/// The reason of a call that must be refused.
pub fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> Reason {
    reason(&answer.expect_err("the call is refused"))
}

pub fn with_key<T>(message: T, api_key: &str) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {api_key}").parse().unwrap());
    request
}

pub fn terms(copies: u32) -> Terms {
    Terms {
        copies,
        expires: Expiry::Never,
        devices: DeviceScope::Any,
        scale_min: Percent(100),
        scale_max: Percent(100),
        materials: Vec::new(),
        failure: FailurePolicy::SpendFrom(Percent(50)),
        release: Release::Window(2),
    }
}

pub fn extent(layers: u32, total_layers: u32) -> Extent {
    Extent { layers, total_layers, lines: u64::from(layers) * 100, filament_um: u64::from(layers) * 1_000 }
}

pub fn hold_of(answer: &wire::PlaceHoldResponse) -> Hold {
    Hold::parse(Statement::parse(&answer.hold).unwrap().payload()).unwrap()
}

pub fn settlement_of(entry: &LedgerEntry) -> Settlement {
    Settlement::parse(Statement::parse(&entry.settlement).unwrap().payload()).unwrap()
}

impl Device {
    pub fn receipt(&self, hold: &Hold, event: Event) -> Statement {
        let receipt =
            Receipt { device: self.id, job: hold.job, hold: hold.id, sequence: 9, at: START, event };
        Statement::sign(&receipt, &self.sign)
    }

    pub fn ended(&self, hold: &Hold, outcome: Outcome, extent: Extent) -> Statement {
        self.receipt(hold, Event::Ended(outcome, extent))
    }
}

/// A vault's word on a hold.
pub fn report(hold: &Hold, event: JobEvent, by: &SigningKey) -> Statement {
    Statement::sign(&JobReport { job: hold.job, hold: hold.id, at: START, event }, by)
}

/// A vault's word that this receipt closed its job.
pub fn countersigned(job: JobId, hold: HoldId, receipt: &Statement, by: &SigningKey) -> Statement {
    Statement::sign(&Countersignature { job, hold, receipt: receipt.digest(), at: START }, by)
}

impl World {
    pub async fn new() -> Self {
        Self::on(Arc::new(MemoryStore::new())).await.expect("an empty store opens")
    }

    pub async fn on(store: Arc<dyn Store>) -> Result<Self, OpenError> {
        let (clock, draws) = (Arc::new(AtomicU64::new(START.0)), Arc::new(AtomicU64::new(0)));
        let licensor = Licensor::open(config(Arc::clone(&store), &clock, &draws)).await?;
        let (requests, seen) = (Arc::new(AtomicU64::new(0)), Mutex::default());
        Ok(Self { store, licensor, clock, draws, requests, seen })
    }

    /// The licensor ends and opens again on what was stored.
    pub async fn reopen(&mut self) -> Result<(), OpenError> {
        let config = config(Arc::clone(&self.store), &self.clock, &self.draws);
        self.licensor = Licensor::open(config).await?;
        Ok(())
    }

    pub fn now(&self) -> Timestamp {
        Timestamp(self.clock.load(Ordering::SeqCst))
    }

    pub fn wait(&self, span: Millis) {
        self.clock.fetch_add(span.0, Ordering::SeqCst);
    }

    pub fn wait_until(&self, moment: Timestamp) {
        self.clock.store(moment.0, Ordering::SeqCst);
    }

    pub fn request_id(&self) -> String {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        RequestId::from_bytes(u128::from(number).to_be_bytes()).to_string()
    }

    pub fn sellers(&self) -> wire::sellers_client::SellersClient<Routes> {
        wire::sellers_client::SellersClient::new(self.licensor.routes())
    }

    pub fn licenses(&self) -> wire::licenses_client::LicensesClient<Routes> {
        wire::licenses_client::LicensesClient::new(self.licensor.routes())
    }

    pub fn copies(&self) -> wire::copies_client::CopiesClient<Routes> {
        wire::copies_client::CopiesClient::new(self.licensor.routes())
    }

    pub fn devices(&self) -> wire::devices_client::DevicesClient<Routes> {
        wire::devices_client::DevicesClient::new(self.licensor.routes())
    }

    pub fn trust(&self) -> wire::trust_client::TrustClient<Routes> {
        wire::trust_client::TrustClient::new(self.licensor.routes())
    }

    pub fn ledger(&self) -> wire::ledger_client::LedgerClient<Routes> {
        wire::ledger_client::LedgerClient::new(self.licensor.routes())
    }

    pub async fn create_seller(&self, request_id: &str) -> Result<wire::CreateSellerResponse, Status> {
        let message = wire::CreateSellerRequest { request_id: request_id.into() };
        let answer = self.sellers().create_seller(with_key(message, &operator().reveal())).await?;
        Ok(answer.into_inner())
    }

    pub fn pass(&self, seller: SellerId, key: &SigningKey) -> Statement {
        let vault = self::key("licensor").verifying_key().into();
        let pass = SellerPass { seller, vault, expires: self.now().plus(Millis(60_000)) };
        Statement::sign(&pass, key)
    }

    pub async fn certify(
        &self,
        request_id: &str,
        seller: &Seller,
        proof: &Statement,
    ) -> Result<Vec<u8>, Status> {
        let key = seller.key.verifying_key().as_bytes().to_vec();
        let message =
            wire::CertifySellerKeyRequest { request_id: request_id.into(), key, proof: proof.emit() };
        let answer = self.sellers().certify_seller_key(with_key(message, &seller.api_key)).await?;
        Ok(answer.into_inner().certificate)
    }

    pub async fn seller(&self, name: &str) -> Result<Seller, Status> {
        let made = self.create_seller(&self.request_id()).await?;
        let seller = Seller { id: made.seller.parse().unwrap(), api_key: made.api_key, key: key(name) };
        self.certify(&self.request_id(), &seller, &self.pass(seller.id, &seller.key)).await?;
        Ok(seller)
    }

    pub async fn create_buyer(&self, request_id: &str, seller: &Seller) -> Result<Buyer, Status> {
        let message = wire::CreateBuyerRequest { request_id: request_id.into() };
        let made = self.sellers().create_buyer(with_key(message, &seller.api_key)).await?.into_inner();
        Ok(Buyer { id: made.buyer, api_key: made.api_key })
    }

    pub fn manifest(&self, seller: SellerId, widest: &Terms, by: &SigningKey) -> Statement {
        let manifest = DesignManifest {
            seller,
            design: layerlock_terms::ids::DesignId::from_bytes([5; 16]),
            version: Digest([6; 32]),
            length: 1_000,
            name: "vase".into(),
            terms: widest.clone(),
        };
        Statement::sign(&manifest, by)
    }

    pub async fn create_offer(
        &self,
        request_id: &str,
        seller: &Seller,
        manifest: &Statement,
        terms: &Terms,
    ) -> Result<wire::Offer, Status> {
        let message = wire::CreateOfferRequest {
            request_id: request_id.into(),
            design_manifest: manifest.emit(),
            terms: Some(terms.into()),
        };
        Ok(self.licenses().create_offer(with_key(message, &seller.api_key)).await?.into_inner())
    }

    pub async fn offer(&self, seller: &Seller, terms: &Terms) -> Result<wire::Offer, Status> {
        let manifest = self.manifest(seller.id, terms, &seller.key);
        self.create_offer(&self.request_id(), seller, &manifest, terms).await
    }

    pub async fn issue(
        &self,
        request_id: &str,
        seller: &Seller,
        offer: &str,
        buyer: &str,
    ) -> Result<wire::License, Status> {
        let message = wire::IssueLicenseRequest {
            request_id: request_id.into(),
            offer: offer.into(),
            buyer: buyer.into(),
        };
        Ok(self.licenses().issue_license(with_key(message, &seller.api_key)).await?.into_inner())
    }

    pub async fn code(
        &self,
        request_id: &str,
        api_key: &str,
    ) -> Result<wire::CreateEnrolmentCodeResponse, Status> {
        let message = wire::CreateEnrolmentCodeRequest { request_id: request_id.into() };
        Ok(self.devices().create_enrolment_code(with_key(message, api_key)).await?.into_inner())
    }

    pub async fn device(&self, name: &str) -> Result<Device, Status> {
        let code = self.code(&self.request_id(), &operator().reveal()).await?.code;
        let (sign, open) = (key(name), OpeningKey::from_seed(sha256(name.as_bytes()).as_bytes()));
        let request = enrolment_request(&code, &sign, &open);
        let certificate = self.enrol(&request, &open).await?;
        let certificate =
            DeviceCertificate::parse(Statement::parse(&certificate).unwrap().payload()).unwrap();
        Ok(Device { id: certificate.device, sign, open })
    }

    pub async fn begin(&self, request: &Statement) -> Result<wire::BeginEnrolmentResponse, Status> {
        let message = wire::BeginEnrolmentRequest { request: request.emit() };
        Ok(self.devices().begin_enrolment(message).await?.into_inner())
    }

    pub async fn complete(&self, request: &Statement, answer: &[u8]) -> Result<Vec<u8>, Status> {
        let message = wire::CompleteEnrolmentRequest {
            request: request.emit(),
            answer: answer.to_vec(),
            ..Default::default()
        };
        Ok(self.devices().complete_enrolment(message).await?.into_inner().certificate)
    }

    pub async fn enrol(&self, request: &Statement, open: &OpeningKey) -> Result<Vec<u8>, Status> {
        let challenge = self.begin(request).await?;
        self.complete(request, &answer_to(&challenge, request, open)).await
    }

    /// A license of `terms`, with its seller, buyer and device.
    pub async fn sale_of(&self, terms: &Terms) -> Sale {
        let seller = self.seller("seller").await.unwrap();
        let buyer = self.create_buyer(&self.request_id(), &seller).await.unwrap();
        let device = self.device("device").await.unwrap();
        let offer = self.offer(&seller, terms).await.unwrap().offer;
        let license = self.issue(&self.request_id(), &seller, &offer, &buyer.id).await.unwrap().license;
        Sale { seller, buyer, device, license }
    }

    pub async fn sale(&self, copies: u32) -> Sale {
        self.sale_of(&terms(copies)).await
    }

    pub async fn place(&self, request_id: &str, sale: &Sale) -> Result<wire::PlaceHoldResponse, Status> {
        self.place_on(request_id, sale, &sale.license).await
    }

    /// As [`World::place`], of another license of the same buyer.
    pub async fn place_on(
        &self,
        request_id: &str,
        sale: &Sale,
        license: &str,
    ) -> Result<wire::PlaceHoldResponse, Status> {
        let message = wire::PlaceHoldRequest {
            request_id: request_id.into(),
            license: license.into(),
            device: sale.device.id.to_string(),
        };
        Ok(self.copies().place_hold(with_key(message, &sale.buyer.api_key)).await?.into_inner())
    }

    pub async fn hold(&self, sale: &Sale) -> Result<Hold, Status> {
        Ok(hold_of(&self.place(&self.request_id(), sale).await?))
    }

    pub async fn admit_by(
        &self,
        hold: &Hold,
        by: &SigningKey,
        certificate: &Endorsement,
    ) -> Result<Vec<u8>, Status> {
        let message = wire::AdmitHoldRequest {
            report: report(hold, JobEvent::Admitted, by).emit(),
            vault_certificate: certificate.emit(),
        };
        Ok(self.copies().admit_hold(message).await?.into_inner().revocations)
    }

    pub async fn admit(&self, hold: &Hold) -> Result<Vec<u8>, Status> {
        self.admit_by(hold, &vault(), &certificate_of(Role::Vault, &vault())).await
    }

    /// As the vault would, of a receipt that closed its job.
    pub async fn settle(&self, hold: HoldId, receipt: &Statement) -> Result<LedgerEntry, Status> {
        let job = Receipt::parse(receipt.payload()).map_or(JobId::from_bytes([0; 16]), |receipt| receipt.job);
        let countersignature = countersigned(job, hold, receipt, &vault());
        self.settle_by(hold, receipt, &countersignature.emit()).await
    }

    pub async fn settle_by(
        &self,
        hold: HoldId,
        receipt: &Statement,
        countersignature: &[u8],
    ) -> Result<LedgerEntry, Status> {
        let evidence = wire::settle_hold_request::Evidence::Receipt(receipt.emit());
        self.settle_with(hold, evidence, countersignature).await
    }

    pub async fn withdraw(&self, hold: HoldId, report: &Statement) -> Result<LedgerEntry, Status> {
        let evidence = wire::settle_hold_request::Evidence::Report(report.emit());
        self.settle_with(hold, evidence, &[]).await
    }

    async fn settle_with(
        &self,
        hold: HoldId,
        evidence: wire::settle_hold_request::Evidence,
        countersignature: &[u8],
    ) -> Result<LedgerEntry, Status> {
        let (hold, countersignature) = (hold.to_string(), countersignature.to_vec());
        let message = wire::SettleHoldRequest { hold, evidence: Some(evidence), countersignature };
        Ok(self.copies().settle_hold(message).await?.into_inner().entry.expect("an answer has its entry"))
    }

    pub async fn license(&self, sale: &Sale) -> wire::License {
        let message = wire::GetLicenseRequest { license: sale.license.clone() };
        self.licenses().get_license(with_key(message, &sale.seller.api_key)).await.unwrap().into_inner()
    }

    pub async fn counts(&self, sale: &Sale) -> Counts {
        let counts = self.license(sale).await.counts.expect("a license has its counts");
        let counts =
            Counts { granted: counts.granted, free: counts.free, held: counts.held, spent: counts.spent };
        assert!(counts.balanced(), "granted = free + held + spent, not {counts:?}");
        counts
    }

    pub async fn consistency(&self, old: u64, new: u64) -> ConsistencyProof {
        let message = wire::GetConsistencyRequest { old_size: old, new_size: new };
        let hashes = self.ledger().get_consistency(message).await.unwrap().into_inner().hashes;
        let path = hashes.iter().map(|hash| Hash(hash.as_slice().try_into().unwrap())).collect();
        ConsistencyProof { old, new, path }
    }

    /// All an outsider can check: the signature, every leaf, and that nothing seen before was rewritten.
    pub async fn audit(&self) -> Checkpoint {
        let note = self.ledger().get_checkpoint(wire::GetCheckpointRequest {}).await.unwrap().into_inner();
        let head = checked_checkpoint(&note.checkpoint);
        let mut tree = Tree::default();
        while tree.size() < head.size {
            let page = wire::ListLeavesRequest { start: tree.size(), page_size: 3 };
            let leaves = self.ledger().list_leaves(page).await.unwrap().into_inner().leaf_hashes;
            assert!(!leaves.is_empty(), "the log has fewer leaves than were signed for");
            leaves.iter().for_each(|leaf| tree.push(Hash(leaf.as_slice().try_into().unwrap())));
        }
        assert_eq!(tree.root(), head.root, "the leaves give the signed root");
        let before = self.seen.lock().unwrap().replace(head.clone());
        if let Some(before) = before {
            let proof = self.consistency(before.size, head.size).await;
            proof.verify(&before.root, &head.root).expect("the log only grew");
        }
        head
    }
}

pub fn enrolment_request(code: &str, sign: &SigningKey, open: &OpeningKey) -> Statement {
    let code = layerlock_seal::enrolment::EnrolmentCode::parse(code).unwrap().digest();
    let (sign_key, open) = (sign.verifying_key().into(), open.wrapping_key().into());
    Statement::sign(&EnrolmentRequest { code, sign: sign_key, open, machine: MACHINE.into() }, sign)
}

pub fn answer_to(
    challenge: &wire::BeginEnrolmentResponse,
    request: &Statement,
    open: &OpeningKey,
) -> Vec<u8> {
    let wrapped =
        layerlock_seal::enrolment::WrappedAnswer::parse(&challenge.encapsulated, &challenge.ciphertext)
            .unwrap();
    open.open_enrolment(&wrapped, &request.digest()).unwrap().to_bytes().to_vec()
}

pub fn checked_checkpoint(signed: &[u8]) -> Checkpoint {
    let note = Note::parse(std::str::from_utf8(signed).unwrap()).unwrap();
    let key = checkpoint_signer().verifying_key();
    let fits = |text: &str, signature: &[u8]| note::verifies(&key, text, signature.try_into().unwrap());
    note.verify(ORIGIN, ed25519_key_id(ORIGIN, key.as_bytes()), fits).expect("signed by the checkpoint key");
    Checkpoint::parse(note.text()).unwrap()
}

/// Checks an entry as its owner would: settlement, leaf, inclusion, checkpoint.
pub fn check_entry(entry: &LedgerEntry) -> Settlement {
    let statement = Statement::parse(&entry.settlement).unwrap();
    let settlement = statement.verify::<Settlement>(&key("licensor").verifying_key()).unwrap().into_inner();
    let head = checked_checkpoint(&entry.checkpoint);
    let path = entry.inclusion.iter().map(|hash| Hash(hash.as_slice().try_into().unwrap())).collect();
    let blinding = BlindingFactor::from_bytes(entry.blinding.as_slice().try_into().unwrap());
    let leaf = leaf_hash(blinding.commit(&entry.settlement).as_bytes());
    let proof = InclusionProof { index: entry.index, size: head.size, path };
    proof.verify(&leaf, &head.root).expect("the entry is in the log its checkpoint signs");
    settlement
}

impl World {
    /// The same licensor, for a task of its own that may end in a panic.
    pub fn again(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            licensor: Arc::clone(&self.licensor),
            clock: Arc::clone(&self.clock),
            draws: Arc::clone(&self.draws),
            requests: Arc::clone(&self.requests),
            seen: Mutex::default(),
        }
    }

    /// Another licensor on the same store, as another process would be.
    pub async fn beside(&self) -> Self {
        let mut beside = self.again();
        beside.reopen().await.unwrap();
        beside
    }
}

//! Devices: enrolled with keys they made themselves, revoked for good.
//!
//! A code is looked up, and its tries are counted, before any public-key work is done for whoever presents it (Q6).
//! Keys that are not canonical or of low order are refused by name (D7), and so is a signing key that was ever
//! enrolled: a revoked device doesn't come back under its old key.

use layerlock_proto::convert;
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_seal::enrolment::{EnrolmentAnswer, KeptCode, WrappedAnswer};
use layerlock_seal::keys::{VerifyingKey, WrappingKey};
use layerlock_seal::statement::Statement;
use layerlock_seal::token::TokenSource;
use layerlock_store::{Commit, CommitError, Expect};
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::DeviceId;
use layerlock_terms::machine::Machine;
use layerlock_terms::trust::{DeviceCertificate, EnrolmentRequest};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;
use tonic::{Request, Response, Status};

use super::{Door, listing};
use crate::Licensor;
use crate::license::Revocation;
use crate::once::{ATTEMPTS, Call, Draft};
use crate::records::shelf::{expected, put};
use crate::records::{
    Attestation, Challenge, Code, CodeStage, Device, Loaded, Pointer, REVOCATIONS_LIMIT, Revoked, tables,
};
use crate::refuse;

/// Challenges made and answers refused for one code, together, before the code is void.
const MOST_TRIES: u8 = 8;

/// An enrolment request as it came: its code is a claim until its signature is checked.
struct Seen {
    statement: Statement,
    request: EnrolmentRequest,
}

#[tonic::async_trait]
impl wire::devices_server::Devices for Door {
    async fn create_enrolment_code(
        &self,
        request: Request<wire::CreateEnrolmentCodeRequest>,
    ) -> Result<Response<wire::CreateEnrolmentCodeResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        caller.operator_or_seller()?;
        let call = Call::new(caller, "CreateEnrolmentCode", &body.request_id, &body)?;
        let code = TokenSource::enrolment_code(&self.0.keys.tokens, call.context());
        let answer = self
            .0
            .shelf
            .once(&call, || async { Ok(self.0.draft_code(&KeptCode::of(&code.digest()))) })
            .await?;
        Ok(Response::new(wire::CreateEnrolmentCodeResponse { code: code.reveal().to_string(), ..answer }))
    }

    async fn begin_enrolment(
        &self,
        request: Request<wire::BeginEnrolmentRequest>,
    ) -> Result<Response<wire::BeginEnrolmentResponse>, Status> {
        let seen = Seen::parse(&request.into_inner().request)?;
        let wrapped = self.0.challenge(&seen).await?;
        Ok(Response::new(wire::BeginEnrolmentResponse {
            encapsulated: wrapped.encapsulated().to_vec(),
            ciphertext: wrapped.ciphertext().to_vec(),
        }))
    }

    async fn complete_enrolment(
        &self,
        request: Request<wire::CompleteEnrolmentRequest>,
    ) -> Result<Response<wire::CompleteEnrolmentResponse>, Status> {
        let body = request.into_inner();
        let seen = Seen::parse(&body.request)?;
        let answer = EnrolmentAnswer::from_bytes(&convert::array(&body.answer, "answer")?);
        let attestation = self.0.attestation(&seen.request, &body.attestation)?;
        let certificate = self.0.enrol(&seen, answer.digest(), attestation.as_ref()).await?.emit();
        Ok(Response::new(wire::CompleteEnrolmentResponse { certificate }))
    }

    async fn get_device(
        &self,
        request: Request<wire::GetDeviceRequest>,
    ) -> Result<Response<wire::Device>, Status> {
        let (_any, body) = self.0.opened(request).await?;
        let id: DeviceId = convert::id(&body.device)?;
        let device = self.0.shelf.find::<Device>(&tables::device(&id), id).await?;
        Ok(Response::new(self.0.device_message(&device.value).await?))
    }

    async fn list_devices(
        &self,
        request: Request<wire::ListDevicesRequest>,
    ) -> Result<Response<wire::ListDevicesResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        caller.operator()?;
        let page = listing::page(body.page_size, &body.page_token)?;
        let key_of = |id| tables::device(&DeviceId::from_bytes(id));
        let listed = self.0.shelf.listed::<Device>(&tables::devices_by_age(), page, key_of).await?;
        let mut devices = Vec::new();
        for (_, device) in &listed.records {
            devices.push(self.0.device_message(device).await?);
        }
        Ok(Response::new(wire::ListDevicesResponse { devices, next_page_token: listed.next }))
    }

    async fn revoke_device(
        &self,
        request: Request<wire::RevokeDeviceRequest>,
    ) -> Result<Response<wire::Device>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        caller.operator()?;
        let call = Call::new(caller, "RevokeDevice", &body.request_id, &body)?;
        let id = convert::id(&body.device)?;
        let answer = self.0.shelf.once(&call, || self.0.draft_device_revocation(id)).await?;
        Ok(Response::new(answer))
    }
}

impl Seen {
    fn parse(bytes: &[u8]) -> Result<Self, Status> {
        let statement = refuse::parse_statement(bytes, "request")?;
        let request = EnrolmentRequest::parse(statement.payload())
            .map_err(|error| refuse::invalid(format!("`request` is no enrolment request: {error}")))?;
        Ok(Self { statement, request })
    }

    /// What its code is kept under.
    fn code(&self) -> KeptCode {
        KeptCode::of(&self.request.code)
    }

    /// Checks that the key it names signed it and that both keys are fit for use.
    fn verify(&self) -> Result<WrappingKey, Status> {
        let sign = VerifyingKey::try_from(self.request.sign).map_err(|unfit| refuse::unfit("sign", unfit))?;
        let open = WrappingKey::try_from(self.request.open).map_err(|unfit| refuse::unfit("open", unfit))?;
        self.statement.verify::<EnrolmentRequest>(&sign).map_err(refuse::refused("request"))?;
        Ok(open)
    }
}

impl Licensor {
    fn draft_code(&self, kept: &KeptCode) -> Draft<wire::CreateEnrolmentCodeResponse> {
        let expires = self.clock.now().plus(self.lifetimes.enrolment_code);
        let code = Code { expires, tries: 0, stage: CodeStage::Open };
        let commit = put(Commit::new(), tables::code(kept), &code, Expect::Absent);
        let answer = wire::CreateEnrolmentCodeResponse { code: String::new(), expires_unix_ms: expires.0 };
        Draft { commit, answer }
    }

    /// Counts a try and keeps the answer's digest first, then works: a flood pays with its code, not with our
    /// processor. If we crash between, the code has one try less.
    async fn challenge(&self, seen: &Seen) -> Result<WrappedAnswer, Status> {
        Machine::named(&seen.request.machine).map_err(refuse::invalid)?;
        let answer = EnrolmentAnswer::generate(&mut self.randomness.source());
        let request = seen.statement.digest();
        let asked = Challenge { request, answer: answer.digest() };
        let mut code = self.open_code(&seen.code()).await?;
        if code.value.tries == MOST_TRIES {
            return Err(bad_code());
        }
        let expect = code.expected();
        code.value.tries += 1;
        code.value.stage = CodeStage::Challenged(asked);
        let commit = put(Commit::new(), tables::code(&seen.code()), &code.value, expect);
        self.shelf.0.commit(commit).await.map_err(|error| refuse::commit(&error))?;
        Ok(answer.wrap(&request, &seen.verify()?, &mut self.randomness.source()))
    }

    /// A code that may still be used, be it to answer its last challenge.
    async fn open_code(&self, kept: &KeptCode) -> Result<Loaded<Code>, Status> {
        let code = self.shelf.load::<Code>(&tables::code(kept)).await?.ok_or_else(bad_code)?;
        let usable = match code.value.stage {
            CodeStage::Open | CodeStage::Challenged(_) => {
                self.clock.now() < code.value.expires && code.value.tries <= MOST_TRIES
            }
            CodeStage::Used(_, _) => false,
        };
        if usable { Ok(code) } else { Err(bad_code()) }
    }

    /// What came as an attestation, if anything did: of these keys and this machine, by a maker the root lists.
    fn attestation(&self, request: &EnrolmentRequest, bytes: &[u8]) -> Result<Option<Attestation>, Status> {
        if bytes.is_empty() {
            return Ok(None);
        }
        let statement = refuse::parse_statement(bytes, "attestation")?;
        let device = (request.sign, request.open);
        let attested = self.trust.attested(&statement, device, self.clock.now());
        let attested = attested.map_err(|why| refuse::untrusted("attestation", why))?;
        let said = attested.attestation();
        if said.machine != request.machine {
            let words = format!("it is of a {}, the request of a {}", said.machine, request.machine);
            return Err(refuse::untrusted("attestation", words));
        }
        Ok(Some(Attestation { maker: said.oem.clone(), statement }))
    }

    /// Certifies the device, or answers with the certificate it has.
    async fn enrol(
        &self,
        seen: &Seen,
        answer: Digest,
        attestation: Option<&Attestation>,
    ) -> Result<Statement, Status> {
        let given = Challenge { request: seen.statement.digest(), answer };
        for _ in 0..ATTEMPTS {
            if let Some(certificate) = self.enrolled(&seen.code(), given).await? {
                return Ok(certificate);
            }
            let code = self.open_code(&seen.code()).await?;
            if code.value.stage != CodeStage::Challenged(given) {
                return self.refuse_answer(&seen.code(), code).await;
            }
            seen.verify()?;
            let (commit, certificate) = self.enrolment(seen, given, &code, attestation).await?;
            // If we crash before this commit the code is still good; if after, asking again reads the device.
            match self.shelf.0.commit(commit).await {
                Ok(_) => return Ok(certificate),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(refuse::commit(&error)),
            }
        }
        Err(refuse::busy())
    }

    async fn enrolled(&self, kept: &KeptCode, given: Challenge) -> Result<Option<Statement>, Status> {
        let Some(code) = self.shelf.load::<Code>(&tables::code(kept)).await? else { return Ok(None) };
        match code.value.stage {
            CodeStage::Used(answered, device) if answered == given => {
                let device = self.shelf.owned::<Device>(&tables::device(&device)).await?;
                Ok(Some(device.value.certificate))
            }
            CodeStage::Used(_, _) | CodeStage::Open | CodeStage::Challenged(_) => Ok(None),
        }
    }

    async fn refuse_answer(&self, kept: &KeptCode, mut code: Loaded<Code>) -> Result<Statement, Status> {
        let expect = code.expected();
        code.value.tries += 1;
        let commit = put(Commit::new(), tables::code(kept), &code.value, expect);
        self.shelf.0.commit(commit).await.map_err(|error| refuse::commit(&error))?;
        Err(refuse::untrusted("answer", "not what the challenge asked for: begin the enrolment again"))
    }

    async fn enrolment(
        &self,
        seen: &Seen,
        given: Challenge,
        code: &Loaded<Code>,
        attestation: Option<&Attestation>,
    ) -> Result<(Commit, Statement), Status> {
        let known = tables::device_key(&seen.request.sign);
        if self.shelf.load::<Pointer>(&known).await?.is_some() {
            return Err(refuse::untrusted("sign", "this key was enrolled before: make a fresh one"));
        }
        let now = self.clock.now();
        let certificate = self.device_certificate(&seen.request, now);
        let (id, statement) = (certificate.device, self.keys.state(&certificate));
        let device = Device { certificate: statement.clone(), revocation: Revocation::Never };
        let used = Code { stage: CodeStage::Used(given, id), ..code.value.clone() };
        let pointer = Pointer(*id.as_bytes());
        let commit = put(Commit::new(), tables::code(&seen.code()), &used, code.expected());
        let commit = put(commit, tables::device(&id), &device, Expect::Absent);
        let commit = put(commit, tables::device_by_age(now, &id), &pointer, Expect::Absent);
        let commit = match attestation {
            Some(said) => put(commit, tables::attestation(&id), said, Expect::Absent),
            None => commit,
        };
        Ok((put(commit, known, &pointer, Expect::Absent), statement))
    }

    fn device_certificate(&self, request: &EnrolmentRequest, now: Timestamp) -> DeviceCertificate {
        DeviceCertificate {
            device: DeviceId::from_bytes(self.randomness.bytes()),
            sign: request.sign,
            open: request.open,
            machine: request.machine.clone(),
            expires: now.plus(self.lifetimes.device),
        }
    }

    async fn draft_device_revocation(&self, id: DeviceId) -> Result<Draft<wire::Device>, Status> {
        let mut device = self.shelf.find::<Device>(&tables::device(&id), id).await?;
        if let Revocation::At(_) = device.value.revocation {
            return Ok(Draft::unchanged(self.device_message(&device.value).await?));
        }
        let expect = device.expected();
        device.value.revocation = Revocation::At(self.clock.now());
        let list = self.shelf.load::<Revoked>(&tables::revocations()).await?;
        let expect_list = expected(&list);
        let list = list.map(|list| list.value).unwrap_or_default().with(id)?;
        let commit = put(Commit::new(), tables::device(&id), &device.value, expect);
        let commit = put(commit, tables::revocations(), &list, expect_list);
        Ok(Draft { commit, answer: self.device_message(&device.value).await? })
    }

    async fn device_message(&self, device: &Device) -> Result<wire::Device, Status> {
        let certificate: DeviceCertificate = self.issued(&device.certificate)?;
        let attestation = self.shelf.load::<Attestation>(&tables::attestation(&certificate.device)).await?;
        let state = match device.revocation {
            Revocation::Never => wire::DeviceState::Enrolled,
            Revocation::At(_) => wire::DeviceState::Revoked,
        };
        Ok(wire::Device {
            device: certificate.device.to_string(),
            state: state.into(),
            machine: certificate.machine,
            certificate: device.certificate.emit(),
            attested_by: attestation.map(|attestation| attestation.value.maker).unwrap_or_default(),
        })
    }
}

impl Revoked {
    /// The list with one more device, in id order, one version on.
    fn with(mut self, id: DeviceId) -> Result<Self, Status> {
        if self.devices.len() >= REVOCATIONS_LIMIT as usize {
            return Err(Reason::Stopped.status(format!(
                "the list of revocations is full at {REVOCATIONS_LIMIT}: rotate the licensor's key"
            )));
        }
        if let Err(place) = self.devices.binary_search(&id) {
            self.devices.insert(place, id);
        }
        self.version += 1;
        Ok(self)
    }
}

/// One answer for a code nobody made, one that was used and one past its time.
fn bad_code() -> Status {
    Reason::EnrolmentCode
        .status("the enrolment code is unknown, used up or past its time: ask for a fresh one")
}

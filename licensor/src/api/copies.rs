//! Copies: a free copy becomes a hold, a vault uses it, and evidence settles it; hops 4, 5 and 12.
//!
//! PlaceHold is the buyer's, by API key. AdmitHold and SettleHold carry their own signatures: which vault, which
//! device is decided by the statement that came, against what was certified here, and by nothing else.

use layerlock_proto::convert;
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_store::{Commit, CommitError, Expect};
use layerlock_terms::ids::{BuyerId, DeviceId, HoldId, JobId, LicenseId};
use layerlock_terms::license as terms;
use layerlock_terms::license::Expiry;
use layerlock_terms::receipt::{JobEvent, JobReport};
use layerlock_terms::trust::{DeviceCertificate, Role};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;
use tonic::{Request, Response, Status};

use super::Door;
use crate::Licensor;
use crate::evidence::{self, NotEvidence};
use crate::license::Revocation;
use crate::once::{ATTEMPTS, Call, Draft};
use crate::records::shelf::put;
use crate::records::{Device, Hold, Loaded, Pointer, Stage, tables};
use crate::refuse;
use crate::settle::Claim;

#[tonic::async_trait]
impl wire::copies_server::Copies for Door {
    async fn place_hold(
        &self,
        request: Request<wire::PlaceHoldRequest>,
    ) -> Result<Response<wire::PlaceHoldResponse>, Status> {
        let (caller, body) = self.0.opened(request).await?;
        let buyer = caller.buyer()?;
        let call = Call::new(caller, "PlaceHold", &body.request_id, &body)?;
        let (license, device): (LicenseId, DeviceId) =
            (convert::id(&body.license)?, convert::id(&body.device)?);
        let _lane = self.0.lanes.enter(license.as_bytes()).await;
        let answer = self.0.shelf.once(&call, || self.0.draft_hold(buyer, license, device)).await?;
        Ok(Response::new(answer))
    }

    async fn admit_hold(
        &self,
        request: Request<wire::AdmitHoldRequest>,
    ) -> Result<Response<wire::AdmitHoldResponse>, Status> {
        let body = request.into_inner();
        let now = self.0.clock.now();
        let report = refuse::parse_statement(&body.report, "report")?;
        self.0.known_hold(&report).await?;
        let certificate = refuse::parse_endorsement(&body.vault_certificate, "vault_certificate")?;
        let vault = self.0.trust.service_key(&certificate, Role::Vault, now).map_err(refuse::status)?;
        let report = report.verify::<JobReport>(&vault).map_err(refuse::refused("report"))?;
        self.0.admit(&report, now).await?;
        let revocations = self.0.revocations(now).await?.emit();
        Ok(Response::new(wire::AdmitHoldResponse { revocations }))
    }

    async fn settle_hold(
        &self,
        request: Request<wire::SettleHoldRequest>,
    ) -> Result<Response<wire::SettleHoldResponse>, Status> {
        let body = request.into_inner();
        let id: HoldId = convert::id(&body.hold)?;
        let claim = match convert::required(body.evidence, "evidence")? {
            wire::settle_hold_request::Evidence::Receipt(bytes) => {
                self.0.receipt(id, &bytes, &body.countersignature).await?
            }
            wire::settle_hold_request::Evidence::Report(bytes) => self.0.withdrawal(id, &bytes).await?,
        };
        let entry = self.0.settle(id, claim).await?;
        Ok(Response::new(wire::SettleHoldResponse { entry: Some(entry) }))
    }
}

impl Licensor {
    async fn draft_hold(
        &self,
        buyer: BuyerId,
        license: LicenseId,
        device: DeviceId,
    ) -> Result<Draft<wire::PlaceHoldResponse>, Status> {
        let now = self.clock.now();
        let (mut record, granted) = self.license(license).await?;
        if granted.buyer != buyer {
            return Err(refuse::not_found(license));
        }
        let enrolled = self.shelf.find::<Device>(&tables::device(&device), device).await?;
        self.usable(&enrolled.value, device, now)?;
        record.value.standing =
            record.value.standing.hold(&granted.terms, device, now).map_err(refuse::status)?;
        let hold = self.hold(&granted, device, now);
        let placed = Hold { statement: self.keys.state(&hold), stage: Stage::Placed };
        let commit = put(Commit::new(), tables::license(&license), &record.value, record.expected());
        let commit = put(commit, tables::hold(&hold.id), &placed, Expect::Absent);
        let commit =
            put(commit, tables::hold_due(hold.admit_by, &hold.id), &Pointer::from(hold.id), Expect::Absent);
        // A device revoked between our look and the commit makes the commit fail and the call decide again.
        let commit = commit.check(tables::device(&device), enrolled.expected());
        let answer = wire::PlaceHoldResponse {
            hold: placed.statement.emit(),
            license: record.value.statement.emit(),
            device_certificate: enrolled.value.certificate.emit(),
        };
        Ok(Draft { commit, answer })
    }

    /// Nothing is admitted past the license's own end, so a hold near it has less time.
    fn hold(&self, license: &terms::License, device: DeviceId, now: Timestamp) -> terms::Hold {
        let in_time = now.plus(self.lifetimes.hold_admit);
        let admit_by = match license.terms.expires {
            Expiry::Never => in_time,
            Expiry::At(end) => in_time.min(end),
        };
        terms::Hold {
            id: HoldId::from_bytes(self.randomness.bytes()),
            license: license.id,
            job: JobId::from_bytes(self.randomness.bytes()),
            device,
            issued: now,
            admit_by,
            settle_by: now.plus(self.lifetimes.hold_settle),
        }
    }

    /// Refuses a device that was revoked or whose certificate has ended.
    fn usable(&self, device: &Device, id: DeviceId, now: Timestamp) -> Result<(), Status> {
        if let Revocation::At(_) = device.revocation {
            return Err(Reason::DeviceRevoked.status(format!("{id} was revoked: choose another device")));
        }
        let certificate: DeviceCertificate = self.issued(&device.certificate)?;
        if now >= certificate.expires {
            return Err(Reason::DeviceNotAllowed
                .status(format!("the certificate of {id} has ended: enrol the device again")));
        }
        Ok(())
    }

    /// Refuses a report about a hold nobody placed before any public-key work is done for it (Q6). What it says
    /// is not believed yet.
    async fn known_hold(&self, report: &Statement) -> Result<(), Status> {
        let seen = JobReport::parse(report.payload())
            .map_err(|error| refuse::invalid(format!("`report` is no job report: {error}")))?;
        self.shelf.find::<Hold>(&tables::hold(&seen.hold), seen.hold).await.map(drop)
    }

    /// Placed → admitted by the vault that reports it, once.
    async fn admit(&self, report: &Verified<JobReport>, now: Timestamp) -> Result<(), Status> {
        let vault = (*report.signer()).into();
        for _ in 0..ATTEMPTS {
            let record = self.shelf.find::<Hold>(&tables::hold(&report.hold), report.hold).await?;
            let hold: terms::Hold = self.issued(&record.value.statement)?;
            match record.value.stage {
                Stage::Admitted(by) if by == vault && report.job == hold.job => return Ok(()),
                Stage::Admitted(_) | Stage::Settled(_, _) => {
                    return Err(Reason::HoldUsed
                        .status(format!("{} was used or settled already: place another hold", hold.id)));
                }
                Stage::Placed => {}
            }
            let commit = self.admission(report, &hold, &record, now).await?;
            // If we crash before this commit the hold is free to be admitted until its deadline; if after, the
            // same vault asks again and is told the same.
            match self.shelf.0.commit(commit).await {
                Ok(_) => return Ok(()),
                Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(refuse::commit(&error)),
            }
        }
        Err(refuse::busy())
    }

    async fn admission(
        &self,
        report: &Verified<JobReport>,
        hold: &terms::Hold,
        record: &Loaded<Hold>,
        now: Timestamp,
    ) -> Result<Commit, Status> {
        if report.event != JobEvent::Admitted || report.job != hold.job {
            return Err(refuse::untrusted("report", "it does not admit this hold's job"));
        }
        if now >= hold.admit_by {
            return Err(Reason::HoldExpired
                .status(format!("{} had to be admitted earlier: place another hold", hold.id)));
        }
        let device = self.shelf.owned::<Device>(&tables::device(&hold.device)).await?;
        self.usable(&device.value, hold.device, now)?;
        let (license, _) = self.license(hold.license).await?;
        license.value.standing.unrevoked().map_err(refuse::status)?;
        let stage = Stage::Admitted((*report.signer()).into());
        let admitted = Hold { stage, ..record.value.clone() };
        let commit = put(Commit::new(), tables::hold(&hold.id), &admitted, record.expected());
        let commit = commit.delete(tables::hold_due(hold.admit_by, &hold.id), Expect::Anything);
        let row = tables::hold_due(hold.settle_by, &hold.id);
        let commit = put(commit, row, &Pointer::from(hold.id), Expect::Anything);
        Ok(commit.check(tables::device(&hold.device), device.expected()))
    }

    /// What a device's final receipt claims. A revoked device, or one whose certificate has ended since, still
    /// reports what it did before. Its word alone settles nothing: while its vault has not closed the job, keys
    /// still leave.
    async fn receipt(&self, id: HoldId, bytes: &[u8], countersignature: &[u8]) -> Result<Claim, Status> {
        let statement = refuse::parse_statement(bytes, "receipt")?;
        let (record, hold) = self.placed(id).await?;
        let device = self.shelf.owned::<Device>(&tables::device(&hold.device)).await?;
        let certificate: DeviceCertificate = self.issued(&device.value.certificate)?;
        let key = VerifyingKey::try_from(certificate.sign).map_err(|_| refuse::damaged(hold.device))?;
        let (outcome, extent) =
            evidence::final_receipt(&statement, &hold, &key).map_err(unproven("receipt"))?;
        countersigned(&record.value.stage, &hold, &statement, countersignature)?;
        Ok(Claim::Receipt(outcome, extent))
    }

    /// What a vault's withdrawal claims: by the vault that admitted the hold, or, before any did, by one that
    /// the root certifies.
    async fn withdrawal(&self, id: HoldId, bytes: &[u8]) -> Result<Claim, Status> {
        let statement = refuse::parse_statement(bytes, "report")?;
        let (record, hold) = self.placed(id).await?;
        let keys: Vec<VerifyingKey> = match record.value.stage {
            Stage::Admitted(vault) | Stage::Settled(Some(vault), _) => {
                VerifyingKey::try_from(vault).into_iter().collect()
            }
            Stage::Placed | Stage::Settled(None, _) => self.trust.keys_of(Role::Vault).collect(),
        };
        let signer = keys.into_iter().find(|key| key.key_id() == statement.signer());
        let signer =
            signer.ok_or_else(|| refuse::untrusted("report", "not signed by the vault of this hold"))?;
        evidence::withdrawn(&statement, &hold, &signer).map_err(unproven("report"))?;
        Ok(Claim::Withdrawal(signer.into()))
    }

    async fn placed(&self, id: HoldId) -> Result<(Loaded<Hold>, terms::Hold), Status> {
        let record = self.shelf.find::<Hold>(&tables::hold(&id), id).await?;
        let hold: terms::Hold = self.issued(&record.value.statement)?;
        if hold.id == id { Ok((record, hold)) } else { Err(refuse::damaged(terms::Hold::TYPE)) }
    }
}

/// Refuses a receipt that the vault which admitted the hold did not countersign: this very receipt, for this hold.
fn countersigned(stage: &Stage, hold: &terms::Hold, receipt: &Statement, bytes: &[u8]) -> Result<(), Status> {
    let (Stage::Admitted(vault) | Stage::Settled(Some(vault), _)) = stage else {
        return Err(refuse::untrusted(
            "receipt",
            "no vault admitted this hold, so nothing was printed under it",
        ));
    };
    if bytes.is_empty() {
        let mend = "missing: a receipt goes to the vault that admitted the hold, which countersigns it";
        return Err(refuse::untrusted("countersignature", mend));
    }
    let vault = VerifyingKey::try_from(*vault).map_err(|_| refuse::damaged(hold.id))?;
    let statement = refuse::parse_statement(bytes, "countersignature")?;
    evidence::countersigned(&statement, hold, receipt, &vault).map_err(unproven("countersignature"))
}

/// The refusal of a piece of evidence, by its field's name.
fn unproven(field: &'static str) -> impl Fn(NotEvidence) -> Status {
    move |error| match error {
        NotEvidence::Refused(why) => refuse::untrusted(field, why),
        NotEvidence::NotFinal => refuse::invalid(format!("`{field}`: {error}")),
        NotEvidence::OtherHold | NotEvidence::OtherReceipt | NotEvidence::NotWithdrawn => {
            refuse::untrusted(field, error)
        }
    }
}

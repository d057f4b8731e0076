//! The vault's line to the licensor: three questions, answered by statements that are verified here or by
//! whoever uses them. The vault trusts the answers' signatures, never the line.

use async_trait::async_trait;
use layerlock_proto::licensor::v1 as wire;
use layerlock_proto::licensor::v1::copies_client::CopiesClient;
use layerlock_proto::licensor::v1::settle_hold_request;
use layerlock_proto::licensor::v1::trust_client::TrustClient;
use layerlock_proto::refusal::Reason;
use layerlock_proto::trace::Carry;
use layerlock_proto::types::v1::LedgerEntry;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::Endorsement;
use layerlock_terms::ids::HoldId;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;

use crate::refusal::Refusal;

/// What the vault asks of the licensor.
#[async_trait]
pub trait LicensorLink: Send + Sync + 'static {
    /// Marks the report's hold as used by this vault; answers with the revocations of now. Twice: the same.
    async fn admit_hold(&self, report: Statement, vault: Endorsement) -> Result<Statement, LinkError>;

    /// Settles a hold by this evidence. Twice: the same entry.
    async fn settle_hold(&self, hold: HoldId, evidence: Evidence) -> Result<LedgerEntry, LinkError>;

    /// The revocations of now.
    async fn revocations(&self) -> Result<Statement, LinkError>;
}

/// How a hold ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// The device's final receipt, which closed the job.
    Receipt {
        /// By the device.
        receipt: Statement,
        /// By this vault, of that receipt.
        countersignature: Statement,
    },
    /// The vault's withdrawal.
    Withdrawal(Statement),
}

/// Why the licensor gave no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// It says no, and will say so again.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It can't be reached, or can't answer just now.
    #[error("the licensor does not answer ({0}): try again later")]
    Unreachable(String),
}

/// The licensor over gRPC.
#[derive(Debug, Clone)]
pub struct GrpcLicensor {
    copies: CopiesClient<InterceptedService<Channel, Carry>>,
    trust: TrustClient<InterceptedService<Channel, Carry>>,
}

impl GrpcLicensor {
    /// Speaks over `channel`, which whoever makes it has bounded and authenticated.
    pub fn new(channel: Channel) -> Self {
        Self {
            copies: CopiesClient::with_interceptor(channel.clone(), Carry),
            trust: TrustClient::with_interceptor(channel, Carry),
        }
    }
}

#[async_trait]
impl LicensorLink for GrpcLicensor {
    async fn admit_hold(&self, report: Statement, vault: Endorsement) -> Result<Statement, LinkError> {
        let request = wire::AdmitHoldRequest { report: report.emit(), vault_certificate: vault.emit() };
        let answer = self.copies.clone().admit_hold(request).await.map_err(refused_or_unreachable)?;
        parse(&answer.into_inner().revocations)
    }

    async fn settle_hold(&self, hold: HoldId, evidence: Evidence) -> Result<LedgerEntry, LinkError> {
        let (evidence, countersignature) = match evidence {
            Evidence::Receipt { receipt, countersignature } => {
                (settle_hold_request::Evidence::Receipt(receipt.emit()), countersignature.emit())
            }
            Evidence::Withdrawal(report) => {
                (settle_hold_request::Evidence::Report(report.emit()), Vec::new())
            }
        };
        let request =
            wire::SettleHoldRequest { hold: hold.to_string(), evidence: Some(evidence), countersignature };
        let answer = self.copies.clone().settle_hold(request).await.map_err(refused_or_unreachable)?;
        answer.into_inner().entry.ok_or_else(|| LinkError::Unreachable("it answered without an entry".into()))
    }

    async fn revocations(&self) -> Result<Statement, LinkError> {
        let request = wire::GetRevocationsRequest {};
        let answer = self.trust.clone().get_revocations(request).await.map_err(refused_or_unreachable)?;
        parse(&answer.into_inner().revocations)
    }
}

fn parse(statement: &[u8]) -> Result<Statement, LinkError> {
    Statement::parse(statement)
        .map_err(|error| LinkError::Unreachable(format!("its answer is malformed: {error}")))
}

/// A refusal names a reason of the closed list that another try won't change; all else may be better later.
fn refused_or_unreachable(status: tonic::Status) -> LinkError {
    match Reason::of(&status) {
        Some(reason @ (Reason::Stopped | Reason::Busy | Reason::DiskFull)) => {
            LinkError::Unreachable(reason.as_str().to_owned())
        }
        Some(reason) => LinkError::Refused(Refusal::new(reason, status.message())),
        None => LinkError::Unreachable(status.code().to_string()),
    }
}

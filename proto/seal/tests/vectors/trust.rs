//! Runs the files of `proto/vectors/trust`: endorsements, chains of roots, what services state, attestations.

use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::trust::{Anchors, Endorsement, TrustError, TrustedRoot};
use layerlock_terms::digest::{Digest, OpenKey, SignKey};
use layerlock_terms::trust::{DeviceCertificate, Revocations, Role, SellerCertificate, SessionWelcome};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

use super::Outcome;
use super::file::Vector;

impl From<TrustError> for Outcome {
    fn from(error: TrustError) -> Self {
        let word = match error {
            TrustError::Malformed(malformed) => return malformed.into(),
            TrustError::Refused(refused) => return refused.into(),
            TrustError::UnfitKey { .. } | TrustError::UnfitService(_) => "refused-key",
            TrustError::OtherNoun { .. } => "refused-type",
            TrustError::BelowThreshold { .. } => "refused-threshold",
            TrustError::WrongRoot { .. } => "refused-digest",
            TrustError::OlderRoot { .. } | TrustError::OlderList { .. } => "refused-older",
            TrustError::TwinRoot(_) | TrustError::TwinList(_) => "refused-twin",
            TrustError::SkippedRoot { .. } => "refused-skipped",
            TrustError::Expired { .. } => "refused-ended",
            TrustError::Withdrawn(_) => "refused-withdrawn",
            TrustError::OtherPurpose { .. } => "refused-other-purpose",
            TrustError::NotServing { .. } => "refused-not-serving",
            TrustError::NoAuthority(_) => "refused-authority",
            TrustError::OtherOem { .. } => "refused-maker",
            TrustError::OtherMachine { .. } => "refused-machine",
            TrustError::OtherDevice(_) => "refused-device",
            TrustError::NoRoot
            | TrustError::OtherPayload
            | TrustError::OtherSignature(_)
            | TrustError::TooManySignatures => panic!("no file leads here: {error}"),
        };
        Self::new(word)
    }
}

pub fn run_endorsement(vector: &Vector) -> Result<(), Outcome> {
    let bytes = vector.unhex("endorsement");
    assert_eq!(Endorsement::parse(&bytes)?.emit(), bytes, "{}: one byte form", vector.name);
    Ok(())
}

pub fn run_root(vector: &Vector) -> Result<(), Outcome> {
    let roots =
        vector.all("root").iter().map(|root| Endorsement::parse(root)).collect::<Result<Vec<_>, _>>()?;
    let told = vector.find("told").is_some().then(|| Digest(vector.array("told")));
    let root = match told {
        Some(_) => TrustedRoot::first(&roots, told)?,
        None => TrustedRoot::begin(&roots[0])?.walk(&roots[1..])?,
    };
    root.current(now(vector))?;
    Ok(())
}

pub fn run_service(vector: &Vector) -> Result<(), Outcome> {
    let anchors = anchors(vector)?;
    let statement = Statement::parse(&vector.unhex("statement"))?;
    let (now, [role]) = (now(vector), vector.array("role"));
    match vector.field("type") {
        DeviceCertificate::TYPE => drop(anchors.device(&statement, now)?),
        SellerCertificate::TYPE => drop(anchors.seller(&statement, now)?),
        Revocations::TYPE => drop(anchors.revocations(&statement, known(vector)?.as_ref(), now)?),
        SessionWelcome::TYPE => {
            let role = Role::ALL.into_iter().find(|known| *known as u8 == role).expect("a role");
            anchors.verify::<SessionWelcome>(role, &statement, now)?;
        }
        other => panic!("{}: unknown type `{other}`", vector.name),
    }
    Ok(())
}

/// The list of revocations the reader has already.
fn known(vector: &Vector) -> Result<Option<Verified<Revocations>>, Outcome> {
    if vector.find("known").is_none() {
        return Ok(None);
    }
    let key = VerifyingKey::parse(&vector.unhex("known-key"))?;
    Ok(Some(Statement::parse(&vector.unhex("known"))?.verify(&key)?))
}

pub fn run_attestation(vector: &Vector) -> Result<(), Outcome> {
    let anchors = anchors(vector)?;
    let statement = Statement::parse(&vector.unhex("statement"))?;
    let device = (SignKey(vector.array("sign")), OpenKey(vector.array("open")));
    anchors.attested(&statement, device, now(vector))?;
    Ok(())
}

fn anchors(vector: &Vector) -> Result<Anchors, Outcome> {
    let mut anchors = Anchors::new(TrustedRoot::begin(&Endorsement::parse(&vector.unhex("root"))?)?, &[])?;
    for certificate in vector.all("certificate") {
        anchors.certify(&Endorsement::parse(&certificate)?)?;
    }
    Ok(anchors)
}

fn now(vector: &Vector) -> Timestamp {
    Timestamp(u64::from_be_bytes(vector.array("now")))
}

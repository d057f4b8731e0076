//! Who calls about designs: a seller, by two statements in the call's metadata.
//!
//! The certificate is the licensor's word for the seller's key; the pass is signed with that key, for this vault
//! and a short time. There are no accounts here and nothing to steal from the store.

use layerlock_proto::refusal::Reason;
use layerlock_seal::keys::VerifyingKey;
use layerlock_seal::statement::Statement;
use layerlock_seal::trust::Anchors;
use layerlock_terms::ids::SellerId;
use layerlock_terms::trust::SellerPass;
use layerlock_terms::units::Timestamp;
use tonic::metadata::MetadataMap;

use crate::refusal::Refusal;

/// Metadata that carries the seller's certificate.
pub const CERTIFICATE: &str = "layerlock-seller-certificate-bin";

/// Metadata that carries the seller's pass.
pub const PASS: &str = "layerlock-seller-pass-bin";

/// A seller whose pass was checked. Made by [`Caller::check`] alone.
#[derive(Debug, Clone, Copy)]
pub struct Caller {
    seller: SellerId,
    key: VerifyingKey,
}

impl Caller {
    /// Checks a call's metadata; `vault` is this vault's delivery key.
    ///
    /// # Errors
    /// [`Reason::Unauthenticated`] names what is missing, foreign or past its end.
    pub fn check(
        metadata: &MetadataMap,
        trust: &Anchors,
        vault: &VerifyingKey,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let certificate = trust.seller(&statement(metadata, CERTIFICATE)?, now);
        let certificate = certificate.map_err(|why| no(format!("the seller certificate: {why}")))?;
        let key = VerifyingKey::try_from(certificate.key).map_err(|_| no("the seller's key is unfit"))?;
        let pass = statement(metadata, PASS)?.verify::<SellerPass>(&key);
        let pass = pass.map_err(|why| no(format!("the seller pass: {why}")))?;
        if pass.vault.as_bytes() != vault.as_bytes() || pass.seller != certificate.seller {
            return Err(no("the seller pass is for another vault or seller: sign a new one"));
        }
        if now >= pass.expires {
            return Err(no("the seller's pass has expired: sign a new one"));
        }
        Ok(Self { seller: certificate.seller, key })
    }

    /// The seller.
    pub fn seller(&self) -> SellerId {
        self.seller
    }

    /// Verifies what the seller signs.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

fn statement(metadata: &MetadataMap, name: &'static str) -> Result<Statement, Refusal> {
    let value = metadata.get_bin(name).ok_or_else(|| no(format!("`{name}` is missing")))?;
    let bytes = value.to_bytes().map_err(|_| no(format!("`{name}` is not base64")))?;
    Statement::parse(&bytes).map_err(|error| no(format!("`{name}`: {error}")))
}

fn no(words: impl Into<String>) -> Refusal {
    Refusal::new(Reason::Unauthenticated, words)
}

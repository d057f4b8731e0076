//! Who calls: `authorization: Bearer <API key>` → operator, seller or buyer.
//!
//! Keys are 256 random bits and stored as hashes; the operator's hash comes with the configuration and is compared
//! in constant time, the others are looked up by hash, which tells nothing to who doesn't hold the key. Calls that
//! carry their own signature (vaults, devices) come here not at all. Deliberately absent: sessions, cookies.

use layerlock_proto::refusal::Reason;
use layerlock_seal::token::{ApiKey, ApiKeyHash};
use layerlock_terms::ids::{BuyerId, SellerId};
use tonic::Status;
use tonic::metadata::MetadataMap;

use crate::records::{Party, Shelf, tables};

/// The party whose API key came with a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Runs the licensor.
    Operator,
    /// Owns designs.
    Seller(SellerId),
    /// Holds licenses.
    Buyer(BuyerId),
}

impl Caller {
    /// Who holds the key in this metadata.
    pub(crate) async fn of(
        metadata: &MetadataMap,
        operator: &ApiKeyHash,
        shelf: &Shelf,
    ) -> Result<Self, Status> {
        let hash = bearer(metadata).ok_or_else(no_key)?.hash();
        if hash == *operator {
            return Ok(Self::Operator);
        }
        match shelf.load::<Party>(&tables::api_key(&hash)).await? {
            Some(party) => Ok(party.value.into()),
            None => Err(no_key()),
        }
    }

    pub(crate) fn operator(self) -> Result<(), Status> {
        match self {
            Self::Operator => Ok(()),
            Self::Seller(_) | Self::Buyer(_) => Err(wrong_party("the operator")),
        }
    }

    pub(crate) fn seller(self) -> Result<SellerId, Status> {
        match self {
            Self::Seller(seller) => Ok(seller),
            Self::Operator | Self::Buyer(_) => Err(wrong_party("a seller")),
        }
    }

    pub(crate) fn buyer(self) -> Result<BuyerId, Status> {
        match self {
            Self::Buyer(buyer) => Ok(buyer),
            Self::Operator | Self::Seller(_) => Err(wrong_party("a buyer")),
        }
    }

    pub(crate) fn operator_or_seller(self) -> Result<(), Status> {
        match self {
            Self::Operator | Self::Seller(_) => Ok(()),
            Self::Buyer(_) => Err(wrong_party("the operator or a seller")),
        }
    }

    /// The owner whose licenses this caller may list.
    pub(crate) fn seller_or_buyer(self) -> Result<[u8; 16], Status> {
        match self {
            Self::Seller(seller) => Ok(*seller.as_bytes()),
            Self::Buyer(buyer) => Ok(*buyer.as_bytes()),
            Self::Operator => Err(wrong_party("a seller or a buyer")),
        }
    }

    /// One byte of kind and the id: names the caller in the memory of its requests.
    pub(crate) fn name(self) -> Vec<u8> {
        match self {
            Self::Operator => vec![0],
            Self::Seller(id) => [&[1], &id.as_bytes()[..]].concat(),
            Self::Buyer(id) => [&[2], &id.as_bytes()[..]].concat(),
        }
    }
}

impl From<Party> for Caller {
    fn from(party: Party) -> Self {
        match party {
            Party::Seller(seller) => Self::Seller(seller),
            Party::Buyer(buyer) => Self::Buyer(buyer),
        }
    }
}

fn bearer(metadata: &MetadataMap) -> Option<ApiKey> {
    let text = metadata.get("authorization")?.to_str().ok()?;
    ApiKey::parse(text.strip_prefix("Bearer ")?).ok()
}

/// One answer for no key, a malformed key and a key nobody has.
fn no_key() -> Status {
    Reason::Unauthenticated.status("no known API key: send `authorization: Bearer <API key>`")
}

fn wrong_party(wanted: &str) -> Status {
    Reason::WrongParty.status(format!("this call is for {wanted}: use an API key of that kind"))
}

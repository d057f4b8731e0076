//! The keys records stand under, and the indexes that list them oldest first.
//!
//! An index row's key is (owner, moment, id), big-endian, so key order is age order and one owner's listing never
//! reaches into another's (L9). Deliberately absent: what the rows hold.

use layerlock_seal::enrolment::KeptCode;
use layerlock_seal::token::ApiKeyHash;
use layerlock_store::{Key, Prefix};
use layerlock_terms::digest::SignKey;
use layerlock_terms::ids::{BuyerId, DeviceId, HoldId, LicenseId, OfferId, RequestId, SellerId};
use layerlock_terms::units::Timestamp;

/// One licensor's records of one kind.
macro_rules! by_id {
    ($($name:ident($id:ty) = $table:literal),+ $(,)?) => {
        $(pub(crate) fn $name(id: &$id) -> Key {
            key($table, &[id.as_bytes()])
        })+
    };
}

by_id! {
    api_key(ApiKeyHash) = "api-key",
    seller(SellerId) = "seller",
    buyer(BuyerId) = "buyer",
    offer(OfferId) = "offer",
    license(LicenseId) = "license",
    hold(HoldId) = "hold",
    device(DeviceId) = "device",
    device_key(SignKey) = "device-key",
    code(KeptCode) = "code",
    attestation(DeviceId) = "attestation",
}

/// An answered request, by who made it, which call it was and its id.
pub(crate) fn request(caller: &[u8], method: &'static str, id: &RequestId) -> Key {
    key("request", &[caller, method.as_bytes(), id.as_bytes()])
}

pub(crate) fn revocations() -> Key {
    key("revocations", &[])
}

pub(crate) fn head() -> Key {
    key("ledger-head", &[])
}

pub(crate) fn leaf(index: u64) -> Key {
    key("ledger-leaf", &[&index.to_be_bytes()])
}

pub(crate) fn leaves() -> Prefix {
    prefix("ledger-leaf", &[])
}

pub(crate) fn licenses() -> Prefix {
    prefix("license", &[])
}

pub(crate) fn holds() -> Prefix {
    prefix("hold", &[])
}

pub(crate) fn offer_of(seller: &SellerId, made: Timestamp, id: &OfferId) -> Key {
    key("offer-of", &[seller.as_bytes(), &made.0.to_be_bytes(), id.as_bytes()])
}

pub(crate) fn offers_of(seller: &SellerId) -> Prefix {
    prefix("offer-of", &[seller.as_bytes()])
}

/// `owner` is a seller's or a buyer's 16 bytes; both are random, so they share one index.
pub(crate) fn license_of(owner: &[u8; 16], issued: Timestamp, id: &LicenseId) -> Key {
    key("license-of", &[owner, &issued.0.to_be_bytes(), id.as_bytes()])
}

pub(crate) fn licenses_of(owner: &[u8; 16]) -> Prefix {
    prefix("license-of", &[owner])
}

pub(crate) fn device_by_age(enrolled: Timestamp, id: &DeviceId) -> Key {
    key("device-by-age", &[&enrolled.0.to_be_bytes(), id.as_bytes()])
}

pub(crate) fn devices_by_age() -> Prefix {
    prefix("device-by-age", &[])
}

/// A hold that ends by rule at `due` unless something ends it before.
pub(crate) fn hold_due(due: Timestamp, id: &HoldId) -> Key {
    key("hold-due", &[&due.0.to_be_bytes(), id.as_bytes()])
}

pub(crate) fn holds_due() -> Prefix {
    prefix("hold-due", &[])
}

/// When a row of [`holds_due`] is due.
pub(crate) fn due_of(row: &Key) -> Option<Timestamp> {
    let parts = row.parts();
    let due: [u8; 8] = parts.first()?.as_slice().try_into().ok()?;
    Some(Timestamp(u64::from_be_bytes(due)))
}

fn key(table: &'static str, parts: &[&[u8]]) -> Key {
    Key::new(table, parts).expect("a table's name and a few ids are under the bound of keys")
}

fn prefix(table: &'static str, parts: &[&[u8]]) -> Prefix {
    Prefix::new(table, parts).expect("a table's name and an id are under the bound of keys")
}

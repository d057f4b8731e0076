//! Any bytes as any of the nouns that trust rests on, and as a trust file; and any successor of a right root, signed
//! by any of five keys: it is taken exactly when the rules of the page say so. The first byte says which.
#![no_main]

use std::sync::LazyLock;

use layerlock_proto_fuzz::{bounded, is_one_noun, is_stated};
use layerlock_seal::keys::SigningKey;
use layerlock_seal::trust::{Endorsement, TrustedRoot};
use layerlock_terms::license::{Hold, License};
use layerlock_terms::profile::Profile;
use layerlock_terms::receipt::{Countersignature, JobReport, Receipt, Settlement};
use layerlock_terms::trust::{
    DesignManifest, DeviceAttestation, DeviceCertificate, EnrolmentRequest, Revocations, Root,
    SellerCertificate, SellerPass, ServiceCertificate, SessionProof, SessionWelcome, UploadTicket,
};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

/// What is read, in the order of the first byte; the seeds follow it.
const READERS: [fn(&[u8]); 21] = [
    root,
    is_stated::<ServiceCertificate>,
    is_stated::<SellerCertificate>,
    is_stated::<DeviceCertificate>,
    is_stated::<EnrolmentRequest>,
    revocations,
    is_stated::<DesignManifest>,
    is_stated::<SellerPass>,
    is_stated::<UploadTicket>,
    is_stated::<SessionProof>,
    is_stated::<SessionWelcome>,
    is_stated::<License>,
    is_stated::<Hold>,
    is_stated::<Profile>,
    is_stated::<Receipt>,
    is_stated::<JobReport>,
    is_stated::<Countersignature>,
    settlement,
    is_stated::<DeviceAttestation>,
    endorsement,
    successor,
];

fn root(bytes: &[u8]) {
    if let Some(root) = is_one_noun::<Root>(bytes) {
        assert!((1..=root.keys.len()).contains(&root.threshold.into()), "a threshold nobody can meet");
    }
    is_stated::<Root>(bytes);
}

fn revocations(bytes: &[u8]) {
    if let Some(list) = is_one_noun::<Revocations>(bytes) {
        assert!(list.devices.is_sorted_by(|a, b| a < b));
    }
    is_stated::<Revocations>(bytes);
}

fn settlement(bytes: &[u8]) {
    if let Some(settlement) = is_one_noun::<Settlement>(bytes) {
        assert!(settlement.counts.balanced());
    }
    is_stated::<Settlement>(bytes);
}

/// A trust file: one byte form, and no root unless its own keys say so.
fn endorsement(bytes: &[u8]) {
    let Ok(endorsement) = bounded(bytes.len(), || Endorsement::parse(bytes)) else { return };
    assert_eq!(endorsement.emit(), bytes);
    let mut joined = endorsement.clone();
    joined.join(&endorsement).expect("a copy says the same");
    assert_eq!(joined, endorsement);
    if let Ok(root) = TrustedRoot::begin(&endorsement) {
        assert!(endorsement.signers().count() >= usize::from(root.threshold));
        assert_eq!(root.emit(), endorsement.payload());
    }
}

/// Five offline keys; the right root lists the first three and asks for two.
static KEYS: LazyLock<[SigningKey; 5]> =
    LazyLock::new(|| std::array::from_fn(|place| SigningKey::from_seed(&[place as u8; 32])));

static RIGHT: LazyLock<TrustedRoot> = LazyLock::new(|| {
    let root = Root::new(1, END, 2, listed(0b111));
    TrustedRoot::begin(&Endorsement::signed(&root, &signing(0b11))).expect("two of three signed it")
});

const END: Timestamp = Timestamp(1_800_000_000_000);

/// Those of the five whose bit is set.
fn signing(bits: u8) -> Vec<&'static SigningKey> {
    KEYS.iter().enumerate().filter(|(place, _)| bits >> place & 1 == 1).map(|(_, key)| key).collect()
}

fn listed(bits: u8) -> Vec<layerlock_terms::digest::SignKey> {
    signing(bits).into_iter().map(|key| key.verifying_key().into()).collect()
}

/// A root offered after the right one: whom it lists, its threshold and version, who signed it, and one byte of the
/// file changed.
fn successor(bytes: &[u8]) {
    let [signers, keys, threshold, version, high, low, xor] = *bytes else { return };
    let (signers, keys) = (signers & 0b11111, keys & 0b11111);
    let offered = Root::new(version.into(), END, threshold, listed(keys));
    let file = Endorsement::signed(&offered, &signing(signers));
    let mut changed = file.emit();
    let at = usize::from(u16::from_be_bytes([high, low])) % changed.len();
    changed[at] ^= xor;

    let well_formed = version >= 1 && (1..=keys.count_ones()).contains(&threshold.into());
    let handed_over = (signers & 0b111).count_ones() >= 2;
    let takes_over = (signers & keys).count_ones() >= threshold.into();
    let same = offered == **RIGHT.endorsed();
    let right = well_formed && ((version == 2 && handed_over && takes_over) || same);

    let Ok(read) = Endorsement::parse(&changed) else { return assert!(xor != 0) };
    let taken = RIGHT.clone().walk(std::slice::from_ref(&read));
    match xor {
        0 => assert_eq!(taken.is_ok(), right),
        // A changed signature can be one too many; a changed payload fits none of them.
        _ => assert!(taken.is_err() || (right && read.payload() == file.payload())),
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((reader, bytes)) = bytes.split_first() else { return };
    if let Some(read) = READERS.get(usize::from(*reader)) {
        read(bytes);
    }
});

//! Any bytes as any of the nouns that trust rests on; the first byte says which.
#![no_main]

use layerlock_proto_fuzz::{is_one_noun, is_stated};
use layerlock_terms::license::{Hold, License};
use layerlock_terms::profile::Profile;
use layerlock_terms::receipt::{Countersignature, JobReport, Receipt, Settlement};
use layerlock_terms::trust::{
    DesignManifest, DeviceCertificate, EnrolmentRequest, Revocations, Root, SellerCertificate, SellerPass,
    ServiceCertificate, SessionProof, SessionWelcome,
};

/// The nouns, in the order of the first byte; the seeds follow it.
const NOUNS: [fn(&[u8]); 17] = [
    root,
    is_stated::<ServiceCertificate>,
    is_stated::<SellerCertificate>,
    is_stated::<DeviceCertificate>,
    is_stated::<EnrolmentRequest>,
    revocations,
    is_stated::<DesignManifest>,
    is_stated::<SellerPass>,
    is_stated::<SessionProof>,
    is_stated::<SessionWelcome>,
    is_stated::<License>,
    is_stated::<Hold>,
    is_stated::<Profile>,
    is_stated::<Receipt>,
    is_stated::<JobReport>,
    is_stated::<Countersignature>,
    settlement,
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

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((noun, bytes)) = bytes.split_first() else { return };
    if let Some(read) = NOUNS.get(usize::from(*noun)) {
        read(bytes);
    }
});

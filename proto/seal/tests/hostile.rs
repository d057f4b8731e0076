//! Whatever bytes come, readers refuse them in words: no panic, no allocation beyond what came, nothing
//! taken that isn't the one byte form. A failing case prints its inputs and is replayed by them.

mod support;

use layerlock_seal::blob::{self, Part, Place};
use layerlock_seal::keys::{VerifyingKey, WrappingKey};
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{Checker, Ends, Sealer, Segment};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::ids::{DesignId, SellerId};
use layerlock_terms::release::KeyRelease;
use layerlock_terms::wire::Noun;
use proptest::prelude::*;
use support::{Repeatable, header, kek, signer, summary};

fn changed(bytes: &[u8], at: prop::sample::Index, xor: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at.index(bytes.len())] ^= xor;
    changed
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400), limit in 1u32..100) {
        let _ = VerifyingKey::parse(&bytes);
        let _ = WrappingKey::parse(&bytes);
        let _ = blob::Header::parse(&bytes);
        if let Ok(statement) = Statement::parse(&bytes) {
            prop_assert_eq!(statement.emit(), bytes.clone());
        }
        if let Ok(release) = KeyRelease::parse(&bytes) {
            prop_assert_eq!(release.emit(), bytes.clone());
        }
        if let Ok((segment, rest)) = Segment::split_first(&bytes, limit) {
            prop_assert!(segment.info().length <= limit && rest.len() < bytes.len());
        }
    }

    #[test]
    fn a_changed_statement_is_never_verified(at in any::<prop::sample::Index>(), xor in 1u8..) {
        let bytes = changed(&Statement::sign(&header(), &signer()).emit(), at, xor);
        let key = signer().verifying_key();
        prop_assert!(Statement::parse(&bytes).map_or(true, |it| it.verify::<EnvelopeHeader>(&key).is_err()));
    }

    #[test]
    fn a_changed_noun_reads_as_another_noun_or_not_at_all(at in any::<prop::sample::Index>(), xor in 1u8..) {
        let bytes = changed(&header().emit(), at, xor);
        if let Ok(other) = EnvelopeHeader::parse(&bytes) {
            prop_assert_ne!(&other, &header());
            prop_assert_eq!(other.emit(), bytes);
        }
    }

    #[test]
    fn bytes_of_the_right_length_are_one_manifest(
        mut bytes in prop::collection::vec(any::<u8>(), 124..1000),
    ) {
        // Where the count of commitments stands, and how many fit.
        let (at, around) = (80, 124);
        let count = (bytes.len() - around) / 32;
        bytes.truncate(around + 32 * count);
        bytes[at..at + 4].copy_from_slice(&(count as u32).to_be_bytes());
        prop_assert_eq!(Manifest::parse(&bytes).unwrap().emit(), bytes);
    }

    #[test]
    fn a_changed_blob_never_opens(at in any::<prop::sample::Index>(), xor in 1u8.., cut in any::<prop::sample::Index>()) {
        let place = Place {
            seller: SellerId::from_bytes([1; 16]),
            design: DesignId::from_bytes([2; 16]),
            version: Digest([3; 32]),
            part: Part::Record,
        };
        let whole = blob::seal(&kek(), &place, b"a name and a description", &mut Repeatable::new("blob"));
        prop_assert!(blob::open(&kek(), &place, &changed(&whole, at, xor)).is_err());
        prop_assert!(blob::open(&kek(), &place, &whole[..cut.index(whole.len())]).is_err());
    }

    #[test]
    fn a_changed_segment_is_never_taken(
        text in prop::collection::vec(any::<u8>(), 1..=64),
        at in any::<prop::sample::Index>(),
        xor in 1u8..,
        cut in any::<prop::sample::Index>(),
    ) {
        let mut sealer = Sealer::new(header(), signer(), &mut Repeatable::new("job"));
        let mut segment = Vec::new();
        sealer.seal(0, Ends::Toolpath, &text, &mut segment).unwrap();
        let verified = sealer.header().verify::<EnvelopeHeader>(&signer().verifying_key()).unwrap();
        let manifest = sealer.finish(summary()).unwrap().verify(&signer().verifying_key()).unwrap();
        let check = |segment: &[u8]| {
            let mut checker = Checker::new(verified.clone());
            checker.segment(segment).and_then(|_| checker.finish(&manifest))
        };
        prop_assert!(check(&changed(&segment, at, xor)).is_err());
        prop_assert!(check(&segment[..cut.index(segment.len())]).is_err());
        prop_assert!(check(&segment).is_ok());
    }
}

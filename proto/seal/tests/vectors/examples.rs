//! The worked examples of pages whose nouns have no files: each block of bytes is what the code writes.

use layerlock_seal::keys::SigningKey;
use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{BuyerId, DesignId, DeviceId, HoldId, JobId, LicenseId, OfferId, SellerId};
use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Hold, License, Release, Terms};
use layerlock_terms::machine::{Machine, Material};
use layerlock_terms::profile::{Preset, Profile};
use layerlock_terms::trust::{DesignManifest, EnrolmentRequest, SellerPass, SessionProof, SessionWelcome};
use layerlock_terms::units::{Millis, Percent, Timestamp};
use layerlock_terms::wire::Noun;

use super::pages::{example, page};
use super::support;

const ISSUED: Timestamp = Timestamp(1_700_000_000_000);
const DAY: u64 = 24 * 60 * 60 * 1000;

fn device() -> DeviceId {
    DeviceId::from_bytes([0x55; 16])
}

fn terms(devices: DeviceScope) -> Terms {
    Terms {
        copies: 2,
        expires: Expiry::At(ISSUED.plus(Millis(30 * DAY))),
        devices,
        scale_min: Percent(100),
        scale_max: Percent(120),
        materials: vec!["pla".into()],
        failure: FailurePolicy::SpendFrom(Percent(50)),
        release: Release::Window(2),
    }
}

fn license() -> License {
    License {
        id: LicenseId::from_bytes([0x33; 16]),
        offer: OfferId::from_bytes([0x77; 16]),
        seller: SellerId::from_bytes([0x71; 16]),
        buyer: BuyerId::from_bytes([0x78; 16]),
        design: DesignId::from_bytes([0x72; 16]),
        version: Digest([0x44; 32]),
        issued: ISSUED,
        terms: terms(DeviceScope::Listed(vec![device()])),
    }
}

fn hold() -> Hold {
    Hold {
        id: HoldId::from_bytes([0x22; 16]),
        license: LicenseId::from_bytes([0x33; 16]),
        job: JobId::from_bytes([0x11; 16]),
        device: device(),
        issued: ISSUED,
        admit_by: ISSUED.plus(Millis(DAY)),
        settle_by: ISSUED.plus(Millis(7 * DAY)),
    }
}

fn design() -> DesignManifest {
    DesignManifest {
        seller: SellerId::from_bytes([0x71; 16]),
        design: DesignId::from_bytes([0x72; 16]),
        version: Digest([0x44; 32]),
        length: 53_892,
        name: "solid cube".into(),
        terms: terms(DeviceScope::Any),
    }
}

fn profile() -> Profile {
    Profile::new(Machine::named("prusa-mk3s").expect("listed"), Material::Pla, Preset::Standard)
}

/// Whether a page's example shows these payloads, block by block: whole, or up to where it says `…`.
fn shows(name: &str, payloads: &[Vec<u8>]) {
    let page = page(name);
    let blocks: Vec<&str> = example(&page).split("```text\n").skip(1).collect();
    assert_eq!(blocks.len(), payloads.len(), "{name}: blocks");
    for (block, payload) in blocks.into_iter().zip(payloads) {
        let block = block.split("```").next().expect("it is closed");
        let written: String = payload.iter().map(|byte| format!("{byte:02x}")).collect();
        let shown: String = block.lines().filter_map(bytes_of).collect();
        let due = if block.contains('…') { &written[..shown.len()] } else { &written };
        assert!(shown.len() > 16 && shown == due, "{name}: shown\n{block}written\n{written}");
    }
}

/// The bytes of a line, which stand after its label.
fn bytes_of(line: &str) -> Option<&str> {
    line.get(14..)?.split_whitespace().next()
}

#[test]
fn the_examples_of_licenses_are_what_is_written() {
    shows("license", &[license().emit(), hold().emit(), design().emit(), profile().emit()]);
}

#[test]
fn the_examples_of_sessions_are_what_is_written() {
    let sign = SigningKey::from_seed(&[0x55; 32]).verifying_key().into();
    let vault = support::signer().verifying_key().into();
    let (code, open) = (Digest([0xc0; 32]), support::device().wrapping_key().into());
    let request = EnrolmentRequest { code, sign, open, machine: "prusa-mk3s".into() };
    let (challenge, nonce) = ([0xca_u8; 32], [7; 32]);
    let proof = [&device().as_bytes()[..], &challenge, &nonce, &7_u64.to_be_bytes()].concat();
    let proof = SessionProof::parse(&proof).expect("a proof");
    let welcome = SessionWelcome { nonce, now: ISSUED };
    let expires = ISSUED.plus(Millis(60_000));
    let pass = SellerPass { seller: SellerId::from_bytes([0x71; 16]), vault, expires };
    shows("session", &[request.emit(), proof.emit(), welcome.emit(), pass.emit()]);
}

//! One entry per vector: takes something right and breaks one rule.
//!
//! `cargo run -p layerlock-seal --example vectors` writes the files; a test holds the files to this list.
//! Here is what the vectors share: the keys, the one envelope, and where a bit is flipped.

mod blobs;
mod enrolments;
mod envelopes;
mod keys;
mod lives;
mod manifests;
mod receipts;
mod releases;
mod statements;
mod trust;

use layerlock_seal::keys::SigningKey as Key;
use layerlock_seal::statement::Statement;
use layerlock_seal::toolpath::{Ends, Sealer};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::release::{Grounds, KeyRelease};
use layerlock_terms::wire::Noun;

use super::file::Vector;
use super::forge::{self, Fields, Vault};
use super::support::{Repeatable, device, header, signer, summary};

const HEADER: &str = EnvelopeHeader::TYPE;
const MANIFEST: &str = Manifest::TYPE;
const RELEASE: &str = KeyRelease::TYPE;

/// The toolpath of every envelope here: layer, flags, text.
const TEXTS: [(u32, u8, Ends, &[u8]); 5] = [
    (0, 1, Ends::Piece, b"prologue"),
    (0, 0, Ends::Nothing, b"layer nought, first half"),
    (0, 1, Ends::Piece, b"layer nought, second half"),
    (1, 1, Ends::Piece, b"layer one"),
    (2, 2, Ends::Toolpath, b"layer two"),
];

pub fn all() -> Vec<Vector> {
    let seals = [blobs::all(), releases::all(), envelopes::all(), manifests::all(), lives::all()].concat();
    [keys::all(), statements::all(), trust::all(), enrolments::all(), seals, receipts::all()].concat()
}

fn seed(name: &'static str) -> [u8; 32] {
    *Key::generate(&mut Repeatable::new(name)).to_seed()
}

fn delivery() -> ed25519_dalek::SigningKey {
    forge::key(&signer().to_seed())
}

fn flipped(bytes: &[u8], at: usize, bit: u8) -> Vec<u8> {
    let mut changed = bytes.to_vec();
    changed[at] ^= 1 << bit;
    changed
}

fn sealer() -> Sealer {
    Sealer::new(header(), signer(), &mut Repeatable::new("job"))
}

/// The same vault by the formulas: its job secret is the first thing the sealer draws.
pub fn vault() -> Vault {
    let statement = Statement::sign(&header(), &signer()).emit();
    Vault { key: delivery(), job_secret: seed("job"), header: statement }
}

pub fn fields() -> Vec<Fields> {
    let field = |(index, (layer, flags, _, text)): (usize, &(u32, u8, Ends, &[u8]))| {
        Fields::new(index as u32, *layer, layer / header().epoch_layers, *flags, text)
    };
    TEXTS.iter().enumerate().map(field).collect()
}

/// The envelope as the crate seals it: segments and manifest.
pub fn sealed() -> (Vec<Vec<u8>>, Vec<u8>) {
    let mut sealer = sealer();
    let segments = TEXTS.iter().map(|(layer, _, ends, text)| {
        let mut segment = Vec::new();
        sealer.seal(*layer, *ends, text, &mut segment).expect("the texts are in order");
        segment
    });
    let segments = segments.collect();
    (segments, sealer.finish(summary()).expect("the texts end").emit())
}

fn envelope(
    name: &str,
    expect: &str,
    rule: &str,
    comment: &str,
    segments: &[Vec<u8>],
    manifest: &[u8],
) -> Vector {
    let release = stated_release(&release());
    envelope_of("envelope", name, expect, rule, comment, segments, &[release], manifest)
}

/// The envelope's vector of this kind with these releases.
#[expect(clippy::too_many_arguments, reason = "a vector is its parts")]
fn envelope_of(
    kind: &str,
    name: &str,
    expect: &str,
    rule: &str,
    comment: &str,
    segments: &[Vec<u8>],
    releases: &[Vec<u8>],
    manifest: &[u8],
) -> Vector {
    let vault = vault();
    let mut vector = Vector::new(&format!("{kind}/{name}"), expect, rule, comment)
        .text("kind", kind)
        .bytes("key", &forge::public(&vault.key))
        .bytes("opening-key", &device().to_seed()[..])
        .bytes("header", &vault.header);
    for segment in segments {
        vector = vector.bytes("segment", segment);
    }
    for release in releases {
        vector = vector.bytes("release", release);
    }
    vector.bytes("manifest", manifest)
}

/// Both epochs, released against receipts.
fn release() -> KeyRelease {
    release_by(&sealer())
}

fn release_by(sealer: &Sealer) -> KeyRelease {
    let (hash, to) = (Digest(vault().header_hash()), device().wrapping_key());
    sealer.job_secret().release(&hash, Grounds::Receipts, 0..=1, &to, &mut Repeatable::new("wrap"))
}

fn stated_release(release: &KeyRelease) -> Vec<u8> {
    forge::statement(RELEASE, &release.emit(), &delivery())
}

/// The same envelope's secrets as another job secret gives them.
fn other_release() -> KeyRelease {
    release_by(&Sealer::new(header(), signer(), &mut Repeatable::new("another job")))
}

/// The texts of all segments.
fn text() -> Vec<u8> {
    TEXTS.iter().flat_map(|(.., text)| text.to_vec()).collect()
}

fn manifest(segments: &[Vec<u8>]) -> Manifest {
    Manifest {
        header: Digest(vault().header_hash()),
        segments: segments.len() as u32,
        sealed_bytes: segments.iter().map(|segment| segment.len() as u64).sum(),
        digest: Digest(forge::digest(segments)),
        layers: 3,
        commitments: vec![vault().commitment(0), vault().commitment(1)],
        summary: summary(),
    }
}

/// The manifest by the formulas.
pub fn manifest_of(segments: &[Vec<u8>]) -> Vec<u8> {
    stated_manifest(&manifest(segments))
}

fn stated_manifest(manifest: &Manifest) -> Vec<u8> {
    forge::statement(MANIFEST, &manifest.emit(), &delivery())
}

//! Runs every conformance file of `proto/vectors` against the crate, one reason each, and holds the pages of
//! `proto/spec` to the files (`pages.rs`): every rule that bytes can break has a file that breaks it.

mod examples;
mod file;
mod forge;
mod generate;
mod nonce;
mod pages;
mod receipts;
mod second_reader;
#[path = "../support/mod.rs"]
mod support;
mod trust;

use std::collections::BTreeSet;
use std::fs;

use layerlock_seal::blob::{self, Part, Place};
use layerlock_seal::enrolment::{EnrolmentCode, NotACode, WrappedAnswer};
use layerlock_seal::keys::{KeyEncryptionKey, OpeningKey, VerifyingKey, WrappingKey};
use layerlock_seal::sha256;
use layerlock_seal::statement::{self, Statement, Verified};
use layerlock_seal::toolpath::{Checker, Live, Opener, Reason, Refused};
use layerlock_terms::digest::Digest;
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::ids::{DesignId, SellerId};
use layerlock_terms::receipt::{Countersignature, JobReport, Receipt, Settlement};
use layerlock_terms::release::KeyRelease;
use layerlock_terms::wire::{Malformed, Noun};

use file::{Vector, directory};

const FOLDERS: [&str; 9] =
    ["keys", "statement", "trust", "enrolment", "blob", "release", "envelope", "live", "receipt"];

/// What a vector ends with, as its `expect` line says it.
struct Outcome(String);

impl Outcome {
    fn new(word: &str) -> Self {
        Self(word.to_owned())
    }
}

impl From<Malformed> for Outcome {
    fn from(malformed: Malformed) -> Self {
        Self::new(match malformed {
            Malformed::Truncated(_) => "refused-truncated",
            Malformed::Trailing(_) => "refused-trailing",
            Malformed::TooLong { .. } => "refused-too-long",
            Malformed::Value(_) => "refused-value",
        })
    }
}

impl From<statement::Refused> for Outcome {
    fn from(refused: statement::Refused) -> Self {
        Self::new(match refused {
            statement::Refused::WrongType { .. } => "refused-type",
            statement::Refused::WrongSigner { .. } => "refused-signer",
            statement::Refused::BadSignature => "refused-signature",
            statement::Refused::Malformed(_) => "refused-payload",
        })
    }
}

impl From<layerlock_seal::CannotOpen> for Outcome {
    fn from(_: layerlock_seal::CannotOpen) -> Self {
        Self::new("cannot-open")
    }
}

impl From<NotACode> for Outcome {
    fn from(_: NotACode) -> Self {
        Self::new("refused-code")
    }
}

impl From<layerlock_seal::keys::UnfitKey> for Outcome {
    fn from(_: layerlock_seal::keys::UnfitKey) -> Self {
        Self::new("refused-key")
    }
}

impl From<Refused> for Outcome {
    fn from(refused: Refused) -> Self {
        Self(format!("refused-at {} {}", refused.index, word(refused.reason)))
    }
}

fn word(reason: Reason) -> String {
    let plain = match reason {
        Reason::Truncated => "truncated",
        Reason::Trailing => "trailing",
        Reason::TooLong => "too-long",
        Reason::Empty => "empty",
        Reason::UnknownFlags => "unknown-flags",
        Reason::OutOfOrder => "out-of-order",
        Reason::WrongLayer => "wrong-layer",
        Reason::WrongEpoch => "wrong-epoch",
        Reason::AfterFinal => "after-final",
        Reason::Incomplete => "incomplete",
        Reason::WrongHeader => "wrong-header",
        Reason::WrongSigner => "wrong-signer",
        Reason::NoEpochSecret => "no-epoch-secret",
        Reason::CannotOpen => "cannot-open",
        Reason::BadManifest(field) => return format!("bad-manifest {field}"),
    };
    plain.to_owned()
}

fn run(vector: &Vector) -> Result<(), Outcome> {
    match vector.field("kind") {
        "verifying-key" => drop(VerifyingKey::parse(&vector.unhex("bytes"))?),
        "wrapping-key" => drop(WrappingKey::parse(&vector.unhex("bytes"))?),
        "statement" => run_statement(vector)?,
        "endorsement" => trust::run_endorsement(vector)?,
        "root" => trust::run_root(vector)?,
        "service" => trust::run_service(vector)?,
        "attestation" => trust::run_attestation(vector)?,
        "enrolment-code" => run_code(vector)?,
        "enrolment" => run_enrolment(vector)?,
        "receipts" => receipts::run_receipts(vector)?,
        "evidence" => receipts::run_evidence(vector)?,
        "blob" => run_blob(vector)?,
        "release" => run_release(vector)?,
        "envelope" => run_envelope(vector)?,
        "live" => run_live(vector)?,
        other => panic!("{}: unknown kind `{other}`", vector.name),
    }
    Ok(())
}

/// How this reader ends on a vector, in the words of an `expect` line.
fn outcome(vector: &Vector) -> String {
    run(vector).err().map_or("success".to_owned(), |outcome| outcome.0)
}

fn run_statement(vector: &Vector) -> Result<(), Outcome> {
    match vector.field("type") {
        EnvelopeHeader::TYPE => receipts::run_noun::<EnvelopeHeader>(vector),
        Receipt::TYPE => receipts::run_noun::<Receipt>(vector),
        JobReport::TYPE => receipts::run_noun::<JobReport>(vector),
        Countersignature::TYPE => receipts::run_noun::<Countersignature>(vector),
        Settlement::TYPE => receipts::run_noun::<Settlement>(vector),
        other => panic!("{}: unknown type `{other}`", vector.name),
    }
}

fn verify<T: Noun>(vector: &Vector, field: &str) -> Result<Verified<T>, Outcome> {
    verify_with(vector, field, "key")
}

fn verify_with<T: Noun>(vector: &Vector, field: &str, key: &str) -> Result<Verified<T>, Outcome> {
    let statement = Statement::parse(&vector.unhex(field))?;
    Ok(statement.verify(&VerifyingKey::parse(&vector.unhex(key))?)?)
}

fn run_code(vector: &Vector) -> Result<(), Outcome> {
    let typed = String::from_utf8(vector.unhex("code")).map_err(|_| NotACode)?;
    let code = EnrolmentCode::parse(&typed)?;
    assert_eq!(code.digest().as_bytes(), &vector.array("code-hash"), "{}", vector.name);
    Ok(())
}

fn run_enrolment(vector: &Vector) -> Result<(), Outcome> {
    let wrapped = WrappedAnswer::parse(&vector.unhex("encapsulated"), &vector.unhex("ciphertext"))?;
    let key = OpeningKey::from_seed(&vector.array("opening-key"));
    let answer = key.open_enrolment(&wrapped, &Digest(vector.array("request-digest")))?;
    assert_eq!(answer.digest().as_bytes(), &vector.array("answer-digest"), "{}", vector.name);
    Ok(())
}

fn run_blob(vector: &Vector) -> Result<(), Outcome> {
    let text = blob::open(
        &KeyEncryptionKey::from_bytes(&vector.array("kek")),
        &place(vector)?,
        &vector.unhex("blob"),
    )?;
    assert_eq!(sha256(&text).as_bytes(), &vector.array("text-sha256"), "{}", vector.name);
    Ok(())
}

/// A place as its bytes; a part that is not of the list is no place, so nothing opens there.
fn place(vector: &Vector) -> Result<Place, Outcome> {
    let bytes: [u8; 65] = vector.array("place");
    let part = match bytes[0] {
        1 => Part::Upload,
        2 => Part::Picture,
        3 => Part::Record,
        4 => Part::JobSecret,
        _ => return Err(Outcome::from(layerlock_seal::CannotOpen)),
    };
    Ok(Place {
        part,
        seller: SellerId::from_bytes(bytes[1..17].try_into().expect("16 bytes")),
        design: DesignId::from_bytes(bytes[17..33].try_into().expect("16 bytes")),
        version: Digest(bytes[33..].try_into().expect("32 bytes")),
    })
}

fn verifying_key(vector: &Vector) -> Result<VerifyingKey, Outcome> {
    Ok(VerifyingKey::parse(&vector.unhex("key"))?)
}

fn opening_key(vector: &Vector) -> OpeningKey {
    OpeningKey::from_seed(&vector.array("opening-key"))
}

fn run_release(vector: &Vector) -> Result<(), Outcome> {
    let header = verify::<EnvelopeHeader>(vector, "header")?;
    let release = verify::<KeyRelease>(vector, "release")?;
    for wrapped in &release.epochs {
        opening_key(vector).open_epoch(&release, &header, wrapped.epoch)?;
    }
    Ok(())
}

/// Every secret of every release, in order.
fn secrets(
    vector: &Vector,
    header: &Verified<EnvelopeHeader>,
) -> Result<Vec<layerlock_seal::toolpath::EpochSecret>, Outcome> {
    let mut secrets = Vec::new();
    for bytes in vector.all("release") {
        let release: Verified<KeyRelease> = Statement::parse(&bytes)?.verify(&verifying_key(vector)?)?;
        for wrapped in &release.epochs {
            secrets.push(opening_key(vector).open_epoch(&release, header, wrapped.epoch)?);
        }
    }
    Ok(secrets)
}

fn run_envelope(vector: &Vector) -> Result<(), Outcome> {
    let header = verify::<EnvelopeHeader>(vector, "header")?;
    let mut checker = Checker::new(header.clone());
    let mut segments = vector.all("segment");
    for segment in &segments {
        checker.segment(segment)?;
    }
    let checked = checker.finish(&verify::<Manifest>(vector, "manifest")?)?;
    let mut opener = Opener::new(&checked);
    for secret in secrets(vector, &header)? {
        opener.add_epoch(secret)?;
    }
    let mut text = Vec::new();
    for segment in &mut segments {
        text.extend_from_slice(opener.open(segment)?.1);
    }
    assert_eq!(text, vector.unhex("text"), "{}", vector.name);
    Ok(())
}

fn run_live(vector: &Vector) -> Result<(), Outcome> {
    let header = verify::<EnvelopeHeader>(vector, "header")?;
    let mut live = Live::new(header.clone());
    for secret in secrets(vector, &header)? {
        live.add_epoch(secret)?;
    }
    let mut text = Vec::new();
    for segment in &mut vector.all("segment") {
        text.extend_from_slice(live.open(segment)?.1);
    }
    live.finish(&verify::<Manifest>(vector, "manifest")?)?;
    assert_eq!(text, vector.unhex("text"), "{}", vector.name);
    Ok(())
}

fn read_all() -> Vec<Vector> {
    let read = |folder: &&str| {
        let entries = fs::read_dir(directory().join(folder)).expect("the folder is there");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
        paths.sort();
        paths.into_iter().map(move |path| {
            let stem = path.file_stem().expect("a file").to_string_lossy().into_owned();
            let name =
                format!("{}/{stem}", path.parent().expect("a folder").file_name().expect("named").display());
            Vector::parse(name, &fs::read_to_string(&path).expect("readable"))
        })
    };
    FOLDERS.iter().flat_map(read).collect()
}

#[test]
fn every_vector_ends_as_it_says() {
    let vectors = read_all();
    for folder in FOLDERS {
        let count = vectors.iter().filter(|vector| vector.name.starts_with(folder)).count();
        assert!(count > 1, "only {count} vectors ran in `{folder}`");
    }
    for vector in &vectors {
        assert_eq!(outcome(vector), vector.field("expect"), "{}: {}", vector.name, vector.field("comment"));
    }
}

#[test]
fn plain_verification_would_take_the_low_order_nonce() {
    // Otherwise the vector would be refused for another reason and show nothing.
    use ed25519_dalek::{Signature, Verifier, VerifyingKey};
    let signature = nonce::sign_with_identity(&[7; 32], b"message");
    let key: VerifyingKey = ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key();
    assert!(key.verify(b"message", &Signature::from_bytes(&signature)).is_ok());
    assert!(key.verify_strict(b"message", &Signature::from_bytes(&signature)).is_err());
}

#[test]
fn the_files_are_those_the_generators_make() {
    let made: BTreeSet<_> =
        generate::all().iter().map(|vector| (vector.name.clone(), vector.emit())).collect();
    let kept: BTreeSet<_> = read_all().iter().map(|vector| (vector.name.clone(), vector.emit())).collect();
    let differing: BTreeSet<_> = made.symmetric_difference(&kept).map(|(name, _)| name).collect();
    assert!(differing.is_empty(), "run `cargo run -p layerlock-seal --example vectors`: {differing:?}");
}

#[test]
fn the_crate_seals_byte_for_byte_what_the_pages_formulas_give() {
    let (segments, manifest) = generate::sealed();
    let by_formula: Vec<_> =
        generate::fields().iter().map(|fields| generate::vault().segment(fields)).collect();
    assert_eq!(segments, by_formula);
    assert_eq!(manifest, generate::manifest_of(&segments));
}

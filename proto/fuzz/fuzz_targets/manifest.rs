//! Any bytes as a manifest or a key release, also rightly signed by the vault's own key: no manifest but the
//! envelope's ends a check well, no release but the envelope's opens.
#![no_main]

use layerlock_proto_fuzz::{CHECKED, ENVELOPE, checker, is_one_noun, is_stated, key};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::Opener;
use layerlock_terms::envelope::{EPOCH_LIMIT, Manifest};
use layerlock_terms::release::{KeyRelease, RELEASE_LIMIT};
use layerlock_terms::wire::Noun;

fn stated<T: Noun>(noun: &T) -> Verified<T> {
    Statement::sign(noun, &ENVELOPE.vault).verify(&key()).expect("it was just signed")
}

/// What a check counts must be the envelope's; the summary is the vault's word, and the commitments show at the
/// secrets.
fn end(manifest: Manifest) {
    assert!(manifest.epochs() <= EPOCH_LIMIT);
    let right = Manifest::clone(&ENVELOPE.manifest);
    let counted =
        Manifest { commitments: manifest.commitments.clone(), summary: manifest.summary, ..right.clone() };
    let same = manifest == counted && manifest.epochs() == right.epochs();
    let ended = checker().finish(&stated(&manifest));
    assert_eq!(ended.is_ok(), same);
    let Ok(checked) = ended else { return };
    let mut opener = Opener::new(&checked);
    for (secret, (told, sealed)) in
        ENVELOPE.secrets().into_iter().zip(manifest.commitments.iter().zip(&right.commitments))
    {
        assert_eq!(opener.add_epoch(secret).is_ok(), told == sealed);
    }
}

/// A release opens under its own header and grounds only, and an opener takes what the manifest commits to.
fn release(release: KeyRelease) {
    assert!((1..=RELEASE_LIMIT as usize).contains(&release.epochs.len()));
    let right = &ENVELOPE.release;
    let stated = stated(&release);
    for wrapped in release.epochs.iter().take(4) {
        let opened = ENVELOPE.device.open_epoch(&stated, &ENVELOPE.header, wrapped.epoch);
        if right.header != release.header {
            assert!(opened.is_err(), "a release of another header opened");
        } else if right.grounds == release.grounds && right.epochs.contains(wrapped) {
            assert!(opened.is_ok(), "the right release did not open");
        }
        if let Ok(secret) = opened {
            let mut opener = Opener::new(&CHECKED);
            let committed = ENVELOPE.manifest.commitments.get(wrapped.epoch as usize);
            assert_eq!(opener.add_epoch(secret).is_ok(), committed == Some(&wrapped.commitment));
        }
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(manifest) = is_one_noun(bytes) {
        end(manifest);
    }
    if let Some(read) = is_one_noun(bytes) {
        release(read);
    }
    is_stated::<Manifest>(bytes);
});

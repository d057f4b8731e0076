//! A house backed up while it serves, checked, damaged, and put back as another one.

use std::fs;
use std::path::{Path, PathBuf};

use crate::road::{DESIGN, Server, attempt, model, program, walk};

/// What a refused command said.
fn refused(dir: &Path, args: &[&str]) -> String {
    attempt(dir, args).expect_err("it went through")
}

/// All files below.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("there") {
        let path = entry.expect("readable").path();
        if path.is_dir() { all.extend(files(&path)) } else { all.push(path) }
    }
    all.sort();
    all
}

#[test]
fn a_backup_made_while_serving_starts_as_the_same_house_and_holds_no_key() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path());
    fs::write(dir.path().join(format!("{}.stl", DESIGN)), model()).expect("writable");
    walk(&server);
    let said = server.run(&["operator", "backup", "copy"]);
    assert!(said.contains("keys"), "{said}");
    assert!(server.run(&["operator", "verify"]).contains("licensor  sound up to commit"));
    assert!(server.run(&["operator", "verify", "copy"]).contains("sealed files"));
    let audit = server.run(&["operator", "audit"]);
    drop(server);

    for key in fs::read_dir(dir.path().join("house/keys")).expect("there") {
        let key = key.expect("readable").path();
        let secret = fs::read(&key).expect("readable");
        let holds = |file: &PathBuf| {
            let bytes = fs::read(file).expect("readable");
            bytes.windows(secret.len()).any(|window| window == secret)
        };
        let secret_kind = key.extension().is_some_and(|kind| kind == "key" || kind == "kek");
        assert!(!secret_kind || !files(&dir.path().join("copy")).iter().any(holds), "{}", key.display());
    }

    let again = ["operator", "restore", "copy", "--data-dir", "other"];
    assert!(refused(dir.path(), &again).contains("--keys"), "without keys it would be another house");
    fs::rename(dir.path().join("house"), dir.path().join("old")).expect("it moves");
    let args = ["operator", "restore", "copy", "--data-dir", "house", "--keys", "old/keys"];
    let output = program(dir.path()).args(args).output().expect("it runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(refused(dir.path(), &args).contains("is not empty"), "nothing is put over a house");

    let server = Server::start(dir.path());
    assert_eq!(server.run(&["operator", "audit"]), audit);
    let designs = server.run(&["seller", "designs", "--home", "seller"]);
    assert!(designs.contains(DESIGN), "the vault opens its designs with the old keys: {designs}");
}

#[test]
fn a_backup_that_rotted_or_lost_a_file_is_refused_by_name_and_nothing_is_restored() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path());
    server.run(&["operator", "create-seller"]);
    server.run(&["operator", "backup", "copy"]);
    assert!(refused(dir.path(), &["operator", "backup", "copy"]).contains("copy is not empty"));
    drop(server);
    let journal = dir.path().join("copy/licensor/journal-0000000000000001");
    let whole = fs::read(&journal).expect("it was copied");
    let restore = ["operator", "restore", "copy", "--data-dir", "other", "--keys", "house/keys"];
    let verify = ["operator", "verify", "copy"];
    let mut rotten = whole.clone();
    rotten[100] ^= 4;
    for (bytes, why) in
        [(Some(&rotten[..]), "hash differs"), (Some(&whole[..99]), "length differs"), (None, "missing")]
    {
        match bytes {
            Some(bytes) => fs::write(&journal, bytes).expect("writable"),
            None => fs::remove_file(&journal).expect("there"),
        }
        for args in [&restore[..], &verify[..]] {
            let words = refused(dir.path(), args);
            assert!(words.contains("journal-0000000000000001") && words.contains(why), "{words}");
        }
        assert!(!dir.path().join("other").exists(), "nothing was put anywhere");
    }
    fs::remove_file(dir.path().join("copy/backup.json")).expect("there");
    assert!(refused(dir.path(), &restore).contains("is no whole backup"));
}

//! The key of all designs: taken from the environment or a token, changed while there are designs, and what a thief of
//! the disk has without it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::backup::files;
use crate::road::{DESIGN, Server, attempt, model, walk, word};

const BYTES: [u8; 32] = *b"32 bytes that nobody wrote down.";

/// A variable of the server's alone.
fn with_variable() -> [String; 2] {
    let digits: String = BYTES.iter().map(|byte| format!("{byte:02x}")).collect();
    ["env".to_owned(), format!("LAYERLOCK_KEK={digits}")]
}

fn upload(dir: &Path) {
    fs::write(dir.join(format!("{}.stl", DESIGN)), model()).expect("writable");
}

fn designs(server: &Server) -> String {
    server.run(&["seller", "designs", "--home", "seller"])
}

/// The files that hold these bytes.
fn holders(folder: &Path, bytes: &[u8]) -> Vec<PathBuf> {
    let holds = |file: &PathBuf| {
        let whole = fs::read(file).expect("readable");
        whole.windows(bytes.len()).any(|window| window == bytes)
    };
    files(folder).into_iter().filter(holds).collect()
}

#[test]
fn a_thief_of_the_disk_and_a_backup_finds_no_name_no_geometry_and_no_key_that_opens_a_design() {
    let dir = tempfile::tempdir().expect("a folder");
    upload(dir.path());
    let settings = "key-encryption-keys = [\"env:LAYERLOCK_KEK\"]\n";
    let server = Server::start_behind(dir.path(), settings, &with_variable());
    walk(&server);
    server.run(&["operator", "backup", "copy"]);
    assert!(designs(&server).contains(DESIGN));
    server.end();

    // The search finds what is there: the ledger's name is in nobody's way.
    assert!(!holders(&dir.path().join("house"), b"layerlock.local/ledger").is_empty());
    let digits = with_variable()[1].split_once('=').expect("a variable").1.to_owned();
    let geometry = model();
    // A corner of the model, a whole facet, the picture's beginning; the name as it is and as UTF-16.
    let wide: Vec<u8> = DESIGN.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let hidden: [(&str, &[u8]); 7] = [
        ("the design's name", DESIGN.as_bytes()),
        ("the design's name, wide", &wide),
        ("a facet", &geometry[84..134]),
        ("the corners of a facet", &geometry[96..132]),
        ("a picture", b"\x89PNG\r\n\x1a\n"),
        ("the key", &BYTES),
        ("the key's digits", digits.as_bytes()),
    ];
    for folder in ["house", "copy"] {
        for (what, bytes) in hidden {
            let found = holders(&dir.path().join(folder), bytes);
            assert!(found.is_empty(), "{what} lies in {found:?}");
        }
    }
    let refused = attempt(dir.path(), &["operator", "kek", "list", "--config", "serve.toml"]);
    assert!(refused.expect_err("there is no variable").contains("LAYERLOCK_KEK"));
}

#[test]
fn a_rotation_from_file_to_file_frees_the_former_key() {
    let dir = tempfile::tempdir().expect("a folder");
    upload(dir.path());
    let server = Server::start(dir.path());
    walk(&server);
    let made = server.run(&["operator", "kek", "new", "file:second.kek"]);
    let again = attempt(dir.path(), &["operator", "kek", "new", "file:second.kek"]);
    assert!(again.expect_err("it is there").contains("second.kek"));
    server.end();

    let both = "key-encryption-keys = [\"file:second.kek\", \"file:vault.kek\"]\n";
    let server = Server::start_with(dir.path(), both);
    let rewrap = ["operator", "kek", "rewrap", "--config", "serve.toml"];
    let refused = attempt(dir.path(), &rewrap).expect_err("the journal is the server's");
    assert!(refused.contains("in use by another process"), "{refused}");
    server.end();
    let listed =
        attempt(dir.path(), &["operator", "kek", "list", "--config", "serve.toml"]).expect("it lists");
    let second = word(&made, "").to_owned();
    assert!(listed.starts_with(&second) && listed.contains("opens  file:vault.kek"), "{listed}");
    let done = attempt(dir.path(), &rewrap).expect("it wraps");
    assert!(
        done.contains("1 designs looked at, 1 wrapped anew") && done.contains("nothing any more"),
        "{done}"
    );
    assert!(attempt(dir.path(), &rewrap).expect("it looks").contains("0 wrapped anew"));

    fs::remove_file(dir.path().join("house/keys/vault.kek")).expect("it is there");
    let server = Server::start_with(dir.path(), "key-encryption-keys = [\"file:second.kek\"]\n");
    assert!(designs(&server).contains(DESIGN));
    server.end();
}

const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";
const PIN: &str = "246810";

/// A token of SoftHSM, in `dir` alone; the settings of a key in it.
pub fn token(dir: &Path) -> (Vec<String>, String) {
    fs::create_dir(dir.join("tokens")).expect("writable");
    let conf = dir.join("softhsm2.conf");
    fs::write(&conf, format!("directories.tokendir = {}\n", dir.join("tokens").display())).expect("writable");
    fs::write(dir.join("pin"), format!("{PIN}\n")).expect("writable");
    let init = ["--init-token", "--free", "--label", "the house", "--so-pin", "13579", "--pin", PIN];
    let made = Command::new("softhsm2-util").args(init).env("SOFTHSM2_CONF", &conf).output();
    let made = made.expect("the package softhsm2 is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let pin = dir.join("pin");
    let uri = format!(
        "pkcs11:token=the%20house;object=kek-one?module-path={MODULE}&pin-source=file:{}",
        pin.display()
    );
    (vec!["env".to_owned(), format!("SOFTHSM2_CONF={}", conf.display())], uri)
}

#[test]
fn a_key_in_a_token_opens_designs_and_never_leaves_it() {
    let dir = tempfile::tempdir().expect("a folder");
    upload(dir.path());
    let server = Server::start(dir.path());
    walk(&server);
    server.end();

    let (front, uri) = token(dir.path());
    let by_token = |args: &[&str]| crate::road::attempt_behind(dir.path(), &front, args);
    let missing = by_token(&["operator", "kek", "list", "--config", "serve.toml"]).expect("the file's key");
    assert!(missing.contains("wraps  file:vault.kek"), "{missing}");
    let made = by_token(&["operator", "kek", "new", &uri]).expect("the token makes it");
    assert!(made.contains("kek-one"), "{made}");
    let again = by_token(&["operator", "kek", "new", &uri]).expect_err("it is there");
    assert!(again.contains("there already"), "{again}");

    let both = format!("key-encryption-keys = [\"{uri}\", \"file:vault.kek\"]\n");
    Server::start_behind(dir.path(), &both, &front).end();
    let done = by_token(&["operator", "kek", "rewrap", "--config", "serve.toml"]).expect("it wraps");
    assert!(done.contains("1 wrapped anew"), "{done}");
    fs::remove_file(dir.path().join("house/keys/vault.kek")).expect("it is there");

    let alone = format!("key-encryption-keys = [\"{uri}\"]\n");
    let server = Server::start_behind(dir.path(), &alone, &front);
    assert!(designs(&server).contains(DESIGN));
    server.end();

    // One that can be read out of its token is as good as a file, and is not taken for more.
    let made = Command::new(&front[0])
        .args(&front[1..])
        .args(["pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN, "--token-label", "the house"])
        .args(["--keygen", "--key-type", "GENERIC:32", "--label", "loose", "--extractable"])
        .output()
        .expect("the package opensc is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let loose = format!("key-encryption-keys = [\"{}\"]\n", uri.replace("kek-one", "loose"));
    fs::write(dir.path().join("loose.toml"), loose).expect("writable");
    let refused = by_token(&["operator", "kek", "list", "--config", "loose.toml"]).expect_err("it is loose");
    assert!(refused.contains("can be read out of its token"), "{refused}");

    fs::write(dir.path().join("pin"), "111111\n").expect("writable");
    let wrong = by_token(&["operator", "kek", "list", "--config", "serve.toml"]).expect_err("a wrong PIN");
    assert!(wrong.contains("logging in") && !wrong.contains("111111"), "{wrong}");
}

#[test]
fn a_source_that_gives_no_key_or_one_twice_is_refused_by_its_name() {
    let dir = tempfile::tempdir().expect("a folder");
    Server::start(dir.path()).end();
    let digits = with_variable()[1].split_once('=').expect("a variable").1.to_owned();
    let plus = format!("+{}", &digits[1..]);
    for (sources, variable, wanted) in [
        ("\"env:LAYERLOCK_KEK\"", "", "LAYERLOCK_KEK does not hold a key"),
        ("\"env:LAYERLOCK_KEK\"", &digits[..62], "LAYERLOCK_KEK does not hold a key"),
        ("\"env:LAYERLOCK_KEK\"", &plus, "LAYERLOCK_KEK does not hold a key"),
        ("\"file:none.kek\"", "", "none.kek` is missing"),
        ("\"file:vault.kek\", \"file:./vault.kek\"", "", "give the same key"),
        ("\"vault.kek\"", "", "is no source of a key"),
    ] {
        let settings = format!("key-encryption-keys = [{sources}]\n");
        fs::write(dir.path().join("bad.toml"), settings).expect("writable");
        let front = ["env".to_owned(), format!("LAYERLOCK_KEK={variable}")];
        let list = ["operator", "kek", "list", "--config", "bad.toml"];
        let refused = crate::road::attempt_behind(dir.path(), &front, &list).expect_err(sources);
        assert!(refused.contains(wanted), "{sources}: {refused}");
    }
}

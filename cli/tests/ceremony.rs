//! The ceremony of the offline keys, typed as its people type it: through the binary, with files alone.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use layerlock_seal::trust::{Endorsement, TrustedRoot};
use layerlock_terms::trust::Root;
use tempfile::TempDir;

/// A folder in which people meet with their files.
struct Table(TempDir);

impl Table {
    fn laid() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn layerlock(&self, line: &str) -> Output {
        Command::new(env!("CARGO_BIN_EXE_layerlock"))
            .args(line.split_whitespace())
            .current_dir(self.path())
            .output()
            .expect("it runs")
    }

    /// A command of the ceremony that succeeds; what it said.
    fn root(&self, line: &str) -> String {
        self.says(&format!("operator root {line}"))
    }

    fn says(&self, line: &str) -> String {
        let output = self.layerlock(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it speaks UTF-8")
    }

    /// A command of the ceremony that is refused in these words.
    fn refuses(&self, line: &str, because: &str) {
        let output = self.layerlock(&format!("operator root {line}"));
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "it went through: {line}");
        assert!(words.contains(because), "{line}: refused in other words: {words}");
    }

    fn keys(&self, names: &[&str]) {
        for name in names {
            self.root(&format!("key {name}.key"));
        }
    }

    fn bytes(&self, file: &str) -> Vec<u8> {
        fs::read(self.path().join(file)).expect("the file is there")
    }

    fn trusted(&self, file: &str) -> TrustedRoot {
        TrustedRoot::begin(&Endorsement::parse(&self.bytes(file)).expect("an endorsement")).expect("a root")
    }

    /// Every file of the folder and its bytes.
    fn everything(&self) -> Vec<(String, Vec<u8>)> {
        let mut found = Vec::new();
        let mut folders = vec![self.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let bytes = fs::read(&path).expect("readable");
                    found.push((path.display().to_string(), bytes));
                }
            }
        }
        found.sort();
        found
    }

    /// Three keys, and version 1 signed by two of them.
    fn first_root(&self) {
        self.keys(&["ada", "ben", "cleo"]);
        self.root("draft --add-key ada.key.pub --add-key ben.key.pub --add-key cleo.key.pub -o root-1.trust");
        self.root("sign root-1.trust --key ada.key");
        self.root("sign root-1.trust --key cleo.key");
    }

    /// Certificates of the server's three keys under this root, signed by these people.
    fn certify(&self, root: &str, by: &[&str]) -> String {
        let mut made = Vec::new();
        for line in self.root("services --data-dir house").lines() {
            let mut words = line.split_whitespace();
            let (role, key) = (words.next().expect("a role"), words.next().expect("a key"));
            let file = format!("{role}-under-{root}");
            self.root(&format!("certify --root {root} --role {role} --key {key} -o {file}"));
            for person in by {
                self.root(&format!("sign {file} --root {root} --key {person}.key"));
            }
            made.push(file);
        }
        made.join(" ")
    }

    /// A server on the folder `house`, up.
    fn serve(&self) -> Serving {
        let anywhere = "licensor = \"127.0.0.1:0\"\nvault = \"127.0.0.1:0\"\nmetrics = \"off\"\n";
        fs::write(self.path().join("serve.toml"), anywhere).expect("writable");
        let mut child = Command::new(env!("CARGO_BIN_EXE_layerlock"))
            .args(["serve", "--data-dir", "house", "--config", "serve.toml"])
            .current_dir(self.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
        let up = lines.map_while(Result::ok).any(|line| line.starts_with("clients"));
        assert!(up, "the server ended before it was up: {:?}", child.wait());
        Serving(child)
    }
}

/// A server that ends with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone then.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_of_three_people_make_a_root_and_a_server_starts_under_it() {
    let table = Table::laid();
    table.first_root();
    let shown = table.root("show root-1.trust");
    assert!(shown.contains("2 of these 3 keys") && shown.contains("2 must sign: enough"), "{shown}");
    let certificates = table.certify("root-1.trust", &["ada", "ben"]);
    let said = table.root(&format!("install {certificates} root-1.trust --data-dir house"));
    let digest = table.trusted("root-1.trust").digest().to_string();
    assert!(said.contains(&digest), "{said}");
    assert!(!table.path().join("house/keys/root.key").exists(), "no root key lies with the server");
    let _serving = table.serve();
    let connect = fs::read_to_string(table.path().join("house/connect.toml")).expect("it says where it is");
    assert!(connect.contains(&digest), "{connect}");
}

#[test]
fn a_root_signed_by_too_few_is_not_installed_and_says_who_is_missing() {
    let table = Table::laid();
    table.keys(&["ada", "ben", "cleo"]);
    table.root("draft --add-key ada.key.pub --add-key ben.key.pub --add-key cleo.key.pub -o root-1.trust");
    let said = table.root("sign root-1.trust --key ada.key");
    assert!(said.contains("1 of its own keys, 2 must sign: 1 missing"), "{said}");
    table.root("sign root-1.trust --key ada.key");
    table.refuses(
        "install root-1.trust --data-dir house",
        "signed by 1 of the keys of root version 1, 2 must",
    );
    assert!(!table.path().join("house").exists(), "something was written");
}

#[test]
fn signatures_made_on_copies_are_joined() {
    let table = Table::laid();
    table.keys(&["ada", "ben", "cleo"]);
    table.root("draft --add-key ada.key.pub --add-key ben.key.pub --add-key cleo.key.pub -o root-1.trust");
    fs::copy(table.path().join("root-1.trust"), table.path().join("copy.trust")).expect("a copy");
    table.root("sign root-1.trust --key ada.key");
    table.root("sign copy.trust --key ben.key");
    let said = table.root("join root-1.trust copy.trust");
    assert!(said.contains("2 must sign: enough"), "{said}");
    table.root("draft --add-key ada.key.pub -o other.trust");
    table.refuses("join root-1.trust other.trust", "say different things");
}

#[test]
fn a_lost_key_is_rotated_out_by_the_others_and_can_hand_over_nothing() {
    let table = Table::laid();
    table.first_root();
    table.keys(&["dora"]);
    let change = "--remove-key cleo.key.pub --add-key dora.key.pub";
    let said = table.root(&format!("draft --from root-1.trust {change} -o root-2.trust"));
    assert!(said.contains("- key") && said.contains("+ key"), "{said}");
    table.refuses("sign root-2.trust --key ada.key", "give the root in force with --root");
    table.root("sign root-2.trust --root root-1.trust --key ada.key");
    table.refuses(
        "verify --from root-1.trust root-2.trust",
        "signed by 1 of the keys of root version 1, 2 must",
    );
    table.root("sign root-2.trust --root root-1.trust --key dora.key");
    // Ada and Dora are two of version 2's keys, and only Ada is one of version 1's.
    table.refuses(
        "verify --from root-1.trust root-2.trust",
        "signed by 1 of the keys of root version 1, 2 must",
    );
    table.root("sign root-2.trust --root root-1.trust --key ben.key");
    let said = table.root("verify --from root-1.trust root-2.trust");
    assert!(said.contains("root version 1 → 2"), "{said}");
    table.refuses("verify --from root-2.trust root-1.trust", "older versions are never taken");

    // What Cleo once signed with Ada is void under version 2.
    let certificates = table.certify("root-1.trust", &["ada", "cleo"]);
    table.root(&format!("verify --from root-1.trust {certificates}"));
    table.refuses(
        &format!("verify --from root-2.trust {certificates}"),
        "signed by 1 of the keys of root version 2",
    );
    table.root("draft --from root-2.trust -o root-3.trust");
    table
        .refuses("sign root-3.trust --root root-2.trust --key cleo.key", "counts neither for root version 3");
}

#[test]
fn an_old_device_is_alive_after_two_rotations() {
    let table = Table::laid();
    let enrolled = {
        let _serving = table.serve();
        let code = table.says("operator enrolment-code --data-dir house");
        let party = "--home device --connect house/connect.toml";
        table.says(&format!("device enrol {} {party}", code.trim()))
    };
    fs::copy(table.path().join("house/keys/root-1.trust"), table.path().join("root-1.trust"))
        .expect("a copy");
    table.keys(&["ada", "ben", "cleo", "dora"]);
    let shown = table.root("show root-1.trust");
    let is_id = |word: &&str| word.len() == 32 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let own = shown.split_whitespace().find(is_id).expect("the id of the house's own key").to_owned();
    let add = "--add-key ada.key.pub --add-key ben.key.pub --add-key cleo.key.pub --threshold 2";
    table.root(&format!("draft --from root-1.trust --remove-key {own} {add} -o root-2.trust"));
    table.root("sign root-2.trust --root root-1.trust --key house/keys/root.key");
    table.root("sign root-2.trust --root root-1.trust --key ada.key");
    table.root("sign root-2.trust --root root-1.trust --key ben.key");
    table.refuses("install root-2.trust --data-dir house", "root certify --role licensor");
    let certificates = table.certify("root-2.trust", &["ada", "cleo"]);
    let said = table.root(&format!("install root-2.trust {certificates} --data-dir house"));
    assert!(said.contains("root.key signs nothing any more"), "{said}");

    let change = "--remove-key cleo.key.pub --add-key dora.key.pub";
    table.root(&format!("draft --from root-2.trust {change} -o root-3.trust"));
    table.root("sign root-3.trust --root root-2.trust --key ada.key");
    table.root("sign root-3.trust --root root-2.trust --key ben.key");
    let certificates = table.certify("root-3.trust", &["ben", "dora"]);
    table.root(&format!("install root-3.trust {certificates} --data-dir house"));

    let _serving = table.serve();
    let party = "--home device --connect house/connect.toml";
    assert_eq!(table.says(&format!("device renew {party}")).trim(), "root version 1 → 3");
    let status = table.says("device status --home device");
    assert!(status.contains(enrolled.trim()) && status.contains("root version 3"), "{status}");
}

#[test]
fn what_clients_would_refuse_is_not_installed() {
    let table = Table::laid();
    table.first_root();
    let certificates = table.certify("root-1.trust", &["ada", "ben"]);
    table.root(&format!("install root-1.trust {certificates} --data-dir house"));
    table.root("draft --from root-1.trust --expires-in 0 -o ended.trust");
    table.root("sign ended.trust --root root-1.trust --key ada.key");
    table.root("sign ended.trust --root root-1.trust --key ben.key");
    table.refuses("install ended.trust --data-dir house", "the root expired at");
    let all = "--add-key ada.key.pub --add-key ben.key.pub --add-key cleo.key.pub";
    table.root(&format!("draft {all} --expires-in 30 -o twin.trust"));
    table.root("sign twin.trust --key ada.key");
    table.root("sign twin.trust --key ben.key");
    table.refuses("install twin.trust --data-dir house", "another root of version 1");
    table.root("services --data-dir house");
    let vault = "house/keys/vault.key.pub";
    table.root(&format!("draft --from root-1.trust --withdraw {vault} -o root-2.trust"));
    table.root("sign root-2.trust --root root-1.trust --key ada.key");
    table.root("sign root-2.trust --root root-1.trust --key ben.key");
    table.refuses("install root-2.trust --data-dir house", "certifies no vault key");
    let line = format!("certify --root root-2.trust --role vault --key {vault} -o again.trust");
    table.refuses(&line, "was withdrawn by the root");
}

#[test]
fn a_key_of_two_purposes_is_certified_by_nobody() {
    let table = Table::laid();
    table.first_root();
    let certificates = table.certify("root-1.trust", &["ada", "ben"]);
    table.root(&format!("install root-1.trust {certificates} --data-dir house"));
    let own = "certify --root root-1.trust --role vault --key ben.key.pub -o own.trust";
    table.refuses(own, "is a root key already");
    let vault = "house/keys/vault.key.pub";
    table.root(&format!("certify --root root-1.trust --role licensor --key {vault} -o second.trust"));
    table.root("sign second.trust --root root-1.trust --key ada.key");
    table.root("sign second.trust --root root-1.trust --key ben.key");
    table.refuses("install second.trust --data-dir house", "is a vault key already");
}

#[test]
fn a_withdrawn_key_stays_in_every_draft_and_whoever_drops_it_is_warned() {
    let table = Table::laid();
    table.first_root();
    table.keys(&["stolen"]);
    let warning = "is withdrawn no more";
    table.root("draft --from root-1.trust --withdraw stolen.key.pub -o root-2.trust");
    table.root("sign root-2.trust --root root-1.trust --key ada.key");
    table.root("sign root-2.trust --root root-1.trust --key ben.key");
    let said = table.root("draft --from root-2.trust -o root-3.trust");
    assert!(said.contains("  withdrawn    ") && !said.contains(warning), "{said}");
    let kept: Root =
        Endorsement::parse(&table.bytes("root-3.trust")).expect("a file").read().expect("a root");
    let drops = Endorsement::draft(&Root { withdrawn: Vec::new(), ..kept });
    fs::write(table.path().join("drops.trust"), drops.emit()).expect("written");
    for line in ["show drops.trust --root root-2.trust", "sign drops.trust --root root-2.trust --key ada.key"]
    {
        let said = table.root(line);
        assert!(said.contains(warning), "{line}: {said}");
    }
}

#[test]
fn a_maker_is_listed_with_its_machines_and_struck_by_its_name() {
    let table = Table::laid();
    table.first_root();
    table.keys(&["maker"]);
    let said =
        table.root("draft --from root-1.trust --add-oem prusa=maker.key.pub:730:prusa-mk3s -o root-2.trust");
    assert!(said.contains("+ OEM prusa") && said.contains("for prusa-mk3s"), "{said}");
    table.refuses(
        "draft --from root-1.trust --add-oem prusa=maker.key.pub:730:prusa-mk3 -o no.trust",
        "did you mean `prusa-mk3s`",
    );
    table.refuses(
        "draft --from root-1.trust --add-oem Prusa=maker.key.pub:730:prusa-mk3s -o no.trust",
        "authorities",
    );
    table.refuses(
        "draft --from root-1.trust --add-oem prusa=maker.key.pub -o no.trust",
        "write NAME=KEY:DAYS:MACHINE",
    );
    table.refuses("draft --from root-1.trust --remove-oem prusa -o no.trust", "lists no maker `prusa`");
    assert!(!table.path().join("no.trust").exists());
    table.root("sign root-2.trust --root root-1.trust --key ada.key");
    table.root("sign root-2.trust --root root-1.trust --key ben.key");
    let said = table.root("draft --from root-2.trust --remove-oem prusa -o root-3.trust");
    assert!(said.contains("- OEM prusa"), "{said}");
}

#[test]
fn a_device_its_maker_attests_is_enrolled_and_shown_as_such_and_a_forged_word_enrols_nobody() {
    let table = Table::laid();
    drop(table.serve());
    fs::copy(table.path().join("house/keys/root-1.trust"), table.path().join("root-1.trust"))
        .expect("a copy");
    table.keys(&["maker", "forger"]);
    table.root("draft --from root-1.trust --add-oem prusa=maker.key.pub:730:prusa-mk3s -o root-2.trust");
    table.root("sign root-2.trust --root root-1.trust --key house/keys/root.key");
    let certificates = table.certify("root-2.trust", &["house/keys/root"]);
    table.root(&format!("install root-2.trust {certificates} --data-dir house"));
    let _serving = table.serve();
    let keys = table.says("device keys --home device");
    let key_of =
        |name: &str| keys.lines().find_map(|line| line.strip_prefix(name)).expect("it shows both").to_owned();
    let device = format!("--machine prusa-mk3s --sign {} --open {}", key_of("sign "), key_of("open "));
    table.says(&format!("operator oem attest --key maker.key --name prusa {device} -o right.statement"));
    table.says(&format!("operator oem attest --key forger.key --name prusa {device} -o forged.statement"));

    let enrol = |attestation: &str| {
        let code = table.says("operator enrolment-code --data-dir house");
        let party = "--home device --connect house/connect.toml";
        table.layerlock(&format!("device enrol {} --attestation {attestation} {party}", code.trim()))
    };
    let refused = enrol("forged.statement");
    let words = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && words.contains("lists no OEM authority"), "{words}");
    assert!(enrol("right.statement").status.success());
    let listed = table.says("operator devices --data-dir house");
    assert!(listed.contains("prusa-mk3s  enrolled  attested by prusa"), "{listed}");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_writes_nothing() {
    let table = Table::laid();
    table.first_root();
    let certificates = table.certify("root-1.trust", &["ada", "ben"]);
    fs::copy(table.path().join("root-1.trust"), table.path().join("copy.trust")).expect("a copy");
    table.keys(&["dora"]);
    table.root("services --data-dir house");
    let vault = "house/keys/vault.key.pub";
    let before = table.everything();
    for line in [
        "key eve.key".to_owned(),
        "draft --from root-1.trust --add-key dora.key.pub -o root-2.trust".to_owned(),
        "services --data-dir elsewhere".to_owned(),
        format!("certify --root root-1.trust --role vault --key {vault} -o again.trust"),
        "sign root-1.trust --key ben.key".to_owned(),
        "join root-1.trust copy.trust".to_owned(),
        format!("install root-1.trust {certificates} --data-dir house"),
    ] {
        let said = table.root(&format!("{line} --dry-run"));
        assert!(said.contains("would write"), "{line}: {said}");
        assert_eq!(table.everything(), before, "{line}");
    }
    table.refuses("key ada.key --dry-run", "is there already");
}

#[test]
fn the_ceremony_of_the_operating_page_runs_as_it_is_written() {
    let page =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operating.md")).expect("the page");
    let section = page.split("## The ceremony of the offline keys").nth(1).expect("the section is there");
    let section = section.split("\n## ").next().expect("a section");
    let commands: Vec<&str> = section.lines().filter_map(|line| line.strip_prefix("$ layerlock ")).collect();
    assert!(commands.len() > 15, "the section has {} commands", commands.len());
    let table = Table::laid();
    for command in commands {
        let command = command.split(" #").next().expect("a command");
        table.says(command);
    }
    assert_eq!(table.trusted("house/keys/root-2.trust").version(), 2);
    let _serving = table.serve();
}

#[test]
fn private_keys_are_for_their_owner_only_and_nothing_is_written_over() {
    let table = Table::laid();
    table.first_root();
    let before = table.everything();
    let mode = fs::metadata(table.path().join("ada.key")).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    table.refuses("key ada.key", "ada.key: is there already");
    table.refuses("draft --add-key ada.key.pub -o root-1.trust", "root-1.trust: is there already");
    table.refuses("sign root-1.trust --key ada.key.pub", "is not a key file");
    table.refuses("sign ada.key --key ada.key", "`magic` holds a value that is not allowed");
    table.refuses("draft --add-key nobody.pub -o no.trust", "`nobody.pub` is no public key");
    table.refuses("draft --add-key ada.key.pub --threshold 2 -o no.trust", "threshold");
    assert_eq!(table.everything(), before);
}

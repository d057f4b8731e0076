//! The trust chain: rules TR-1 to TR-35, from the byte form of an endorsement to what a maker may attest.

use ed25519_dalek::SigningKey;
use layerlock_terms::digest::{OpenKey, SignKey};
use layerlock_terms::ids::{DeviceId, SellerId};
use layerlock_terms::trust::{
    Authority, DeviceAttestation, DeviceCertificate, Revocations, Role, Root, SellerCertificate,
    ServiceCertificate, SessionWelcome,
};
use layerlock_terms::units::Timestamp;
use layerlock_terms::wire::Noun;

use super::super::file::Vector;
use super::super::forge::{self, cat};
use super::super::support::device;
use super::{delivery, flipped, seed};

const NOW: u64 = 1_700_000_900_000;
const PAST: Timestamp = Timestamp(NOW);
const LATER: Timestamp = Timestamp(NOW + 1);
const KINDS: [&str; 2] = [Root::TYPE, ServiceCertificate::TYPE];

pub fn all() -> Vec<Vector> {
    let roots = [holdings(), authorities(), chains(), rotations()].concat();
    [shapes(), roots, services(), purposes(), licensors(), attestations()].concat()
}

/// The root's keys by number, and everybody else's by name.
fn root_key(number: usize) -> SigningKey {
    forge::key(&seed(["root key 1", "root key 2", "root key 3", "root key 4"][number - 1]))
}

fn licensor() -> SigningKey {
    forge::key(&seed("licensor key"))
}

fn maker() -> SigningKey {
    forge::key(&seed("maker's key"))
}

fn stranger() -> SigningKey {
    forge::key(&seed("another key"))
}

fn public(key: &SigningKey) -> SignKey {
    SignKey(forge::public(key))
}

/// Version 1: two of keys 1, 2, 3; one maker.
fn root() -> Root {
    let keys = [1, 2, 3].map(|number| public(&root_key(number))).to_vec();
    Root { authorities: vec![authority()], ..Root::new(1, LATER, 2, keys) }
}

/// A later version: two of keys 2, 3, 4. Key 1 is lost.
fn rotated(version: u32) -> Root {
    let keys = [2, 3, 4].map(|number| public(&root_key(number))).to_vec();
    Root { version, keys, ..root() }
}

fn authority() -> Authority {
    let machines = ["acme-cube", "acme-tall"].map(str::to_owned).to_vec();
    Authority { name: "acme".to_owned(), key: public(&maker()), expires: LATER, machines }
}

/// An endorsement by the formula: signatures in the order of their key ids.
fn endorsed_bytes(kind: &str, payload: &[u8], by: &[SigningKey]) -> Vec<u8> {
    let mut signatures: Vec<_> = by
        .iter()
        .map(|key| {
            let statement = forge::statement(kind, payload, key);
            cat(&[&forge::key_id(&forge::public(key)), &statement[statement.len() - 64..]])
        })
        .collect();
    signatures.sort();
    with_signatures(kind, payload, &signatures)
}

fn with_signatures(kind: &str, payload: &[u8], signatures: &[Vec<u8>]) -> Vec<u8> {
    let count = (signatures.len() as u32).to_be_bytes();
    let (kind_len, payload_len) = ((kind.len() as u32).to_be_bytes(), (payload.len() as u32).to_be_bytes());
    let head = cat(&[b"LLTE\x00\x01", &kind_len, kind.as_bytes(), &payload_len, payload, &count]);
    cat(&[&head, &signatures.concat()])
}

fn signed(root: &Root, by: &[usize]) -> Vec<u8> {
    let by: Vec<_> = by.iter().map(|number| root_key(*number)).collect();
    endorsed_bytes(KINDS[0], &root.emit(), &by)
}

fn vector(name: &str, expect: &str, rule: &str, comment: &str, kind: &str) -> Vector {
    Vector::new(&format!("trust/{name}"), expect, rule, comment).text("kind", kind)
}

/// The byte form: TR-1 to TR-4.
fn shapes() -> Vec<Vector> {
    let shape = |name: &str, expect: &str, rule: &str, comment: &str, bytes: &[u8]| {
        vector(&format!("endorsement-{name}"), expect, rule, comment, "endorsement")
            .bytes("endorsement", bytes)
    };
    let right = signed(&root(), &[1, 2]);
    let (body, signatures) = right.split_at(right.len() - 2 * 80);
    let (first, second) = signatures.split_at(80);
    let long = |at: usize, bound: u32| cat(&[&right[..at], &bound.to_be_bytes()]);
    let payload_at = 6 + 4 + KINDS[0].len();
    vec![
        shape("right", "success", "", "a root, signed by two keys", &right),
        shape("draft", "success", "", "a root nobody has signed yet", &signed(&root(), &[])),
        shape("magic", "refused-value", "TR-1", "begins with LLTD", &cat(&[b"LLTD", &right[4..]])),
        shape("version-2", "refused-value", "TR-1", "version 2", &cat(&[b"LLTE\x00\x02", &right[6..]])),
        shape(
            "long-type",
            "refused-too-long",
            "TR-2",
            "announces a type of 65 bytes, and ends",
            &long(6, 65),
        ),
        shape(
            "long-payload",
            "refused-too-long",
            "TR-2",
            "announces a payload of 128 KiB and a byte, and ends",
            &long(payload_at, 128 * 1024 + 1),
        ),
        shape(
            "many-signatures",
            "refused-too-long",
            "TR-2",
            "announces 33 signatures, and ends",
            &long(body.len() - 4, 33),
        ),
        shape("short", "refused-truncated", "TR-3", "the last byte is missing", &right[..right.len() - 1]),
        shape("long", "refused-trailing", "TR-3", "a byte follows", &cat(&[&right, &[0]])),
        shape(
            "disordered",
            "refused-value",
            "TR-4",
            "the two signatures swapped",
            &cat(&[body, second, first]),
        ),
        shape("doubled", "refused-value", "TR-4", "the first signature twice", &cat(&[body, first, first])),
    ]
}

fn chain(name: &str, expect: &str, rule: &str, comment: &str, roots: &[Vec<u8>]) -> Vector {
    let vector =
        vector(&format!("root-{name}"), expect, rule, comment, "root").bytes("now", &NOW.to_be_bytes());
    roots.iter().fold(vector, |vector, root| vector.bytes("root", root))
}

fn holds(name: &str, expect: &str, rule: &str, comment: &str, root: &Root) -> Vector {
    chain(name, expect, rule, comment, &[signed(root, &[1, 2])])
}

/// What one root may hold: TR-6 to TR-11.
fn holdings() -> Vec<Vector> {
    let keys = root().keys;
    let mut low_order = [0; 32];
    low_order[0] = 1;
    let unfit = |at: usize| {
        let mut keys = keys.clone();
        keys[at] = SignKey(low_order);
        keys
    };
    let certificate = certificate(Role::Vault, &delivery(), LATER);
    let withdrawn = vec![SignKey([2; 32]), SignKey([1; 32])];
    vec![
        holds("right", "success", "", "two of three keys signed it", &root()),
        chain(
            "other-noun",
            "refused-type",
            "TR-6",
            "a service certificate where a root is due",
            &[endorsed(&certificate, &[1, 2])],
        ),
        holds("version-0", "refused-value", "TR-7", "version 0", &Root { version: 0, ..root() }),
        holds("threshold-0", "refused-value", "TR-8", "no key need sign", &Root { threshold: 0, ..root() }),
        holds(
            "threshold-4",
            "refused-value",
            "TR-8",
            "four of three must sign",
            &Root { threshold: 4, ..root() },
        ),
        holds(
            "key-twice",
            "refused-value",
            "TR-9",
            "key 1 stands there twice",
            &Root { keys: vec![keys[0], keys[1], keys[0]], ..root() },
        ),
        holds(
            "unfit-key",
            "refused-key",
            "TR-10",
            "the third key has low order; the two others signed",
            &Root { keys: unfit(2), ..root() },
        ),
        holds(
            "unfit-authority",
            "refused-key",
            "TR-10",
            "the authority's key has low order",
            &Root { authorities: vec![Authority { key: SignKey(low_order), ..authority() }], ..root() },
        ),
        holds("withdrawn-disordered", "refused-value", "TR-11", "descending", &Root { withdrawn, ..root() }),
    ]
}

/// Whom it may list: TR-12.
fn authorities() -> Vec<Vector> {
    let lists = |name: &str, comment: &str, authority: Authority| {
        holds(name, "refused-value", "TR-12", comment, &Root { authorities: vec![authority], ..root() })
    };
    let twice = Root { authorities: vec![authority(), authority()], ..root() };
    let two_keys = Authority { key: public(&stranger()), ..authority() };
    vec![
        holds(
            "maker-with-two-keys",
            "success",
            "",
            "a maker that changes its key stands there twice",
            &Root { authorities: vec![authority(), two_keys], ..root() },
        ),
        holds("authority-twice", "refused-value", "TR-12", "an authority's key stands there twice", &twice),
        lists(
            "authority-root-key",
            "an authority's key is a key of the root",
            Authority { key: root().keys[0], ..authority() },
        ),
        lists(
            "authority-capital",
            "a capital letter in the name",
            Authority { name: "Acme".to_owned(), ..authority() },
        ),
        lists("authority-nameless", "no name", Authority { name: String::new(), ..authority() }),
        lists("authority-idle", "no machine", Authority { machines: Vec::new(), ..authority() }),
        lists(
            "authority-disordered",
            "machines in descending order",
            Authority { machines: vec!["b".to_owned(), "a".to_owned()], ..authority() },
        ),
        lists(
            "authority-space",
            "a space in a machine's name",
            Authority { machines: vec!["a b".to_owned()], ..authority() },
        ),
    ]
}

/// Where a party begins and what it counts: TR-5, TR-13, TR-14, TR-19.
fn chains() -> Vec<Vector> {
    let payload = root().emit();
    let with_stranger = endorsed_bytes(KINDS[0], &payload, &[root_key(1), stranger()]);
    let right = signed(&root(), &[1, 2]);
    let told = |root: &Root| forge::sha256(&root.emit());
    let three = [signed(&root(), &[1, 2]), signed(&rotated(2), &[2, 3]), signed(&rotated(3), &[3, 4])];
    vec![
        chain(
            "stranger",
            "refused-threshold",
            "TR-5",
            "key 1 signed, and a key the root doesn't have",
            &[with_stranger],
        ),
        chain(
            "broken-signature",
            "refused-threshold",
            "TR-5",
            "one bit of the last signature is flipped",
            &[flipped(&right, right.len() - 1, 0)],
        ),
        chain("told-oldest", "success", "", "told of version 1, given 1 to 3", &three)
            .bytes("told", &told(&root())),
        chain("told", "success", "", "told of version 2, given 1 to 3", &three)
            .bytes("told", &told(&rotated(2))),
        chain("told-other", "refused-digest", "TR-13", "told of a root that isn't there", &three)
            .bytes("told", &told(&rotated(4))),
        chain(
            "too-few",
            "refused-threshold",
            "TR-14",
            "one of its own keys signed it",
            &[signed(&root(), &[1])],
        ),
        chain(
            "ended",
            "refused-ended",
            "TR-19",
            "ends at the reader's very moment",
            &[signed(&Root { expires: PAST, ..root() }, &[1, 2])],
        ),
    ]
}

/// One root after another: TR-14 to TR-18.
fn rotations() -> Vec<Vector> {
    let pinned = signed(&root(), &[1, 2]);
    let after = |name: &str, expect: &str, rule: &str, comment: &str, offered: Vec<u8>| {
        chain(name, expect, rule, comment, &[pinned.clone(), offered])
    };
    let ended = |root: Root| Root { expires: PAST, ..root };
    let slept = [
        signed(&ended(root()), &[1, 2]),
        signed(&ended(rotated(2)), &[2, 3]),
        signed(&ended(rotated(3)), &[3, 4]),
        signed(&rotated(4), &[2, 4]),
    ];
    let twin = Root { threshold: 1, ..root() };
    let highest = signed(&rotated(u32::MAX), &[2, 3]);
    vec![
        after(
            "rotated",
            "success",
            "",
            "version 2 drops key 1; keys 2 and 3 stand in both",
            signed(&rotated(2), &[2, 3]),
        ),
        chain("slept", "success", "", "the first three have ended, the fourth has not", &slept),
        after(
            "same-again",
            "success",
            "",
            "the pinned root, signed by others of its keys",
            signed(&root(), &[2, 3]),
        ),
        after(
            "own-too-few",
            "refused-threshold",
            "TR-14",
            "keys 1 and 2 hand over; of its own keys only 2 signed",
            signed(&rotated(2), &[1, 2]),
        ),
        after(
            "seized",
            "refused-threshold",
            "TR-15",
            "two of its own keys signed, of the predecessor's only key 3",
            signed(&rotated(2), &[3, 4]),
        ),
        after(
            "skipped",
            "refused-skipped",
            "TR-16",
            "version 3 after version 1",
            signed(&rotated(3), &[2, 3]),
        ),
        after("fast-forward", "refused-skipped", "TR-16", "the highest version there is", highest),
        chain(
            "older",
            "refused-older",
            "TR-17",
            "version 1 where 2 is pinned",
            &[signed(&rotated(2), &[2, 3]), pinned.clone()],
        ),
        after("twin", "refused-twin", "TR-18", "another version 1, rightly signed", signed(&twin, &[1, 2])),
    ]
}

fn certificate(role: Role, key: &SigningKey, expires: Timestamp) -> ServiceCertificate {
    ServiceCertificate { role, key: public(key), expires }
}

fn endorsed(certificate: &ServiceCertificate, by: &[usize]) -> Vec<u8> {
    let by: Vec<_> = by.iter().map(|number| root_key(*number)).collect();
    endorsed_bytes(KINDS[1], &certificate.emit(), &by)
}

/// What is stated under a root and a certificate.
struct Stated<'a> {
    root: &'a Root,
    certificate: Vec<u8>,
    role: Role,
    kind: &'static str,
    statement: Vec<u8>,
}

impl Stated<'_> {
    fn vector(&self, name: &str, expect: &str, rule: &str, comment: &str) -> Vector {
        vector(name, expect, rule, comment, "service")
            .bytes("now", &NOW.to_be_bytes())
            .bytes("root", &signed(self.root, &[2, 3]))
            .bytes("certificate", &self.certificate)
            .bytes("role", &[self.role as u8])
            .text("type", self.kind)
            .bytes("statement", &self.statement)
    }
}

/// A vault's welcome under this root and certificate.
fn welcome<'a>(root: &'a Root, certificate: Vec<u8>, by: &SigningKey) -> Stated<'a> {
    let welcome = SessionWelcome { nonce: [7; 32], now: Timestamp(NOW) };
    let statement = forge::statement(SessionWelcome::TYPE, &welcome.emit(), by);
    Stated { root, certificate, role: Role::Vault, kind: SessionWelcome::TYPE, statement }
}

/// Which keys have another purpose: TR-34, TR-35.
fn purposes() -> Vec<Vector> {
    let (root, vault) = (root(), delivery());
    let certified = |role, key: &SigningKey| endorsed(&certificate(role, key, LATER), &[1, 2]);
    let refused = |name: &str, rule: &str, comment: &str, stated: Stated<'_>| {
        stated.vector(&format!("service-{name}"), "refused-other-purpose", rule, comment)
    };
    let second = |name: &str, expect: &str, rule: &str, comment: &str, role| {
        let stated = welcome(&root, certified(Role::Vault, &vault), &vault);
        let later = certified(role, &vault);
        stated.vector(&format!("service-{name}"), expect, rule, comment).bytes("certificate", &later)
    };
    let own = |key: &SigningKey| welcome(&root, certified(Role::Vault, key), key);
    vec![
        refused("root-key", "TR-34", "a key of the root is certified as a vault's", own(&root_key(3))),
        refused("maker-key", "TR-34", "a maker's key is certified as a vault's", own(&maker())),
        second("renewed", "success", "", "the same key in the same role once more", Role::Vault),
        second(
            "two-roles",
            "refused-other-purpose",
            "TR-35",
            "the vault's key is certified for checkpoints too",
            Role::Checkpoint,
        ),
        second(
            "two-authors",
            "refused-other-purpose",
            "TR-35",
            "the vault's key is certified as a licensor's too",
            Role::Licensor,
        ),
    ]
}

/// Which services are believed: TR-10, TR-19 to TR-23.
fn services() -> Vec<Vector> {
    let (first, vault) = (root(), delivery());
    let right = certificate(Role::Vault, &vault, LATER);
    let under = |root, by: &[usize]| welcome(root, endorsed(&right, by), &vault);
    let with = |certificate: &ServiceCertificate| welcome(&first, endorsed(certificate, &[1, 2]), &vault);
    let withdrawing = Root { withdrawn: vec![public(&vault)], ..root() };
    let (second, ended) = (rotated(2), Root { expires: PAST, ..root() });
    let checkpoint = certificate(Role::Checkpoint, &vault, LATER);
    let mut unfit = right.clone();
    unfit.key = SignKey(std::array::from_fn(|place| u8::from(place == 0)));
    vec![
        under(&first, &[1, 2]).vector(
            "service-right",
            "success",
            "",
            "a vault the root certifies says welcome",
        ),
        with(&unfit).vector("service-unfit", "refused-key", "TR-10", "a certificate of a key of low order"),
        under(&ended, &[1, 2]).vector("service-root-ended", "refused-ended", "TR-19", "the root has ended"),
        under(&first, &[1]).vector(
            "service-too-few",
            "refused-threshold",
            "TR-20",
            "one of the root's keys signed it",
        ),
        under(&second, &[1, 2]).vector(
            "service-dropped-key",
            "refused-threshold",
            "TR-20",
            "signed by keys 1 and 2; the newest root has dropped key 1",
        ),
        under(&withdrawing, &[1, 2]).vector(
            "service-withdrawn",
            "refused-withdrawn",
            "TR-21",
            "the root withdraws its key",
        ),
        with(&checkpoint).vector(
            "service-other-role",
            "refused-not-serving",
            "TR-22",
            "certified for checkpoints",
        ),
        welcome(&first, endorsed(&right, &[1, 2]), &stranger()).vector(
            "service-stranger",
            "refused-not-serving",
            "TR-22",
            "stated by a key nobody certified",
        ),
        with(&certificate(Role::Vault, &vault, PAST)).vector(
            "service-ended",
            "refused-ended",
            "TR-23",
            "its certificate has ended",
        ),
    ]
}

fn by_licensor<'a, T: Noun>(root: &'a Root, noun: &T) -> Stated<'a> {
    let certificate = endorsed(&certificate(Role::Licensor, &licensor(), LATER), &[1, 2]);
    let statement = forge::statement(T::TYPE, &noun.emit(), &licensor());
    Stated { root, certificate, role: Role::Licensor, kind: T::TYPE, statement }
}

fn device_certificate(expires: Timestamp) -> DeviceCertificate {
    let (id, open) = (DeviceId::from_bytes([4; 16]), device().wrapping_key().into());
    let machine = "acme-cube".to_owned();
    DeviceCertificate { device: id, sign: public(&stranger()), open, machine, expires }
}

fn list(version: u64, expires: Timestamp, devices: &[u8]) -> Revocations {
    let devices = devices.iter().map(|byte| DeviceId::from_bytes([*byte; 16])).collect();
    Revocations { version, expires, devices }
}

/// What a licensor states: TR-24 to TR-27.
fn licensors() -> Vec<Vector> {
    let root = root();
    let state = |expires| by_licensor(&root, &device_certificate(expires));
    let seller = |expires| {
        let seller =
            SellerCertificate { seller: SellerId::from_bytes([5; 16]), key: public(&stranger()), expires };
        by_licensor(&root, &seller)
    };
    let knows =
        |name: &str, expect: &str, rule: &str, comment: &str, offered: Revocations, by: &SigningKey| {
            let known = forge::statement(Revocations::TYPE, &list(7, PAST, &[1, 2]).emit(), by);
            let vector =
                by_licensor(&root, &offered).vector(&format!("revocations-{name}"), expect, rule, comment);
            vector.bytes("known-key", &forge::public(by)).bytes("known", &known)
        };
    let ended = by_licensor(&root, &list(7, PAST, &[1]));
    let own = licensor();
    vec![
        state(LATER).vector("device-right", "success", "", "a device's certificate"),
        state(PAST).vector("device-ended", "refused-ended", "TR-24", "a device's certificate that has ended"),
        seller(LATER).vector("seller-right", "success", "", "a seller's certificate"),
        seller(PAST).vector(
            "seller-ended",
            "refused-ended",
            "TR-24",
            "a seller's certificate that has ended",
        ),
        by_licensor(&root, &list(1, LATER, &[1])).vector(
            "revocations-right",
            "success",
            "",
            "the first list",
        ),
        ended.vector("revocations-ended", "refused-ended", "TR-25", "a list that has ended"),
        knows("newer", "success", "", "version 8 after 7", list(8, LATER, &[1]), &own),
        knows("again", "success", "", "the known devices, with a later end", list(7, LATER, &[1, 2]), &own),
        knows("older", "refused-older", "TR-26", "version 6 after 7", list(6, LATER, &[1, 2]), &own),
        knows("twin", "refused-twin", "TR-27", "other devices under version 7", list(7, LATER, &[1]), &own),
        knows(
            "other-key",
            "success",
            "",
            "version 1; version 7 is another key's",
            list(1, LATER, &[1]),
            &stranger(),
        ),
    ]
}

/// What a maker may say: TR-28 to TR-32.
fn attestations() -> Vec<Vector> {
    let right = DeviceAttestation {
        oem: "acme".to_owned(),
        machine: "acme-cube".to_owned(),
        sign: public(&stranger()),
        open: device().wrapping_key().into(),
    };
    let under =
        |root: &Root, name: &str, expect: &str, rule: &str, comment: &str, noun: &DeviceAttestation, by| {
            vector(&format!("attestation-{name}"), expect, rule, comment, "attestation")
                .bytes("now", &NOW.to_be_bytes())
                .bytes("root", &signed(root, &[1, 2]))
                .bytes("sign", right.sign.as_bytes())
                .bytes("open", right.open.as_bytes())
                .bytes("statement", &forge::statement(DeviceAttestation::TYPE, &noun.emit(), by))
        };
    let maker = maker();
    let wrong = |name: &str, expect: &str, rule: &str, comment: &str, noun: DeviceAttestation| {
        under(&root(), name, expect, rule, comment, &noun, &maker)
    };
    let ended = Root { authorities: vec![Authority { expires: PAST, ..authority() }], ..root() };
    let none = Root { authorities: Vec::new(), ..root() };
    let (other, text) = (SignKey([9; 32]), str::to_owned);
    vec![
        wrong("right", "success", "", "a maker attests its own device", right.clone()),
        under(&none, "unlisted", "refused-authority", "TR-28", "the root lists no maker", &right, &maker),
        under(
            &root(),
            "by-root",
            "refused-authority",
            "TR-28",
            "a key of the root attests",
            &right,
            &root_key(1),
        ),
        under(&ended, "ended", "refused-ended", "TR-29", "the maker's listing has ended", &right, &maker),
        wrong(
            "other-maker",
            "refused-maker",
            "TR-30",
            "in another's name",
            DeviceAttestation { oem: text("apex"), ..right.clone() },
        ),
        wrong(
            "other-machine",
            "refused-machine",
            "TR-31",
            "of a machine the root doesn't list for it",
            DeviceAttestation { machine: text("apex-one"), ..right.clone() },
        ),
        wrong(
            "other-sign",
            "refused-device",
            "TR-32",
            "of another signing key",
            DeviceAttestation { sign: other, ..right.clone() },
        ),
        wrong(
            "other-open",
            "refused-device",
            "TR-32",
            "of another opening key",
            DeviceAttestation { open: OpenKey([9; 32]), ..right.clone() },
        ),
    ]
}

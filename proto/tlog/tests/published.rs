//! Held to what others published: the roots of the classic eight leaves (Certificate Transparency's and
//! transparency-dev's test data), RFC 6962's worked proofs, the example note of Go's `sumdb/note`, and the
//! example checkpoint of C2SP's page.

use layerlock_tlog::{
    Checkpoint, Frontier, Hash, Note, NoteSignature, Tree, audit, ed25519_key_id, leaf_hash, vkey,
};

const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];

const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect()
}

fn leaves() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(&unhex(leaf))).collect()
}

fn root(size: usize) -> Hash {
    Hash(unhex(ROOTS[size]).try_into().expect("32 bytes"))
}

#[test]
fn the_classic_eight_leaves_have_their_published_roots() {
    let tree = Tree::from_leaves(leaves());
    let mut frontier = Frontier::default();
    for size in 0..=8 {
        assert_eq!(tree.root_at(size as u64), Ok(root(size)), "{size} leaves");
        assert_eq!(frontier.root(), root(size), "{size} leaves, by the frontier");
        leaves().get(size).into_iter().for_each(|leaf| frontier.push(*leaf));
    }
}

#[test]
fn rfc_6962_inclusion_examples_name_the_same_nodes() {
    // 2.1.3: with seven leaves the path of d0 is [b, h, l], of d3 [c, g, l], of d4 [f, j, k], of d6 [i, k].
    let tree = Tree::from_leaves(leaves().into_iter().take(7));
    let leaf = |at: usize| leaves()[at];
    let over = |from: usize, to: usize| Tree::from_leaves(leaves()[from..to].iter().copied()).root();
    let (h, g, i) = (over(2, 4), over(0, 2), over(4, 6));
    let (k, l, j) = (over(0, 4), over(4, 7), leaf(6));
    let path = |index| tree.prove_inclusion(index, 7).expect("in range").path;
    assert_eq!(path(0), [leaf(1), h, l]);
    assert_eq!(path(3), [leaf(2), g, l]);
    assert_eq!(path(4), [leaf(5), j, k]);
    assert_eq!(path(6), [i, k]);
}

#[test]
fn rfc_6962_consistency_examples_name_the_same_nodes() {
    // 2.1.3: PROOF(3, D[7]) = [c, d, g, l]; PROOF(4, D[7]) = [l]; PROOF(6, D[7]) = [i, j, k].
    let tree = Tree::from_leaves(leaves().into_iter().take(7));
    let leaf = |at: usize| leaves()[at];
    let over = |from: usize, to: usize| Tree::from_leaves(leaves()[from..to].iter().copied()).root();
    let path = |old| tree.prove_consistency(old, 7).expect("in range").path;
    assert_eq!(path(3), [leaf(2), leaf(3), over(0, 2), over(4, 7)]);
    assert_eq!(path(4), [over(4, 7)]);
    assert_eq!(path(6), [over(4, 6), leaf(6), over(0, 4)]);
}

#[test]
fn the_published_roots_prove_one_another_and_no_other() {
    let tree = Tree::from_leaves(leaves());
    for new in 0..=8 {
        for old in 0..=new {
            let proof = tree.prove_consistency(old as u64, new as u64).expect("in range");
            assert_eq!(proof.verify(&root(old), &root(new)), Ok(()), "{old} to {new}");
            for wrong in (0..=8).filter(|size| *size != old) {
                assert!(proof.verify(&root(wrong), &root(new)).is_err(), "{wrong} for {old} to {new}");
            }
        }
    }
}

#[test]
fn an_audit_passes_one_history_and_catches_a_rewritten_one() {
    let head =
        |size: usize| Checkpoint { origin: "example.com/log".into(), size: size as u64, root: root(size) };
    assert_eq!(audit(leaves(), &[head(0), head(3), head(3), head(8)]), Ok(()));
    let mut rewritten = leaves();
    rewritten[1] = leaf_hash(b"another entry");
    assert!(audit(rewritten, &[head(3), head(8)]).is_err());
    assert!(audit(leaves().into_iter().take(7), &[head(8)]).is_err(), "a withheld leaf");
    assert!(audit(leaves(), &[head(8), head(3)]).is_err(), "heads out of order");
    let shrunk = Checkpoint { size: 2, ..head(3) };
    assert!(audit(leaves(), &[head(3), shrunk]).is_err(), "the same root said to be of fewer leaves");
}

const GO_NOTE: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

/// The 32 bytes of `PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW`.
const GO_KEY: &str = "1a5cd907143c384c41e830c5bce12aa8817ec5649aaabf2c31388b35b2d744d6";

#[test]
fn gos_example_note_reads_back_byte_for_byte_and_its_key_has_the_same_id() {
    let note = Note::parse(GO_NOTE).expect("a note");
    assert_eq!(note.to_string(), GO_NOTE);
    assert!(note.text().ends_with("problem is.\n"));
    let key: [u8; 32] = unhex(GO_KEY).try_into().expect("32 bytes");
    assert_eq!(note.signatures()[0].key_id, ed25519_key_id("PeterNeumann", &key));
    assert_eq!(
        vkey("PeterNeumann", &key),
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    );
}

#[test]
fn a_note_is_signed_only_when_every_line_of_the_wanted_key_fits() {
    let mut note = Note::parse(GO_NOTE).expect("a note");
    let id = note.signatures()[0].key_id;
    let fits = |text: &str, signature: &[u8]| text.starts_with("If") && signature.len() == 64;
    assert_eq!(note.verify("PeterNeumann", id, fits), Ok(()));
    assert!(note.verify("PeterNeumann", [0; 4], fits).is_err(), "a known name with another id");
    assert!(note.verify("Rivest", id, fits).is_err(), "a known id with another name");
    assert!(note.verify("PeterNeumann", id, |_, _| false).is_err());
    note.add(NoteSignature { name: "PeterNeumann".into(), key_id: id, signature: vec![0] }).expect("a name");
    assert!(note.verify("PeterNeumann", id, fits).is_err(), "one right line beside a wrong one");
}

#[test]
fn c2sps_example_checkpoint_reads_back() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let head = Checkpoint::parse(text).expect("a checkpoint");
    assert_eq!((head.size, head.to_string().as_str()), (20_852_163, text));
}

#[test]
fn checkpoints_in_any_other_form_are_refused() {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for wrong in [
        format!("example.com\n1\n{root}"),
        format!("example.com\n01\n{root}\n"),
        format!("example.com\n+1\n{root}\n"),
        format!("example.com\n18446744073709551616\n{root}\n"),
        format!("\n1\n{root}\n"),
        format!("example.com\n1\n{root}\nextension\n"),
        format!("example.com\n1\n{}\n", &root[..40]),
        format!("example.com\n1\n{}\n", root.trim_end_matches('=')),
    ] {
        assert!(Checkpoint::parse(&wrong).is_err(), "{wrong}");
    }
}

#[test]
fn notes_in_any_other_form_are_refused() {
    for wrong in [
        "text\n",
        "text\n\n",
        "text\n\n— name AAAAAAA=",
        "text\n\n- name AAAAAAA=\n",
        "text\n\n— na+me AAAAAAA=\n",
        "text\n\n—  AAAAAAA=\n",
        "text\n\n— name AAAA\n",
        "text\n\n— name AAAAAA==\n",
        "te\tt\n\n— name AAAAAAA=\n",
        "text\n\n— name AAAAAAA=\n— name *\n",
    ] {
        assert!(Note::parse(wrong).is_err(), "{wrong:?}");
    }
    assert!(Note::parse("text\n\n— name AAAAAAA=\n").is_ok(), "the form all of these miss");
}

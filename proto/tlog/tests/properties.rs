//! Whatever the size of the log: the prover, which follows RFC 6962's definitions, and the verifier, which
//! follows RFC 9162's bit-walking algorithms, agree; and nothing but the right proof passes.
//! A failing case prints its inputs and is replayed by them.

use layerlock_tlog::{
    Checkpoint, ConsistencyProof, Frontier, Hash, InclusionProof, NotAProofFile, Note, NoteSignature,
    ProofFile, Tree, leaf_hash,
};
use proptest::prelude::*;

fn leaves(count: u64) -> impl Iterator<Item = Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes()))
}

fn tree(count: u64) -> Tree {
    Tree::from_leaves(leaves(count))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_leaf_is_proven_in_every_tree_that_holds_it(size in 1u64..300, at in any::<prop::sample::Index>()) {
        let (tree, index) = (tree(size), at.index(size as usize) as u64);
        let leaf = leaf_hash(&index.to_be_bytes());
        let proof = tree.prove_inclusion(index, size).unwrap();
        prop_assert_eq!(proof.verify(&leaf, &tree.root()), Ok(()));
        prop_assert!(proof.verify(&leaf_hash(b"other"), &tree.root()).is_err());
    }

    #[test]
    fn a_changed_inclusion_proof_passes_nowhere(size in 2u64..300, at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (tree, index) = (tree(size), at.index(size as usize) as u64);
        let leaf = leaf_hash(&index.to_be_bytes());
        let proof = tree.prove_inclusion(index, size).unwrap();
        for step in 0..proof.path.len() {
            let mut changed = proof.clone();
            changed.path[step].0[31] ^= 1 << bit;
            prop_assert!(changed.verify(&leaf, &tree.root()).is_err());
            changed.path.remove(step);
            prop_assert!(changed.verify(&leaf, &tree.root()).is_err());
        }
        let mut longer = proof.clone();
        longer.path.push(tree.root());
        prop_assert!(longer.verify(&leaf, &tree.root()).is_err());
        let mut elsewhere = proof;
        elsewhere.index = (index + 1) % size;
        prop_assert!(elsewhere.verify(&leaf, &tree.root()).is_err());
    }

    #[test]
    fn every_tree_is_the_beginning_of_every_later_one(new in 0u64..300, at in any::<prop::sample::Index>()) {
        let (tree, old) = (tree(new), at.index(new as usize + 1) as u64);
        let proof = tree.prove_consistency(old, new).unwrap();
        let (from, to) = (tree.root_at(old).unwrap(), tree.root());
        prop_assert_eq!(proof.verify(&from, &to), Ok(()));
        for step in 0..proof.path.len() {
            let mut changed = proof.clone();
            changed.path[step].0[0] ^= 1;
            prop_assert!(changed.verify(&from, &to).is_err());
            changed.path.remove(step);
            prop_assert!(changed.verify(&from, &to).is_err());
        }
    }

    #[test]
    fn a_rewritten_entry_breaks_consistency(new in 2u64..300, at in any::<prop::sample::Index>()) {
        let old = 1 + at.index(new as usize - 1) as u64;
        let rewritten = Tree::from_leaves(leaves(new).enumerate().map(|(place, leaf)| {
            if place as u64 == old - 1 { leaf_hash(b"rewritten") } else { leaf }
        }));
        let proof = rewritten.prove_consistency(old, new).unwrap();
        prop_assert!(proof.verify(&tree(old).root(), &rewritten.root()).is_err());
    }

    #[test]
    fn the_frontier_and_the_tree_have_one_root(size in 0u64..600) {
        let mut frontier = Frontier::default();
        leaves(size).for_each(|leaf| frontier.push(leaf));
        prop_assert_eq!(frontier.root(), tree(size).root());
    }

    #[test]
    fn a_proof_file_reads_back_and_shows_its_leaf(size in 1u64..200, at in any::<prop::sample::Index>()) {
        let (tree, index) = (tree(size), at.index(size as usize) as u64);
        let head = Checkpoint { origin: "example.com/log".into(), size, root: tree.root() };
        let mut note = Note::new(head.to_string()).unwrap();
        note.add(NoteSignature { name: "example.com/log".into(), key_id: [1; 4], signature: vec![2; 64] }).unwrap();
        let file = ProofFile { index, path: tree.prove_inclusion(index, size).unwrap().path, note };
        let read = ProofFile::parse(&file.to_string()).unwrap();
        prop_assert_eq!(&read, &file);
        prop_assert_eq!(read.verify(&leaf_hash(&index.to_be_bytes())), Ok(head));
        prop_assert!(read.verify(&leaf_hash(b"other")).is_err());
    }

    #[test]
    fn reading_any_text_never_panics(text in "\\PC*(\n\\PC*){0,6}") {
        let _ = Note::parse(&text);
        let _ = Checkpoint::parse(&text);
        let _ = ProofFile::parse(&text);
    }
}

#[test]
fn what_the_log_does_not_have_cannot_be_proven() {
    let tree = tree(5);
    assert!(tree.root_at(6).is_err());
    assert!(tree.prove_inclusion(5, 5).is_err());
    assert!(tree.prove_inclusion(0, 6).is_err());
    assert!(tree.prove_inclusion(0, 0).is_err());
    assert!(tree.prove_consistency(4, 3).is_err());
    assert!(tree.prove_consistency(4, 6).is_err());
}

#[test]
fn an_index_outside_its_tree_is_never_proven() {
    let (root, leaf) = (tree(1).root(), leaf_hash(&0u64.to_be_bytes()));
    for (index, size) in [(0, 0), (1, 1), (u64::MAX, 1)] {
        assert!(
            InclusionProof { index, size, path: Vec::new() }.verify(&leaf, &root).is_err(),
            "{index} of {size}"
        );
    }
}

#[test]
fn a_consistency_proof_of_too_few_hashes_for_its_size_shows_nothing() {
    let tree = tree(8);
    let right = tree.prove_consistency(4, 8).unwrap();
    let (old, new) = (tree.root_at(4).unwrap(), tree.root());
    assert_eq!(right.verify(&old, &new), Ok(()));
    for claimed in [9, 16, u64::MAX] {
        let longer = ConsistencyProof { new: claimed, ..right.clone() };
        assert!(longer.verify(&old, &new).is_err(), "{claimed}");
    }
}

#[test]
fn a_proof_file_of_more_hashes_than_a_tree_has_levels_is_refused() {
    let mut note = Note::new("example.com/log\n1\nrra8\n".into()).unwrap();
    note.add(NoteSignature { name: "example.com/log".into(), key_id: [1; 4], signature: vec![2; 64] })
        .unwrap();
    let with =
        |hashes| ProofFile { index: 0, path: vec![leaf_hash(b""); hashes], note: note.clone() }.to_string();
    assert!(ProofFile::parse(&with(64)).is_ok());
    assert_eq!(ProofFile::parse(&with(65)), Err(NotAProofFile::Path));
}

#[test]
fn a_proof_with_a_huge_size_and_no_path_shows_nothing() {
    let tree = tree(1);
    let mut proof = tree.prove_inclusion(0, 1).expect("in range");
    proof.size = u64::MAX;
    assert!(proof.verify(&leaf_hash(&0u64.to_be_bytes()), &tree.root()).is_err());
}

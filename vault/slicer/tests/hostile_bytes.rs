//! Whatever the bytes, parsing ends with a mesh that keeps its promises or with an error; it never panics.
//!
//! Random bytes rarely get past the first check, so most cases are good files with a few bytes changed. proptest
//! prints the failing input and its seed.

#[path = "hostile_bytes/files.rs"]
mod files;
#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use files::good_files;
use layerlock_slicer::mesh::analysis::analyse;
use layerlock_slicer::mesh::{Intake, Limits, MeshError, Parsed, REACH_MM, parse, read};
use meshes::*;
use proptest::prelude::*;

/// Small enough that a case which runs into them is quick.
const LIMITS: Limits = Limits {
    triangles: 5_000,
    vertices: 5_000,
    held_bytes: 1 << 20,
    expanded_bytes: 1 << 20,
    ratio: 200,
    parts: 16,
    instances: 200,
    depth: 8,
};

/// Parses, and holds what comes out to the promises of [`layerlock_slicer::mesh::Mesh`].
fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(parsed) = parse(bytes, &LIMITS) else { return Ok(()) };
    let mesh = &parsed.mesh;
    prop_assert!(mesh.vertices.iter().flatten().all(|c| c.is_finite() && c.abs() <= REACH_MM));
    prop_assert!(mesh.triangles.iter().flatten().all(|&index| (index as usize) < mesh.vertices.len()));
    prop_assert!(mesh.triangles.len() <= LIMITS.triangles as usize);
    prop_assert_eq!(analyse(mesh).triangles as usize, mesh.triangles.len());
    Ok(())
}

fn in_pieces(bytes: &[u8], size: usize, length: usize) -> Result<Parsed, MeshError> {
    let mut intake = Intake::new(length as u64, &LIMITS);
    bytes.chunks(size).try_for_each(|piece| intake.take(piece))?;
    intake.finish()
}

#[test]
fn a_file_in_pieces_is_the_file_as_a_whole() {
    for bytes in good_files() {
        let whole = parse(&bytes, &LIMITS);
        for size in [1, 7, 49, 50, 51, 1_000, bytes.len()] {
            assert_eq!(in_pieces(&bytes, size, bytes.len()), whole, "pieces of {size}");
        }
        assert_eq!(read(&mut &*bytes, bytes.len() as u64, &LIMITS).expect("memory does not fail"), whole);
    }
}

#[test]
fn a_binary_stl_that_ends_early_or_goes_on_is_refused_though_its_length_was_promised() {
    let bytes = layerlock_slicer::mesh::to_binary_stl(&torus(20.0, 6.0, 6));
    let short = in_pieces(&bytes[..bytes.len() - 1], 64, bytes.len());
    assert!(matches!(short, Err(MeshError::Truncated { announced: 72, found: 71 })), "{short:?}");
    let long = in_pieces(&[&bytes[..], &[0; 50]].concat(), 64, bytes.len());
    assert!(matches!(long, Err(MeshError::Surplus { announced: 72, .. })), "{long:?}");
    let few = Limits { triangles: 71, ..LIMITS };
    let many = Intake::new(bytes.len() as u64, &few).take(&bytes[..84]);
    assert!(matches!(many, Err(MeshError::TooManyTriangles { found: 72, limit: 71 })), "{many:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        check(&bytes)?;
    }

    #[test]
    fn good_files_with_bytes_changed_never_panic(
        file in any::<prop::sample::Index>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
    ) {
        let mut bytes = file.get(&good_files()).clone();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        check(&bytes)?;
    }

    #[test]
    fn good_files_cut_or_spliced_never_panic(
        file in any::<prop::sample::Index>(),
        from in any::<prop::sample::Index>(),
        to in any::<prop::sample::Index>(),
        insert in proptest::collection::vec(any::<u8>(), 0..24),
    ) {
        let bytes = file.get(&good_files()).clone();
        let (from, to) = (from.index(bytes.len()), to.index(bytes.len()));
        let spliced = [&bytes[..from.min(to)], &insert, &bytes[from.max(to)..]].concat();
        check(&spliced)?;
    }

    #[test]
    fn model_text_with_words_changed_never_panics(
        at in any::<prop::sample::Index>(),
        length in 0usize..12,
        word in prop::sample::select(vec![
            "", "\"", "<", ">", "/>", "&amp;", "&x;", "NaN", "1e99", "-1", "4294967295", "</mesh>", "<mesh>",
            "<vertex/>", "<components>", "<!--", "]]>", "<![CDATA[", "<?x?>", "xmlns=\"\"", "\u{0}", "objectid=\"2\"",
        ]),
    ) {
        let text = model(&(object(1, &cube(10.0)) + &assembly(2, 1, 2)), "<item objectid=\"2\"/>");
        let at = at.index(text.len());
        let end = (at + length).min(text.len());
        check(&three_mf(&[&text[..at], word, &text[end..]].concat()))?;
    }

    #[test]
    fn any_finite_triangle_survives_binary_stl(
        corners in proptest::array::uniform3(proptest::array::uniform3(-10_000.0_f32..10_000.0)),
    ) {
        let mut mesh = cube(10.0);
        mesh.triangles.push([8, 9, 10]);
        mesh.vertices.extend_from_slice(&corners);
        let read = parse(&layerlock_slicer::mesh::to_binary_stl(&mesh), &LIMITS).unwrap().mesh;
        prop_assert_eq!(read.corners(read.triangles[12]), corners);
    }
}

#[test]
fn a_file_without_an_end_is_read_up_to_the_limit() {
    let endless = |byte| read(&mut std::io::repeat(byte), 0, &LIMITS).expect("repeating does not fail");
    for byte in [0, b'v', b'\n', 0xFF] {
        assert_eq!(endless(byte), Err(MeshError::TooLong { limit: LIMITS.held_bytes }));
    }
}

//! Any bytes: the reader ends with an error or with a mesh that keeps its promises.
#![no_main]

use layerlock_slicer::mesh::analysis::analyse;
use layerlock_slicer::mesh::{Limits, REACH_MM, parse, read};

/// Small, so that a case which runs into them is quick; the fuzzer's own memory limit checks that they bound it.
const LIMITS: Limits = Limits {
    triangles: 20_000,
    vertices: 20_000,
    expanded_bytes: 4 << 20,
    ratio: 200,
    parts: 64,
    instances: 500,
    depth: 8,
};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = parse(bytes, &LIMITS);
    let in_pieces = read(&mut &*bytes, bytes.len() as u64, &LIMITS);
    assert_eq!(in_pieces.expect("memory does not fail"), whole);
    if let Ok(parsed) = whole {
        let mesh = &parsed.mesh;
        assert!(mesh.vertices.iter().flatten().all(|c| c.is_finite() && c.abs() <= REACH_MM));
        assert!(mesh.triangles.iter().flatten().all(|&index| (index as usize) < mesh.vertices.len()));
        assert_eq!(analyse(mesh).triangles as usize, mesh.triangles.len());
    }
});

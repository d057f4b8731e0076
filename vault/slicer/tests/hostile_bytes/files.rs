//! Files that are read, which tests change and the fuzzer begins with (`fuzz/seeds`).

use super::meshes::*;

/// Every statement and every kind of corner an OBJ has.
const OBJ_OF_EVERYTHING: &[u8] = b"# c\\\nmtllib a\no b\ng c d\nv 0 0 0 1\nv 9 0 \\\n0\nv 9 9 0 .1 .2 .3\nv 1 8 0\n\
    v 3 3 9\nvt 0 0\nvn 0 0 1\nf 4 3 2 1\nf 1/1 2/1 5/1\r\nf 2//1 3//1 5//1\rf -3/1/1 -2/1/1 -1/1/1\nf 4 1 5\n";

/// A file of every format, small, and one of each kind that is easily misread.
pub(crate) fn good_files() -> Vec<Vec<u8>> {
    let torus = torus(20.0, 6.0, 6);
    let two = model(&(object(1, &torus) + &assembly(2, 1, 3)), "<item objectid=\"2\"/>");
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let relations = relations("/3D/3dmodel.model");
    let parts = [("_rels/.rels", relations.as_bytes()), ("3D/3dmodel.model", two.as_bytes())];
    vec![
        layerlock_slicer::mesh::to_binary_stl(&torus),
        binary_stl_called_solid(&torus),
        ascii_stl(&torus, "ring", "\n").into_bytes(),
        three_mf(&two),
        // Stored, so that changed bytes reach the XML instead of breaking the compression. The checksum
        // still catches most of them, but only after the XML was read.
        archive_with(&parts, stored),
        billion_laughs(3, 4),
        obj(&torus, "\n").into_bytes(),
        OBJ_OF_EVERYTHING.to_vec(),
    ]
}

//! Files as sellers and attackers upload them: what is read, and the one reason each bad file is refused for.
//!
//! The upload cases of the threat model, by their test: U1 `zip_bombs_…`; U2 `multiplying_components_…`;
//! U3 `doctypes_and_entities_…`, `parts_that_are_missing_outside_…`; U4 `archives_two_readers_…`, `part_names_…`,
//! `links_encryption_…`, `entries_that_share_bytes_…`; U5 `what_is_not_to_be_printed_…`; U6 `the_announced_count_…`,
//! `files_that_hold_…`, `models_with_a_fault_…`; U7 `names_in_a_file_…`. Arbitrary bytes are in `hostile_bytes.rs`.

#[path = "../../../tests/src/meshes.rs"]
#[allow(dead_code)]
mod meshes;

use layerlock_slicer::mesh::analysis::analyse;
use layerlock_slicer::mesh::{
    Format, LeftOut, Limits, Lookalike, Mesh, MeshError, Parsed, PartName, Place, parse, to_binary_stl,
};
use meshes::*;
use zip::write::SimpleFileOptions;

fn read(bytes: &[u8]) -> Result<Parsed, MeshError> {
    parse(bytes, &Limits::default())
}

fn refusal(bytes: &[u8]) -> MeshError {
    read(bytes).expect_err("this file must be refused")
}

fn part(name: &str) -> PartName {
    PartName::new(name)
}

const MODEL: &str = "3d/3dmodel.model";
const ONE: &str = "<item objectid=\"1\"/>";

/// Volume in mm³ and bounding box in µm, which say whether a body arrived whole, where, and the right way out.
fn volume_and_box(mesh: &Mesh) -> (i64, [i32; 3], [i32; 3]) {
    let a = analyse(mesh);
    (a.volume_nl / 1000, [a.min.x, a.min.y, a.min.z], [a.max.x, a.max.y, a.max.z])
}

#[test]
fn a_cube_arrives_the_same_from_every_format() {
    let cube = cube(10.0);
    let upper = ascii_stl(&cube, "CUBE of 10", "\r\n").to_uppercase();
    let two_solids = ascii_stl(&cube, "", "\n") + "\n" + &ascii_stl(&cuboid([20.0; 3], [21.0; 3]), "b", "\r");
    let files = [
        (to_binary_stl(&cube), Format::BinaryStl, 1000),
        (binary_stl_called_solid(&cube), Format::BinaryStl, 1000),
        ([to_binary_stl(&cube), vec![0; 7]].concat(), Format::BinaryStl, 1000),
        (ascii_stl(&cube, "cube", "\n").into_bytes(), Format::AsciiStl, 1000),
        (upper.into_bytes(), Format::AsciiStl, 1000),
        (two_solids.into_bytes(), Format::AsciiStl, 1001),
        (three_mf_of(&cube), Format::ThreeMf, 1000),
        (obj(&cube, "\n").into_bytes(), Format::Obj, 1000),
        (obj(&cube, "\r\n").into_bytes(), Format::Obj, 1000),
        (obj(&cube, "\r").into_bytes(), Format::Obj, 1000),
    ];
    for (n, (bytes, format, volume)) in files.iter().enumerate() {
        let parsed = read(bytes).unwrap_or_else(|error| panic!("file {n}: {error}"));
        assert_eq!(parsed.format, *format, "file {n}");
        assert_eq!(volume_and_box(&parsed.mesh).0, *volume, "file {n}");
        assert!(analyse(&parsed.mesh).is_watertight(), "file {n}");
    }
}

#[test]
fn what_is_written_as_binary_stl_is_read_back_unchanged() {
    let torus = torus(20.0, 6.0, 24);
    let once = read(&to_binary_stl(&torus)).unwrap().mesh;
    assert_eq!(once.triangles.len(), torus.triangles.len());
    assert_eq!(read(&to_binary_stl(&once)).unwrap().mesh, once);
}

#[test]
fn files_that_hold_no_printable_body_are_refused() {
    let cube = cube(10.0);
    let nan = cube_with(f32::NAN);
    let rows = [
        (vec![], MeshError::Empty),
        (b"\x89PNG\r\n\x1a\n".to_vec(), MeshError::NotAMesh(Lookalike::Image)),
        (to_binary_stl(&nan), MeshError::NotFinite { at: Place::Triangle(0) }),
        (to_binary_stl(&cube_with(f32::NEG_INFINITY)), MeshError::NotFinite { at: Place::Triangle(0) }),
        (to_binary_stl(&cube_with(10_001.0)), MeshError::OutOfRange { at: Place::Triangle(0) }),
        (
            ascii_stl(&cube_with(f32::MAX), "", "\n").into_bytes(),
            MeshError::OutOfRange { at: Place::Triangle(0) },
        ),
        (three_mf_of(&nan), MeshError::NotFinite { at: Place::Vertex { object: 1, vertex: 3 } }),
        (three_mf_of(&cube_with(20_000.0)), MeshError::OutOfRange { at: Place::Placed { object: 1 } }),
        (to_binary_stl(&Mesh::default()), MeshError::NoTriangles),
        (b"solid nothing\nendsolid nothing\n".to_vec(), MeshError::NoTriangles),
        (to_binary_stl(&flat_sheet(10.0)), MeshError::Flat),
        (three_mf_of(&cuboid([0.0; 3], [10.0, 10.0, 0.0])), MeshError::Flat),
        (to_binary_stl(&cuboid([0.0; 3], [10.0, 0.0, 0.0])), MeshError::AllDegenerate { triangles: 12 }),
        (to_binary_stl(&self::cube(0.06)), MeshError::TooSmall { largest: micrometres(60) }),
        // A body of 20 mm in metres.
        (to_binary_stl(&self::cube(0.02)), MeshError::TooSmall { largest: micrometres(20) }),
        (obj(&self::cube(0.02), "\n").into_bytes(), MeshError::TooSmall { largest: micrometres(20) }),
        (b"v 0 0 0\nv 1 0 0\n".to_vec(), MeshError::NoTriangles),
    ];
    for (bytes, reason) in rows {
        assert_eq!(refusal(&bytes), reason);
    }
    assert!(read(&to_binary_stl(&cube)).is_ok(), "the table's cube is sound where nothing is wrong with it");
}

fn micrometres(um: i32) -> layerlock_terms::units::Micrometres {
    layerlock_terms::units::Micrometres(um)
}

#[test]
fn the_announced_count_is_held_against_the_files_size() {
    let sound = to_binary_stl(&cube(10.0));
    let announcing = |count: u32| {
        let mut bytes = sound.clone();
        bytes[80..84].copy_from_slice(&count.to_le_bytes());
        bytes
    };
    assert_eq!(
        refusal(&announcing(4_000_000_000)),
        MeshError::AbsurdCount { announced: 4_000_000_000, room: 12 }
    );
    assert_eq!(refusal(&announcing(13)), MeshError::Truncated { announced: 13, found: 12 });
    assert_eq!(refusal(&announcing(11)), MeshError::Surplus { announced: 11, room: 12 });
    let few = Limits { triangles: 11, ..Limits::default() };
    assert_eq!(parse(&sound, &few), Err(MeshError::TooManyTriangles { found: 12, limit: 11 }));
}

#[test]
fn a_binary_stl_cut_anywhere_is_refused() {
    let sound = to_binary_stl(&cube(10.0));
    for length in 0..sound.len() {
        assert!(read(&sound[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn a_text_stl_cut_anywhere_inside_its_solid_is_refused() {
    let sound = ascii_stl(&cube(10.0), "cube", "\n");
    let end = sound.rfind("endsolid").unwrap() + "endsolid".len();
    for length in 0..end {
        assert!(read(&sound.as_bytes()[..length]).is_err(), "cut to {length} bytes");
    }
    assert!(read(&sound.as_bytes()[..end]).is_ok());
}

#[test]
fn a_3mf_cut_anywhere_is_refused() {
    let sound = three_mf_of(&cube(10.0));
    for length in 0..sound.len() {
        assert!(read(&sound[..length]).is_err(), "cut to {length} bytes");
    }
}

#[test]
fn text_stl_names_the_line_at_fault() {
    let sound = ascii_stl(&cube(10.0), "cube", "\n");
    let broken = |from: &str, to: &str| refusal(sound.replacen(from, to, 1).as_bytes());
    assert_eq!(broken("outer loop", "outer lop"), MeshError::Syntax { line: 3, expected: "loop" });
    assert_eq!(broken("vertex 0e0 0 0", "vertex 0,5 0 0"), MeshError::BadNumber { line: 4 });
    assert_eq!(broken("vertex 0e0 0 0", "vertex 1e308 0 0"), MeshError::NotFinite { at: Place::Triangle(0) });
    assert_eq!(broken("vertex 0e0 0 0", "vertex nan 0 0"), MeshError::NotFinite { at: Place::Triangle(0) });
    let quad = "vertex 0e0 0 0\n      vertex 0e0 1 0";
    assert_eq!(broken("vertex 0e0 0 0", quad), MeshError::Syntax { line: 7, expected: "endloop" });
    assert_eq!(
        broken("endsolid cube", "endsolid cube\nappendix and more"),
        MeshError::Syntax { line: sound.lines().count() as u64 + 1, expected: "solid" }
    );
}

/// A cube as modelling programs write it: quads, groups, materials, normals, all kinds of corners.
const CUBE_OF_QUADS: &str = "\
# a long licence comes first, and a folder: C:\\models\\
mtllib ../../etc/passwd
o Cube
g side top
v 0 0 0 1.0
v 10 0 0 0.5 0.5 0.5
v 10 10 0
v 0 10 0
v 0 0 10
v 10 0 10
v 10 1e1 \\
  10
v -0 10 10
vt 0.5 0.5
vn 0 0 1
usemtl Material.001
s off
f 4 3 2 1
f 5/1 6/1 7/1 8/1
f 1/1/1 2/1/1 6/1/1 5/1/1
f 2//1 3//1 \\
7//1 6//1
f -6 -5 -1 -2
f 4\t1 5  8
l 1 2
some_extension 1 2 3
";

#[test]
fn an_obj_of_quads_is_read_as_modelling_programs_write_it() {
    for text in
        [CUBE_OF_QUADS.to_owned(), CUBE_OF_QUADS.replace('\n', "\r\n"), format!("\u{feff}{CUBE_OF_QUADS}")]
    {
        let parsed = read(text.as_bytes()).unwrap_or_else(|error| panic!("{error} in {text:?}"));
        assert_eq!(parsed.format, Format::Obj);
        assert_eq!(volume_and_box(&parsed.mesh), (1000, [0; 3], [10_000; 3]), "{text:?}");
        assert!(analyse(&parsed.mesh).is_watertight());
    }
    let licence = "# all rights reserved\n".repeat(200) + CUBE_OF_QUADS;
    assert_eq!(read(licence.as_bytes()).unwrap().mesh.triangles.len(), 12);
}

#[test]
fn a_dented_face_of_an_obj_is_not_filled_across_its_dent() {
    let outline = [[0, 0], [30, 0], [30, 30], [20, 30], [20, 10], [10, 10], [10, 30], [0, 30]];
    let mut text = String::new();
    for z in [0, 10] {
        outline.iter().for_each(|[x, y]| text += &format!("v {x} {y} {z}\n"));
    }
    text += "f 8 7 6 5 4 3 2 1\nf 9 10 11 12 13 14 15 16\n";
    (0..8).for_each(|n| text += &format!("f {} {} {} {}\n", n + 1, (n + 1) % 8 + 1, (n + 1) % 8 + 9, n + 9));
    let mesh = read(text.as_bytes()).unwrap().mesh;
    let analysis = analyse(&mesh);
    assert!(analysis.is_watertight());
    assert_eq!(volume_and_box(&mesh), (7000, [0; 3], [30_000, 30_000, 10_000]));
    assert_eq!(analysis.area_um2, 2 * 700_000_000 + 10 * 160_000_000, "no wall stands in the dent");
}

#[test]
fn an_obj_with_a_fault_names_its_line() {
    let broken = |from: &str, to: &str| refusal(CUBE_OF_QUADS.replacen(from, to, 1).as_bytes());
    assert_eq!(broken("v 10 10 0\n", "v 10,0 10 0\n"), MeshError::BadNumber { line: 7 });
    assert_eq!(broken("v 10 10 0\n", "v 10 10\n"), MeshError::BadNumber { line: 7 });
    assert_eq!(broken("v 10 10 0\n", "v 10 nan 0\n"), MeshError::NotFinite { at: Place::Line(7) });
    assert_eq!(broken("v 10 10 0\n", "v 1e39 10 0\n"), MeshError::NotFinite { at: Place::Line(7) });
    assert_eq!(broken("v 10 10 0\n", "v 10 10 -10001\n"), MeshError::OutOfRange { at: Place::Line(7) });
    let no_such = |index| MeshError::NoSuchVertex { line: 18, index, vertices: 8 };
    assert_eq!(broken("f 4 3 2 1", "f 4 9 2 1"), no_such(9));
    assert_eq!(broken("f 4 3 2 1", "f 4 -9 2 1"), no_such(-9));
    assert_eq!(broken("f 4 3 2 1", "f 4 0 2 1"), no_such(0));
    assert_eq!(broken("f 4 3 2 1", "f 4 3"), MeshError::BadFace { line: 18 });
    assert_eq!(broken("f 4 3 2 1", "f"), MeshError::BadFace { line: 18 });
    assert_eq!(broken("f 4 3 2 1", "f 4 3 two 1"), MeshError::BadFace { line: 18 });
    assert_eq!(broken("f 4 3 2 1", "f 4 3 99999999999 1"), MeshError::BadFace { line: 18 });
    assert_eq!(broken("s off", "call other.obj"), MeshError::FreeForm { line: 17, keyword: "call" });
    assert_eq!(broken("s off", "surf 0 1 0 1 1"), MeshError::FreeForm { line: 17, keyword: "surf" });
    let points_only: String = CUBE_OF_QUADS.lines().take(14).map(|line| format!("{line}\n")).collect();
    assert_eq!(refusal(points_only.as_bytes()), MeshError::NoTriangles);
}

#[test]
fn an_obj_stays_within_the_limits() {
    let bytes = CUBE_OF_QUADS.as_bytes();
    let few = Limits { triangles: 11, ..Limits::default() };
    assert_eq!(parse(bytes, &few), Err(MeshError::TooManyTriangles { found: 12, limit: 11 }));
    let few = Limits { vertices: 7, ..Limits::default() };
    assert_eq!(parse(bytes, &few), Err(MeshError::TooManyVertices { limit: 7 }));
    let endless_face = "v 0 0 0\nv 1 0 0\nv 0 1 0\nf".to_owned() + &" 1 2 3".repeat(100);
    let few = Limits { triangles: 100, ..Limits::default() };
    assert_eq!(
        parse(endless_face.as_bytes(), &few),
        Err(MeshError::TooManyTriangles { found: 101, limit: 100 })
    );
    let dented = "v 0 0 0\nv 9 0 0\nv 9 9 0\nv 8 1 0\nf".to_owned() + &" 1 2 3 4".repeat(100);
    assert_eq!(refusal(dented.as_bytes()), MeshError::FaceTooLarge { line: 5, corners: 400 });
}

#[test]
fn loose_vertices_of_an_obj_are_welded_and_unused_ones_dropped() {
    let cube = cube(10.0);
    let loose = Mesh {
        vertices: cube.triangles.iter().flat_map(|&t| cube.corners(t)).collect(),
        triangles: (0..12).map(|n| [n * 3, n * 3 + 1, n * 3 + 2]).collect(),
    };
    assert!(analyse(&read(obj(&loose, "\n").as_bytes()).unwrap().mesh).is_watertight());
    let stray = obj(&cube, "\n") + "v 500 500 500\n";
    assert_eq!(volume_and_box(&read(stray.as_bytes()).unwrap().mesh), (1000, [0; 3], [10_000; 3]));
}

#[test]
fn units_and_transforms_put_a_body_where_the_file_says() {
    let placed = |unit: &str, transform: &str| {
        let item = format!("<item objectid=\"1\" transform=\"{transform}\"/>");
        let text = model(&object(1, &cube(1.0)), &item).replace("millimeter", unit);
        volume_and_box(&read(&three_mf(&text)).unwrap().mesh)
    };
    let still = "1 0 0 0 1 0 0 0 1 0 0 0";
    assert_eq!(placed("millimeter", still), (1, [0; 3], [1000; 3]));
    assert_eq!(placed("centimeter", still), (1000, [0; 3], [10_000; 3]));
    assert_eq!(placed("inch", still), (16_387, [0; 3], [25_400; 3]));
    assert_eq!(placed("foot", still), (28_316_843, [0; 3], [304_800; 3]));
    assert_eq!(placed("meter", still), (1_000_000_000, [0; 3], [1_000_000; 3]));
    let thousandfold = "2000 0 0 0 2000 0 0 0 2000 5000 0 0";
    assert_eq!(placed("micron", thousandfold), (8, [5000, 0, 0], [7000, 2000, 2000]));
    assert_eq!(
        placed("centimeter", "1 0 0 0 1 0 0 0 1 2 0 0"),
        (1000, [20_000, 0, 0], [30_000, 10_000, 10_000])
    );
    let quarter_turn = "0 1 0 -1 0 0 0 0 1 5 0 0";
    assert_eq!(placed("millimeter", quarter_turn), (1, [4000, 0, 0], [5000, 1000, 1000]));
    let mirror = "-1 0 0 0 1 0 0 0 2 0 0 0";
    assert_eq!(placed("millimeter", mirror), (2, [-1000, 0, 0], [0, 1000, 2000]), "facing is kept");
}

#[test]
fn components_nest_and_their_transforms_compose() {
    let shift = |by: u32| format!("transform=\"1 0 0 0 1 0 0 0 1 {by} 0 0\"");
    let resources = object(1, &cube(1.0))
        + &format!("<object id=\"2\"><components><component objectid=\"1\" {}/>", shift(2))
        + &format!("<component objectid=\"1\" {}/></components></object>", shift(4))
        + &format!(
            "<object id=\"3\"><components><component objectid=\"2\" {}/></components></object>",
            shift(10)
        );
    let text = model(&resources, &format!("<item objectid=\"3\" {}/>", shift(100)));
    let parsed = read(&three_mf(&text)).unwrap();
    assert_eq!(volume_and_box(&parsed.mesh), (2, [112_000, 0, 0], [115_000, 1000, 1000]));
    assert_eq!(analyse(&parsed.mesh).shells, 2);
}

#[test]
fn objects_of_other_parts_are_followed_in_their_own_unit() {
    let part = model(&object(7, &cube(1.0)), "").replace("millimeter", "centimeter");
    let item =
        "<item objectid=\"7\" p:path=\"/3D/Objects/Body.model\" transform=\"1 0 0 0 1 0 0 0 1 3 0 0\"/>";
    let bytes = three_mf_with(&model("", item), &[("3D/Objects/body.model", part.as_bytes())]);
    let parsed = read(&bytes).unwrap();
    assert_eq!(volume_and_box(&parsed.mesh), (1000, [3000, 0, 0], [13_000, 10_000, 10_000]));
    assert_eq!(parsed.left_out, LeftOut::default());
}

#[test]
fn what_is_not_to_be_printed_is_left_out_and_counted() {
    let other = object(2, &cube(5.0)).replace("type=\"model\"", "type=\"other\"");
    let items = "<item objectid=\"1\"/><item objectid=\"1\" printable=\"0\"/><item objectid=\"2\"/>";
    let text = model(&(object(1, &cube(10.0)) + &other), items);
    let settings = b"; post_process = rm -rf /".as_slice();
    let bytes = three_mf_with(
        &text,
        &[("Metadata/Slic3r_PE.config", settings), ("Metadata/thumbnail.png", b"\x89PNG")],
    );
    let parsed = read(&bytes).unwrap();
    assert_eq!(parsed.mesh.triangles.len(), 12);
    assert_eq!(parsed.left_out, LeftOut { parts: 2, objects: 2 });
}

#[test]
fn names_in_a_file_reach_nothing_that_is_handed_on() {
    let command = "M104 S300";
    let named = object(1, &cube(10.0))
        .replace("type=", &format!("name=\"{command}\" partnumber=\"{command}\" type="));
    let metadata = format!("<metadata name=\"Title\">{command}</metadata><resources>");
    let text = model(&named, ONE).replace("<resources>", &metadata);
    for bytes in [three_mf(&text), ascii_stl(&cube(10.0), command, "\n").into_bytes()] {
        let handed_on = to_binary_stl(&read(&bytes).unwrap().mesh);
        assert!(!handed_on.windows(command.len()).any(|window| window == command.as_bytes()));
        assert_eq!(handed_on.len(), 84 + 12 * 50);
    }
}

#[test]
fn loose_triangles_are_welded_and_unused_vertices_dropped() {
    let cube = cube(10.0);
    let loose = Mesh {
        vertices: cube.triangles.iter().flat_map(|&t| cube.corners(t)).collect(),
        triangles: (0..12).map(|n| [n * 3, n * 3 + 1, n * 3 + 2]).collect(),
    };
    assert!(analyse(&read(&three_mf_of(&loose)).unwrap().mesh).is_watertight());
    let mut stray = cube;
    stray.vertices.insert(0, [500.0; 3]);
    stray.triangles.iter_mut().flatten().for_each(|index| *index += 1);
    assert_eq!(volume_and_box(&read(&three_mf_of(&stray)).unwrap().mesh), (1000, [0; 3], [10_000; 3]));
}

#[test]
fn elements_of_foreign_namespaces_are_not_taken_for_geometry() {
    let foreign =
        "<s:slicestack xmlns:s=\"urn:x\"><s:vertices><s:vertex x=\"1\" y=\"1\"/></s:vertices></s:slicestack>";
    let inside = object(1, &cube(10.0)).replace("<triangles>", &format!("{foreign}<triangles>"));
    assert_eq!(read(&three_mf(&model(&inside, ONE))).unwrap().mesh.vertices.len(), 8);
    let prefixed = model(&object(1, &cube(10.0)), ONE)
        .replace("xmlns=", "xmlns:c=")
        .replace("</", "</c:")
        .replace('<', "<c:")
        .replace("<c:/c:", "</c:")
        .replace("<c:?", "<?");
    assert_eq!(read(&three_mf(&prefixed)).unwrap().mesh.vertices.len(), 8);
}

#[test]
fn models_with_a_fault_inside_are_refused_for_that_fault() {
    let cube = object(1, &cube(10.0));
    let singular = "<item objectid=\"1\" transform=\"1 0 0 0 1 0 0 0 0 0 0 0\"/>";
    let unreadable = |element, attribute| MeshError::Attribute { part: part(MODEL), element, attribute };
    let out_of_range = MeshError::IndexOutOfRange { object: 1, triangle: 0, index: 8, vertices: 8 };
    let required = |namespace: &str| {
        let ask = format!("xmlns:b=\"{namespace}\" requiredextensions=\"p b\" unit=");
        model(&cube, ONE).replace("unit=", &ask)
    };
    let beams = "http://schemas.microsoft.com/3dmanufacturing/beamlattice/2017/02";
    let rows = [
        (model(&cube, ONE).replace("millimeter", "parsec"), MeshError::UnknownUnit { unit: part("parsec") }),
        (model(&cube.replace("v1=\"0\" v2=\"2\"", "v1=\"8\" v2=\"2\""), ONE), out_of_range),
        (model(&cube.replace("v1=\"0\"", "v1=\"-1\""), ONE), unreadable("triangle", "v1")),
        (model(&cube.replace("v3=\"3\"", ""), ONE), unreadable("triangle", "v3")),
        (model(&cube.replace("x=\"10\"", "x=\"ten\""), ONE), unreadable("vertex", "x")),
        (model(&cube.replace("id=\"1\"", "id=\"one\""), ONE), unreadable("object", "id")),
        (model(&cube, "<item/>"), unreadable("item", "objectid")),
        (model(&cube, "<item objectid=\"1\" transform=\"1 0 0\"/>"), unreadable("item", "transform")),
        (model(&cube, singular), MeshError::SingularTransform { object: 1 }),
        (model(&cube, "<item objectid=\"9\"/>"), MeshError::UnknownObject { object: 9 }),
        (model(&cube.repeat(2), ONE), MeshError::TwinObjects { part: part(MODEL), object: 1 }),
        (model(&cube, ""), MeshError::EmptyBuild),
        (model("<object id=\"1\"/>", ONE), MeshError::EmptyObject { object: 1 }),
        (required(beams), MeshError::RequiredExtension { namespace: part(beams) }),
    ];
    for (text, reason) in rows {
        assert_eq!(refusal(&three_mf(&text)), reason);
    }
    let harmless = required("http://schemas.microsoft.com/3dmanufacturing/material/2015/02");
    assert!(read(&three_mf(&harmless)).is_ok());
}

#[test]
fn doctypes_and_entities_are_refused_unread() {
    let sound = model(&object(1, &cube(10.0)), ONE);
    let with = |doctype: &str| sound.replacen("<model", &format!("{doctype}<model"), 1);
    let external = with("<!DOCTYPE model [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>");
    assert_eq!(refusal(&three_mf(&external)), MeshError::Doctype { part: part(MODEL) });
    let entity = MeshError::Entity { part: part(MODEL) };
    assert_eq!(refusal(&three_mf(&sound.replace("<resources>", "<resources>&lol9;"))), entity);
    assert_eq!(refusal(&three_mf(&sound.replace("x=\"10\"", "x=\"&ten;\""))), entity);
    let predefined = sound.replace("x=\"10\"", "x=\"&#49;0\"");
    assert_eq!(volume_and_box(&read(&three_mf(&predefined)).unwrap().mesh).0, 1000);
}

#[test]
fn xml_that_is_not_well_formed_is_refused() {
    let sound = model(&object(1, &cube(10.0)), ONE);
    for (from, to) in
        [("</mesh>", ""), ("</model>", ""), ("<build>", "<build"), ("id=\"1\"", "id=\"1\" id=\"2\"")]
    {
        let error = refusal(&three_mf(&sound.replacen(from, to, 1)));
        assert!(matches!(error, MeshError::Xml { .. }), "{from}: {error:?}");
    }
    let wide: Vec<u8> = sound.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let bytes = archive(&[("_rels/.rels", relations("/m").as_bytes()), ("m", &wide)]);
    assert_eq!(refusal(&bytes), MeshError::NotAModel { part: part("m") });
    let page = archive(&[("_rels/.rels", relations("/m").as_bytes()), ("m", b"<html></html>")]);
    assert_eq!(refusal(&page), MeshError::NotAModel { part: part("m") });
}

#[test]
fn zip_bombs_are_stopped_by_ratio_and_by_size() {
    let limits = Limits::default();
    let too_much = MeshError::ExpandsTooMuch { part: part(MODEL), limit: 200 };
    let bomb = zip_bomb(64 << 20);
    assert!(bomb.len() < 100 << 10, "a bomb is small");
    assert_eq!(parse(&bomb, &limits), Err(too_much));
    let small = Limits { expanded_bytes: 4096, ..limits };
    assert_eq!(parse(&zip_bomb(8192), &small), Err(MeshError::ExpandsTooFar { limit: 4096 }));
}

#[test]
fn multiplying_components_are_stopped_by_count_depth_and_cycle() {
    assert_eq!(refusal(&billion_laughs(9, 10)), MeshError::TooManyInstances { limit: 10_000 });
    assert_eq!(refusal(&billion_laughs(40, 1)), MeshError::TooDeep { limit: 16 });
    let few = Limits { triangles: 1000, ..Limits::default() };
    assert_eq!(
        parse(&billion_laughs(2, 10), &few),
        Err(MeshError::TooManyTriangles { found: 1008, limit: 1000 })
    );
    let ring = model(&(assembly(1, 2, 1) + &assembly(2, 1, 1)), ONE);
    assert_eq!(refusal(&three_mf(&ring)), MeshError::Circular { object: 1 });
    let empty_ring = model(&assembly(1, 1, 1), ONE);
    assert_eq!(refusal(&three_mf(&empty_ring)), MeshError::Circular { object: 1 });
}

#[test]
fn archives_two_readers_could_read_differently_are_refused() {
    let text = model(&object(1, &cube(10.0)), ONE);
    let with = |name: &str| three_mf_with(&text, &[(name, b"x".as_slice())]);
    let same = replace_bytes(with("3D/3dmodel.modeX"), b"modeX", b"model");
    assert_eq!(refusal(&same), MeshError::TwinParts);
    assert_eq!(refusal(&with("3D/3DModel.MODEL")), MeshError::CaseTwins { part: part("3D/3DModel.MODEL") });
}

#[test]
fn part_names_that_climb_or_hide_are_refused() {
    let text = model(&object(1, &cube(10.0)), ONE);
    for name in ["../up", "/root", "a/../../b", "a\\b", "c:/x", "a//b", "./a", "a/\u{7}"] {
        // The writer mends some names, so a harmless one of the same length is put in and overwritten.
        let innocent = "q".repeat(name.len());
        let bytes = three_mf_with(&text, &[(&innocent, b"x".as_slice())]);
        let bytes = replace_bytes(bytes, innocent.as_bytes(), name.as_bytes());
        assert_eq!(refusal(&bytes), MeshError::UnsafePath { part: part(name) });
    }
}

#[test]
fn links_encryption_and_foreign_compression_are_refused() {
    let relations = relations("/3D/3dmodel.model");
    let text = model(&object(1, &cube(10.0)), ONE);
    let parts = [("_rels/.rels", relations.as_bytes()), ("3D/3dmodel.model", text.as_bytes())];
    let stored =
        archive_with(&parts, SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored));
    assert!(read(&stored).is_ok());

    let mut link = stored.clone();
    let entry = last_directory_entry(&link);
    link[entry + 5] = 3;
    link[entry + 38..entry + 42].copy_from_slice(&(0o120_777_u32 << 16).to_le_bytes());
    assert_eq!(refusal(&link), MeshError::Link { part: part("3D/3dmodel.model") });

    let mut locked = stored.clone();
    locked[entry + 8] |= 1;
    assert_eq!(refusal(&locked), MeshError::Encrypted { part: part("3D/3dmodel.model") });

    let mut bzip2 = stored;
    bzip2[entry + 10] = 12;
    assert_eq!(refusal(&bzip2), MeshError::Compression { part: part("3D/3dmodel.model") });
}

fn last_directory_entry(archive: &[u8]) -> usize {
    archive.windows(4).rposition(|bytes| bytes == b"PK\x01\x02").expect("an archive has a directory")
}

#[test]
fn entries_that_share_bytes_are_refused() {
    let relations = relations("/3D/3dmodel.model");
    let text = model(&object(1, &cube(10.0)), ONE);
    let mut bytes = archive(&[("_rels/.rels", relations.as_bytes()), ("3D/3dmodel.model", text.as_bytes())]);
    let entry = last_directory_entry(&bytes);
    bytes[entry + 42..entry + 46].fill(0);
    assert_eq!(refusal(&bytes), MeshError::OverlappingParts);
}

#[test]
fn parts_that_are_missing_outside_or_damaged_are_refused() {
    assert_eq!(refusal(&archive(&[("readme.txt", b"hello")])), MeshError::NoModel);
    assert_eq!(refusal(&archive(&[("_rels/.rels", b"<Relationships/>")])), MeshError::NoModel);
    let missing = archive(&[("_rels/.rels", relations("/3D/gone.model").as_bytes())]);
    assert_eq!(refusal(&missing), MeshError::MissingPart { part: part("3d/gone.model") });
    for target in ["http://example.com/a.model", "file:///etc/passwd", "//host/share"] {
        let outside = archive(&[("_rels/.rels", relations(target).as_bytes())]);
        assert_eq!(refusal(&outside), MeshError::External { part: part(target) });
    }
    let external = relations("a.model").replace("Id=", "TargetMode=\"External\" Id=");
    let bytes = archive(&[("_rels/.rels", external.as_bytes())]);
    assert_eq!(refusal(&bytes), MeshError::External { part: part("a.model") });
    let mut crowd = three_mf_of(&cube(10.0));
    let limits = Limits { parts: 2, ..Limits::default() };
    assert_eq!(parse(&crowd, &limits), Err(MeshError::TooManyParts { found: 3, limit: 2 }));
    let middle = crowd.len() / 2;
    crowd[middle] ^= 0xff;
    assert_eq!(refusal(&crowd), MeshError::DamagedPart { part: part(MODEL) });
}

/// Every triangle once more, facing the other way.
fn faced_both_ways(mesh: &Mesh) -> Mesh {
    let back = mesh.triangles.iter().map(|&[a, b, c]| [a, c, b]);
    Mesh { vertices: mesh.vertices.clone(), triangles: mesh.triangles.iter().copied().chain(back).collect() }
}

#[test]
fn bodies_without_an_inside_are_refused_in_every_format() {
    let far = cuboid([9_000.0; 3], [9_990.0; 3]);
    let sheets = [
        faced_both_ways(&cube(10.0)),
        faced_both_ways(&far),
        faced_both_ways(&torus(20.0, 6.0, 24)),
        cuboid([0.0; 3], [10.0, 10.0, 0.001]),
        cuboid([0.0; 3], [0.049, 10.0, 10.0]),
    ];
    for (n, sheet) in sheets.iter().enumerate() {
        assert_eq!(refusal(&to_binary_stl(sheet)), MeshError::Flat, "sheet {n}");
        assert_eq!(refusal(&three_mf_of(sheet)), MeshError::Flat, "sheet {n}");
    }
}

#[test]
fn bodies_that_are_thin_turned_round_or_doubled_are_read() {
    let cube = cube(10.0);
    let turned = |every: usize| {
        let turn = |(n, &[a, b, c]): (usize, &[u32; 3])| if n % every == 0 { [a, c, b] } else { [a, b, c] };
        let triangles = cube.triangles.iter().enumerate().map(turn).collect();
        Mesh { vertices: cube.vertices.clone(), triangles }
    };
    let doubled = Mesh {
        vertices: cube.vertices.clone(),
        triangles: [&cube.triangles[..], &cube.triangles[..]].concat(),
    };
    let mut lined = faced_both_ways(&cube);
    lined.triangles.extend(&cube.triangles);
    for (n, body) in [cuboid([0.0; 3], [10.0, 10.0, 0.06]), turned(1), turned(2), turned(3), doubled, lined]
        .iter()
        .enumerate()
    {
        assert!(read(&to_binary_stl(body)).is_ok(), "body {n}");
    }
}

#[test]
fn every_refusal_says_what_to_do() {
    let mends =
        ["export", "save", "upload", "repair", "move", "reduce", "give", "select", "put", "flatten", "is it"];
    let samples = [
        MeshError::Empty,
        MeshError::Flat,
        MeshError::NoModel,
        MeshError::Circular { object: 1 },
        MeshError::NotAMesh(Lookalike::Gcode),
        MeshError::External { part: part("http://x") },
        MeshError::Entity { part: part("m\u{1b}[2J") },
    ];
    for error in samples {
        let said = error.to_string();
        assert!(mends.iter().any(|mend| said.contains(mend)), "{said}");
        assert!(!said.contains(char::is_control), "{said}");
    }
}

//! Meshes and mesh files for tests: tiny, made by formula, one difficulty each, and the containers an upload comes in.
//!
//! Also included by path in the slicer crate's own integration tests, so it names nothing but the slicer and `zip`.
//! Bodies are in millimetres and face outwards unless the name says otherwise. Broken archives are made by writing
//! a sound one and changing bytes ([`replace_bytes`]), so that exactly one thing is wrong with each.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};

use layerlock_slicer::mesh::{Mesh, to_binary_stl};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

/// A box between two corners.
pub fn cuboid(min: [f32; 3], max: [f32; 3]) -> Mesh {
    let vertices = (0..8)
        .map(|n| [0, 1, 2].map(|axis| if n >> axis & 1 == 0 { min[axis] } else { max[axis] }))
        .collect();
    let quads = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [1, 3, 7, 5], [3, 2, 6, 7], [2, 0, 4, 6]];
    let triangles = quads.iter().flat_map(|&[a, b, c, d]| [[a, b, c], [a, c, d]]).collect();
    Mesh { vertices, triangles }
}

/// A cube on the bed, one corner at the origin.
pub fn cube(side: f32) -> Mesh {
    cuboid([0.0; 3], [side; 3])
}

/// A plate whose faces are cut into so many squares a side: a file of any length.
pub fn plate(cuts: u32) -> Mesh {
    let at = |x: u32, y: u32, z: u32| z * (cuts + 1) * (cuts + 1) + y * (cuts + 1) + x;
    let mut mesh = Mesh::default();
    for n in 0..2 * (cuts + 1) * (cuts + 1) {
        let (x, y, z) = (n % (cuts + 1), n / (cuts + 1) % (cuts + 1), n / (cuts + 1) / (cuts + 1));
        mesh.vertices.push([x as f32 * 60.0 / cuts as f32, y as f32 * 60.0 / cuts as f32, z as f32 * 5.0]);
    }
    let mut quad = |[a, b, c, d]: [u32; 4]| mesh.triangles.extend([[a, b, c], [a, c, d]]);
    for n in 0..cuts {
        for m in 0..cuts {
            quad([at(n, m, 1), at(n + 1, m, 1), at(n + 1, m + 1, 1), at(n, m + 1, 1)]);
            quad([at(n, m, 0), at(n, m + 1, 0), at(n + 1, m + 1, 0), at(n + 1, m, 0)]);
        }
        quad([at(n, 0, 0), at(n + 1, 0, 0), at(n + 1, 0, 1), at(n, 0, 1)]);
        quad([at(n + 1, cuts, 0), at(n, cuts, 0), at(n, cuts, 1), at(n + 1, cuts, 1)]);
        quad([at(0, n + 1, 0), at(0, n, 0), at(0, n, 1), at(0, n + 1, 1)]);
        quad([at(cuts, n, 0), at(cuts, n + 1, 0), at(cuts, n + 1, 1), at(cuts, n, 1)]);
    }
    mesh
}

/// A wall 40 × 20 mm of this thickness.
pub fn thin_wall(thickness: f32) -> Mesh {
    cuboid([0.0; 3], [40.0, thickness, 20.0])
}

/// A ball of `2 × rings` segments around the origin.
pub fn sphere(radius: f32, rings: u32) -> Mesh {
    let segments = rings * 2;
    let mut mesh = Mesh { vertices: vec![[0.0, 0.0, -radius]], triangles: Vec::new() };
    for ring in 1..rings {
        let polar = std::f32::consts::PI * ring as f32 / rings as f32;
        for segment in 0..segments {
            let turn = std::f32::consts::TAU * segment as f32 / segments as f32;
            let across = radius * polar.sin();
            mesh.vertices.push([across * turn.cos(), across * turn.sin(), -radius * polar.cos()]);
        }
    }
    mesh.vertices.push([0.0, 0.0, radius]);
    let at = |ring: u32, segment: u32| 1 + (ring - 1) * segments + segment % segments;
    let top = mesh.vertices.len() as u32 - 1;
    for s in 0..segments {
        mesh.triangles.push([0, at(1, s + 1), at(1, s)]);
        mesh.triangles.push([top, at(rings - 1, s), at(rings - 1, s + 1)]);
        for ring in 1..rings - 1 {
            let (a, b, c, d) = (at(ring, s), at(ring, s + 1), at(ring + 1, s + 1), at(ring + 1, s));
            mesh.triangles.extend([[a, b, c], [a, c, d]]);
        }
    }
    mesh
}

/// A ring lying flat: `major` to the middle of its tube, `minor` the tube's radius.
pub fn torus(major: f32, minor: f32, steps: u32) -> Mesh {
    let turn = |n: u32| std::f32::consts::TAU * (n % steps) as f32 / steps as f32;
    let mut mesh = Mesh::default();
    for (around, across) in (0..steps).flat_map(|u| (0..steps).map(move |v| (u, v))) {
        let reach = major + minor * turn(across).cos();
        mesh.vertices.push([
            reach * turn(around).cos(),
            reach * turn(around).sin(),
            minor + minor * turn(across).sin(),
        ]);
        let at = |u: u32, v: u32| u % steps * steps + v % steps;
        let (a, b) = (at(around, across), at(around + 1, across));
        let (c, d) = (at(around + 1, across + 1), at(around, across + 1));
        mesh.triangles.extend([[a, b, c], [a, c, d]]);
    }
    mesh
}

/// A cube without its lid: four open edges.
pub fn open_box(side: f32) -> Mesh {
    let mut mesh = cube(side);
    mesh.triangles.drain(2..4);
    mesh
}

/// The same body inside out.
pub fn flipped(mut mesh: Mesh) -> Mesh {
    mesh.triangles.iter_mut().for_each(|triangle| triangle.swap(1, 2));
    mesh
}

/// The same body with only its first triangle turned over.
pub fn one_flipped(mut mesh: Mesh) -> Mesh {
    mesh.triangles[0].swap(1, 2);
    mesh
}

/// A square sheet in a slanted plane: area, no volume.
pub fn flat_sheet(side: f32) -> Mesh {
    Mesh {
        vertices: vec![[0.0, 0.0, 0.0], [side, 0.0, side], [side, side, side], [0.0, side, 0.0]],
        triangles: vec![[0, 1, 2], [0, 2, 3]],
    }
}

/// A cube one of whose coordinates is `value`.
pub fn cube_with(value: f32) -> Mesh {
    let mut mesh = cube(10.0);
    mesh.vertices[3][1] = value;
    mesh
}

/// Several bodies as one mesh, not joined.
pub fn together(bodies: &[Mesh]) -> Mesh {
    bodies.iter().fold(Mesh::default(), |mut all, body| {
        let first = all.vertices.len() as u32;
        all.vertices.extend_from_slice(&body.vertices);
        all.triangles.extend(body.triangles.iter().map(|triangle| triangle.map(|index| first + index)));
        all
    })
}

/// Binary STL whose header begins with the word "solid", as many programs write it.
pub fn binary_stl_called_solid(mesh: &Mesh) -> Vec<u8> {
    let mut bytes = to_binary_stl(mesh);
    bytes[..22].copy_from_slice(b"solid facet exported  ");
    bytes
}

/// ASCII STL with `newline` between lines.
pub fn ascii_stl(mesh: &Mesh, name: &str, newline: &str) -> String {
    let mut text = format!("solid {name}{newline}");
    for &triangle in &mesh.triangles {
        write!(text, "  facet normal 0 0 0{newline}    outer loop{newline}").expect("a string takes all");
        for [x, y, z] in mesh.corners(triangle) {
            write!(text, "      vertex {x:e} {y} {z}{newline}").expect("a string takes all");
        }
        write!(text, "    endloop{newline}  endfacet{newline}").expect("a string takes all");
    }
    text + "endsolid " + name + newline
}

/// OBJ with `newline` between lines.
pub fn obj(mesh: &Mesh, newline: &str) -> String {
    let mut text = format!("# made by formula{newline}o body{newline}");
    for [x, y, z] in &mesh.vertices {
        write!(text, "v {x} {y} {z}{newline}").expect("a string takes all");
    }
    for [a, b, c] in &mesh.triangles {
        write!(text, "f {} {} {}{newline}", a + 1, b + 1, c + 1).expect("a string takes all");
    }
    text
}

/// A zip archive of these parts, deflated.
pub fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    archive_with(parts, SimpleFileOptions::default().compression_method(CompressionMethod::Deflated))
}

/// A zip archive of these parts with options of one's own.
pub fn archive_with(parts: &[(&str, &[u8])], options: SimpleFileOptions) -> Vec<u8> {
    let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        writer.start_file(*name, options).expect("test parts have distinct names");
        writer.write_all(bytes).expect("memory takes all");
    }
    writer.finish().expect("memory takes all").into_inner()
}

/// The relations part that names `target` as the root model.
pub fn relations(target: &str) -> String {
    format!(
        "<Relationships xmlns=\"http://schemas.openxmlformats.org/package/2006/relationships\">\
         <Relationship Target=\"{target}\" Id=\"r\" \
         Type=\"http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel\"/></Relationships>"
    )
}

/// A 3MF whose only model part is `model`.
pub fn three_mf(model: &str) -> Vec<u8> {
    three_mf_with(model, &[])
}

/// A 3MF with further parts beside its root model.
pub fn three_mf_with(model: &str, others: &[(&str, &[u8])]) -> Vec<u8> {
    let relations = relations("/3D/3dmodel.model");
    let mut parts = vec![
        ("[Content_Types].xml", b"<Types/>".as_slice()),
        ("_rels/.rels", relations.as_bytes()),
        ("3D/3dmodel.model", model.as_bytes()),
    ];
    parts.extend_from_slice(others);
    archive(&parts)
}

/// A model part in millimetres around these resources and build items.
pub fn model(resources: &str, build: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <model unit=\"millimeter\" xmlns=\"http://schemas.microsoft.com/3dmanufacturing/core/2015/02\" \
         xmlns:p=\"http://schemas.microsoft.com/3dmanufacturing/production/2015/06\">\
         <resources>{resources}</resources><build>{build}</build></model>"
    )
}

/// An `<object>` with a mesh.
pub fn object(id: u32, mesh: &Mesh) -> String {
    let mut text = format!("<object id=\"{id}\" type=\"model\"><mesh><vertices>");
    for [x, y, z] in &mesh.vertices {
        write!(text, "<vertex x=\"{x}\" y=\"{y}\" z=\"{z}\"/>").expect("a string takes all");
    }
    text += "</vertices><triangles>";
    for [a, b, c] in &mesh.triangles {
        write!(text, "<triangle v1=\"{a}\" v2=\"{b}\" v3=\"{c}\"/>").expect("a string takes all");
    }
    text + "</triangles></mesh></object>"
}

/// An `<object>` made of `copies` placements of another.
pub fn assembly(id: u32, of: u32, copies: usize) -> String {
    let component = format!("<component objectid=\"{of}\"/>");
    format!("<object id=\"{id}\"><components>{}</components></object>", component.repeat(copies))
}

/// The smallest honest 3MF: one object, placed once.
pub fn three_mf_of(mesh: &Mesh) -> Vec<u8> {
    three_mf(&model(&object(1, mesh), "<item objectid=\"1\"/>"))
}

/// A 3MF of a few kilobytes whose model expands to `bytes` of white space.
pub fn zip_bomb(bytes: usize) -> Vec<u8> {
    three_mf(&model(&" ".repeat(bytes), ""))
}

/// "Billion laughs" by components: `width` to the power of `levels` copies of a cube, in a few hundred bytes.
pub fn billion_laughs(levels: u32, width: usize) -> Vec<u8> {
    let mut resources = object(1, &cube(10.0));
    (2..levels + 2).for_each(|id| resources += &assembly(id, id - 1, width));
    three_mf(&model(&resources, &format!("<item objectid=\"{}\"/>", levels + 1)))
}

/// `bytes` with every occurrence of `from` replaced by `to`, which is as long.
pub fn replace_bytes(mut bytes: Vec<u8>, from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "offsets in the archive must stay");
    let found: Vec<usize> =
        (0..=bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from)).collect();
    assert!(!found.is_empty(), "there is nothing to replace");
    found.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to));
    bytes
}

//! A part and its seller's own G-code in one file: a 3MF whose folder `Metadata/layerlock` holds a G-code for each machine and
//! material (`docs/custom-gcode.md`).
//!
//! The same files make the same bytes, so that what was uploaded before is known again. A part that is no 3MF becomes one,
//! corner by corner as it is.

use std::fmt::Write as _;
use std::io::{self, Cursor, Read as _, Write as _};

use layerlock_slicer::mesh::{self, Limits, Mesh, MeshError};
use layerlock_terms::machine::{Machine, Material, UnknownName};
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

/// Where G-code lies in the package.
const FOLDER: &str = "Metadata/layerlock";

/// The part's model, in a package that is made here.
const MODEL: &str = "3D/3dmodel.model";
const TYPES: &str = "[Content_Types].xml";
const GCODE_TYPE: &str = r#"<Default Extension="gcode" ContentType="text/x.gcode"/>"#;
const PLAIN_TYPES: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">"#,
    r#"<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>"#,
    r#"<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/>"#,
    r#"<Default Extension="gcode" ContentType="text/x.gcode"/></Types>"#,
);
const RELATIONS: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">"#,
    r#"<Relationship Target="/3D/3dmodel.model" Id="model" "#,
    r#"Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>"#,
);

/// G-code for one machine and material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gcode {
    /// What it is for.
    pub machine: &'static Machine,
    /// What it is for.
    pub material: Material,
    /// As its slicer wrote it.
    pub text: Vec<u8>,
}

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The part can't be read.
    #[error(transparent)]
    Part(#[from] MeshError),
    /// The part's archive can't be copied.
    #[error("the 3MF can't be copied ({0}); save the model again")]
    Archive(#[from] ZipError),
    /// It can't be written.
    #[error("the package can't be written: {0}")]
    Write(#[from] io::Error),
    /// Two files for one purpose.
    #[error("there are two G-codes for {machine} and {material}: give one")]
    Twice {
        /// The machine.
        machine: &'static str,
        /// The material.
        material: &'static str,
    },
}

/// Where a G-code file is for, as it is typed: `MACHINE:MATERIAL`.
///
/// # Errors
/// [`UnknownName`], with the nearest name there is.
pub fn purpose(typed: &str) -> Result<(&'static Machine, Material), UnknownName> {
    let (machine, material) = typed.split_once(':').unwrap_or((typed, ""));
    Ok((Machine::named(machine)?, Material::named(material)?))
}

/// Puts G-code beside a part.
///
/// # Errors
/// [`PackageError`].
pub fn with_gcode(part: &[u8], gcode: &[Gcode]) -> Result<Vec<u8>, PackageError> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let mut names = if mesh::is_zip(part) { copy(part, &mut zip)? } else { convert(part, &mut zip)? };
    for Gcode { machine, material, text } in gcode {
        let (machine, material) = (machine.name, material.name());
        let name = format!("{FOLDER}/{machine}/{material}.gcode");
        if names.contains(&name.to_lowercase()) {
            return Err(PackageError::Twice { machine, material });
        }
        names.push(name.to_lowercase());
        write(&mut zip, &name, text)?;
    }
    Ok(zip.finish()?.into_inner())
}

type Zip = ZipWriter<Cursor<Vec<u8>>>;

fn write(zip: &mut Zip, name: &str, bytes: &[u8]) -> Result<(), PackageError> {
    // The clock stays out of it.
    zip.start_file(name, SimpleFileOptions::default())?;
    Ok(zip.write_all(bytes)?)
}

/// Copies a 3MF as it is, but for the list of what its parts are; answers their names.
fn copy(part: &[u8], zip: &mut Zip) -> Result<Vec<String>, PackageError> {
    // What a vault would refuse is refused before it is touched.
    mesh::parse(part, &Limits::default())?;
    let mut archive = ZipArchive::new(Cursor::new(part))?;
    let mut names = Vec::with_capacity(archive.len());
    for at in 0..archive.len() {
        let mut file = archive.by_index(at)?;
        let name = file.name()?.to_lowercase();
        if name == TYPES.to_lowercase() {
            let mut types = String::new();
            file.read_to_string(&mut types)?;
            if !types.contains(r#"Extension="gcode""#) {
                types = types.replacen("</Types>", &format!("{GCODE_TYPE}</Types>"), 1);
            }
            drop(file);
            write(zip, TYPES, types.as_bytes())?;
        } else {
            drop(file);
            zip.raw_copy_file(archive.by_index_raw(at)?)?;
        }
        names.push(name);
    }
    Ok(names)
}

/// Makes a 3MF of any other model; answers nothing, because no name of it lies where G-code does.
fn convert(part: &[u8], zip: &mut Zip) -> Result<Vec<String>, PackageError> {
    let parsed = mesh::parse(part, &Limits::default())?;
    write(zip, TYPES, PLAIN_TYPES.as_bytes())?;
    write(zip, "_rels/.rels", RELATIONS.as_bytes())?;
    write(zip, MODEL, model(&parsed.mesh).as_bytes())?;
    Ok(Vec::new())
}

/// Every corner as the shortest text that reads as the same number.
fn model(mesh: &Mesh) -> String {
    let mut xml = String::from(concat!(
        r#"<?xml version="1.0" encoding="UTF-8"?><model unit="millimeter" "#,
        r#"xmlns="http://schemas.microsoft.com/3dmanufacturing/core/2015/02"><resources>"#,
        r#"<object id="1" type="model"><mesh><vertices>"#,
    ));
    for [x, y, z] in &mesh.vertices {
        let _ = write!(xml, r#"<vertex x="{x}" y="{y}" z="{z}"/>"#);
    }
    xml.push_str("</vertices><triangles>");
    for [a, b, c] in &mesh.triangles {
        let _ = write!(xml, r#"<triangle v1="{a}" v2="{b}" v3="{c}"/>"#);
    }
    xml.push_str("</triangles></mesh></object></resources><build><item objectid=\"1\"/></build></model>");
    xml
}

#[cfg(test)]
mod tests {
    use layerlock_slicer::mesh::Attachments;

    use super::*;

    fn part() -> Mesh {
        let vertices = vec![[0.1, 0.0, -0.0], [12.345_679, 0.0, 0.0], [0.0, 7.1, 1e-3], [0.0, 0.0, 33.3]];
        Mesh { vertices, triangles: vec![[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]] }
    }

    fn gcode(material: Material, text: &str) -> Gcode {
        Gcode { machine: Machine::named("ender-3").unwrap(), material, text: text.into() }
    }

    fn attached(package: &[u8]) -> Vec<(String, Vec<u8>)> {
        let mut attachments = Attachments::open(package, FOLDER, &Limits::default()).unwrap();
        let names = attachments.names().map(str::to_owned).collect::<Vec<_>>();
        names.into_iter().map(|name| (name.clone(), attachments.read(&name).unwrap())).collect()
    }

    #[test]
    fn a_part_of_any_format_comes_back_corner_by_corner_with_the_gcode_beside_it() {
        let stl = mesh::to_binary_stl(&part());
        let own = [gcode(Material::Pla, "G1 X1"), gcode(Material::Petg, "G1 X2")];
        let package = with_gcode(&stl, &own).unwrap();
        let parse = |bytes: &[u8]| mesh::parse(bytes, &Limits::default()).unwrap().mesh;
        assert_eq!(parse(&package), parse(&stl));
        let expected = [("/ender-3/petg.gcode", "G1 X2"), ("/ender-3/pla.gcode", "G1 X1")];
        assert_eq!(attached(&package), expected.map(|(name, text)| (name.to_owned(), text.into())));
        assert_eq!(package, with_gcode(&stl, &own).unwrap(), "the same files make the same bytes");
    }

    #[test]
    fn a_3mf_is_copied_with_all_that_was_in_it_and_is_told_of_no_purpose_twice() {
        let stl = mesh::to_binary_stl(&part());
        let first = with_gcode(&stl, &[gcode(Material::Pla, "G1 X1")]).unwrap();
        let second = with_gcode(&first, &[gcode(Material::Petg, "G1 X2")]).unwrap();
        assert_eq!(attached(&second).len(), 2);
        let mut archive = ZipArchive::new(Cursor::new(&second)).unwrap();
        let mut types = String::new();
        archive.by_name(TYPES).unwrap().read_to_string(&mut types).unwrap();
        assert_eq!(types.matches(GCODE_TYPE).count(), 1);
        for package in [&first, &second] {
            let again = with_gcode(package, &[gcode(Material::Pla, "")]).unwrap_err();
            assert!(matches!(again, PackageError::Twice { machine: "ender-3", material: "pla" }), "{again}");
        }
    }

    #[test]
    fn what_a_file_is_for_is_named_by_the_catalogue() {
        let (machine, material) = purpose("prusa-mk3s:petg").unwrap();
        assert_eq!((machine.name, material), ("prusa-mk3s", Material::Petg));
        for typed in ["prusa-mk3s", "prusa:pla", "prusa-mk3s:wood", ":", ""] {
            assert!(purpose(typed).is_err(), "{typed}");
        }
    }
}

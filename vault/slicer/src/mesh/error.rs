//! What can be wrong with an uploaded mesh, in words its seller can act on.
//!
//! Serves hop 1 (upload). Every variant names the offender and the mend, and is one row of the bad-input table
//! in `threemf` and `stl` tests. User text (part names, units) enters a message only through [`PartName`], which
//! is short and printable. Deliberately absent: I/O errors, because this crate is handed bytes, never a file.

use std::fmt;

use layerlock_terms::units::Micrometres;
use thiserror::Error;

/// Why a file was refused as a mesh.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MeshError {
    /// Zero bytes.
    #[error("the file is empty; export the model again and check that the file is complete")]
    Empty,
    /// Some other kind of file.
    #[error(
        "this is {0}, not a mesh we read; export the model as STL, 3MF or OBJ and give that file instead"
    )]
    NotAMesh(Lookalike),
    /// A file that goes on and on.
    #[error("the file has more than {limit} bytes and is no binary STL; export the model as binary STL")]
    TooLong {
        /// Bytes allowed.
        limit: u64,
    },
    /// More triangles than this vault takes.
    #[error("the mesh has {found} triangles, the limit is {limit}; reduce its resolution when exporting")]
    TooManyTriangles {
        /// Triangles the file holds, or where counting stopped.
        found: u64,
        /// Triangles allowed.
        limit: u64,
    },
    /// More vertices than this vault takes.
    #[error("the mesh has more than {limit} vertices; reduce its resolution when exporting")]
    TooManyVertices {
        /// Vertices allowed.
        limit: u64,
    },

    /// Binary STL shorter than it says.
    #[error(
        "the STL announces {announced} triangles but only {found} are there; it was cut short, give the complete file"
    )]
    Truncated {
        /// Triangles the header announces.
        announced: u64,
        /// Whole triangles in the file.
        found: u64,
    },
    /// Binary STL whose count no file of this size could have.
    #[error(
        "the STL announces {announced} triangles but has room for {room}; it is damaged, export it again"
    )]
    AbsurdCount {
        /// Triangles the header announces.
        announced: u64,
        /// Whole triangles the file has room for.
        room: u64,
    },
    /// Binary STL longer than it says by whole triangles.
    #[error("the STL announces {announced} triangles but holds {room}; its count is wrong, export it again")]
    Surplus {
        /// Triangles the header announces.
        announced: u64,
        /// Whole triangles in the file.
        room: u64,
    },
    /// ASCII STL that ends inside a solid.
    #[error(
        "the text STL ends in the middle of a solid, at line {line}; it was cut short, give the complete file"
    )]
    CutShort {
        /// Line the file ends on, from 1.
        line: u64,
    },
    /// ASCII STL with something else where a keyword belongs.
    #[error(
        "line {line} of the text STL should say `{expected}`; export the model again, as binary STL if you can"
    )]
    Syntax {
        /// Line, from 1.
        line: u64,
        /// The keyword that belongs there.
        expected: &'static str,
    },
    /// A text mesh with a coordinate that is no number.
    #[error("line {line} has a coordinate that is no number (a decimal comma?); export the model again")]
    BadNumber {
        /// Line, from 1.
        line: u64,
    },

    /// A face of an OBJ that names less than three vertices, or something that is no vertex.
    #[error("line {line} of the OBJ has a face that is no list of at least three vertices; export it again")]
    BadFace {
        /// Line, from 1.
        line: u64,
    },
    /// A face of an OBJ that names a vertex which isn't there.
    #[error(
        "line {line} of the OBJ names vertex {index}, there are {vertices}; it was cut short or damaged, export it again"
    )]
    NoSuchVertex {
        /// Line, from 1.
        line: u64,
        /// What it names: from 1, or below zero from the newest.
        index: i64,
        /// How many there are; before that line, where it counts backwards.
        vertices: u64,
    },
    /// A face of an OBJ with dents and more corners than are worth splitting.
    #[error(
        "line {line} of the OBJ has a dented face of {corners} corners; export it again with faces as triangles"
    )]
    FaceTooLarge {
        /// Line, from 1.
        line: u64,
        /// Its corners.
        corners: u64,
    },
    /// A statement of an OBJ that makes shape by formula, or takes it from another file.
    #[error("line {line} of the OBJ draws with `{keyword}`, not with faces; export the model as a mesh")]
    FreeForm {
        /// Line, from 1.
        line: u64,
        /// The statement.
        keyword: &'static str,
    },

    /// A coordinate is NaN or infinite.
    #[error("{at} has a coordinate that is not a finite number; repair the model and export it again")]
    NotFinite {
        /// Where.
        at: Place,
    },
    /// A coordinate further out than [`super::REACH_MM`].
    #[error("{at} lies more than 10 m from the origin; move the model to the origin and check its unit")]
    OutOfRange {
        /// Where.
        at: Place,
    },
    /// Not one triangle.
    #[error(
        "the file holds no triangles; select the solid body when exporting, not a sketch or an empty group"
    )]
    NoTriangles,
    /// Every triangle has zero area.
    #[error("all {triangles} triangles have zero area; the export went wrong, export the model again")]
    AllDegenerate {
        /// Triangles in the file.
        triangles: u64,
    },
    /// All triangles lie in one plane or within less than a layer, or nothing is enclosed.
    #[error(
        "the mesh is flat or its faces cancel out, so there is no body; give the model a thickness and export it again"
    )]
    Flat,
    /// Smaller than [`super::SMALLEST_MM`] in every direction.
    #[error(
        "the mesh measures {largest} at most; it was probably drawn in metres or inches, export it in millimetres"
    )]
    TooSmall {
        /// Its largest extent.
        largest: Micrometres,
    },

    /// Not readable as a zip archive.
    #[error("the 3MF archive is damaged ({0}); give a complete copy of the file")]
    BrokenArchive(&'static str),
    /// More parts than a 3MF has reason to hold.
    #[error("the 3MF holds {found} parts, the limit is {limit}; save it again without attachments")]
    TooManyParts {
        /// Entries in the archive's directory.
        found: u64,
        /// Entries allowed.
        limit: u64,
    },
    /// A password-protected part.
    #[error("part {part} of the 3MF is encrypted; save the model without a password")]
    Encrypted {
        /// Its name.
        part: PartName,
    },
    /// A name that climbs, is absolute, or hides characters.
    #[error("part {part} of the 3MF has an unsafe path; save the model again with an ordinary program")]
    UnsafePath {
        /// Its name.
        part: PartName,
    },
    /// A symbolic link.
    #[error("part {part} of the 3MF is a link, not data; save the model again with an ordinary program")]
    Link {
        /// Its name.
        part: PartName,
    },
    /// Two parts with one name.
    #[error(
        "the 3MF holds two parts of the same name, so readers may disagree about it; save the model again"
    )]
    TwinParts,
    /// Two parts whose names differ in case only.
    #[error(
        "the 3MF holds part {part} twice with other capitals, so readers may disagree; save the model again"
    )]
    CaseTwins {
        /// The name, as found the second time.
        part: PartName,
    },
    /// Two directory entries that share bytes of the file.
    #[error("parts of the 3MF overlap inside the archive, as in a zip bomb; save the model again")]
    OverlappingParts,
    /// Compression other than stored or deflate.
    #[error("part {part} of the 3MF uses a compression 3MF does not allow; save the model again")]
    Compression {
        /// Its name.
        part: PartName,
    },
    /// More bytes after decompression than allowed.
    #[error("the 3MF expands to more than {limit} bytes; reduce the model's resolution when exporting")]
    ExpandsTooFar {
        /// Bytes allowed.
        limit: u64,
    },
    /// One part expands suspiciously.
    #[error(
        "part {part} of the 3MF expands more than {limit} times, as a zip bomb does; save the model again"
    )]
    ExpandsTooMuch {
        /// Its name.
        part: PartName,
        /// Ratio allowed.
        limit: u64,
    },
    /// A part whose data does not decompress or has a wrong checksum.
    #[error("part {part} of the 3MF is damaged; give a complete copy of the file")]
    DamagedPart {
        /// Its name.
        part: PartName,
    },
    /// A zip archive without a root model.
    #[error("the archive names no 3D model (its _rels/.rels is missing or empty); is it a 3MF at all?")]
    NoModel,
    /// A part that is named but not there.
    #[error("the 3MF names part {part} but does not hold it; save the model again")]
    MissingPart {
        /// Its name.
        part: PartName,
    },
    /// A relation that points out of the package.
    #[error(
        "the 3MF points outside itself ({part}); nothing is fetched, save the model with all its parts inside"
    )]
    External {
        /// The target.
        part: PartName,
    },

    /// A DOCTYPE, which is where external and recursive entities come from.
    #[error("part {part} of the 3MF has a DOCTYPE, which 3MF forbids; save the model again")]
    Doctype {
        /// Its name.
        part: PartName,
    },
    /// A reference to an entity XML does not define by itself.
    #[error("part {part} of the 3MF refers to an undefined XML entity; save the model again")]
    Entity {
        /// Its name.
        part: PartName,
    },
    /// Not well-formed XML.
    #[error("part {part} of the 3MF is not well-formed XML near byte {offset}; save the model again")]
    Xml {
        /// Its name.
        part: PartName,
        /// Bytes into the expanded part.
        offset: u64,
    },
    /// A part named as a model whose first element is something else.
    #[error("part {part} is not a 3MF model in UTF-8; save the model again with another program")]
    NotAModel {
        /// Its name.
        part: PartName,
    },
    /// A required attribute is absent, or its value can't be read.
    #[error("part {part} of the 3MF has a <{element}> without a usable {attribute}; save the model again")]
    Attribute {
        /// The part's name.
        part: PartName,
        /// The element.
        element: &'static str,
        /// The attribute.
        attribute: &'static str,
    },
    /// A unit 3MF does not have.
    #[error("the 3MF is drawn in unit {unit}, which 3MF does not know; save it in millimetres")]
    UnknownUnit {
        /// The unit.
        unit: PartName,
    },
    /// An extension the file says it can't be read without.
    #[error("the 3MF requires the extension {namespace}; save it as a plain mesh without that extension")]
    RequiredExtension {
        /// The extension's namespace, or its prefix where undeclared.
        namespace: PartName,
    },
    /// An object defined twice.
    #[error("part {part} of the 3MF defines object {object} twice; save the model again")]
    TwinObjects {
        /// The part's name.
        part: PartName,
        /// Object id.
        object: u32,
    },
    /// A triangle that names a vertex which isn't there.
    #[error(
        "triangle {triangle} of object {object} names vertex {index} of {vertices}; save the model again"
    )]
    IndexOutOfRange {
        /// Object id.
        object: u32,
        /// Triangle, from 0.
        triangle: u64,
        /// What it names.
        index: u64,
        /// How many there are.
        vertices: u64,
    },
    /// A component or build item that names an object which isn't there.
    #[error("the 3MF uses object {object} but does not define it; save the model again")]
    UnknownObject {
        /// Object id.
        object: u32,
    },
    /// An object that is placed but holds neither a mesh nor components.
    #[error("object {object} of the 3MF is placed but has no mesh; save it as a plain mesh")]
    EmptyObject {
        /// Object id.
        object: u32,
    },
    /// An object that contains itself.
    #[error("object {object} of the 3MF contains itself; save the model again")]
    Circular {
        /// Object id.
        object: u32,
    },
    /// Components nested too deeply.
    #[error("the 3MF nests objects more than {limit} deep; flatten the assembly before saving")]
    TooDeep {
        /// Levels allowed.
        limit: u32,
    },
    /// Too many placements, as in "billion laughs".
    #[error("the 3MF places more than {limit} objects; flatten the assembly before saving")]
    TooManyInstances {
        /// Placements allowed.
        limit: u32,
    },
    /// A transform without an inverse.
    #[error("object {object} of the 3MF is placed with a transform that flattens it; save the model again")]
    SingularTransform {
        /// Object id.
        object: u32,
    },
    /// Nothing is to be printed.
    #[error(
        "the 3MF has nothing to print: its build list is empty or marked not printable; put the part on the plate"
    )]
    EmptyBuild,
}

/// Where in a mesh a fault lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// A triangle of an STL, from 0.
    Triangle(u64),
    /// A line of an OBJ, from 1.
    Line(u64),
    /// A vertex of a 3MF object, from 0.
    Vertex {
        /// Object id.
        object: u32,
        /// Vertex index.
        vertex: u64,
    },
    /// Somewhere in a 3MF object after its transforms were applied.
    Placed {
        /// Object id.
        object: u32,
    },
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Triangle(n) => write!(f, "triangle {n}"),
            Self::Line(n) => write!(f, "line {n}"),
            Self::Vertex { object, vertex } => write!(f, "vertex {vertex} of object {object}"),
            Self::Placed { object } => write!(f, "object {object}, where the build places it,"),
        }
    }
}

/// A name found in an upload, made safe to show: at most 60 printable ASCII characters, quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartName(String);

impl PartName {
    /// Longest name shown, in characters.
    const SHOWN: usize = 60;

    /// Takes what may be shown of `name`; anything unprintable becomes `?`.
    pub fn new(name: &str) -> Self {
        let shown = name.chars().take(Self::SHOWN);
        Self(shown.map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect())
    }
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "“{}”", self.0)
    }
}

/// What a file that is no mesh looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookalike {
    /// G-code, text or binary.
    Gcode,
    /// PNG, JPEG, GIF, WebP or SVG.
    Image,
    /// STEP.
    Step,
    /// Stanford PLY.
    Ply,
    /// glTF or GLB.
    Gltf,
    /// AMF.
    Amf,
    /// OFF.
    Off,
    /// A 3MF model part outside its archive.
    BareModel,
    /// PDF.
    Pdf,
    /// A web page, often a log-in page saved by mistake.
    WebPage,
    /// gzip, 7z, rar, xz, zstd.
    Archive,
    /// A Blender, Fusion, FreeCAD or similar project.
    Project,
    /// Text of no known kind.
    Text,
    /// Nothing known.
    Unknown,
}

impl fmt::Display for Lookalike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gcode => "G-code (a toolpath for one machine)",
            Self::Image => "a picture",
            Self::Step => "a STEP file",
            Self::Ply => "a PLY file",
            Self::Gltf => "a glTF file",
            Self::Amf => "an AMF file",
            Self::Off => "an OFF file",
            Self::BareModel => "the model part of a 3MF without its archive",
            Self::Pdf => "a PDF document",
            Self::WebPage => "a web page (perhaps a log-in page saved in the model's place)",
            Self::Archive => "a compressed archive that is not 3MF",
            Self::Project => "a modelling program's project file",
            Self::Text => "a text file of no known kind",
            Self::Unknown => "a file of no known kind",
        })
    }
}

//! The geometry of one model part: objects (a mesh or components) and, in the root part, what to build.
//!
//! A state per element we know; any other element is skipped with all it holds, as is everything under a foreign
//! namespace, so a `<vertex>` of some extension is never taken for one of the mesh. Extensions a file *requires* are
//! refused unless they leave the geometry alone.

use std::collections::BTreeMap;
use std::io::BufRead;

use super::package::PartPath;
use super::plain;
use super::transform::Transform;
use super::xml::{self, Element, Visit, Visitor};
use crate::mesh::indexed::{Named, Stray};
use crate::mesh::{Limits, Mesh, MeshError, PartName, Place};

/// Extensions that may be required because they do not change geometry, or because we follow them (production).
const KNOWN_EXTENSIONS: [&str; 3] = [
    "http://schemas.microsoft.com/3dmanufacturing/production/2015/06",
    "http://schemas.microsoft.com/3dmanufacturing/material/2015/02",
    "http://schemas.microsoft.com/3dmanufacturing/trianglesets/2021/07",
];

/// One model part.
#[derive(Debug)]
pub(super) struct Model {
    /// Millimetres in one of its units.
    pub(super) unit_mm: f64,
    pub(super) objects: BTreeMap<u32, Object>,
    /// What to print, in the root part.
    pub(super) items: Vec<Placement>,
    /// Items marked not printable.
    pub(super) unprintable: u32,
}

/// Something that can be placed.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) solidity: Solidity,
    pub(super) body: Body,
}

/// Whether an object is a part to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Solidity {
    /// `model` or `solidsupport`.
    Solid,
    /// `support`, `surface` or `other`: a hint for another program.
    Hint,
}

/// What an object consists of.
#[derive(Debug)]
pub(super) enum Body {
    /// Neither triangles nor components.
    Nothing,
    /// Triangles, in the part's unit.
    Mesh(Mesh),
    /// Other objects.
    Components(Vec<Placement>),
}

/// An object put somewhere.
#[derive(Debug)]
pub(super) struct Placement {
    /// The part that defines the object, where it isn't this one (production extension).
    pub(super) part: Option<PartPath>,
    pub(super) object: u32,
    pub(super) transform: Transform,
}

/// Triangles and vertices the parts of one package may still define together.
pub(super) struct Budget {
    limits: Limits,
    triangles: u32,
    vertices: u32,
}

impl Budget {
    pub(super) fn new(limits: &Limits) -> Self {
        Self { limits: *limits, triangles: limits.triangles, vertices: limits.vertices }
    }

    fn take_triangle(&mut self) -> Result<(), MeshError> {
        let limit = u64::from(self.limits.triangles);
        let over = MeshError::TooManyTriangles { found: limit + 1, limit };
        self.triangles = self.triangles.checked_sub(1).ok_or(over)?;
        Ok(())
    }

    fn take_vertex(&mut self) -> Result<(), MeshError> {
        let over = MeshError::TooManyVertices { limit: u64::from(self.limits.vertices) };
        self.vertices = self.vertices.checked_sub(1).ok_or(over)?;
        Ok(())
    }
}

impl Model {
    /// Parses a model part.
    pub(super) fn parse(
        source: impl BufRead,
        part: PartName,
        budget: &mut Budget,
    ) -> Result<Self, MeshError> {
        let model = Self { unit_mm: 1.0, objects: BTreeMap::new(), items: Vec::new(), unprintable: 0 };
        let mut parser = Parser {
            model,
            path: Vec::new(),
            prefix: String::new(),
            pending: Pending::new(0, Solidity::Hint),
            budget,
        };
        xml::walk(source, part, &mut parser)?;
        Ok(parser.model)
    }

    /// Every other part its items and components name.
    pub(super) fn parts_named(&self) -> impl Iterator<Item = &PartPath> {
        let components = self.objects.values().flat_map(|object| match &object.body {
            Body::Components(components) => components.as_slice(),
            Body::Mesh(_) | Body::Nothing => &[],
        });
        self.items.iter().chain(components).filter_map(|placement| placement.part.as_ref())
    }
}

/// An element being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Model,
    Resources,
    Object,
    Mesh,
    Vertices,
    Triangles,
    Components,
    Build,
    /// An element whose attributes said it all.
    Leaf,
}

struct Parser<'b> {
    model: Model,
    /// The open elements we know, outermost first.
    path: Vec<State>,
    /// The root element's namespace prefix, which is the core namespace's.
    prefix: String,
    /// The object being read.
    pending: Pending,
    budget: &'b mut Budget,
}

/// An object whose element is still open.
struct Pending {
    id: u32,
    solidity: Solidity,
    mesh: Mesh,
    components: Vec<Placement>,
}

impl Pending {
    fn new(id: u32, solidity: Solidity) -> Self {
        Self { id, solidity, mesh: Mesh::default(), components: Vec::new() }
    }

    /// The finished object: indices checked, unused vertices dropped, loose triangles welded.
    fn finish(self, limits: &Limits) -> Result<Object, MeshError> {
        let object = self.id;
        let no_such = |Stray { triangle, index }| {
            let vertices = self.mesh.vertices.len() as u64;
            MeshError::IndexOutOfRange { object, triangle, index: u64::from(index), vertices }
        };
        let named = Named::in_mesh(&self.mesh).map_err(no_such)?;
        let body = if !self.components.is_empty() {
            Body::Components(self.components)
        } else if self.mesh.triangles.is_empty() {
            Body::Nothing
        } else {
            Body::Mesh(named.tidy(self.mesh, limits)?)
        };
        Ok(Object { solidity: self.solidity, body })
    }
}

impl Visitor for Parser<'_> {
    fn open(&mut self, element: &Element<'_>) -> Result<Visit, MeshError> {
        match self.enter(element)? {
            Some(state) => {
                self.path.push(state);
                Ok(Visit::Enter)
            }
            None => Ok(Visit::Skip),
        }
    }

    fn close(&mut self) -> Result<(), MeshError> {
        if self.path.pop() == Some(State::Object) {
            let pending = std::mem::replace(&mut self.pending, Pending::new(0, Solidity::Hint));
            let id = pending.id;
            self.model.objects.insert(id, pending.finish(&self.budget.limits)?);
        }
        Ok(())
    }

    fn take_plain(&mut self, bytes: &[u8]) -> Result<usize, MeshError> {
        if !self.prefix.is_empty() {
            return Ok(0);
        }
        match self.path.last() {
            Some(State::Vertices) => plain::vertices(bytes, |corner| self.add_vertex(corner)),
            Some(State::Triangles) => plain::triangles(bytes, |corners| self.add_triangle(corners)),
            _ => Ok(0),
        }
    }
}

impl Parser<'_> {
    /// Takes in one element; nothing for one that is skipped.
    fn enter(&mut self, element: &Element<'_>) -> Result<Option<State>, MeshError> {
        let Some(&within) = self.path.last() else {
            return self.begin_model(element).map(Some);
        };
        if element.prefix() != self.prefix {
            return Ok(None);
        }
        match (within, element.local_name()) {
            (State::Triangles, "triangle") => self.triangle(element)?,
            (State::Vertices, "vertex") => self.vertex(element)?,
            (State::Components, "component") => self.component(element)?,
            (State::Build, "item") => self.item(element)?,
            (State::Model, "resources") => return Ok(Some(State::Resources)),
            (State::Model, "build") => return Ok(Some(State::Build)),
            (State::Resources, "object") => return self.begin_object(element).map(Some),
            (State::Object, "mesh") => return Ok(Some(State::Mesh)),
            (State::Object, "components") => return Ok(Some(State::Components)),
            (State::Mesh, "vertices") => return Ok(Some(State::Vertices)),
            (State::Mesh, "triangles") => return Ok(Some(State::Triangles)),
            _ => return Ok(None),
        }
        Ok(Some(State::Leaf))
    }

    fn begin_model(&mut self, element: &Element<'_>) -> Result<State, MeshError> {
        if element.local_name() != "model" {
            return Err(MeshError::NotAModel { part: element.part().clone() });
        }
        self.prefix = element.prefix().to_owned();
        let (mut unit, mut required) = (None, None);
        let mut namespaces = BTreeMap::new();
        element.attributes(|name, value| match name {
            "unit" => unit = Some(value.to_owned()),
            "requiredextensions" => required = Some(value.to_owned()),
            _ => {
                if let Some(prefix) = name.strip_prefix("xmlns:") {
                    namespaces.insert(prefix.to_owned(), value.to_owned());
                }
            }
        })?;
        self.model.unit_mm = unit_mm(unit.as_deref().unwrap_or("millimeter"))?;
        for prefix in required.as_deref().unwrap_or_default().split_ascii_whitespace() {
            let namespace = namespaces.get(prefix).map_or(prefix, String::as_str);
            if !KNOWN_EXTENSIONS.contains(&namespace) {
                return Err(MeshError::RequiredExtension { namespace: PartName::new(namespace) });
            }
        }
        Ok(State::Model)
    }

    fn begin_object(&mut self, element: &Element<'_>) -> Result<State, MeshError> {
        let (mut id, mut kind) = (None, None);
        element.attributes(|name, value| match name {
            "id" => id = value.parse().ok(),
            "type" => kind = Some(value.to_owned()),
            _ => {}
        })?;
        let id = id.ok_or_else(|| element.fault("object", "id"))?;
        let solidity = match kind.as_deref() {
            None | Some("model" | "solidsupport") => Solidity::Solid,
            Some("support" | "surface" | "other") => Solidity::Hint,
            Some(_) => return Err(element.fault("object", "type")),
        };
        if self.model.objects.contains_key(&id) {
            return Err(MeshError::TwinObjects { part: element.part().clone(), object: id });
        }
        self.pending = Pending::new(id, solidity);
        Ok(State::Object)
    }

    fn vertex(&mut self, element: &Element<'_>) -> Result<(), MeshError> {
        let mut corner: [Option<f32>; 3] = [None; 3];
        element.attributes(|name, value| match name {
            "x" => corner[0] = value.trim().parse().ok(),
            "y" => corner[1] = value.trim().parse().ok(),
            "z" => corner[2] = value.trim().parse().ok(),
            _ => {}
        })?;
        let [Some(x), Some(y), Some(z)] = corner else {
            let missing = corner.iter().position(Option::is_none).unwrap_or_default();
            return Err(element.fault("vertex", ["x", "y", "z"][missing]));
        };
        self.add_vertex([x, y, z])
    }

    fn add_vertex(&mut self, corner: [f32; 3]) -> Result<(), MeshError> {
        if !corner.iter().all(|c| c.is_finite()) {
            let vertex = self.pending.mesh.vertices.len() as u64;
            return Err(MeshError::NotFinite { at: Place::Vertex { object: self.pending.id, vertex } });
        }
        self.budget.take_vertex()?;
        self.pending.mesh.vertices.push(corner);
        Ok(())
    }

    fn triangle(&mut self, element: &Element<'_>) -> Result<(), MeshError> {
        let mut corners: [Option<u32>; 3] = [None; 3];
        element.attributes(|name, value| match name {
            "v1" => corners[0] = value.trim().parse().ok(),
            "v2" => corners[1] = value.trim().parse().ok(),
            "v3" => corners[2] = value.trim().parse().ok(),
            _ => {}
        })?;
        let [Some(a), Some(b), Some(c)] = corners else {
            let missing = corners.iter().position(Option::is_none).unwrap_or_default();
            return Err(element.fault("triangle", ["v1", "v2", "v3"][missing]));
        };
        self.add_triangle([a, b, c])
    }

    fn add_triangle(&mut self, corners: [u32; 3]) -> Result<(), MeshError> {
        self.budget.take_triangle()?;
        self.pending.mesh.triangles.push(corners);
        Ok(())
    }

    fn component(&mut self, element: &Element<'_>) -> Result<(), MeshError> {
        let (placement, _) = placement(element, "component")?;
        self.pending.components.push(placement);
        Ok(())
    }

    fn item(&mut self, element: &Element<'_>) -> Result<(), MeshError> {
        match placement(element, "item")? {
            (placement, Printable::Yes) => self.model.items.push(placement),
            (_, Printable::No) => self.model.unprintable += 1,
        }
        Ok(())
    }
}

/// Whether a build item is to be printed (`printable`, as slicers write it).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Printable {
    Yes,
    No,
}

fn placement(element: &Element<'_>, name: &'static str) -> Result<(Placement, Printable), MeshError> {
    let (mut object, mut transform, mut path) = (None, Some(Transform::IDENTITY), None);
    let mut printable = Printable::Yes;
    element.attributes(|name, value| match name {
        "objectid" => object = value.trim().parse().ok(),
        "transform" => transform = Transform::parse(value),
        "printable" if matches!(value, "0" | "false") => printable = Printable::No,
        _ if name.ends_with(":path") => path = Some(PartPath::resolve(value)),
        _ => {}
    })?;
    let placement = Placement {
        part: path.transpose()?,
        object: object.ok_or_else(|| element.fault(name, "objectid"))?,
        transform: transform.ok_or_else(|| element.fault(name, "transform"))?,
    };
    Ok((placement, printable))
}

/// Millimetres in a unit of the core specification, 3.2.
fn unit_mm(unit: &str) -> Result<f64, MeshError> {
    match unit {
        "micron" => Ok(0.001),
        "millimeter" => Ok(1.0),
        "centimeter" => Ok(10.0),
        "inch" => Ok(25.4),
        "foot" => Ok(304.8),
        "meter" => Ok(1000.0),
        _ => Err(MeshError::UnknownUnit { unit: PartName::new(unit) }),
    }
}

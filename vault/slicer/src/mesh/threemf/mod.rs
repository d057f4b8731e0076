//! 3MF (core specification 1.3, production extension 1.1): a zip archive of XML parts.
//!
//! Read in four steps, a file each: [`package`] vets the archive before a byte is expanded, [`xml`] walks a part as
//! a stream, [`model`] keeps the geometry of one part, [`assembly`] places it. The root relation names the model;
//! `[Content_Types].xml` would add nothing, so it is not read. Everything else in a 3MF (a slicer's settings,
//! post-processing scripts, pictures, foreign metadata) is never opened with the mesh, so it can't be handed on
//! (SECURITY-CASES U5), and nothing outside the archive is ever looked for (U3). [`Attachments`] opens what lies in one
//! folder, for whoever knows it.

mod assembly;
mod attachments;
mod model;
mod package;
mod plain;
mod transform;
mod xml;

use std::collections::BTreeMap;

use super::{Format, LeftOut, Limits, MeshError, Parsed, PartName};
use assembly::Plan;
pub use attachments::Attachments;
use model::Model;
use package::{Package, PartPath};

/// Parses a 3MF.
pub(super) fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, MeshError> {
    let mut package = Package::open(bytes, limits)?;
    let root = package.root_model()?;
    let mut models = load(&mut package, &root, limits)?;
    let plan = Plan::new(&models, &root, limits)?;
    let objects = plan.left_out;
    let mesh = plan.carry_out(&mut models)?;
    let parts = package.parts_besides(models.keys());
    Ok(Parsed { mesh, format: Format::ThreeMf, left_out: LeftOut { parts, objects } })
}

/// Reads the root model and every part it refers to, each once.
fn load(
    package: &mut Package<'_>,
    root: &PartPath,
    limits: &Limits,
) -> Result<BTreeMap<PartPath, Model>, MeshError> {
    let mut models = BTreeMap::new();
    let mut budget = model::Budget::new(limits);
    let mut wanted = vec![root.clone()];
    while let Some(path) = wanted.pop() {
        if models.contains_key(&path) {
            continue;
        }
        let model = Model::parse(package.read(&path)?, PartName::new(path.as_str()), &mut budget)?;
        wanted.extend(model.parts_named().cloned());
        models.insert(path, model);
    }
    Ok(models)
}

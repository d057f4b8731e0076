//! `layerlock catalogue`: every name and number a command takes.

use std::io::{self, Write};

use layerlock_terms::machine::{MACHINES, MATERIALS, Material};
use layerlock_terms::profile::{Preset, Profile, settings};

/// Prints the catalogue; defaults and ranges are those of the first machine with PLA at `standard`.
pub fn run(out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Machines")?;
    for machine in MACHINES {
        let [x, y, z] = machine.volume.map(|side| side.0 / 1000);
        writeln!(out, "  {:<22} {} ({x} × {y} × {z} mm)", machine.name, machine.title)?;
    }
    writeln!(out, "\nMaterials\n  {}", MATERIALS.map(Material::name).join(", "))?;
    writeln!(out, "\nPresets\n  {}", Preset::ALL.map(Preset::name).join(", "))?;
    let profile = Profile::new(&MACHINES[0], Material::Pla, Preset::Standard);
    writeln!(out, "\nSettings (default of `standard` with pla on {})", MACHINES[0].name)?;
    for setting in settings() {
        let (low, high) = setting.range(profile.machine());
        let default = profile.show(setting.name).expect("the table's own names are known");
        let range = format!("{} … {}", setting.display(low), setting.display(high));
        writeln!(out, "  {:<26} {:<12} {:<24} {}", setting.name, default, range, setting.doc)?;
    }
    Ok(())
}

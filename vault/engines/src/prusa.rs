//! Our profile as PrusaSlicer's settings (those of 2.5), and how the program is started.
//!
//! Every setting that can change a path is written, so that nothing depends on what the program was installed with. No
//! start, end or custom code, and no post-processing: what surrounds the toolpath is the device's. The part comes
//! placed, so the program neither arranges nor turns nor scales it.

use std::fmt::Write as _;

use layerlock_terms::profile::{Brim, Engine, Infill, Key, Order, Profile, Seam, Support};
use layerlock_terms::units::{Celsius, Micrometres};

use crate::{Unsupported, refuse};

/// The program's name.
pub const PROGRAM: &str = "prusa-slicer";

/// What it is started with: the settings in `config`, the part in `part`, the G-code to `output`.
pub fn arguments(config: &str, part: &str, output: &str) -> Vec<String> {
    let fixed = ["--export-gcode", "--dont-arrange", "--load", config, "--output", output, part];
    fixed.map(str::to_owned).into()
}

/// Of a line like `70 => Infilling layers`, the number.
pub fn progress(line: &str) -> Option<u8> {
    let done = line.split_once("=>")?.0.trim();
    done.parse().ok().filter(|done| *done <= 100)
}

/// The settings.
///
/// # Errors
/// [`Unsupported`] names a setting that PrusaSlicer has nothing for.
pub fn config(profile: &Profile) -> Result<String, Unsupported> {
    refuse(Engine::PrusaSlicer, profile, &lacks(profile))?;
    let mut out = String::new();
    let mut row = |name: &str, value: String| {
        // Writing to a string never fails.
        let _ = writeln!(out, "{name} = {value}");
    };
    fixed(&mut row);
    machine(profile, &mut row);
    sizes(profile, &mut row);
    filling(profile, &mut row);
    paces(profile, &mut row);
    filament(profile, &mut row);
    supports(profile, &mut row);
    Ok(out)
}

fn lacks(profile: &Profile) -> [(Key, bool); 6] {
    [
        (Key::SpiralVase, profile.on(Key::SpiralVase)),
        (Key::AdaptiveLayers, profile.on(Key::AdaptiveLayers)),
        (Key::Parts, profile.count(Key::Parts) > 1),
        (Key::HoleCompensation, profile.length(Key::HoleCompensation).0 != 0),
        (Key::Support, profile.support() == Support::Tree),
        (Key::BrimShape, profile.brim() == Brim::Ears && profile.length(Key::BrimWidth).0 > 0),
    ]
}

fn fixed(row: &mut impl FnMut(&str, String)) {
    for (name, value) in [
        ("printer_technology", "FFF"),
        ("gcode_flavor", "marlin2"),
        ("machine_limits_usage", "ignore"),
        ("use_relative_e_distances", "0"),
        ("use_firmware_retraction", "0"),
        ("use_volumetric_e", "0"),
        ("gcode_comments", "0"),
        ("gcode_label_objects", "0"),
        ("remaining_times", "0"),
        ("thumbnails", ""),
        ("start_gcode", ""),
        ("end_gcode", ""),
        ("start_filament_gcode", "\"\""),
        ("end_filament_gcode", "\"\""),
        ("before_layer_gcode", ""),
        ("layer_gcode", ""),
        ("toolchange_gcode", ""),
        ("post_process", ""),
        ("complete_objects", "0"),
        ("spiral_vase", "0"),
        ("perimeter_generator", "classic"),
        ("ensure_vertical_shell_thickness", "1"),
        ("extra_perimeters", "0"),
        ("top_solid_min_thickness", "0"),
        ("bottom_solid_min_thickness", "0"),
        ("infill_every_layers", "1"),
        ("infill_only_where_needed", "0"),
        ("ironing", "0"),
        ("fuzzy_skin", "none"),
        ("cooling", "1"),
        ("fan_always_on", "1"),
    ] {
        row(name, value.to_owned());
    }
}

fn machine(profile: &Profile, row: &mut impl FnMut(&str, String)) {
    let machine = profile.machine();
    let [x, y, z] = machine.volume.map(mm);
    row("bed_shape", format!("0x0,{x}x0,{x}x{y},0x{y}"));
    row("max_print_height", z);
    row("nozzle_diameter", mm(machine.nozzle));
    row("filament_diameter", mm(machine.filament));
    row("filament_density", format!("{:.2}", f64::from(profile.material().density_centigrams()) / 100.0));
}

fn sizes(profile: &Profile, row: &mut impl FnMut(&str, String)) {
    for (name, key) in [
        ("layer_height", Key::LayerHeight),
        ("first_layer_height", Key::FirstLayerHeight),
        ("extrusion_width", Key::LineWidth),
        ("external_perimeter_extrusion_width", Key::OuterLineWidth),
        ("perimeter_extrusion_width", Key::InnerLineWidth),
        ("infill_extrusion_width", Key::SparseLineWidth),
        ("solid_infill_extrusion_width", Key::LineWidth),
        ("top_infill_extrusion_width", Key::TopLineWidth),
        ("support_material_extrusion_width", Key::LineWidth),
        ("first_layer_extrusion_width", Key::FirstLayerLineWidth),
        ("xy_size_compensation", Key::XyCompensation),
        ("elefant_foot_compensation", Key::ElephantFoot),
        ("skirt_distance", Key::SkirtDistance),
        ("brim_width", Key::BrimWidth),
    ] {
        row(name, mm(profile.length(key)));
    }
    row("skirts", profile.count(Key::SkirtLoops).to_string());
    row("skirt_height", "1".to_owned());
    row("min_skirt_length", "0".to_owned());
    row("brim_separation", "0".to_owned());
    let brim = match profile.brim() {
        Brim::Around | Brim::Ears => "outer_only",
        Brim::Everywhere => "outer_and_inner",
    };
    row("brim_type", brim.to_owned());
}

fn filling(profile: &Profile, row: &mut impl FnMut(&str, String)) {
    for (name, key) in [
        ("perimeters", Key::Perimeters),
        ("top_solid_layers", Key::TopLayers),
        ("bottom_solid_layers", Key::BottomLayers),
    ] {
        row(name, profile.count(key).to_string());
    }
    for (name, key) in [
        ("thin_walls", Key::ThinWalls),
        ("gap_fill_enabled", Key::GapFill),
        ("avoid_crossing_perimeters", Key::AvoidCrossing),
    ] {
        row(name, switch(profile.on(key)));
    }
    row("fill_density", format!("{}%", profile.percent(Key::InfillDensity)));
    row("fill_angle", profile.degrees(Key::InfillAngle).to_string());
    row("infill_overlap", format!("{}%", profile.percent(Key::InfillOverlap)));
    row("external_perimeters_first", switch(profile.order() == Order::OuterFirst));
    let pattern = match profile.infill() {
        Infill::Rectilinear => "rectilinear",
        Infill::Grid => "grid",
        Infill::Gyroid => "gyroid",
        Infill::Triangles => "triangles",
        Infill::Cubic => "cubic",
        Infill::Concentric => "concentric",
        Infill::AdaptiveCubic => "adaptivecubic",
    };
    // Full, only some patterns are taken.
    let solid = profile.percent(Key::InfillDensity) == 100;
    row("fill_pattern", if solid { "rectilinear" } else { pattern }.to_owned());
    row("top_fill_pattern", "monotonic".to_owned());
    row("bottom_fill_pattern", "monotonic".to_owned());
    let seam = match profile.seam() {
        Seam::Rear => "rear",
        Seam::Nearest => "nearest",
        Seam::Corner | Seam::Aligned => "aligned",
        Seam::Random => "random",
    };
    row("seam_position", seam.to_owned());
    row("extrusion_multiplier", share(profile.percent(Key::Flow)));
    row("bridge_flow_ratio", share(profile.percent(Key::BridgeFlow)));
}

fn paces(profile: &Profile, row: &mut impl FnMut(&str, String)) {
    for (name, key) in [
        ("external_perimeter_speed", Key::OuterSpeed),
        ("perimeter_speed", Key::InnerSpeed),
        ("small_perimeter_speed", Key::OuterSpeed),
        ("solid_infill_speed", Key::SolidSpeed),
        ("top_solid_infill_speed", Key::TopSpeed),
        ("infill_speed", Key::SparseSpeed),
        ("bridge_speed", Key::BridgeSpeed),
        ("gap_fill_speed", Key::ThinSpeed),
        ("support_material_speed", Key::SupportSpeed),
        ("support_material_interface_speed", Key::SupportInterfaceSpeed),
        ("first_layer_speed", Key::FirstLayerSpeed),
        ("travel_speed", Key::TravelSpeed),
        ("min_print_speed", Key::LeastSpeed),
        ("retract_speed", Key::RetractSpeed),
        ("deretract_speed", Key::RetractSpeed),
    ] {
        row(name, (profile.speed(key).0 / 60).to_string());
    }
    row("travel_speed_z", "0".to_owned());
    row("max_volumetric_speed", "0".to_owned());
    row("filament_max_volumetric_speed", "0".to_owned());
    for (name, key) in [
        ("external_perimeter_acceleration", Key::OuterAcceleration),
        ("perimeter_acceleration", Key::InnerAcceleration),
        ("solid_infill_acceleration", Key::SolidAcceleration),
        ("top_solid_infill_acceleration", Key::TopAcceleration),
        ("infill_acceleration", Key::SparseAcceleration),
        ("bridge_acceleration", Key::BridgeAcceleration),
        ("first_layer_acceleration", Key::FirstLayerAcceleration),
        ("default_acceleration", Key::TravelAcceleration),
    ] {
        row(name, profile.acceleration(key).0.to_string());
    }
}

fn filament(profile: &Profile, row: &mut impl FnMut(&str, String)) {
    for (name, key) in [
        ("temperature", Key::NozzleTemperature),
        ("first_layer_temperature", Key::FirstNozzleTemperature),
        ("bed_temperature", Key::BedTemperature),
        ("first_layer_bed_temperature", Key::FirstBedTemperature),
    ] {
        let Celsius(celsius) = profile.celsius(key);
        row(name, celsius.to_string());
    }
    for (name, key) in [
        ("min_fan_speed", Key::FanLeast),
        ("max_fan_speed", Key::FanMost),
        ("bridge_fan_speed", Key::FanBridge),
    ] {
        row(name, profile.fan(key).0.to_string());
    }
    row("disable_fan_first_layers", profile.count(Key::FanOffLayers).to_string());
    row("slowdown_below_layer_time", (profile.span(Key::LeastLayerTime).0 / 1000).to_string());
    row("fan_below_layer_time", (profile.span(Key::FullFanLayerTime).0 / 1000).to_string());
    row("retract_length", format!("{:.5}", profile.filament(Key::RetractLength).to_mm()));
    row("retract_restart_extra", format!("{:.5}", profile.filament(Key::PrimeExtra).to_mm()));
    row("retract_before_travel", mm(profile.length(Key::RetractTravel)));
    row("retract_lift", mm(profile.length(Key::ZHop)));
    row("retract_layer_change", "0".to_owned());
    row("wipe", switch(profile.length(Key::Wipe).0 > 0));
}

fn supports(profile: &Profile, row: &mut impl FnMut(&str, String)) {
    row("support_material", switch(profile.support() != Support::Off));
    row("support_material_auto", "1".to_owned());
    row("support_material_style", "grid".to_owned());
    // Theirs is measured from the bed, ours from upright.
    row("support_material_threshold", (90 - profile.degrees(Key::SupportAngle)).to_string());
    row("support_material_buildplate_only", switch(profile.on(Key::SupportPlateOnly)));
    row("support_material_contact_distance", mm(profile.length(Key::SupportZGap)));
    row("support_material_xy_spacing", mm(profile.length(Key::SupportXyGap)));
    row("support_material_interface_layers", profile.count(Key::SupportInterfaceLayers).to_string());
    let line = f64::from(profile.length(Key::LineWidth).0) / 1000.0;
    let apart = |key| line * 100.0 / f64::from(profile.percent(key)) - line;
    row("support_material_spacing", format!("{:.3}", apart(Key::SupportDensity)));
    row("support_material_interface_spacing", format!("{:.3}", apart(Key::SupportInterfaceDensity)));
    row("raft_layers", profile.count(Key::RaftLayers).to_string());
    row("raft_expansion", mm(profile.length(Key::RaftMargin)));
    row("raft_contact_distance", mm(profile.length(Key::RaftGap)));
}

fn mm(length: Micrometres) -> String {
    format!("{:.3}", f64::from(length.0) / 1000.0)
}

fn share(percent: u32) -> String {
    format!("{:.2}", f64::from(percent) / 100.0)
}

fn switch(on: bool) -> String {
    u8::from(on).to_string()
}

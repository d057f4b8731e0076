//! Our profile as CuraEngine's settings (those of 4.13), and how the program is started.
//!
//! The program takes a definition of every setting and follows none of the formulas that settings depend on each other by:
//! in Cura another program works them out. `cura/settings.txt` holds them all, worked out for a machine of 0.4 mm; what our
//! profile says is written over them here, with what follows from it. No start, end or custom code; the part comes placed.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use layerlock_terms::profile::{Brim, Engine, Infill, Key, Order, Profile, Seam, Support};
use layerlock_terms::units::{Celsius, Micrometres};

use crate::{Unsupported, refuse};

/// The program's name.
pub const PROGRAM: &str = "CuraEngine";

/// Every setting the program asks for, one `name=value` a line; a line without a value is a remark.
const SETTINGS: &str = include_str!("cura/settings.txt");

/// What it is started with: the settings in `config`, the part in `part`, the G-code to `output`.
pub fn arguments(config: &str, part: &str, output: &str) -> Vec<String> {
    let fixed = ["slice", "-p", "-m2", "-j", config, "-e0", "-l", part, "-o", output];
    fixed.map(str::to_owned).into()
}

/// Of a line like `Progress:export:48:50 \t0.977897%`, which is a share of one whatever it calls itself, the percent.
pub fn progress(line: &str) -> Option<u8> {
    let (_, share) = line.strip_prefix("Progress:")?.rsplit_once('\t')?;
    let share: f64 = share.strip_suffix('%')?.parse().ok()?;
    (0.0..=1.0).contains(&share).then_some((share * 100.0) as u8)
}

/// The settings, as a definition the program reads.
///
/// # Errors
/// [`Unsupported`] names a setting that CuraEngine has nothing for.
pub fn config(profile: &Profile) -> Result<String, Unsupported> {
    refuse(
        Engine::CuraEngine,
        profile,
        &[
            (Key::SpiralVase, profile.on(Key::SpiralVase)),
            (Key::AdaptiveLayers, profile.on(Key::AdaptiveLayers)),
            (Key::Parts, profile.count(Key::Parts) > 1),
            (Key::RaftLayers, profile.count(Key::RaftLayers) > 0),
            (Key::BrimShape, profile.brim() == Brim::Ears && profile.length(Key::BrimWidth).0 > 0),
        ],
    )?;
    let known = SETTINGS.lines().filter_map(|line| line.split_once('='));
    let mut settings = Settings(known.map(|(name, value)| (name, value.to_owned())).collect());
    machine(profile, &mut settings);
    sizes(profile, &mut settings);
    filling(profile, &mut settings);
    paces(profile, &mut settings);
    filament(profile, &mut settings);
    supports(profile, &mut settings);
    Ok(settings.definition())
}

/// What each setting is set to.
struct Settings(BTreeMap<&'static str, String>);

impl Settings {
    fn set(&mut self, name: &'static str, value: impl ToString) {
        let known = self.0.insert(name, value.to_string());
        debug_assert!(known.is_some(), "CuraEngine has no setting `{name}`");
    }

    fn all(&mut self, names: &[&'static str], value: impl ToString) {
        let value = value.to_string();
        names.iter().for_each(|name| self.set(name, &value));
    }

    fn definition(&self) -> String {
        let mut out = String::from(
            r#"{"name":"","version":2,"settings":{"all":{"type":"category","label":"","children":{"#,
        );
        for (n, (name, value)) in self.0.iter().enumerate() {
            let comma = if n == 0 { "" } else { "," };
            let value = value.replace('\\', "\\\\").replace('"', "\\\"");
            // Writing to a string never fails.
            let _ = write!(out, r#"{comma}"{name}":{{"label":"","type":"str","default_value":"{value}"}}"#);
        }
        out.push_str("}}}}");
        out
    }
}

fn machine(profile: &Profile, to: &mut Settings) {
    let machine = profile.machine();
    let [x, y, z] = machine.volume.map(mm);
    to.set("machine_width", x);
    to.set("machine_depth", y);
    to.set("machine_height", z);
    to.set("machine_nozzle_size", mm(machine.nozzle));
    to.set("material_diameter", mm(machine.filament));
}

fn sizes(profile: &Profile, to: &mut Settings) {
    let width = |key| mm(profile.length(key));
    to.all(
        &["layer_height", "infill_sparse_thickness", "support_infill_sparse_thickness"],
        width(Key::LayerHeight),
    );
    to.set("layer_height_0", width(Key::FirstLayerHeight));
    to.all(&["line_width", "skin_line_width", "support_line_width"], width(Key::LineWidth));
    to.all(
        &["support_interface_line_width", "support_roof_line_width", "support_bottom_line_width"],
        width(Key::LineWidth),
    );
    to.all(&["wall_line_width", "wall_line_width_x", "sub_div_rad_add"], width(Key::InnerLineWidth));
    to.set("wall_line_width_0", width(Key::OuterLineWidth));
    to.set("infill_line_width", width(Key::SparseLineWidth));
    to.set("roofing_line_width", width(Key::TopLineWidth));
    // The skirt's is widened by the factor as well.
    let (usual, first) = (float(profile, Key::LineWidth), float(profile, Key::FirstLayerLineWidth));
    to.set("skirt_brim_line_width", width(Key::LineWidth));
    to.set("initial_layer_line_width_factor", format!("{:.2}", first / usual * 100.0));
    to.set("xy_offset", width(Key::XyCompensation));
    let foot = profile.length(Key::XyCompensation).0 - profile.length(Key::ElephantFoot).0;
    to.set("xy_offset_layer_0", mm(Micrometres(foot)));
    to.set("hole_xy_offset", width(Key::HoleCompensation));
    let adhesion = match (profile.length(Key::BrimWidth).0, profile.count(Key::SkirtLoops)) {
        (0, 0) => "none",
        (0, _) => "skirt",
        _ => "brim",
    };
    to.set("adhesion_type", adhesion);
    to.set("skirt_line_count", profile.count(Key::SkirtLoops));
    to.set("skirt_gap", width(Key::SkirtDistance));
    to.set("brim_width", width(Key::BrimWidth));
    to.set("brim_line_count", (float(profile, Key::BrimWidth) / first).ceil());
    to.set("brim_outside_only", profile.brim() != Brim::Everywhere);
}

fn filling(profile: &Profile, to: &mut Settings) {
    let walls = profile.count(Key::Perimeters);
    let (outer, inner) = (float(profile, Key::OuterLineWidth), float(profile, Key::InnerLineWidth));
    let (sparse, line) = (float(profile, Key::SparseLineWidth), float(profile, Key::LineWidth));
    let shell = if walls == 0 { 0.0 } else { outer + f64::from(walls - 1) * inner };
    to.set("wall_line_count", walls);
    to.set("wall_thickness", exact(shell));
    let skins = ["skin_preshrink", "top_skin_preshrink", "bottom_skin_preshrink"];
    let expands = ["expand_skins_expand_distance", "top_skin_expand_distance", "bottom_skin_expand_distance"];
    to.all(&[&skins[..], &expands].concat(), exact(shell));
    to.set("top_layers", profile.count(Key::TopLayers));
    to.all(&["bottom_layers", "initial_bottom_layers"], profile.count(Key::BottomLayers));
    to.set("roofing_layer_count", profile.count(Key::TopLayers).min(1));
    to.set("fill_perimeter_gaps", if profile.on(Key::GapFill) { "everywhere" } else { "nowhere" });
    to.set("fill_outline_gaps", profile.on(Key::ThinWalls));
    to.set("retraction_combing", if profile.on(Key::AvoidCrossing) { "all" } else { "off" });
    to.set("outer_inset_first", profile.order() == Order::OuterFirst);
    let nozzle = f64::from(profile.machine().nozzle.0) / 1000.0;
    let inset =
        if outer < nozzle && profile.order() == Order::InnerFirst { (nozzle - outer) / 2.0 } else { 0.0 };
    to.set("wall_0_inset", exact(inset));
    let seam = match profile.seam() {
        Seam::Rear => "back",
        Seam::Nearest => "shortest",
        Seam::Corner | Seam::Aligned => "sharpest_corner",
        Seam::Random => "random",
    };
    to.set("z_seam_type", seam);
    let density = profile.percent(Key::InfillDensity);
    let (pattern, lines) = match (density, profile.infill()) {
        (100, _) | (_, Infill::Rectilinear) => ("lines", 1.0),
        (_, Infill::Grid) => ("grid", 2.0),
        (_, Infill::Gyroid) => ("gyroid", 1.0),
        (_, Infill::Triangles) => ("triangles", 3.0),
        (_, Infill::Cubic) => ("cubic", 3.0),
        (_, Infill::Concentric) => ("concentric", 1.0),
        (_, Infill::AdaptiveCubic) => ("cubicsubdiv", 3.0),
    };
    to.set("infill_pattern", pattern);
    to.set("infill_sparse_density", density);
    let apart = if density == 0 { 0.0 } else { sparse * 100.0 / f64::from(density) * lines };
    to.all(&["infill_line_distance", "cross_infill_pocket_size"], exact(apart));
    let angle = profile.degrees(Key::InfillAngle);
    let angles = if pattern == "lines" { format!("[{angle}, {}]", angle + 90) } else { format!("[{angle}]") };
    to.set("infill_angles", angles);
    let neighbour = if walls > 1 { inner } else { outer };
    let overlap = if density < 95 && pattern != "concentric" { 0.5 * (sparse + neighbour) } else { 0.0 };
    to.set("infill_overlap", profile.percent(Key::InfillOverlap));
    to.set("infill_overlap_mm", exact(overlap * f64::from(profile.percent(Key::InfillOverlap)) / 100.0));
    to.set("skin_overlap_mm", exact(0.5 * (line + neighbour) * SKIN_OVERLAP));
    to.set("infill_wipe_dist", exact(neighbour / 4.0));
    let flows = [
        "material_flow",
        "wall_material_flow",
        "wall_0_material_flow",
        "wall_x_material_flow",
        "skin_material_flow",
    ];
    let others = [
        "roofing_material_flow",
        "infill_material_flow",
        "skirt_brim_material_flow",
        "support_material_flow",
    ];
    let interfaces =
        ["support_interface_material_flow", "support_roof_material_flow", "support_bottom_material_flow"];
    to.all(&[&flows[..], &others, &interfaces].concat(), profile.percent(Key::Flow));
    to.all(&["bridge_wall_material_flow", "bridge_skin_material_flow"], profile.percent(Key::BridgeFlow));
}

/// How far solid filling reaches into the walls, as the program has it.
const SKIN_OVERLAP: f64 = 0.05;

fn paces(profile: &Profile, to: &mut Settings) {
    for (names, key) in [
        (&["speed_wall_0"][..], Key::OuterSpeed),
        (&["speed_wall_x", "speed_wall", "speed_print"], Key::InnerSpeed),
        (&["speed_topbottom"], Key::SolidSpeed),
        (&["speed_roofing"], Key::TopSpeed),
        (&["speed_infill"], Key::SparseSpeed),
        (&["bridge_wall_speed", "bridge_skin_speed"], Key::BridgeSpeed),
        (&["speed_support", "speed_support_infill"], Key::SupportSpeed),
        (
            &["speed_support_interface", "speed_support_roof", "speed_support_bottom"],
            Key::SupportInterfaceSpeed,
        ),
        (&["speed_layer_0", "speed_print_layer_0", "skirt_brim_speed"], Key::FirstLayerSpeed),
        (&["speed_travel", "speed_travel_layer_0"], Key::TravelSpeed),
        (&["cool_min_speed"], Key::LeastSpeed),
        (&["retraction_speed", "retraction_retract_speed", "retraction_prime_speed"], Key::RetractSpeed),
    ] {
        to.all(names, profile.speed(key).0 / 60);
    }
    for (names, key) in [
        (&["acceleration_wall_0"][..], Key::OuterAcceleration),
        (&["acceleration_wall_x", "acceleration_wall", "acceleration_print"], Key::InnerAcceleration),
        (&["acceleration_topbottom"], Key::SolidAcceleration),
        (&["acceleration_roofing"], Key::TopAcceleration),
        (
            &["acceleration_infill", "acceleration_support", "acceleration_support_infill"],
            Key::SparseAcceleration,
        ),
        (
            &["acceleration_support_interface", "acceleration_support_roof", "acceleration_support_bottom"],
            Key::SolidAcceleration,
        ),
        (
            &["acceleration_layer_0", "acceleration_print_layer_0", "acceleration_skirt_brim"],
            Key::FirstLayerAcceleration,
        ),
        (&["acceleration_travel", "acceleration_travel_layer_0"], Key::TravelAcceleration),
    ] {
        to.all(names, profile.acceleration(key).0);
    }
}

fn filament(profile: &Profile, to: &mut Settings) {
    let celsius = |key| {
        let Celsius(celsius) = profile.celsius(key);
        celsius
    };
    let usual = [
        "material_print_temperature",
        "material_initial_print_temperature",
        "material_final_print_temperature",
    ];
    to.all(&usual, celsius(Key::NozzleTemperature));
    to.set("material_print_temperature_layer_0", celsius(Key::FirstNozzleTemperature));
    to.set("material_bed_temperature", celsius(Key::BedTemperature));
    to.set("material_bed_temperature_layer_0", celsius(Key::FirstBedTemperature));
    to.all(&["cool_fan_speed", "cool_fan_speed_min"], profile.fan(Key::FanLeast).0);
    to.set("cool_fan_speed_max", profile.fan(Key::FanMost).0);
    to.set("bridge_fan_speed", profile.fan(Key::FanBridge).0);
    to.set("cool_fan_full_layer", profile.count(Key::FanOffLayers) + 1);
    to.set("cool_min_layer_time", profile.span(Key::LeastLayerTime).0 / 1000);
    to.set("cool_min_layer_time_fan_speed_max", profile.span(Key::FullFanLayerTime).0 / 1000);
    let pulled = profile.filament(Key::RetractLength).to_mm();
    to.set("retraction_enable", pulled > 0.0);
    to.all(&["retraction_amount", "retraction_extrusion_window"], format!("{pulled:.5}"));
    let radius = f64::from(profile.machine().filament.0) / 2000.0;
    let extra = profile.filament(Key::PrimeExtra).to_mm() * std::f64::consts::PI * radius * radius;
    to.set("retraction_extra_prime_amount", format!("{extra:.5}"));
    to.set("retraction_min_travel", mm(profile.length(Key::RetractTravel)));
    to.set("retraction_hop_enabled", profile.length(Key::ZHop).0 > 0);
    to.set("retraction_hop", mm(profile.length(Key::ZHop)));
    to.set("wall_0_wipe_dist", mm(profile.length(Key::Wipe)));
}

fn supports(profile: &Profile, to: &mut Settings) {
    to.set("support_enable", profile.support() != Support::Off);
    to.set("support_structure", if profile.support() == Support::Tree { "tree" } else { "normal" });
    to.set("support_type", if profile.on(Key::SupportPlateOnly) { "buildplate" } else { "everywhere" });
    to.set("support_angle", profile.degrees(Key::SupportAngle));
    let gaps = ["support_z_distance", "support_top_distance", "support_bottom_distance"];
    to.all(&gaps, mm(profile.length(Key::SupportZGap)));
    to.set("support_xy_distance", mm(profile.length(Key::SupportXyGap)));
    let line = float(profile, Key::LineWidth);
    to.set("support_tree_collision_resolution", exact(line / 2.0));
    let apart = |key| {
        let density = profile.percent(key);
        exact(if density == 0 { 0.0 } else { line * 100.0 / f64::from(density) })
    };
    to.set("support_infill_rate", profile.percent(Key::SupportDensity));
    to.all(&["support_line_distance", "support_initial_layer_line_distance"], apart(Key::SupportDensity));
    let layers = profile.count(Key::SupportInterfaceLayers);
    to.all(&["support_interface_enable", "support_roof_enable", "support_bottom_enable"], layers > 0);
    let height = exact(f64::from(layers) * float(profile, Key::LayerHeight));
    to.all(&["support_interface_height", "support_roof_height", "support_bottom_height"], height);
    let density = profile.percent(Key::SupportInterfaceDensity);
    to.all(&["support_interface_density", "support_roof_density", "support_bottom_density"], density);
    to.all(
        &["support_roof_line_distance", "support_bottom_line_distance"],
        apart(Key::SupportInterfaceDensity),
    );
}

fn float(profile: &Profile, key: Key) -> f64 {
    f64::from(profile.length(key).0) / 1000.0
}

fn mm(length: Micrometres) -> String {
    exact(f64::from(length.0) / 1000.0)
}

fn exact(mm: f64) -> String {
    format!("{mm:.4}")
}

//! What all slicers of the benches are asked for, in our words; `cura_settings.py` and `prusa.ini` say the same.

/// A machine of the catalogue with the bed that the others are told of.
pub const MACHINE: &str = "voron-2.4-250";
/// A material of the catalogue.
pub const MATERIAL: &str = "pla";
/// The preset the settings are put over.
pub const PRESET: &str = "standard";

/// Names and values.
pub const SETTINGS: &[(&str, &str)] = &[
    ("layer-height", "0.2mm"),
    ("first-layer-height", "0.2mm"),
    ("line-width", "0.45mm"),
    ("outer-line-width", "0.45mm"),
    ("first-layer-line-width", "0.45mm"),
    ("perimeters", "2"),
    ("top-layers", "5"),
    ("bottom-layers", "4"),
    ("infill-density", "20%"),
    ("infill-pattern", "grid"),
    ("support", "off"),
    ("skirt-loops", "0"),
    ("brim-width", "0mm"),
    ("outer-speed", "40mm/s"),
    ("inner-speed", "60mm/s"),
    ("solid-speed", "60mm/s"),
    ("top-speed", "40mm/s"),
    ("sparse-speed", "80mm/s"),
    ("bridge-speed", "30mm/s"),
    ("thin-speed", "30mm/s"),
    ("first-layer-speed", "20mm/s"),
    ("travel-speed", "180mm/s"),
    ("retract-length", "0.8mm"),
    ("retract-speed", "35mm/s"),
    ("retract-travel", "1.5mm"),
];

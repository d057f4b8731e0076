use super::*;

fn standard() -> Profile {
    let machine = Machine::named("prusa-mk3s").expect("in the catalogue");
    Profile::new(machine, Material::Pla, Preset::Standard)
}

#[test]
fn the_table_is_in_the_order_of_its_keys_and_names_each_setting_once() {
    for (at, setting) in SETTINGS.iter().enumerate() {
        assert_eq!(setting.key as usize, at, "{}", setting.name);
        assert_eq!(SETTINGS.iter().filter(|other| other.name == setting.name).count(), 1);
    }
}

/// An end of a range, as the page has it.
fn end_of_range(setting: &Setting, bound: Bound) -> String {
    match bound {
        Bound::Fixed(value) => setting.display(value),
        Bound::Nozzle(percent) => format!("{percent}% of the nozzle"),
        Bound::NozzleHeat | Bound::BedHeat | Bound::TopSpeed | Bound::TopAcceleration => {
            "the machine's".to_owned()
        }
    }
}

#[test]
fn the_page_of_settings_is_the_table() {
    let page = include_str!("../../../../docs/settings.md");
    let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("| `")).collect();
    let profile = standard();
    for (at, setting) in settings().iter().enumerate() {
        let default = profile.show(setting.name).expect("in the table");
        let [low, high] = [setting.low, setting.high].map(|bound| end_of_range(setting, bound));
        let ends = match setting.unit {
            Unit::Choice(names) => format!("{} |", names.join(", ")),
            Unit::Switch => "off, on |".to_owned(),
            _ => format!("{low} | {high}"),
        };
        let row = format!("| `{}` | {default} | {ends} | {} |", setting.name, setting.doc);
        assert_eq!(rows.get(at).copied(), Some(row.as_str()), "docs/settings.md, row {}", at + 1);
    }
    assert_eq!(rows.len(), settings().len());
}

#[test]
fn every_shown_value_is_taken_back_unchanged() {
    for machine in crate::machine::MACHINES {
        for preset in Preset::ALL {
            let before = Profile::new(machine, Material::Abs, preset);
            let mut after = before.clone();
            for setting in settings() {
                let shown = before.show(setting.name).expect("in the table");
                after.set(setting.name, &shown).unwrap_or_else(|refused| panic!("{refused}"));
            }
            assert_eq!(after, before);
        }
    }
}

#[test]
fn a_value_is_taken_with_its_unit_and_without() {
    let mut profile = standard();
    for text in ["0.15mm", "0.15", " 0.150 mm "] {
        profile.set("layer-height", "0.2").expect("in range");
        profile.set("layer-height", text).expect(text);
        assert_eq!(profile.length(Key::LayerHeight), Micrometres(150));
    }
    profile.set("nozzle-temperature", "215°C").expect("in range");
    assert_eq!(profile.celsius(Key::NozzleTemperature), Celsius(215));
    profile.set("infill-pattern", "gyroid").expect("a pattern");
    assert_eq!(profile.infill(), Infill::Gyroid);
}

#[test]
fn only_a_setting_that_goes_below_zero_takes_a_sign() {
    let mut profile = standard();
    profile.set("xy-compensation", "-0.15mm").expect("in range");
    assert_eq!(profile.length(Key::XyCompensation), Micrometres(-150));
    let refused = profile.set("xy-compensation", "-1.001").expect_err("too far in");
    assert_eq!(refused.to_string(), "`xy-compensation` = -1.001mm is out of range: -1mm to 1mm");
    for text in ["--0.1", "-", "0.-1", "+0.1"] {
        assert!(
            matches!(profile.set("xy-compensation", text), Err(SettingError::Unreadable { .. })),
            "{text}"
        );
    }
}

#[test]
fn an_unknown_setting_is_refused_with_the_nearest_name() {
    let refused = standard().set("layer-hight", "0.2").expect_err("misspelt");
    assert_eq!(refused, SettingError::Unknown { name: "layer-hight".to_owned(), nearest: "layer-height" });
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range_of_this_machine() {
    let mut profile = standard();
    let refused = profile.set("layer-height", "0.31").expect_err("over three quarters of the nozzle");
    assert_eq!(refused.to_string(), "`layer-height` = 0.31mm is out of range: 0.04mm to 0.3mm");
    assert!(profile.set("nozzle-temperature", "400").is_err());
    assert_eq!(profile, standard());
}

#[test]
fn text_that_is_no_value_is_refused_with_what_would_be() {
    for (name, text) in [
        ("layer-height", "thick"),
        ("layer-height", "0.2001"),
        ("layer-height", "-0.2"),
        ("layer-height", ""),
        ("perimeters", "2.5"),
        ("infill-pattern", "honeycomb"),
        ("thin-walls", "yes"),
        ("layer-height", "99999999999999"),
    ] {
        let refused = standard().set(name, text).expect_err(text);
        assert!(matches!(refused, SettingError::Unreadable { .. }), "{name} {text}: {refused}");
    }
}

#[test]
fn supports_are_off_until_asked_for_and_their_angle_is_ranged() {
    let mut profile = standard();
    assert_eq!(profile.support(), Support::Off);
    profile.set("support", "grid").expect("a name");
    profile.set("support-angle", "60°").expect("in range");
    assert_eq!((profile.support(), profile.degrees(Key::SupportAngle)), (Support::Grid, 60));
    profile.set("support", "tree").expect("a name");
    assert_eq!((profile.support(), profile.degrees(Key::SupportBranchAngle)), (Support::Tree, 40));
    let refused = profile.set("support-angle", "90").expect_err("every ceiling would count as upright");
    assert_eq!(refused.to_string(), "`support-angle` = 90° is out of range: 0° to 85°");
    let refused = profile.set("suport", "grid").expect_err("misspelt");
    assert_eq!(refused.to_string(), "no setting is called `suport`; did you mean `support`?");
}

#[test]
fn a_kilogram_of_pla_is_335_metres_of_filament() {
    assert_eq!(standard().mass(335_280_000).0 / 1000, 999);
}

#[test]
fn a_profile_reads_back_from_its_bytes_and_from_nothing_else() {
    let mut profile = standard();
    profile.set("scale", "150%").expect("in range");
    let bytes = profile.emit();
    assert_eq!(Profile::parse(&bytes), Ok(profile));
    for cut in 0..bytes.len() {
        assert!(Profile::parse(&bytes[..cut]).is_err());
    }
    assert!(Profile::parse(&[bytes.as_slice(), &[0]].concat()).is_err());
}

#[test]
fn bytes_with_a_value_out_of_range_are_refused_by_the_settings_name() {
    let mut bytes = standard().emit();
    let first = 4 + "prusa-mk3s".len() + 2;
    bytes[first..first + 4].copy_from_slice(&5_000_i32.to_be_bytes());
    assert_eq!(Profile::parse(&bytes), Err(Malformed::Value("layer-height")));
}

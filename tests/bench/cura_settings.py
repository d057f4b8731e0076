#!/usr/bin/env python3
"""cura_settings.py DEFINITION...: every setting CuraEngine asks for, one `key=value` a line.

CuraEngine's command line takes a definition's defaults and evaluates none of its formulas, so line widths, distances and
speeds would contradict each other. This evaluates them the way the program in front of the engine does, with what the
bench means (`MEANT`) in the place of the defaults. The formulas are Python by that project's own definition.
"""

import json
import math
import sys

# What all three slicers of the bench are asked for; `src/peers/prusa.ini` and `src/ours.rs` say the same.
MEANT = {
    "machine_width": 250,
    "machine_depth": 250,
    "machine_height": 250,
    "machine_nozzle_size": 0.4,
    "machine_gcode_flavor": "RepRap (Marlin/Sprinter)",
    "machine_start_gcode": "G28",
    "machine_end_gcode": "M104 S0",
    "machine_heated_bed": True,
    "material_diameter": 1.75,
    "layer_height": 0.2,
    "layer_height_0": 0.2,
    "line_width": 0.45,
    "initial_layer_line_width_factor": 100.0,
    "wall_line_count": 2,
    "wall_thickness": 0.9,
    "top_layers": 5,
    "top_thickness": 1.0,
    "bottom_layers": 4,
    "bottom_thickness": 0.8,
    "infill_sparse_density": 20,
    "infill_pattern": "grid",
    "support_enable": False,
    "adhesion_type": "none",
    "speed_print": 60,
    "speed_infill": 80,
    "speed_wall_0": 40,
    "speed_wall_x": 60,
    "speed_topbottom": 60,
    "speed_roofing": 40,
    "speed_travel": 180,
    "speed_layer_0": 20,
    "speed_print_layer_0": 20,
    "speed_travel_layer_0": 180,
    "retraction_amount": 0.8,
    "retraction_speed": 35,
    "center_object": False,
    "relative_extrusion": False,
    # Tests a layer of another material against a layer of none; on one extruder it only costs time.
    "carve_multiple_volumes": False,
}


def settings_of(children, found):
    for key, setting in children.items():
        if setting["type"] != "category":
            found.setdefault(key, setting)
        settings_of(setting.get("children", {}), found)
    return found


class Values(dict):
    """Values by key, worked out when they are first asked for."""

    def __init__(self, settings):
        super().__init__(
            math=math,
            resolveOrValue=self.__getitem__,
            extruderValue=lambda _extruder, key: self[key],
            extruderValues=lambda key: [self[key]],
            anyExtruderNrWithOrDefault=lambda _key: 0,
            anyExtruderWithMaterial=lambda _key: 0,
            defaultExtruderPosition=lambda: 0,
        )
        self.settings = settings

    def __missing__(self, key):
        if key not in self.settings:
            raise KeyError(key)
        setting = self.settings[key]
        if key in MEANT:
            value = MEANT[key]
        elif "value" in setting:
            formula = setting["value"]
            value = eval(formula, {}, self) if isinstance(formula, str) else formula
        else:
            value = setting.get("default_value", "")
        self[key] = value
        return value


def written(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def main():
    settings = {}
    for definition in sys.argv[1:]:
        with open(definition, encoding="utf-8") as file:
            settings_of(json.load(file)["settings"], settings)
    unknown = sorted(set(MEANT) - set(settings))
    if unknown:
        sys.exit(f"this definition has no {', '.join(unknown)}: it is of another version of CuraEngine")
    values = Values(settings)
    for key in settings:
        print(f"{key}={written(values[key])}")


main()

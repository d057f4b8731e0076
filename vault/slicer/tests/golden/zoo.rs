//! The zoo: tiny meshes of one difficulty each, and what is expected of each, in words.

use layerlock_slicer::mesh::Mesh;

use super::meshes::{
    block, cone, cylinder, flipped, frustum, half_flipped, join, open_top, ribbon, sheared, split_edge, tube,
};

/// A mesh of one difficulty.
pub(crate) struct Animal {
    pub(crate) name: &'static str,
    /// What a person expects of its print.
    pub(crate) expected: &'static str,
    pub(crate) mesh: Mesh,
    /// The body that is meant, where the mesh is a broken one of it.
    meant: Option<Mesh>,
}

impl Animal {
    fn meaning(self, meant: Mesh) -> Self {
        Self { meant: Some(meant), ..self }
    }

    /// The body that is meant.
    pub(crate) fn meant(&self) -> &Mesh {
        self.meant.as_ref().unwrap_or(&self.mesh)
    }
}

fn animal(name: &'static str, mesh: Mesh, expected: &'static str) -> Animal {
    Animal { name, expected, mesh, meant: None }
}

/// Every animal that is printed.
pub(crate) fn zoo() -> Vec<Animal> {
    [shapes(), thin_ones(), bodies(), broken_ones(), in_the_air()].into_iter().flatten().collect()
}

/// Those that are refused.
pub(crate) fn refused() -> Vec<Animal> {
    vec![
        animal(
            "standing_on_its_tip",
            upside_down(cone(1.0, 12.0)),
            "A needle on its tip, too thin to begin with: refused, and told to turn it over.",
        ),
        animal(
            "hair",
            block([0.0; 3], [0.05, 0.05, 3.0]),
            "A hair no nozzle can draw: refused, and no empty file.",
        ),
    ]
}

fn shapes() -> Vec<Animal> {
    vec![
        animal(
            "cube",
            block([0.0; 3], [8.0, 8.0, 2.4]),
            "Two walls; four solid layers below and five above; sparse between.",
        ),
        animal(
            "block_with_a_hole",
            join(&[block([0.0; 3], [10.0, 10.0, 1.0]), flipped(&block([3.0, 3.0, 0.0], [7.0, 7.0, 1.0]))]),
            "A window: walls outside and around the hole, lines between, none across the hole.",
        ),
        animal(
            "cone_tip",
            cone(2.0, 2.0),
            "Walls that shrink layer by layer, then a dot of plastic; nothing is printed of the tip itself.",
        ),
        animal(
            "needle",
            cone(1.0, 3.0),
            "Walls while there is room for them, then dots of plastic that get narrower; nothing of the tip itself.",
        ),
        animal(
            "staircase",
            staircase(),
            "Three treads, each with its top surface; the walls follow the step that is left.",
        ),
        animal(
            "tiny_step",
            join(&[block([0.0; 3], [8.0, 8.0, 1.0]), block([0.0; 3], [4.0, 8.0, 1.06])]),
            "A step of less than half a layer: as if it were not there.",
        ),
        animal(
            "huge_flat_plate",
            block([0.0; 3], [200.0, 180.0, 0.6]),
            "Three solid layers; the last of them a top surface from edge to edge.",
        ),
        animal(
            "slope",
            sheared(&block([0.0; 3], [6.0, 6.0, 1.6]), 0.8),
            "A leaning block, low enough to be solid: each layer lies 0.16 mm further to the right.",
        ),
    ]
}

fn thin_ones() -> Vec<Animal> {
    vec![
        animal(
            "thin_wall",
            block([0.0; 3], [12.0, 0.5, 1.0]),
            "One line as wide as the wall and as long but for its round ends.",
        ),
        animal("comb", comb(), "Six teeth of 0.8 mm and the back they stand on, the gaps between left open."),
        animal("spiral", spiral(), "A wall of 0.8 mm that winds twice, its turns apart."),
        animal(
            "growing_fin",
            growing_fin(),
            "From a tenth of a millimetre to three: a line that widens, then walls, then a loop within.",
        ),
        animal(
            "slanted_thin_wall",
            sheared(&block([0.0; 3], [0.6, 12.0, 1.0]), 0.5),
            "The same wall in each layer, a tenth of a millimetre further to the right.",
        ),
        animal(
            "narrow_gap",
            join(&[block([0.0; 3], [5.0, 8.0, 1.0]), block([5.2, 0.0, 0.0], [10.2, 8.0, 1.0])]),
            "Two blocks a fifth of a millimetre apart: each has walls of its own, the gap stays.",
        ),
        animal(
            "tiny_hole",
            tube(5.0, 0.15, 1.0),
            "A hole narrower than a line: it keeps walls of its own and is not filled.",
        ),
    ]
}

fn bodies() -> Vec<Animal> {
    vec![
        animal("touching_on_an_edge", touching_on_an_edge(), "Two blocks that share an edge: two loops, not one."),
        animal(
            "nested_shells",
            nested_shells(),
            "A box in a void in a box: three walls in the middle layers, one below and above.",
        ),
        animal(
            "overlapping_shells",
            join(&[block([0.0; 3], [8.0, 8.0, 1.0]), block([5.0, 3.0, 0.0], [13.0, 11.0, 1.0])]),
            "Two blocks into each other: one outline, no wall inside.",
        ),
        animal(
            "coplanar_slabs",
            join(&[block([0.0; 3], [8.0, 8.0, 0.8]), block([0.0, 0.0, 0.8], [8.0, 8.0, 1.6])]),
            "Two slabs, one on the other: one block, no surface between them.",
        ),
        animal(
            "crossing_itself",
            ribbon(&[[0.0, 4.0], [10.0, -4.0]], &[[0.0, -4.0], [10.0, 4.0]], 1.0),
            "A ribbon twisted over: two triangles that meet in a point, both filled though one is inside out.",
        )
        .meaning(bow_tie()),
    ]
}

fn broken_ones() -> Vec<Animal> {
    let die = || block([0.0; 3], [8.0, 8.0, 1.0]);
    let with = |change: fn(&mut Mesh)| {
        let mut broken = die();
        change(&mut broken);
        broken
    };
    let broken = |name, mesh, expected| animal(name, mesh, expected).meaning(die());
    vec![
        broken("inside_out", flipped(&die()), "Every face looks inwards: a solid block all the same."),
        broken(
            "a_face_twice",
            with(|die| die.triangles.extend([[0, 2, 3], [3, 0, 2]])),
            "One face is there three times: a solid block all the same.",
        ),
        broken(
            "collapsed_faces",
            with(|die| die.triangles.extend([[0, 0, 1], [5, 5, 5]])),
            "Two faces without area: a solid block all the same.",
        ),
        broken("open_top", open_top(&die()), "The lid is missing: closed, with a top surface."),
        broken(
            "open_underside",
            upside_down(open_top(&die())),
            "The bottom is missing: closed, four solid layers.",
        )
        .meaning(die()),
        animal(
            "ragged_underside",
            ragged(),
            "A rod cut off raggedly and open below, as scans are: it stands on the bed all around.",
        )
        .meaning(cylinder(0.85, 3.2)),
        animal("t_junction", split_edge([10.0, 8.0, 1.0]), "An edge with a corner on one side only: no gap."),
        animal(
            "flipped_band",
            half_flipped(&tube(6.0, 4.0, 1.0)),
            "Half a tube's faces look the wrong way: hollow all around, in every layer.",
        )
        .meaning(tube(6.0, 4.0, 1.0)),
    ]
}

fn in_the_air() -> Vec<Animal> {
    vec![
        animal(
            "bridge",
            bridge(),
            "A deck on two pillars: the lines of its first layer run from one to the other.",
        ),
        animal(
            "overhang",
            frustum(2.0, 4.0, 1.6),
            "A funnel: walls that grow by a quarter of a millimetre a layer, half a line over nothing.",
        ),
        animal(
            "disc_on_a_stem",
            join(&[cylinder(1.5, 1.2), lifted(cylinder(5.0, 0.8), 1.0)]),
            "A mushroom: the first layer of its hat lies on air around the stem, where nothing could be bridged to.",
        ),
        animal(
            "island_in_the_air",
            join(&[block([0.0; 3], [5.0, 5.0, 1.0]), block([8.0, 0.0, 0.6], [13.0, 5.0, 1.4])]),
            "A block that hovers beside one that stands: printed where it is, for supports to hold.",
        ),
    ]
}

fn upside_down(mut part: Mesh) -> Mesh {
    part.vertices.iter_mut().for_each(|[_, y, z]| (*y, *z) = (-*y, -*z));
    part
}

/// What the ribbon that crosses itself covers.
fn bow_tie() -> Mesh {
    let half = |x: f32| ribbon(&[[x, 4.0], [5.0, 0.0]], &[[x, -4.0], [5.0, 0.0]], 1.0);
    join(&[half(0.0), upside_down(lifted(half(10.0), -1.0))])
}

/// A cylinder without its bottom, its lower rim up to 0.3 mm above its lowest point.
fn ragged() -> Mesh {
    let mut part = upside_down(open_top(&cylinder(0.85, 3.2)));
    let low = part.vertices.iter_mut().filter(|corner| corner[2] == -3.2);
    low.for_each(|corner| corner[2] += 0.15 + 0.15 * (3.0 * corner[0]).sin());
    part
}

/// Six teeth 0.8 mm thick, as far apart, on a back.
fn comb() -> Mesh {
    let teeth = (0..6_u8).map(|n| f32::from(n) * 1.6).map(|x| block([x, 2.5, 0.0], [x + 0.8, 10.0, 1.0]));
    let back = block([0.0, 0.0, 0.0], [8.8, 3.0, 1.0]);
    join(&teeth.chain([back]).collect::<Vec<_>>())
}

/// Two turns of a wall 0.8 mm thick, 2 mm apart.
fn spiral() -> Mesh {
    let at = |n: u8, radius: f32| {
        let turn = f32::from(n) / 24.0;
        let (angle, radius) = (std::f32::consts::TAU * turn, radius + 2.0 * turn);
        [radius * angle.cos(), radius * angle.sin()]
    };
    let sides = |radius: f32| (0..=48).map(|n| at(n, radius)).collect::<Vec<_>>();
    ribbon(&sides(2.0), &sides(2.8), 1.0)
}

/// A wedge seen from above: from a tenth of a millimetre to three.
fn growing_fin() -> Mesh {
    ribbon(&[[0.0, 0.05], [20.0, 1.5]], &[[0.0, -0.05], [20.0, -1.5]], 1.0)
}

fn touching_on_an_edge() -> Mesh {
    join(&[block([0.0; 3], [5.0, 5.0, 1.0]), block([5.0, 5.0, 0.0], [10.0, 10.0, 1.0])])
}

/// A box in a void in a box.
fn nested_shells() -> Mesh {
    let void = flipped(&block([2.0, 2.0, 1.0], [10.0, 10.0, 3.0]));
    join(&[block([0.0; 3], [12.0, 12.0, 4.0]), void, block([4.0, 4.0, 1.0], [8.0, 8.0, 3.0])])
}

fn staircase() -> Mesh {
    let step = |n: u8| (f32::from(n) * 3.0, f32::from(n + 1) * 0.6);
    join(&[0, 1, 2].map(step).map(|(x, top)| block([x, 0.0, 0.0], [x + 3.2, 6.0, top])))
}

fn bridge() -> Mesh {
    join(&[
        block([0.0, 0.0, 0.0], [3.0, 6.0, 0.6]),
        block([13.0, 0.0, 0.0], [16.0, 6.0, 0.6]),
        block([0.0, 0.0, 0.6], [16.0, 6.0, 1.6]),
    ])
}

fn lifted(mut part: Mesh, by: f32) -> Mesh {
    part.vertices.iter_mut().for_each(|corner| corner[2] += by);
    part
}

//! How a body is looked at: in parallel from the front, left and above, with the bench it stands on behind it.

use super::palette::{self, Rgb};
use super::shadow::Shadow;
use super::tube::Vector;

/// From the part towards the eye; its length is one, to the precision that matters here.
pub(super) const TOWARDS: Vector = Vector(-0.46, -0.766, 0.45);
/// Share of the picture the part may fill.
const FILL: f32 = 0.80;
/// Samples along each side of the tile of scattered places.
const TILE: usize = 64;

/// Parallel sight onto the part and the bench below it.
#[derive(Debug, Clone)]
pub(super) struct View {
    right: Vector,
    pub(super) up: Vector,
    pub(super) middle: Vector,
    /// Samples a millimetre.
    pub(super) scale: f32,
    pub(super) size: [usize; 2],
    /// Half the diagonal of the part's box, and its lowest and highest z.
    pub(super) radius: f32,
    heights: [f32; 2],
    /// Where within a sample its line of sight passes.
    scatter: Vec<[f32; 2]>,
}

impl View {
    pub(super) fn of(min: Vector, max: Vector, size: [usize; 2]) -> Self {
        let right = Vector(-TOWARDS.1, TOWARDS.0, 0.0).unit();
        let up = Vector(
            TOWARDS.1 * right.2 - TOWARDS.2 * right.1,
            TOWARDS.2 * right.0 - TOWARDS.0 * right.2,
            TOWARDS.0 * right.1 - TOWARDS.1 * right.0,
        )
        .unit();
        let half = max.plus(min, -1.0);
        let half = Vector(half.0.abs() / 2.0, half.1.abs() / 2.0, half.2.abs() / 2.0);
        let extent = |axis: Vector| axis.0.abs() * half.0 + axis.1.abs() * half.1 + axis.2.abs() * half.2;
        let room = [extent(right), extent(up)].map(|half| half.max(0.5) * 2.0);
        Self {
            right,
            up,
            middle: min.plus(max.plus(min, -1.0), 0.5),
            scale: FILL * (size[0] as f32 / room[0]).min(size[1] as f32 / room[1]),
            size,
            radius: half.dot(half).sqrt().max(0.5),
            heights: [0.0, max.2.max(0.1)],
            scatter: scatter(),
        }
    }

    /// Where a point is seen, in samples from the top left.
    pub(super) fn place(&self, point: Vector) -> [f32; 2] {
        let offset = point.plus(self.middle, -1.0);
        [
            self.size[0] as f32 / 2.0 + offset.dot(self.right) * self.scale,
            self.size[1] as f32 / 2.0 - offset.dot(self.up) * self.scale,
        ]
    }

    /// A point on a sample's line of sight, which is scattered within the sample: layers are about as high as samples, and
    /// looking at even distances would show their difference as rings.
    pub(super) fn sight(&self, x: usize, y: usize) -> Vector {
        let [right, down] = self.scatter[y % TILE * TILE + x % TILE];
        let right = (x as f32 + right - self.size[0] as f32 / 2.0) / self.scale;
        let up = (self.size[1] as f32 / 2.0 - y as f32 - down) / self.scale;
        self.middle.plus(self.right, right).plus(self.up, up)
    }

    pub(super) fn relative_height(&self, z: f32) -> f32 {
        (z - self.heights[0]) / (self.heights[1] - self.heights[0])
    }

    /// The bench with a fading grid of centimetres and the part's shadow.
    pub(super) fn bench(&self, x: usize, y: usize, shadow: &Shadow) -> [f32; 3] {
        let sight = self.sight(x, y);
        let point = sight.plus(TOWARDS, -sight.2 / TOWARDS.2);
        let away = (point.0 - self.middle.0).hypot(point.1 - self.middle.1) / self.radius;
        let near = (1.0 - away / 3.2).clamp(0.0, 1.0);
        let line = |across: f32| {
            let from_line = (across / 10.0 - (across / 10.0).round()).abs() * 10.0 * self.scale;
            (1.6 - from_line).clamp(0.0, 1.0)
        };
        let grid = line(point.0).max(line(point.1)) * near;
        let Rgb(red, green, blue) =
            palette::BENCH.mix(palette::BED.lighter(0.06), near).mix(palette::BED_EDGE, grid * 0.8);
        let lit = 1.0 - 0.72 * shadow.at(point);
        [red, green, blue].map(|part| f32::from(part) * lit)
    }
}

/// A tile of places within a sample, evenly scattered (interleaved gradient noise, Jimenez 2014), each from 0 to 1.
fn scatter() -> Vec<[f32; 2]> {
    let noise = |x: usize, y: usize| {
        (52.982_918 * (0.067_110_56 * x as f32 + 0.005_837_15 * y as f32).fract()).fract()
    };
    (0..TILE * TILE).map(|n| [noise(n / TILE, n % TILE), noise(n % TILE, n / TILE)]).collect()
}

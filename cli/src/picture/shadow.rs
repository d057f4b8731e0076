//! The shadow a body throws on the bench, kept as a small map that grows with every bead.

use super::tube::Vector;
use super::view::View;

/// Towards the key light.
pub(super) const KEY: Vector = Vector(0.50, -0.42, 0.76);

/// The part's shadow on the bench: how densely plastic stands between each spot and the light.
#[derive(Debug, Clone)]
pub(super) struct Shadow {
    cells: Vec<f32>,
    middle: Vector,
    /// Cells a millimetre.
    scale: f32,
}

impl Shadow {
    const SIDE: usize = 256;

    pub(super) fn new(view: &View) -> Self {
        let scale = Self::SIDE as f32 / (view.radius * 6.0);
        Self { cells: vec![0.0; Self::SIDE * Self::SIDE], middle: view.middle, scale }
    }

    /// Marks where a bit of plastic shades the bench.
    pub(super) fn cast(&mut self, point: Vector, width: f32) {
        let spot = point.plus(KEY, -point.2 / KEY.2);
        if let Some(cell) = self.cell(spot) {
            self.cells[cell] = (self.cells[cell] + width * self.scale).min(1.0);
        }
    }

    fn cell(&self, spot: Vector) -> Option<usize> {
        let half = Self::SIDE as f32 / 2.0;
        let (x, y) =
            ((spot.0 - self.middle.0) * self.scale + half, (spot.1 - self.middle.1) * self.scale + half);
        let inside = |c: f32| c >= 0.0 && c < Self::SIDE as f32;
        (inside(x) && inside(y)).then(|| y as usize * Self::SIDE + x as usize)
    }

    /// The same shadow with soft edges: three box blurs come close to a Gaussian.
    pub(super) fn softened(&self) -> Self {
        let mut soft = self.clone();
        for _ in 0..3 {
            soft.cells = blur(&blur(&soft.cells, 1), Self::SIDE);
        }
        soft
    }

    /// How dark a spot is, from 0 to 1, between cells by their distance.
    pub(super) fn at(&self, spot: Vector) -> f32 {
        let half = Self::SIDE as f32 / 2.0 - 0.5;
        let (x, y) =
            ((spot.0 - self.middle.0) * self.scale + half, (spot.1 - self.middle.1) * self.scale + half);
        let limit = (Self::SIDE - 1) as f32;
        if !(0.0..limit).contains(&x) || !(0.0..limit).contains(&y) {
            return 0.0;
        }
        let (column, row) = (x as usize, y as usize);
        let (right, down) = (x - column as f32, y - row as f32);
        let cell = |dx: usize, dy: usize| self.cells[(row + dy) * Self::SIDE + column + dx];
        let upper = cell(0, 0) * (1.0 - right) + cell(1, 0) * right;
        let lower = cell(0, 1) * (1.0 - right) + cell(1, 1) * right;
        upper * (1.0 - down) + lower * down
    }
}

/// The mean over five cells, `stride` apart; cells beyond the edge count as empty.
fn blur(cells: &[f32], stride: usize) -> Vec<f32> {
    let cell =
        |n: usize, step: usize| (n + step * stride).checked_sub(2 * stride).and_then(|at| cells.get(at));
    (0..cells.len()).map(|n| (0..5).filter_map(|step| cell(n, step)).sum::<f32>() / 5.0).collect()
}

//! Where a 3MF puts an object: an affine matrix, written row by row for row vectors (core specification 3.3).

/// An affine transform of points.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Transform {
    /// Images of the unit vectors x, y, z; then of the origin.
    rows: [[f64; 3]; 4],
}

/// What a transform does to the inside and outside of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Facing {
    /// Keeps them.
    Kept,
    /// Swaps them: it mirrors.
    Mirrored,
    /// Flattens the body, or is not finite.
    Lost,
}

impl Transform {
    pub(super) const IDENTITY: Self = Self::scale(1.0);

    /// Makes everything `by` times as large.
    pub(super) const fn scale(by: f64) -> Self {
        Self { rows: [[by, 0.0, 0.0], [0.0, by, 0.0], [0.0, 0.0, by], [0.0, 0.0, 0.0]] }
    }

    /// Parses twelve numbers between white space.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split_ascii_whitespace().map(str::parse);
        let mut rows = [[0.0; 3]; 4];
        for cell in rows.iter_mut().flatten() {
            *cell = numbers.next()?.ok()?;
        }
        numbers.next().is_none().then_some(Self { rows })
    }

    /// The same transform with its shift counted in a unit of `mm` millimetres.
    pub(super) fn with_shift_in(mut self, mm: f64) -> Self {
        self.rows[3] = self.rows[3].map(|c| c * mm);
        self
    }

    /// The transform that applies `self` first, then `outer`.
    pub(super) fn then(&self, outer: &Self) -> Self {
        let [x, y, z, origin] = self.rows;
        Self { rows: [outer.turn(x), outer.turn(y), outer.turn(z), outer.apply(origin)] }
    }

    /// The image of a point.
    pub(super) fn apply(&self, point: [f64; 3]) -> [f64; 3] {
        let turned = self.turn(point);
        [0, 1, 2].map(|i| turned[i] + self.rows[3][i])
    }

    /// By the sign of the determinant.
    pub(super) fn facing(&self) -> Facing {
        let [x, y, z, _] = self.rows;
        let determinant = x[0] * (y[1] * z[2] - y[2] * z[1]) - x[1] * (y[0] * z[2] - y[2] * z[0])
            + x[2] * (y[0] * z[1] - y[1] * z[0]);
        if self.rows.iter().flatten().any(|c| !c.is_finite()) || !determinant.is_normal() {
            Facing::Lost
        } else if determinant < 0.0 {
            Facing::Mirrored
        } else {
            Facing::Kept
        }
    }

    /// The image of a direction.
    fn turn(&self, [x, y, z]: [f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|i| x * self.rows[0][i] + y * self.rows[1][i] + z * self.rows[2][i])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_after_a_turn_is_not_turned() {
        let turn = Transform::parse("0 1 0 -1 0 0 0 0 1 0 0 0").unwrap();
        let shift = Transform::parse("1 0 0 0 1 0 0 0 1 10 0 0").unwrap();
        assert_eq!(turn.then(&shift).apply([1.0, 0.0, 0.0]), [10.0, 1.0, 0.0]);
        assert_eq!(shift.then(&turn).apply([1.0, 0.0, 0.0]), [0.0, 11.0, 0.0]);
    }

    #[test]
    fn mirrors_and_flat_matrices_are_told_apart() {
        assert_eq!(Transform::IDENTITY.facing(), Facing::Kept);
        assert_eq!(Transform::parse("-1 0 0 0 1 0 0 0 1 0 0 0").unwrap().facing(), Facing::Mirrored);
        assert_eq!(Transform::parse("1 0 0 0 1 0 0 0 0 0 0 0").unwrap().facing(), Facing::Lost);
        assert_eq!(Transform::parse("1 0 0 0 1 0 0 0 1 nan 0 0").unwrap().facing(), Facing::Lost);
    }

    #[test]
    fn eleven_or_thirteen_numbers_are_no_transform() {
        assert_eq!(Transform::parse("1 0 0 0 1 0 0 0 1 0 0"), None);
        assert_eq!(Transform::parse("1 0 0 0 1 0 0 0 1 0 0 0 0"), None);
        assert_eq!(Transform::parse("1 0 0 0 1 0 0 0 1 0 0 x"), None);
    }
}

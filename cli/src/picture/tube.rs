//! A bead of plastic as a solid: a straight tube with an elliptic cross-section, as wide as the line and as high as the
//! layer; and where a line of sight meets it.

/// A point or direction, x y z in millimetres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Vector(pub(super) f32, pub(super) f32, pub(super) f32);

impl Vector {
    pub(super) fn dot(self, other: Self) -> f32 {
        self.0 * other.0 + self.1 * other.1 + self.2 * other.2
    }

    pub(super) fn plus(self, other: Self, times: f32) -> Self {
        Self(self.0 + other.0 * times, self.1 + other.1 * times, self.2 + other.2 * times)
    }

    pub(super) fn unit(self) -> Self {
        let length = self.dot(self).sqrt();
        Self(self.0 / length, self.1 / length, self.2 / length)
    }
}

/// A level tube from one point to another.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tube {
    from: Vector,
    length: f32,
    /// Unit vectors along it and level across it.
    along: Vector,
    across: Vector,
    /// Half its width and half its height.
    radii: [f32; 2],
}

/// Where a line of sight meets a tube.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    /// Steps along the line of sight, towards the eye.
    pub(super) nearness: f32,
    /// Unit normal of the surface.
    pub(super) normal: Vector,
}

impl Tube {
    /// A tube between two points of the same height; none for two equal points.
    pub(super) fn between(from: Vector, to: Vector, width: f32, height: f32) -> Option<Self> {
        let (x, y) = (to.0 - from.0, to.1 - from.1);
        let length = x.hypot(y);
        if length <= 0.0 || width <= 0.0 || height <= 0.0 {
            return None;
        }
        let along = Vector(x / length, y / length, 0.0);
        let across = Vector(-along.1, along.0, 0.0);
        Some(Self { from, length, along, across, radii: [width / 2.0, height / 2.0] })
    }

    /// Meets the line through `point` along `towards` (to the eye) on the side nearer the eye.
    ///
    /// In the tube's own axes (across, up), scaled to a circle of radius one, the line is `p + s·t` and the hit is the
    /// larger root of |p + s·t|² = 1.
    pub(super) fn meet(&self, point: Vector, towards: Vector) -> Option<Hit> {
        let [half_width, half_height] = self.radii;
        let offset = point.plus(self.from, -1.0);
        let p = [offset.dot(self.across) / half_width, offset.2 / half_height];
        let t = [towards.dot(self.across) / half_width, towards.2 / half_height];
        let (a, b) = (t[0] * t[0] + t[1] * t[1], p[0] * t[0] + p[1] * t[1]);
        let root = b * b - a * (p[0] * p[0] + p[1] * p[1] - 1.0);
        if root < 0.0 || a <= 0.0 {
            return None;
        }
        let nearness = (root.sqrt() - b) / a;
        let place = offset.dot(self.along) + nearness * towards.dot(self.along);
        // A little over each end, so that tubes meeting at a corner leave no gap.
        let over = half_width * 0.6;
        if place < -over || place > self.length + over {
            return None;
        }
        let circle = [p[0] + nearness * t[0], p[1] + nearness * t[1]];
        let sideways = circle[0] / half_width;
        let normal = Vector(self.across.0 * sideways, self.across.1 * sideways, circle[1] / half_height);
        Some(Hit { nearness, normal: normal.unit() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tube() -> Tube {
        Tube::between(Vector(0.0, 0.0, 1.0), Vector(10.0, 0.0, 1.0), 0.4, 0.2).unwrap()
    }

    #[test]
    fn seen_from_above_a_tube_is_met_at_its_back() {
        let hit = tube().meet(Vector(5.0, 0.0, 0.0), Vector(0.0, 0.0, 1.0)).unwrap();
        assert!((hit.nearness - 1.1).abs() < 1e-6, "{hit:?}");
        assert!((hit.normal.2 - 1.0).abs() < 1e-6, "{hit:?}");
    }

    #[test]
    fn seen_from_the_front_a_tube_is_met_at_its_side() {
        let hit = tube().meet(Vector(5.0, 0.0, 1.0), Vector(0.0, -1.0, 0.0)).unwrap();
        assert!((hit.nearness - 0.2).abs() < 1e-6, "{hit:?}");
        assert!((hit.normal.1 + 1.0).abs() < 1e-6, "{hit:?}");
    }

    #[test]
    fn sight_that_passes_beside_or_beyond_a_tube_misses() {
        let down = Vector(0.0, 0.0, 1.0);
        assert_eq!(tube().meet(Vector(5.0, 0.21, 0.0), down), None);
        assert_eq!(tube().meet(Vector(10.2, 0.0, 0.0), down), None);
        assert_eq!(tube().meet(Vector(-0.2, 0.0, 0.0), down), None);
        assert!(tube().meet(Vector(10.1, 0.0, 0.0), down).is_some(), "ends reach over");
    }

    #[test]
    fn a_point_is_no_tube() {
        assert!(Tube::between(Vector(1.0, 1.0, 1.0), Vector(1.0, 1.0, 1.0), 0.4, 0.2).is_none());
    }
}

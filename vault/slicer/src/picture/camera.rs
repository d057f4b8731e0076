//! Where the picture is taken from, and the way from millimetres to samples and back.

use super::vector::{Vec3, ZERO, vec3};
use crate::mesh::Mesh;
use crate::mesh::analysis::Extent;

/// Where a part is looked at from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// The front, a little from the left and above.
    Corner,
    /// The back, a little from the right and above, lit from there.
    Back,
    /// Straight from the front, hardly above the floor.
    Front,
    /// From above, the front below.
    Top,
}

impl View {
    /// All of them, the one that shows most first.
    pub const ALL: [Self; 4] = [Self::Corner, Self::Back, Self::Front, Self::Top];

    /// From the part towards the camera.
    fn towards_camera(self) -> Vec3 {
        match self {
            Self::Corner => vec3(-0.52, -0.88, 0.44),
            Self::Back => vec3(0.52, 0.88, 0.44),
            Self::Front => vec3(0.0, -1.0, 0.16),
            Self::Top => vec3(0.0, -0.02, 1.0),
        }
    }

    /// A light's direction as this view has it: lights stand around the photographer.
    pub(super) fn light(self, towards: Vec3) -> Vec3 {
        match self {
            Self::Back => vec3(-towards.x, -towards.y, towards.z),
            Self::Corner | Self::Front | Self::Top => towards,
        }
    }
}

/// Distance from the part's middle, in half diagonals of its box; larger is a longer lens.
const DISTANCE: f32 = 5.0;

/// Share of the picture the part may fill.
const FILL: f32 = 0.80;

/// A pinhole camera.
pub(super) struct Camera {
    pub(super) eye: Vec3,
    right: Vec3,
    up: Vec3,
    forward: Vec3,
    /// Samples across and down.
    pub(super) size: [usize; 2],
    /// Samples for a slope of one.
    scale: f32,
    /// Slopes shown in the middle of the picture.
    middle: [f32; 2],
    /// The direction the first sample looks in, and how the next one to the right and the next one below differ from it.
    first: Vec3,
    steps: [Vec3; 2],
}

impl Camera {
    /// A camera that has the whole mesh in the picture.
    pub(super) fn facing(mesh: &Mesh, view: View, size: [usize; 2]) -> Self {
        let extent = Extent::of(mesh);
        let (min, max) = (Vec3::from(extent.min), Vec3::from(extent.max));
        let radius = ((max - min).length() / 2.0).max(1.0);
        let forward = -view.towards_camera().unit();
        let right = forward.cross(vec3(0.0, 0.0, 1.0)).unit();
        let mut camera = Self {
            eye: (min + max) * 0.5 - forward * (radius * DISTANCE),
            right,
            up: right.cross(forward),
            forward,
            size,
            scale: 1.0,
            middle: [0.0; 2],
            first: forward,
            steps: [ZERO; 2],
        };
        camera.fit(mesh);
        camera.aim();
        camera
    }

    /// Sets scale and middle so that every vertex falls within the picture.
    fn fit(&mut self, mesh: &Mesh) {
        let (mut low, mut high) = ([-0.1_f32; 2], [0.1_f32; 2]);
        for (n, &vertex) in mesh.vertices.iter().enumerate() {
            let slope = self.slope(vertex.into());
            for axis in 0..2 {
                low[axis] = if n == 0 { slope[axis] } else { low[axis].min(slope[axis]) };
                high[axis] = if n == 0 { slope[axis] } else { high[axis].max(slope[axis]) };
            }
        }
        self.middle = [0, 1].map(|axis| (low[axis] + high[axis]) / 2.0);
        let room = [0, 1].map(|axis| FILL * self.size[axis] as f32 / (high[axis] - low[axis]).max(1e-6));
        self.scale = room[0].min(room[1]);
    }

    /// Sets where samples look, once scale and middle are known.
    fn aim(&mut self) {
        let [width, height] = self.size.map(|samples| samples as f32);
        let right = (0.5 - width / 2.0) / self.scale + self.middle[0];
        let up = (height / 2.0 - 0.5) / self.scale + self.middle[1];
        self.first = self.forward + self.right * right + self.up * up;
        self.steps = [self.right * (1.0 / self.scale), self.up * (-1.0 / self.scale)];
    }

    /// Slopes to the right and up at which a point is seen.
    fn slope(&self, point: Vec3) -> [f32; 2] {
        let seen = point - self.eye;
        let depth = seen.dot(self.forward);
        [seen.dot(self.right) / depth, seen.dot(self.up) / depth]
    }

    /// A point's place in samples from the top left, and its nearness (the reciprocal of its depth).
    pub(super) fn project(&self, point: Vec3) -> Vec3 {
        let [right, up] = self.slope(point);
        let [width, height] = self.size.map(|samples| samples as f32);
        vec3(
            width / 2.0 + (right - self.middle[0]) * self.scale,
            height / 2.0 - (up - self.middle[1]) * self.scale,
            1.0 / (point - self.eye).dot(self.forward),
        )
    }

    /// The direction a sample looks in; its part along `forward` is one.
    pub(super) fn ray(&self, x: usize, y: usize) -> Vec3 {
        self.first + self.steps[0] * x as f32 + self.steps[1] * y as f32
    }

    /// Where a sample looks at a level of this height; nothing from the horizon on.
    pub(super) fn on_level(&self, x: usize, y: usize, height: f32) -> Option<Vec3> {
        let ray = self.ray(x, y);
        (ray.z < 0.0).then(|| self.eye + ray * ((height - self.eye.z) / ray.z))
    }

    /// The point at a sample with this nearness.
    pub(super) fn point(&self, x: usize, y: usize, nearness: f32) -> Vec3 {
        if nearness > 0.0 { self.eye + self.ray(x, y) * (1.0 / nearness) } else { ZERO }
    }

    /// Samples a millimetre covers at this nearness.
    pub(super) fn samples_per_mm(&self, nearness: f32) -> f32 {
        self.scale * nearness
    }
}

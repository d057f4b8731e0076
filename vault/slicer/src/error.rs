//! What can be wrong with a design or a profile when it is sliced, each with its mend.

use layerlock_terms::units::Micrometres;

use crate::modifiers::TextError;

/// What is laid on each side of a part.
const AROUND: &str = "skirt, brim, raft or supports";

/// Said by a sink that takes no more pieces: slicing stops, nothing is wrong with the design.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the toolpath's reader has gone")]
pub struct SinkClosed;

/// Why a mesh was not sliced.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SliceError {
    /// The profile asks for another engine.
    #[error("`engine` = {} is an engine of others, which only a vault starts: take `layerlock`", .0.name())]
    AnotherEngine(layerlock_terms::profile::Engine),
    /// There is no triangle with an area.
    #[error("the mesh has no triangle with an area: export the design again, as a solid")]
    Empty,
    /// A triangle names a vertex that does not exist.
    #[error("triangle {triangle} names vertex {vertex}, there are {vertices}: the file is damaged")]
    MissingVertex {
        /// Which triangle, counted from zero.
        triangle: usize,
        /// The index it holds.
        vertex: u32,
        /// How many vertices there are.
        vertices: usize,
    },
    /// A coordinate is not a number, or beyond ten metres.
    #[error("vertex {vertex} is not within ten metres of the origin: check the file and its unit")]
    Unbounded {
        /// Which vertex, counted from zero.
        vertex: usize,
    },
    /// The part is larger than the machine, by itself or with what is laid around and under it.
    #[error(
        "the part is {} × {} × {}{}, `{machine}` prints {} × {} × {}: scale it down, turn it{} or take a larger machine",
        part[0], part[1], part[2],
        match around { Micrometres(0) => String::new(), wide => format!(", with {wide} of {AROUND} on every side") },
        volume[0], volume[1], volume[2],
        match around { Micrometres(0) => "", _ => ", have less around it" },
    )]
    TooLarge {
        /// The part's size, with the raft under it.
        part: [Micrometres; 3],
        /// How much is laid on each side of it.
        around: Micrometres,
        /// What the machine prints.
        volume: [Micrometres; 3],
        /// The machine's catalogue name.
        machine: &'static str,
    },
    /// More parts than the bed has room for.
    #[error(
        "{parts} parts do not fit on `{machine}`, which has room for {most}: ask for fewer or a smaller `part-spacing`"
    )]
    TooManyParts {
        /// How many were asked for.
        parts: u32,
        /// How many fit.
        most: u32,
        /// The machine's catalogue name.
        machine: &'static str,
    },
    /// Parts too high to be printed one after the other.
    #[error(
        "the part is {height} high, but what carries the head of `{machine}` passes {clearance} above the bed: turn `sequential` off or scale the part down"
    )]
    NoClearance {
        /// The part's height.
        height: Micrometres,
        /// The machine's clearance.
        clearance: Micrometres,
        /// The machine's catalogue name.
        machine: &'static str,
    },
    /// No layer holds anything a nozzle of this size can print.
    #[error(
        "nothing in the part is wide enough for a {nozzle} nozzle: check the file's unit, or scale it up"
    )]
    NothingPrintable {
        /// The machine's nozzle.
        nozzle: Micrometres,
    },
    /// A layer's outlines meet too often.
    #[error(
        "the surfaces at {z} cross each other too often to be sliced: unite the bodies in the program the design is from, \
         or repair the mesh there"
    )]
    Tangled {
        /// The layer's top.
        z: Micrometres,
    },
    /// The part does not touch the bed once placed: its lowest layers hold nothing printable.
    #[error(
        "nothing printable in the first {missing} below the part's lowest line: turn the part or scale it up"
    )]
    NoFirstLayer {
        /// How much of the part's foot would be lost.
        missing: Micrometres,
    },
    /// A modifying mesh is not sound.
    #[error("modifier {number}: {error}")]
    Modifier {
        /// Which of them, counted from one.
        number: usize,
        /// What is wrong with it.
        error: Box<SliceError>,
    },
    /// Text can't be laid on the part.
    #[error(transparent)]
    Text(#[from] TextError),
    /// Two settings that can't both be had.
    #[error("`{setting}` can't be printed with `{with}`: turn one of them off")]
    Contradiction {
        /// What was asked for.
        setting: &'static str,
        /// What rules it out.
        with: &'static str,
    },
    /// A range that ends before it begins.
    #[error("`{least}` is more than `{most}`: swap them")]
    Reversed {
        /// The setting for the range's lower end.
        least: &'static str,
        /// The setting for its upper end.
        most: &'static str,
    },
    /// A spiral vase needs one loop, and there are several islands.
    #[error(
        "layer {layer} at {z} has {islands} islands and a spiral vase winds around one: turn `spiral-vase` off, or \
         turn the part so that no layer has several"
    )]
    VaseIslands {
        /// Counted from zero.
        layer: u32,
        /// Its top.
        z: Micrometres,
        /// How many there are.
        islands: usize,
    },
    /// A spiral vase needs a loop in every layer, and there is none.
    #[error(
        "layer {layer} at {z} is too thin for a spiral vase's wall: turn `spiral-vase` off, or scale the part up"
    )]
    VaseGap {
        /// Counted from zero.
        layer: u32,
        /// Its top.
        z: Micrometres,
    },
    /// The worker threads could not be started.
    #[error("the operating system refused {threads} threads: ask for fewer")]
    Threads {
        /// How many were asked for.
        threads: usize,
    },
    /// The sink took no more pieces.
    #[error(transparent)]
    Closed(#[from] SinkClosed),
}

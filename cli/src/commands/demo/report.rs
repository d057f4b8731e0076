//! What the demo found, as `--json` writes it.

use serde::Serialize;

/// What happened.
#[derive(Debug, Serialize)]
pub struct Report {
    /// What was printed.
    pub model: String,
    /// The machine it was sliced for.
    pub machine: &'static str,
    /// The preset.
    pub preset: &'static str,
    /// Layers sealed.
    pub layers: u32,
    /// Segments sealed.
    pub segments: u32,
    /// Bytes of the uploaded file.
    pub mesh_bytes: u64,
    /// Bytes of the sealed envelope.
    pub sealed_bytes: u64,
    /// Bytes of the toolpath before it was sealed.
    pub plain_bytes: u64,
    /// Milliseconds from admission to the first sealed segment.
    pub first_segment_ms: u64,
    /// Milliseconds from admission to the last sealed segment.
    pub last_segment_ms: u64,
    /// Milliseconds from taking the copy to the end of the print.
    pub print_ms: u64,
    /// Estimated printing time on the real machine, milliseconds.
    pub estimated_ms: u64,
    /// Filament, micrometres.
    pub filament_um: u64,
    /// Lines the machine was sent.
    pub lines_sent: u64,
    /// Lines it asked for again.
    pub resends: u64,
    /// Layers the machine acknowledged, by the final receipt.
    pub layers_printed: u32,
    /// How the device's final receipt says it ended.
    pub receipt_outcome: String,
    /// The license's copies before the hold.
    pub copies_before: Copies,
    /// The license's copies after the settlement, as the ledger's entry says.
    pub copies_after: Copies,
    /// The settlement's place in the ledger.
    pub ledger_index: u64,
    /// Leaves of the audited ledger.
    pub ledger_size: u64,
    /// What was tried against it, and the words it was refused with.
    pub refusals: Vec<Refused>,
    /// The pictures written.
    pub picture: String,
}

/// Granted = free + held + spent.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
pub struct Copies {
    /// Licensed prints.
    pub granted: u32,
    /// May still be held.
    pub free: u32,
    /// Reserved.
    pub held: u32,
    /// Used.
    pub spent: u32,
}

/// One attack and its end.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// What was tried.
    pub attack: &'static str,
    /// The words it was refused with.
    pub answer: String,
}

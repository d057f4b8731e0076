//! Receipts, hop 12: what the device says about a job, signed by the key only it has.
//!
//! Numbers come from the journal, so a receipt's number is used once even over a power cut. A receipt is
//! recorded before it is sent and sent again byte for byte; it is never signed anew with another time.

use layerlock_seal::statement::Statement;
use layerlock_terms::ids::DeviceId;
use layerlock_terms::receipt::{Event, Receipt};
use layerlock_terms::units::Timestamp;

use crate::journal::Active;
use crate::keys::DeviceKeys;

/// Numbers passed over by a run that finds a job under way: its disk may have lost what it had confirmed, and no number may be
/// used twice (RC-14, RC-26).
pub(crate) const PASSED_OVER: u32 = 64;

/// States `event` about the running job, as its next receipt but so many.
pub(crate) fn attest(
    keys: &DeviceKeys,
    device: DeviceId,
    (active, passed_over): (&Active, u32),
    event: Event,
    at: Timestamp,
) -> Statement {
    let Active { job, hold, sequence, .. } = *active;
    let sequence = sequence.saturating_add(passed_over);
    Statement::sign(&Receipt { device, job, hold, sequence, at, event }, &keys.sign)
}

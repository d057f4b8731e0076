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

/// States `event` about the running job, as its next receipt.
pub(crate) fn attest(
    keys: &DeviceKeys,
    device: DeviceId,
    active: &Active,
    event: Event,
    at: Timestamp,
) -> Statement {
    let Active { job, hold, sequence, .. } = *active;
    Statement::sign(&Receipt { device, job, hold, sequence, at, event }, &keys.sign)
}

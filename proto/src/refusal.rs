//! Refusals on the wire: a gRPC status whose details name one reason of a closed list, the offender and the
//! mend. Clients match on the reason, people read the message; neither ever sees an inner error's text.

use std::collections::HashMap;

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The domain all reasons belong to.
pub const DOMAIN: &str = "layerlock";

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal => $code:ident),+ $(,)?) => {
        /// Why a call was refused: the closed list.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* $name),+
        }

        impl Reason {
            /// Every reason.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// As it stands in ErrorInfo.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text),+
                }
            }

            /// The gRPC code it travels with.
            pub const fn code(self) -> Code {
                match self {
                    $(Self::$name => Code::$code),+
                }
            }
        }
    };
}

reasons! {
    /// A field is missing, malformed or out of range.
    InvalidField = "INVALID_FIELD" => InvalidArgument,
    /// No API key, or one nobody has.
    Unauthenticated = "UNAUTHENTICATED" => Unauthenticated,
    /// The caller's kind may not make this call.
    WrongParty = "WRONG_PARTY" => PermissionDenied,
    /// Absent, or another's: the two are not told apart.
    NotFound = "NOT_FOUND" => NotFound,
    /// The request id was used for another request.
    RequestIdReused = "REQUEST_ID_REUSED" => AlreadyExists,
    /// A signature, signer or certificate does not hold.
    NotTrusted = "NOT_TRUSTED" => PermissionDenied,
    /// No copy is free.
    NoCopyFree = "NO_COPY_FREE" => ResourceExhausted,
    /// The license is past its end.
    LicenseExpired = "LICENSE_EXPIRED" => FailedPrecondition,
    /// The license was revoked.
    LicenseRevoked = "LICENSE_REVOKED" => FailedPrecondition,
    /// The hold is past the moment by which a vault had to admit it.
    HoldExpired = "HOLD_EXPIRED" => FailedPrecondition,
    /// The hold was used or settled already.
    HoldUsed = "HOLD_USED" => FailedPrecondition,
    /// The device was revoked.
    DeviceRevoked = "DEVICE_REVOKED" => PermissionDenied,
    /// The license does not allow this device.
    DeviceNotAllowed = "DEVICE_NOT_ALLOWED" => PermissionDenied,
    /// The enrolment code is unknown, used or expired.
    EnrolmentCode = "ENROLMENT_CODE" => PermissionDenied,
    /// A public key that is not canonical or of low order.
    UnfitKey = "UNFIT_KEY" => InvalidArgument,
    /// The terms go beyond what the design's manifest or the license allows.
    BeyondTerms = "BEYOND_TERMS" => FailedPrecondition,
    /// The uploaded file is no mesh the vault can take; the message says why.
    BadMesh = "BAD_MESH" => InvalidArgument,
    /// The upload is larger, or other, than its manifest says.
    UploadMismatch = "UPLOAD_MISMATCH" => InvalidArgument,
    /// The bytes sent don't follow on those that are there; the message says how many those are.
    UploadOffset = "UPLOAD_OFFSET" => Aborted,
    /// Slicing failed; the message says why.
    NotPrintable = "NOT_PRINTABLE" => FailedPrecondition,
    /// This device's session counter is behind: a clone or a restored image.
    SessionBehind = "SESSION_BEHIND" => PermissionDenied,
    /// Two signed receipts of this device contradict each other: somebody else holds its key too.
    DeviceCloned = "DEVICE_CLONED" => PermissionDenied,
    /// A newer session of the same device took over.
    SessionFenced = "SESSION_FENCED" => Aborted,
    /// The disk is full; nothing was stored.
    DiskFull = "DISK_FULL" => ResourceExhausted,
    /// Too many calls at once; try again later.
    Busy = "BUSY" => ResourceExhausted,
    /// The service can't go on; its own log says why.
    Stopped = "STOPPED" => Unavailable,
}

impl Reason {
    /// The status to answer with; `message` names the offender and the mend.
    pub fn status(self, message: impl Into<String>) -> Status {
        let details = ErrorDetails::with_error_info(self.as_str(), DOMAIN, HashMap::new());
        Status::with_error_details(self.code(), message, details)
    }

    /// The reason in a status, if it is one of ours.
    pub fn of(status: &Status) -> Option<Self> {
        let details = status.get_error_details();
        let info = details.error_info().filter(|info| info.domain == DOMAIN)?;
        Self::ALL.iter().copied().find(|reason| reason.as_str() == info.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_survives_the_wire_and_no_two_share_a_name() {
        for (i, reason) in Reason::ALL.iter().enumerate() {
            assert_eq!(Reason::of(&reason.status("why")), Some(*reason));
            assert!(Reason::ALL[..i].iter().all(|other| other.as_str() != reason.as_str()));
        }
    }
}

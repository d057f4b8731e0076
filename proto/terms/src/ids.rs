//! Ids: 128 random bits each, one type per thing, so that a license id can never be passed for a job id.
//!
//! Text form: a prefix that names the thing, a dash, 32 lower-case hex digits (`job-3f…`). Ids are drawn by
//! the caller (`from_bytes` takes the randomness); this crate has no source of randomness.

use alloc::string::String;
use core::fmt;
use core::str::FromStr;

/// Why a text is not an id of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no {kind} id: expected `{prefix}-` and 32 lower-case hex digits")]
pub struct IdError {
    text: String,
    kind: &'static str,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 16]);

        impl $name {
            /// The id made of these 16 random bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 bytes of the id.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "-"))?;
                self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                parse_hex(text, concat!($prefix, "-"))
                    .map(Self)
                    .ok_or_else(|| IdError { text: abbreviate(text), kind: $kind, prefix: $prefix })
            }
        }
    };
}

id!(/** Who owns designs and issues licenses. */ SellerId, "seller", "seller");
id!(/** Who holds licenses: an opaque subject chosen by the seller. */ BuyerId, "buyer", "buyer");
id!(/** A key holder that runs the device client. */ DeviceId, "device", "device");
id!(/** A design: what is sold, over all its versions. */ DesignId, "design", "design");
id!(/** The seller's terms for a design. */ OfferId, "offer", "offer");
id!(/** A signed grant of terms to one buyer. */ LicenseId, "license", "license");
id!(/** A copy reserved for a running job. */ HoldId, "hold", "hold");
id!(/** One run of one license on one device. */ JobId, "job", "print job");
id!(/** Names one mutating request; the same id always gets the same answer. */ RequestId, "request", "request");

fn parse_hex(text: &str, prefix: &str) -> Option<[u8; 16]> {
    let hex = text.strip_prefix(prefix)?.as_bytes();
    if hex.len() != 32 {
        return None;
    }
    let mut bytes = [0; 16];
    for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// The offending text, short enough for an error line whatever was sent.
fn abbreviate(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_from_its_text() {
        let id = JobId::from_bytes([0xa5; 16]);
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn an_id_of_another_kind_is_refused_by_name() {
        let license = LicenseId::from_bytes([1; 16]).to_string();
        let error = license.parse::<JobId>().expect_err("a license id is no job id");
        assert!(error.to_string().contains("print job"));
    }

    #[test]
    fn upper_case_and_short_ids_are_refused() {
        assert!("job-A5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5".parse::<JobId>().is_err());
        assert!("job-a5".parse::<JobId>().is_err());
    }
}

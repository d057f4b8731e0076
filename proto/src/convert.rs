//! Messages become domain types here and nowhere else; every field is checked, the offender is named.

use std::str::FromStr;

use layerlock_terms::digest::Digest;
use layerlock_terms::ids::{DeviceId, IdError};
use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Release, Terms};
use layerlock_terms::receipt::Counts;
use layerlock_terms::units::{Percent, Timestamp};
use layerlock_terms::wire::Malformed;

use crate::refusal::Reason;
use crate::types::v1 as wire;

/// Why a message is not the domain type it was said to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// A field that must be there is not.
    #[error("`{0}` is missing")]
    Missing(&'static str),
    /// An id of the wrong form.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A value out of its range.
    #[error("`{0}` is out of range")]
    Range(&'static str),
    /// A byte field of the wrong length.
    #[error("`{field}` is {length} bytes, expected {expected}")]
    Length {
        /// The field.
        field: &'static str,
        /// What came.
        length: usize,
        /// What was wanted.
        expected: usize,
    },
    /// Terms that grant nothing, everything or nonsense.
    #[error("terms: {0}")]
    Terms(#[from] Malformed),
}

impl From<ConvertError> for tonic::Status {
    fn from(error: ConvertError) -> Self {
        Reason::InvalidField.status(error.to_string())
    }
}

/// Reads an id of the kind wanted.
pub fn id<T: FromStr<Err = IdError>>(text: &str) -> Result<T, ConvertError> {
    Ok(text.parse()?)
}

/// Reads exactly `N` bytes.
pub fn array<const N: usize>(bytes: &[u8], field: &'static str) -> Result<[u8; N], ConvertError> {
    bytes.try_into().map_err(|_| ConvertError::Length { field, length: bytes.len(), expected: N })
}

/// Reads a SHA-256 digest.
pub fn digest(bytes: &[u8], field: &'static str) -> Result<Digest, ConvertError> {
    array(bytes, field).map(Digest)
}

/// Reads a part that must be there.
pub fn required<T>(part: Option<T>, field: &'static str) -> Result<T, ConvertError> {
    part.ok_or(ConvertError::Missing(field))
}

fn percent(value: u32, field: &'static str) -> Result<Percent, ConvertError> {
    u8::try_from(value).map(Percent).map_err(|_| ConvertError::Range(field))
}

impl TryFrom<wire::Terms> for Terms {
    type Error = ConvertError;

    fn try_from(terms: wire::Terms) -> Result<Self, ConvertError> {
        let terms = Self {
            copies: terms.copies,
            expires: terms.expires_unix_ms.map_or(Expiry::Never, |ms| Expiry::At(Timestamp(ms))),
            devices: device_scope(terms.any_device, &terms.devices)?,
            scale_min: percent(terms.scale_min_percent, "scale_min_percent")?,
            scale_max: percent(terms.scale_max_percent, "scale_max_percent")?,
            materials: terms.materials,
            failure: failure_policy(terms.spend_failed_from_percent)?,
            release: release(required(terms.release, "release")?)?,
        };
        terms.validate()?;
        Ok(terms)
    }
}

fn device_scope(any: bool, listed: &[String]) -> Result<DeviceScope, ConvertError> {
    match (any, listed) {
        (true, []) => Ok(DeviceScope::Any),
        (false, listed) => {
            let ids = listed.iter().map(|text| id::<DeviceId>(text)).collect::<Result<_, _>>()?;
            Ok(DeviceScope::Listed(ids))
        }
        (true, _) => Err(ConvertError::Range("devices")),
    }
}

fn failure_policy(spend_from: Option<u32>) -> Result<FailurePolicy, ConvertError> {
    let share = spend_from.map(|share| percent(share, "spend_failed_from_percent")).transpose()?;
    Ok(share.map_or(FailurePolicy::Return, FailurePolicy::SpendFrom))
}

fn release(release: wire::terms::Release) -> Result<Release, ConvertError> {
    match release {
        wire::terms::Release::Window(ahead) => {
            u16::try_from(ahead).map(Release::Window).map_err(|_| ConvertError::Range("window"))
        }
        wire::terms::Release::Offline(true) => Ok(Release::Offline),
        wire::terms::Release::Offline(false) => Err(ConvertError::Range("offline")),
    }
}

impl From<&Terms> for wire::Terms {
    fn from(terms: &Terms) -> Self {
        let devices = match &terms.devices {
            DeviceScope::Any => Vec::new(),
            DeviceScope::Listed(ids) => ids.iter().map(ToString::to_string).collect(),
        };
        Self {
            copies: terms.copies,
            expires_unix_ms: match terms.expires {
                Expiry::Never => None,
                Expiry::At(Timestamp(ms)) => Some(ms),
            },
            any_device: terms.devices == DeviceScope::Any,
            devices,
            scale_min_percent: terms.scale_min.0.into(),
            scale_max_percent: terms.scale_max.0.into(),
            materials: terms.materials.clone(),
            spend_failed_from_percent: match terms.failure {
                FailurePolicy::Return => None,
                FailurePolicy::SpendFrom(share) => Some(share.0.into()),
            },
            release: Some(match terms.release {
                Release::Window(ahead) => wire::terms::Release::Window(ahead.into()),
                Release::Offline => wire::terms::Release::Offline(true),
            }),
        }
    }
}

impl From<Counts> for wire::Counts {
    fn from(counts: Counts) -> Self {
        Self { granted: counts.granted, free: counts.free, held: counts.held, spent: counts.spent }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms {
            copies: 2,
            expires: Expiry::Never,
            devices: DeviceScope::Any,
            scale_min: Percent(100),
            scale_max: Percent(100),
            materials: vec!["pla".into()],
            failure: FailurePolicy::SpendFrom(Percent(80)),
            release: Release::Window(2),
        }
    }

    #[test]
    fn terms_survive_the_wire() {
        assert_eq!(Terms::try_from(wire::Terms::from(&terms())), Ok(terms()));
    }

    #[test]
    fn terms_that_were_never_filled_in_are_refused() {
        assert!(Terms::try_from(wire::Terms::default()).is_err());
    }

    #[test]
    fn any_device_beside_a_list_is_a_contradiction() {
        let mut message = wire::Terms::from(&terms());
        message.devices.push(DeviceId::from_bytes([1; 16]).to_string());
        assert_eq!(Terms::try_from(message), Err(ConvertError::Range("devices")));
    }
}

//! Whether an offer's terms stay within what the design's manifest allows. Pure; hop 3.
//!
//! The seller signs the widest terms a design may be sold under; an offer may take away, never add. "Wider" is
//! decided part by part, so that no narrow part pays for a wide one. Deliberately absent: the signature itself,
//! which has been verified before anything here is asked.

use layerlock_terms::license::{DeviceScope, Expiry, FailurePolicy, Release, Terms};

/// The first part of an offer's terms that goes beyond the manifest's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` goes beyond what the design's manifest allows: narrow it, or sign a wider manifest")]
pub struct Beyond(pub &'static str);

/// Holds `offered` against the widest terms `allowed`.
///
/// A smaller key window is the stricter one, and any window is stricter than offline. A failure policy is wider when it gives more copies back:
/// `Return` most, then `SpendFrom` a large share.
///
/// # Errors
/// [`Beyond`] names the first part that is wider.
pub fn within(offered: &Terms, allowed: &Terms) -> Result<(), Beyond> {
    let part = |within: bool, name| if within { Ok(()) } else { Err(Beyond(name)) };
    part(offered.copies <= allowed.copies, "copies")?;
    part(ends_within(offered.expires, allowed.expires), "expires_unix_ms")?;
    part(devices_within(&offered.devices, &allowed.devices), "devices")?;
    part(offered.scale_min >= allowed.scale_min, "scale_min_percent")?;
    part(offered.scale_max <= allowed.scale_max, "scale_max_percent")?;
    part(materials_within(&offered.materials, &allowed.materials), "materials")?;
    part(gives_back_within(offered.failure, allowed.failure), "spend_failed_from_percent")?;
    part(release_within(offered.release, allowed.release), release_field(offered.release))
}

fn ends_within(offered: Expiry, allowed: Expiry) -> bool {
    match (offered, allowed) {
        (_, Expiry::Never) => true,
        (Expiry::Never, Expiry::At(_)) => false,
        (Expiry::At(offered), Expiry::At(allowed)) => offered <= allowed,
    }
}

fn devices_within(offered: &DeviceScope, allowed: &DeviceScope) -> bool {
    match (offered, allowed) {
        (_, DeviceScope::Any) => true,
        (DeviceScope::Any, DeviceScope::Listed(_)) => false,
        (DeviceScope::Listed(offered), DeviceScope::Listed(allowed)) => {
            offered.iter().all(|device| allowed.contains(device))
        }
    }
}

/// An empty list allows all materials.
fn materials_within(offered: &[String], allowed: &[String]) -> bool {
    let narrowed = !offered.is_empty() && offered.iter().all(|material| allowed.contains(material));
    allowed.is_empty() || narrowed
}

fn gives_back_within(offered: FailurePolicy, allowed: FailurePolicy) -> bool {
    match (offered, allowed) {
        (_, FailurePolicy::Return) => true,
        (FailurePolicy::Return, FailurePolicy::SpendFrom(_)) => false,
        (FailurePolicy::SpendFrom(offered), FailurePolicy::SpendFrom(allowed)) => offered <= allowed,
    }
}

fn release_within(offered: Release, allowed: Release) -> bool {
    match (offered, allowed) {
        (_, Release::Offline) => true,
        (Release::Offline, Release::Window(_)) => false,
        (Release::Window(offered), Release::Window(allowed)) => offered <= allowed,
    }
}

fn release_field(offered: Release) -> &'static str {
    match offered {
        Release::Window(_) => "window",
        Release::Offline => "offline",
    }
}

#[cfg(test)]
mod tests {
    use layerlock_terms::ids::DeviceId;
    use layerlock_terms::units::{Percent, Timestamp};

    use super::*;

    fn allowed() -> Terms {
        Terms {
            copies: 10,
            expires: Expiry::At(Timestamp(2_000)),
            devices: DeviceScope::Listed(vec![DeviceId::from_bytes([1; 16]), DeviceId::from_bytes([2; 16])]),
            scale_min: Percent(50),
            scale_max: Percent(150),
            materials: vec!["pla".into(), "petg".into()],
            failure: FailurePolicy::SpendFrom(Percent(60)),
            release: Release::Window(4),
        }
    }

    #[test]
    fn the_manifests_own_terms_are_within_it() {
        assert_eq!(within(&allowed(), &allowed()), Ok(()));
    }

    #[test]
    fn narrower_in_every_part_is_within() {
        let narrow = Terms {
            copies: 1,
            expires: Expiry::At(Timestamp(1_999)),
            devices: DeviceScope::Listed(vec![DeviceId::from_bytes([2; 16])]),
            scale_min: Percent(100),
            scale_max: Percent(100),
            materials: vec!["petg".into()],
            failure: FailurePolicy::SpendFrom(Percent(0)),
            release: Release::Window(1),
        };
        assert_eq!(within(&narrow, &allowed()), Ok(()));
    }

    #[test]
    fn wider_in_one_part_is_refused_by_its_name() {
        type Widen = fn(&mut Terms);
        let wider: [(&str, Widen); 12] = [
            ("copies", |t| t.copies = 11),
            ("expires_unix_ms", |t| t.expires = Expiry::At(Timestamp(2_001))),
            ("expires_unix_ms", |t| t.expires = Expiry::Never),
            ("devices", |t| t.devices = DeviceScope::Any),
            ("devices", |t| t.devices = DeviceScope::Listed(vec![DeviceId::from_bytes([3; 16])])),
            ("scale_min_percent", |t| t.scale_min = Percent(49)),
            ("scale_max_percent", |t| t.scale_max = Percent(151)),
            ("materials", |t| t.materials.clear()),
            ("materials", |t| t.materials.push("abs".into())),
            ("spend_failed_from_percent", |t| t.failure = FailurePolicy::Return),
            ("window", |t| t.release = Release::Window(5)),
            ("offline", |t| t.release = Release::Offline),
        ];
        for (name, widen) in wider {
            let mut offered = allowed();
            widen(&mut offered);
            assert_eq!(within(&offered, &allowed()), Err(Beyond(name)));
        }
    }
}

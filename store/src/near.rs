//! What stays on this machine, and so may go without TLS.

use std::net::IpAddr;
use std::str::FromStr as _;

/// Whether what is sent to this host, or to a socket at this path, reaches no network.
pub(crate) fn is_near(host: &str) -> bool {
    host == "localhost"
        || host.starts_with('/')
        || IpAddr::from_str(host.trim_matches(['[', ']'])).is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_near() {
        for near in ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]", "/run/postgresql"] {
            assert!(is_near(near), "{near}");
        }
        for far in ["localhost.example", "db.example", "10.0.0.1", "0.0.0.0", "[fe80::1]", ""] {
            assert!(!is_near(far), "{far}");
        }
    }
}

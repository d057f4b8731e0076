//! Numbers as people say them.

/// `1 h 02 min`, `3 min 20 s`, `12 s`.
pub fn span(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{rest} s"),
        (0, _) => format!("{minutes} min {rest:02} s"),
        (_, _) => format!("{hours} h {minutes:02} min"),
    }
}

/// `812 B`, `61.2 kB`, `3.1 MB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000.. => format!("{:.1} MB", count as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_like_a_clock() {
        assert_eq!(span(12.4), "12 s");
        assert_eq!(span(200.0), "3 min 20 s");
        assert_eq!(span(3725.0), "1 h 02 min");
    }
}

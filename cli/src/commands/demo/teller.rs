//! How the demo tells its hops: a number, a name, what happened.

use std::io::{self, Write};

/// The ten hops the demo shows, in order.
pub const HOPS: [&str; 10] =
    ["upload", "license", "hold", "admit", "slice", "seal", "check", "keys", "print", "settle"];

/// Writes hop after hop.
pub struct Teller<'a, W> {
    out: &'a mut W,
    told: usize,
}

impl<'a, W: Write> Teller<'a, W> {
    /// Begins with a headline.
    pub fn new(out: &'a mut W, headline: &str) -> io::Result<Self> {
        writeln!(out, "{headline}\n")?;
        Ok(Self { out, told: 0 })
    }

    /// The next hop, with what happened.
    pub fn hop(&mut self, what: &str) -> io::Result<()> {
        let name = HOPS.get(self.told).copied().unwrap_or_default();
        self.told += 1;
        writeln!(self.out, "{:>3} {name:<9}{what}", self.told)?;
        self.out.flush()
    }

    /// A line that belongs to no hop.
    pub fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.out, "{text}")
    }

    /// How many hops were told.
    pub fn told(&self) -> usize {
        self.told
    }
}

//! Units as types, integers in the smallest unit. Floats exist only inside geometry.

use core::fmt;

macro_rules! unit {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name(pub $inner);
    };
}

unit!(/** A length or coordinate in micrometres. */ Micrometres(i32));
unit!(/** Filament fed, in units of 10⁻⁵ mm of filament; negative when pulled back. */ Feed(i32));
unit!(/** A speed in millimetres per minute, as machines take it. */ MmPerMinute(u32));
unit!(/** An acceleration in millimetres per second squared, as machines take it. */ MmPerSecond2(u32));
unit!(/** A mass in milligrams. */ Milligrams(u64));
unit!(/** A temperature in whole degrees Celsius. */ Celsius(u16));
unit!(/** A share in whole percent. */ Percent(u8));
unit!(/** A time span in milliseconds. */ Millis(u64));
unit!(/** A moment: milliseconds since 1970-01-01T00:00:00Z. */ Timestamp(u64));

impl Micrometres {
    /// Millimetres as a float, for geometry and display.
    pub fn to_mm(self) -> f64 {
        f64::from(self.0) / 1000.0
    }

    /// The nearest micrometre to `mm`; saturates at the type's range.
    #[cfg(feature = "std")]
    pub fn from_mm(mm: f64) -> Self {
        Self((mm * 1000.0).round() as i32)
    }
}

impl Feed {
    /// Millimetres of filament as a float, for geometry and display.
    pub fn to_mm(self) -> f64 {
        f64::from(self.0) / 100_000.0
    }
}

impl Timestamp {
    /// The moment `span` later; saturates.
    pub fn plus(self, span: Millis) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// The span from `earlier` to here; zero when `earlier` is later.
    pub fn since(self, earlier: Self) -> Millis {
        Millis(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Micrometres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} mm", self.to_mm())
    }
}

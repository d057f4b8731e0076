//! The system's randomness, as the pure crates take it.

use std::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// Draws from the operating system, which on a running machine does not fail.
#[derive(Debug, Clone, Copy, Default)]
pub struct Random;

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes(draw()))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(u64::from_le_bytes(draw()))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        getrandom::fill(bytes).expect("the operating system gives random bytes");
        Ok(())
    }
}

impl TryCryptoRng for Random {}

fn draw<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes");
    bytes
}

/// 16 fresh bytes, for an id.
pub fn id_bytes() -> [u8; 16] {
    draw()
}

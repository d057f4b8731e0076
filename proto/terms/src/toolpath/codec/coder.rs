//! The adaptive coder of a layer's integers (`proto/spec/toolpath.md`, "Coding").
//!
//! Each integer is its number of bits, which adapts, then the bits below the highest, of which the first two
//! adapt and the others are written many at once. Adaptive bits go through a binary range coder (G. N. N. Martin 1979; carries as in LZMA): what was
//! frequent in this layer so far costs less than a bit. Integers only; models start anew in each layer.

use crate::wire::Malformed;
use alloc::vec;
use alloc::vec::Vec;

/// Bits of precision of a probability.
const PRECISION: u32 = 11;

/// A sure bit's probability.
const WHOLE: u16 = 1 << PRECISION;

/// A probability follows what it sees by half the way at first, by a thirty-second in the end.
const SLOWEST: u32 = 5;

/// A range below this is refilled with the next byte.
const LEAST_RANGE: u32 = 1 << 24;

/// No bit is ever thought surer than this many in 2048: the sure ones would cost nothing, and a few bytes
/// could then stand for any number of items.
const LEAST_CHANCE: u16 = 24;

/// What an integer stands for; each slot has its own probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    /// Header and styles.
    Head,
    /// Kind of a step; the kind of the one before.
    Kind(u64),
    /// How many points, and whether errors follow.
    Count,
    /// Which style.
    Style,
    /// What a step of this kind holds.
    Held(u64),
    /// Its speed.
    Speed(u64),
    /// A difference along x; the size class of the one before.
    X(u8),
    /// A difference along y; the size class of the difference along x.
    Y(u8),
    /// An error of the predicted filament.
    Residual,
}

/// Slots with one place, the kinds of steps, and the classes of each difference.
const PLAIN: usize = 4;
pub(super) const KINDS: usize = 11;
const CLASSES: usize = 8;
const DIFFERENCES: usize = PLAIN + 3 * KINDS;
const SLOTS: usize = DIFFERENCES + 2 * CLASSES;

impl Slot {
    fn place(self) -> usize {
        let class = |bits: u8| usize::from(bits / 2).min(CLASSES - 1);
        let by_kind = |nth: usize, kind: u64| PLAIN + nth * KINDS + (kind as usize).min(KINDS - 1);
        let by_class = |nth: usize, bits: u8| DIFFERENCES + nth * CLASSES + class(bits);
        match self {
            Self::Head => 0,
            Self::Count => 1,
            Self::Style => 2,
            Self::Residual => 3,
            Self::Kind(before) => by_kind(0, before),
            Self::Held(kind) => by_kind(1, kind),
            Self::Speed(kind) => by_kind(2, kind),
            Self::X(bits) => by_class(0, bits),
            Self::Y(bits) => by_class(1, bits),
        }
    }
}

/// Number of bits of a value, as slots want it.
pub(super) fn size_class(value: i64) -> u8 {
    (64 - value.unsigned_abs().leading_zeros()) as u8
}

/// The probability that the next bit is zero, and how often it was adapted.
#[derive(Debug, Clone, Copy)]
struct Chance {
    zero: u16,
    seen: u8,
}

impl Chance {
    const EVEN: Self = Self { zero: 1 << (PRECISION - 1), seen: 0 };

    /// The part of `range` that stands for zero: never none of it, never all.
    fn bound(self, range: u32) -> u32 {
        (range >> PRECISION) * u32::from(self.zero)
    }

    #[inline]
    fn adapt(&mut self, bit: bool) {
        let shift = (u32::from(self.seen) + 2).ilog2().min(SLOWEST);
        self.seen = self.seen.saturating_add(1);
        let (less, more) = (self.zero - (self.zero >> shift), self.zero + ((WHOLE - self.zero) >> shift));
        self.zero = if bit { less } else { more }.clamp(LEAST_CHANCE, WHOLE - LEAST_CHANCE);
    }
}

/// Numbers of bits from this on share one place in the tree and say in even bits which they are.
const LONG: u32 = 31;

/// Even bits written at once: a range is never below 2²⁴, and must not become 0.
const AT_ONCE: u32 = 16;

/// The probabilities of one slot.
#[derive(Debug, Clone)]
struct Model {
    /// A tree over the number of bits, from 0 to `LONG`.
    size: [Chance; 32],
    /// For each number of bits, a tree over the two bits below the highest.
    lead: [[Chance; 4]; 32],
    /// By the sign of the value before.
    sign: [Chance; 2],
    negative: bool,
}

impl Model {
    fn new() -> Self {
        let even = Chance::EVEN;
        Self { size: [even; 32], lead: [[even; 4]; 32], sign: [even; 2], negative: false }
    }
}

/// One direction of coding: the encoder is told bits, the decoder tells them.
trait Bits {
    /// Codes a bit under an adaptive chance; the decoder ignores `bit`.
    fn adaptive(&mut self, chance: &mut Chance, bit: bool) -> bool;

    /// Codes `count` bits, at most `AT_ONCE`, that are as likely one as zero.
    fn even(&mut self, count: u32, value: u64) -> u64;

    /// Takes note of what no encoder writes; an encoder has no need to.
    fn stray(&mut self) {}

    /// Codes a magnitude: the one walk both directions take.
    #[inline]
    fn magnitude(&mut self, model: &mut Model, value: u64) -> u64 {
        let bits = 64 - value.leading_zeros();
        let short = bits.min(LONG);
        let mut node = 1;
        for at in (0..5).rev() {
            node = node << 1 | usize::from(self.adaptive(&mut model.size[node], short >> at & 1 == 1));
        }
        let short = node as u32 - 32;
        let bits = if short < LONG {
            short
        } else {
            LONG + self.even(6, u64::from(bits.saturating_sub(LONG))) as u32
        };
        // Six bits name up to 63; beyond 64 in all the encoder never goes.
        if bits > 64 {
            self.stray();
        }
        let bits = bits.min(64);
        let (mut coded, mut left, mut lead) = (u64::from(bits > 0), bits.saturating_sub(1), 1);
        while left > 0 && lead < 4 {
            left -= 1;
            let bit = self.adaptive(&mut model.lead[short as usize][lead], value >> left & 1 == 1);
            lead = lead << 1 | usize::from(bit);
            coded = coded << 1 | u64::from(bit);
        }
        while left > 0 {
            let count = left.min(AT_ONCE);
            left -= count;
            coded = coded << count | self.even(count, value >> left & ((1 << count) - 1));
        }
        coded
    }

    fn sign(&mut self, model: &mut Model, negative: bool) -> bool {
        let negative = self.adaptive(&mut model.sign[usize::from(model.negative)], negative);
        model.negative = negative;
        negative
    }
}

/// Writes integers.
pub(super) struct Encoder {
    out: Vec<u8>,
    models: Vec<Model>,
    range: Range,
}

/// The encoder's interval, and the bytes a carry may still change.
struct Range {
    low: u64,
    range: u32,
    held: Option<u8>,
    /// Bytes of 0xff after the held one.
    full: usize,
    ready: Vec<u8>,
}

impl Encoder {
    /// Goes on after the bytes of `out`.
    pub(super) fn new(out: Vec<u8>) -> Self {
        let range = Range { low: 0, range: u32::MAX, held: None, full: 0, ready: Vec::new() };
        Self { out, models: vec![Model::new(); SLOTS], range }
    }

    pub(super) fn put(&mut self, slot: Slot, value: u64) {
        self.range.magnitude(&mut self.models[slot.place()], value);
    }

    pub(super) fn put_signed(&mut self, slot: Slot, value: i64) {
        let model = &mut self.models[slot.place()];
        self.range.magnitude(model, value.unsigned_abs());
        if value != 0 {
            self.range.sign(model, value < 0);
        }
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        for _ in 0..5 {
            self.range.shift();
        }
        self.out.append(&mut self.range.ready);
        self.out
    }
}

impl Range {
    #[inline]
    fn narrow(&mut self) {
        while self.range < LEAST_RANGE {
            self.range <<= 8;
            self.shift();
        }
    }

    /// Moves the highest byte out, holding back what a carry could still change.
    fn shift(&mut self) {
        if self.low < 0xff00_0000 || self.low > u64::from(u32::MAX) {
            let carry = (self.low >> 32) as u8;
            self.ready.extend(self.held.map(|held| held.wrapping_add(carry)));
            self.ready.extend(core::iter::repeat_n(0xff_u8.wrapping_add(carry), self.full));
            self.full = 0;
            self.held = Some((self.low >> 24) as u8);
        } else {
            self.full += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }
}

impl Bits for Range {
    #[inline]
    fn adaptive(&mut self, chance: &mut Chance, bit: bool) -> bool {
        let bound = chance.bound(self.range);
        // Without a branch: which bit comes is just what can't be foreseen.
        let ones = u32::from(bit).wrapping_neg();
        self.low += u64::from(bound & ones);
        self.range = (bound & !ones) | ((self.range - bound) & ones);
        chance.adapt(bit);
        self.narrow();
        bit
    }

    #[inline]
    fn even(&mut self, count: u32, value: u64) -> u64 {
        self.range >>= count;
        self.low += u64::from(self.range) * value;
        self.narrow();
        value
    }
}

/// Reads integers.
///
/// What was read is what an encoder writes, bit for bit, if the code never left the interval and ends at its lower
/// bound: the encoder's last five shifts write just that. So nothing is written again to know it.
#[derive(Clone)]
pub(super) struct Decoder<'a> {
    /// From the slot at `first` on.
    models: Vec<Model>,
    first: usize,
    code: Code<'a>,
}

/// The decoder's place in the interval.
#[derive(Clone)]
struct Code<'a> {
    rest: &'a [u8],
    range: u32,
    /// How far above the interval's lower bound the bytes stand.
    code: u32,
    /// Whether a byte was wanted that is not there.
    short: bool,
    /// Whether something was read that no encoder writes.
    strayed: bool,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut code = Code { rest: bytes, range: u32::MAX, code: 0, short: false, strayed: false };
        for _ in 0..4 {
            code.code = code.code << 8 | u32::from(code.next());
        }
        code.strayed = code.code == code.range;
        Self { models: vec![Model::new(); SLOTS], first: 0, code }
    }

    /// One that stands at the same place and reads differences only.
    pub(super) fn of_differences(&self) -> Self {
        Self { models: self.models[DIFFERENCES..].to_vec(), first: DIFFERENCES, code: self.code.clone() }
    }

    pub(super) fn get(&mut self, slot: Slot, field: &'static str) -> Result<u64, Malformed> {
        let value = self.code.magnitude(&mut self.models[slot.place() - self.first], 0);
        if self.code.short { Err(Malformed::Truncated(field)) } else { Ok(value) }
    }

    pub(super) fn get_signed(&mut self, slot: Slot, field: &'static str) -> Result<i64, Malformed> {
        let magnitude = self.get(slot, field)?;
        let magnitude = i64::try_from(magnitude).map_err(|_| Malformed::Value(field))?;
        let model = &mut self.models[slot.place() - self.first];
        let negative = magnitude != 0 && self.code.sign(model, false);
        Ok(if negative { -magnitude } else { magnitude })
    }

    /// Takes note that a writer would have written these integers otherwise; [`Decoder::finish`] refuses then.
    pub(super) fn stray(&mut self) {
        self.code.stray();
    }

    /// An integer that the field's type can hold.
    pub(super) fn fits<T: TryFrom<u64>>(&mut self, slot: Slot, field: &'static str) -> Result<T, Malformed> {
        T::try_from(self.get(slot, field)?).map_err(|_| Malformed::Value(field))
    }

    pub(super) fn signed_fits<T: TryFrom<i64>>(
        &mut self,
        slot: Slot,
        field: &'static str,
    ) -> Result<T, Malformed> {
        T::try_from(self.get_signed(slot, field)?).map_err(|_| Malformed::Value(field))
    }

    /// Holds a count against the bytes that are left: no item costs less than a sixty-fourth of a byte.
    pub(super) fn backed(&self, field: &'static str, announced: u64) -> Result<usize, Malformed> {
        let bound = (self.code.rest.len() as u64 + 5) * 64;
        if announced > bound {
            return Err(Malformed::TooLong { field, announced, bound });
        }
        usize::try_from(announced).map_err(|_| Malformed::Value(field))
    }

    /// Refuses if anything is left, or if an encoder would have written other bytes.
    pub(super) fn finish(&self) -> Result<(), Malformed> {
        let left = self.code.rest.len();
        if left > 0 {
            return Err(Malformed::Trailing(left));
        }
        // A sign that was read past the last byte is noticed only here.
        let second_form = self.code.strayed || self.code.short || self.code.code != 0;
        if second_form { Err(Malformed::Value("form")) } else { Ok(()) }
    }
}

impl Code<'_> {
    fn next(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else {
            self.short = true;
            return 0;
        };
        self.rest = rest;
        *first
    }

    fn widen(&mut self) {
        while self.range < LEAST_RANGE {
            self.range <<= 8;
            self.code = self.code << 8 | u32::from(self.next());
        }
    }
}

impl Bits for Code<'_> {
    fn adaptive(&mut self, chance: &mut Chance, _: bool) -> bool {
        let bound = chance.bound(self.range);
        let bit = self.code >= bound;
        if bit {
            self.code -= bound;
            self.range -= bound;
        } else {
            self.range = bound;
        }
        chance.adapt(bit);
        self.widen();
        bit
    }

    fn even(&mut self, count: u32, _: u64) -> u64 {
        self.range >>= count;
        // What no writer writes may lie beyond the last value; it reads as that, and is refused in the end.
        let (found, last) = (self.code / self.range, (1 << count) - 1);
        if found > last {
            self.stray();
        }
        let value = found.min(last);
        self.code -= value * self.range;
        self.widen();
        u64::from(value)
    }

    fn stray(&mut self) {
        self.strayed = true;
    }
}

#[cfg(test)]
mod tests;

use super::*;

/// What the bits say under these chances, as an encoder writes it.
fn written(write: impl FnOnce(&mut Range)) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder.range);
    encoder.finish()
}

/// Whether these bytes end as an encoder's, once so much of them was read.
fn ends(bytes: &[u8], read: impl FnOnce(&mut Code<'_>)) -> Result<(), Malformed> {
    let mut decoder = Decoder::new(bytes);
    read(&mut decoder.code);
    decoder.finish()
}

const SECOND: Result<(), Malformed> = Err(Malformed::Value("form"));

#[test]
fn only_the_lower_bound_of_an_interval_is_its_form() {
    let bytes = written(|range| assert_eq!(range.even(8, 0x5a), 0x5a));
    let read = |bytes: &[u8]| ends(bytes, |code| assert_eq!(code.even(8, 0), 0x5a));
    assert_eq!(read(&bytes), Ok(()));
    for last in 1..=0xff {
        let mut above = bytes.clone();
        *above.last_mut().expect("five bytes") = last;
        assert_eq!(read(&above), SECOND, "{last}");
    }
    assert_eq!(read(&[&bytes[..], &[0]].concat()), Err(Malformed::Trailing(1)));
}

/// A tree of 32 leaves is never wholly sure; what is left of a range after such a bit ends in many ones.
const RARE: Chance = Chance { zero: 16, seen: 0 };

#[test]
fn a_code_beyond_the_last_even_value_is_refused_though_it_comes_back() {
    let bytes = written(|range| {
        range.adaptive(&mut { RARE }, false);
        range.even(16, 0xffff);
    });
    let read = |code: &mut Code<'_>| {
        assert!(!code.adaptive(&mut { RARE }, false));
        assert_eq!(code.even(16, 0), 0xffff);
    };
    assert_eq!(ends(&bytes, read), Ok(()));
    // 2¹⁶ above that value's lower bound: 32 bits can't hold it when the range is widened by two bytes, and the rest is 0.
    let lower = u32::from_be_bytes(*bytes.first_chunk().expect("six bytes"));
    let beyond = [&(lower + 0x1_0000).to_be_bytes()[..], &bytes[4..]].concat();
    assert_eq!(ends(&beyond, read), SECOND);
}

#[test]
fn a_code_at_the_end_of_the_first_interval_is_refused_though_it_comes_back() {
    let thirds = || Chance { zero: 1365, seen: u8::MAX };
    // Each bit is one and leaves a third of the range, until four bytes were taken in.
    let ones = |code: &mut Code<'_>, bytes: usize| {
        let end = code.rest.len() - bytes;
        while code.rest.len() > end {
            assert!(code.adaptive(&mut thirds(), true));
        }
    };
    let mut code = Decoder::new(&[0xff; 8]).code;
    ones(&mut code, 4);
    let beyond = [[0xff; 4], code.range.wrapping_neg().to_be_bytes()].concat();
    assert_eq!(ends(&beyond, |code| ones(code, 4)), SECOND);
    let mut code = Decoder::new(&beyond).code;
    ones(&mut code, 4);
    assert_eq!((code.code, code.short), (0, false), "nothing else tells");
}

/// An encoder that says of every integer that it has as many bits as six bits can name.
struct Longest(Range);

impl Bits for Longest {
    fn adaptive(&mut self, chance: &mut Chance, bit: bool) -> bool {
        self.0.adaptive(chance, bit)
    }

    fn even(&mut self, count: u32, value: u64) -> u64 {
        self.0.even(count, if count == 6 { 63 } else { value });
        value
    }
}

#[test]
fn more_bits_than_an_integer_has_are_refused() {
    let read = |bytes: &[u8]| {
        let mut decoder = Decoder::new(bytes);
        assert_eq!(decoder.get(Slot::Head, "rate"), Ok(u64::MAX));
        decoder.finish()
    };
    let mut encoder = Encoder::new(Vec::new());
    encoder.put(Slot::Head, u64::MAX);
    assert_eq!(read(&encoder.finish()), Ok(()));
    let mut encoder = Encoder::new(Vec::new());
    let mut longest = Longest(encoder.range);
    longest.magnitude(&mut Model::new(), u64::MAX);
    encoder.range = longest.0;
    assert_eq!(read(&encoder.finish()), SECOND);
}

/// So many integers of one slot, the last of which has a sign.
fn signed(count: i64, salt: i64) -> (Vec<i64>, Vec<u8>) {
    let values: Vec<i64> = (0..count).map(|at| (at * 7 + salt) % 23 - 11).chain([-5]).collect();
    let mut encoder = Encoder::new(Vec::new());
    values.iter().for_each(|value| encoder.put_signed(Slot::Residual, *value));
    (values, encoder.finish())
}

#[test]
fn a_sign_past_the_last_byte_is_refused() {
    let mut found = 0;
    for (count, salt) in (1..120).flat_map(|count| (0..40).map(move |salt| (count, salt))) {
        let (values, bytes) = signed(count, salt);
        let Some(cut) = bytes.strip_suffix(&[0]) else { continue };
        let mut decoder = Decoder::new(cut);
        let read: Result<Vec<_>, _> =
            values.iter().map(|_| decoder.get_signed(Slot::Residual, "feed error")).collect();
        // Else the byte was wanted by an integer, which says so.
        if read.is_ok() {
            assert_eq!((read, decoder.code.code), (Ok(values), 0), "nothing else tells");
            assert_eq!(decoder.finish(), SECOND);
            found += 1;
        }
    }
    assert!(found > 0, "no cut fell into a sign");
}

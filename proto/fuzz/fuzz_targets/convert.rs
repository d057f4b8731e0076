//! Any bytes as what the wire brings: terms, ids, byte fields, refusals. What becomes a domain type goes back to
//! the wire and returns as the same; the first byte says which conversion.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use layerlock_proto::convert::{ConvertError, array, digest, id, required};
use layerlock_proto::refusal::Reason;
use layerlock_proto::types::v1 as wire;
use layerlock_proto_fuzz::bounded;
use layerlock_terms::ids::{
    BuyerId, DesignId, DeviceId, HoldId, IdError, JobId, LicenseId, OfferId, RequestId, SellerId,
};
use layerlock_terms::license::Terms;
use layerlock_terms::receipt::Counts;
use layerlock_terms::wire::Reader;
use prost::Message;
use tonic::{Code, Status};

/// The longest message of an error about terms or an id, whatever was sent.
const MESSAGE: usize = 400;

fn terms(bytes: &[u8]) {
    let Ok(message) = wire::Terms::decode(bytes) else { return };
    match bounded(bytes.len(), || Terms::try_from(message.clone())) {
        Ok(terms) => {
            terms.validate().expect("what was converted was judged");
            assert_eq!(wire::Terms::from(&terms), message, "a field was bent on the way in");
            assert_eq!(Terms::try_from(wire::Terms::from(&terms)), Ok(terms));
        }
        Err(error) => refused(error),
    }
}

/// An error names the offender in words of its own, never by the bytes that came.
fn refused(error: ConvertError) {
    let status = Status::from(error);
    assert_eq!(Reason::of(&status), Some(Reason::InvalidField));
    assert!(status.message().len() <= MESSAGE, "{}", status.message());
}

fn ids(bytes: &[u8]) {
    fn read<T: FromStr<Err = IdError> + Display>(text: &str) -> usize {
        match bounded(text.len(), || id::<T>(text)) {
            Ok(id) => {
                assert_eq!(id.to_string(), text);
                1
            }
            Err(error) => {
                refused(error);
                0
            }
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = [
        read::<BuyerId>(text),
        read::<DesignId>(text),
        read::<DeviceId>(text),
        read::<HoldId>(text),
        read::<JobId>(text),
        read::<LicenseId>(text),
        read::<OfferId>(text),
        read::<RequestId>(text),
        read::<SellerId>(text),
    ];
    assert!(read.iter().sum::<usize>() <= 1, "one text is an id of two kinds");
}

fn fields(bytes: &[u8]) {
    assert_eq!(array::<16>(bytes, "sixteen").is_ok(), bytes.len() == 16);
    assert_eq!(digest(bytes, "digest").ok().map(|it| it.as_bytes().to_vec()), whole::<32>(bytes));
    assert_eq!(required(whole::<8>(bytes), "eight").is_ok(), bytes.len() == 8);
}

fn whole<const N: usize>(bytes: &[u8]) -> Option<Vec<u8>> {
    (bytes.len() == N).then(|| bytes.to_vec())
}

fn counts(bytes: &[u8]) {
    let Ok(counts) = Counts::read(&mut Reader::new(bytes)) else { return };
    let message = wire::Counts::from(counts);
    let sum = [message.free, message.held, message.spent].map(u64::from).iter().sum::<u64>();
    assert_eq!(u64::from(message.granted), sum);
}

/// Details any server may send: read as one of our reasons, which then says the same again, or as none.
fn refusal(bytes: &[u8]) {
    let Some((code, details)) = bytes.split_first() else { return };
    let status = Status::with_details(Code::from(i32::from(*code)), "", details.to_vec().into());
    if let Some(reason) = Reason::of(&status) {
        assert_eq!(Reason::of(&reason.status("again")), Some(reason));
    }
}

/// The conversions, in the order of the first byte; the seeds follow it.
const CONVERSIONS: [fn(&[u8]); 5] = [terms, ids, fields, counts, refusal];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((conversion, bytes)) = bytes.split_first() else { return };
    if let Some(convert) = CONVERSIONS.get(usize::from(*conversion)) {
        convert(bytes);
    }
});

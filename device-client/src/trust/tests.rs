use super::*;
use crate::testbed::{World, anchors};

#[test]
fn anchors_read_back_as_they_were_written_and_no_cut_of_them_does() {
    let anchors = anchors(&World::new(1));
    let mut w = Writer::new();
    write(&anchors, &mut w);
    let bytes = w.finish();
    assert_eq!(read(&mut Reader::new(&bytes)).unwrap(), anchors);
    for end in 0..bytes.len() {
        assert!(read(&mut Reader::new(&bytes[..end])).is_err(), "cut at {end}");
    }
}

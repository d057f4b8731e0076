//! What a simulated machine laid down, drawn when its job is over.

use std::fs;
use std::io::Cursor;

use crate::road::{DESIGN, Server, model, walk_drawing};

#[test]
fn a_simulated_machine_draws_what_it_has_laid_down() {
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(dir.path());
    fs::write(dir.path().join(format!("{}.stl", DESIGN)), model()).expect("writable");
    walk_drawing(&server, "print.png");
    let bytes = fs::read(dir.path().join("print.png")).expect("it was drawn");
    let mut png = png::Decoder::new(Cursor::new(bytes)).read_info().expect("a PNG");
    let mut pixels = vec![0; png.output_buffer_size().expect("it is small")];
    png.next_frame(&mut pixels).expect("whole");
    let is_bright = |pixel: &&[u8]| pixel[..3].iter().any(|&channel| channel > 120);
    let bright = pixels.chunks(4).filter(is_bright).count();
    // A part in the middle of a dark bench.
    assert!((pixels.len() / 4 / 50..pixels.len() / 8).contains(&bright), "{bright} bright pixels");
}

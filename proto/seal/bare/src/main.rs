//! Verifies, opens and decodes a recorded envelope without the standard library, and counts what it allocates.
//!
//! A stand-in for firmware: one segment's bytes at a time, a heap that is measured, nothing else of a system but
//! reading a file. A second `#[panic_handler]`, which the standard library brings, is an error of the compiler's:
//! that this builds is the proof that nothing below needs it. Deliberately absent: motion; moves are counted where
//! firmware would make them, after the whole piece was read through once.
//!
//! The file: `u32(length) ‖ bytes` of the vault's key, the device's opening seed, header, manifest, one release of
//! all epochs, then the segments. Printed: segments, pieces, steps, moves, and the peaks of checking, opening,
//! decoding.

#![no_std]
#![no_main]

extern crate alloc;

use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicUsize, Ordering};

use layerlock_seal::keys::{OpeningKey, VerifyingKey};
use layerlock_seal::statement::{Statement, Verified};
use layerlock_seal::toolpath::{Checker, Ends, Opener};
use layerlock_terms::envelope::{EnvelopeHeader, Manifest};
use layerlock_terms::release::KeyRelease;
use layerlock_terms::toolpath::{LayerReader, PieceReader};
use layerlock_terms::wire::Malformed;

/// Longest record that is read: a segment, or a manifest of many epochs.
const RECORD_LIMIT: usize = 160 * 1024;

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: hands out what `malloc` gives, which is aligned for every type here, and `free`s the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(now, Ordering::Relaxed);
        let mut place = core::ptr::null_mut();
        let align = layout.align().max(size_of::<*mut c_void>());
        // SAFETY: a power of two and a multiple of a pointer's size, as `posix_memalign` asks.
        match unsafe { libc::posix_memalign(&mut place, align, layout.size()) } {
            0 => place.cast(),
            _ => core::ptr::null_mut(),
        }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: came from `posix_memalign`.
        unsafe { libc::free(place.cast()) }
    }
}

#[global_allocator]
static HEAP: Counting = Counting;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    // SAFETY: ends the program, whatever its state.
    unsafe { libc::abort() }
}

/// This host's `alloc` was built to unwind and names this; panics abort here, so nobody calls it.
#[unsafe(no_mangle)]
extern "C" fn rust_eh_personality() {}

/// The peak since this was last asked.
fn peak() -> usize {
    PEAK.swap(NOW.load(Ordering::Relaxed), Ordering::Relaxed)
}

/// A file of records.
struct Records(*mut libc::FILE);

impl Records {
    fn read(&self, out: &mut [u8]) -> bool {
        // SAFETY: the file is open; `out` is as long as it is said to be.
        unsafe { libc::fread(out.as_mut_ptr().cast(), 1, out.len(), self.0) == out.len() }
    }

    /// Reads the next record into `into`, whose room is used again.
    fn next(&self, into: &mut Vec<u8>) -> Option<()> {
        let mut length = [0; 4];
        if !self.read(&mut length) {
            return None;
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > RECORD_LIMIT {
            return None;
        }
        into.clear();
        if into.capacity() < length {
            // Nothing of the record before is worth being held beside a longer one.
            *into = Vec::new();
            into.reserve_exact(length);
        }
        into.resize(length, 0);
        self.read(into).then_some(())
    }

    fn place(&self) -> libc::c_long {
        // SAFETY: the file is open.
        unsafe { libc::ftell(self.0) }
    }

    fn go(&self, place: libc::c_long) {
        // SAFETY: as above.
        unsafe { libc::fseek(self.0, place, libc::SEEK_SET) };
    }
}

fn verified<T: layerlock_terms::wire::Noun>(bytes: &[u8], key: &VerifyingKey) -> Result<Verified<T>, c_int> {
    Statement::parse(bytes).map_err(|_| 10)?.verify(key).map_err(|_| 11)
}

/// What there is to do in a toolpath.
#[derive(Default)]
struct Work {
    pieces: u32,
    steps: u64,
    moves: u64,
}

impl Work {
    /// Where firmware moves the machine.
    fn layer(&mut self, mut layer: LayerReader<'_>) -> Result<(), Malformed> {
        while layer.step()?.is_some() {
            self.steps += 1;
            while layer.point()?.is_some() {
                self.moves += 1;
            }
        }
        Ok(())
    }
}

/// Everything; an error is the program's status.
fn read(file: &Records) -> Result<(), c_int> {
    let mut record = Vec::new();
    file.next(&mut record).ok_or(2)?;
    let key: [u8; 32] = record[..].try_into().map_err(|_| 2)?;
    let key = VerifyingKey::parse(&key).map_err(|_| 3)?;
    file.next(&mut record).ok_or(2)?;
    let seed: [u8; 32] = record[..].try_into().map_err(|_| 2)?;
    let opening = OpeningKey::from_seed(&seed);
    file.next(&mut record).ok_or(2)?;
    let header: Verified<EnvelopeHeader> = verified(&record, &key)?;
    file.next(&mut record).ok_or(2)?;
    let manifest: Verified<Manifest> = verified(&record, &key)?;
    file.next(&mut record).ok_or(2)?;
    let release: Verified<KeyRelease> = verified(&record, &key)?;
    let first = file.place();
    let mut checker = Checker::new(header.clone());
    let mut segments: u32 = 0;
    while file.next(&mut record).is_some() {
        checker.segment(&record).map_err(|_| 20)?;
        segments += 1;
    }
    let checked = checker.finish(&manifest).map_err(|_| 21)?;
    drop(manifest);
    let checking = peak();
    let mut opener = Opener::new(&checked);
    file.go(first);
    let (mut opening_peak, mut decoding_peak, mut work) = (0, 0, Work::default());
    for _ in 0..segments {
        file.next(&mut record).ok_or(2)?;
        let segment = layerlock_seal::toolpath::Segment::parse(&record, header.segment_limit);
        let epoch = segment.map_err(|_| 22)?.info().epoch;
        if !opener.holds(epoch) {
            let secret = opening.open_epoch(&release, &header, epoch).map_err(|_| 23)?;
            opener.add_epoch(secret).map_err(|_| 24)?;
        }
        let (info, text) = opener.open(&mut record).map_err(|_| 25)?;
        opening_peak = opening_peak.max(peak());
        // The measured envelope has one segment to a piece.
        if info.ends == Ends::Nothing {
            return Err(26);
        }
        // No move of a piece that is refused: 27 comes before the first, 28 never comes.
        if let PieceReader::Layer(layer) = PieceReader::checked(text).map_err(|_| 27)? {
            work.layer(layer).map_err(|_| 28)?;
        }
        work.pieces += 1;
        decoding_peak = decoding_peak.max(peak());
    }
    // SAFETY: the format asks for what it is given.
    unsafe {
        libc::printf(
            c"segments %u pieces %u steps %llu moves %llu checking %zu opening %zu decoding %zu\n".as_ptr(),
            segments,
            work.pieces,
            work.steps,
            work.moves,
            checking,
            opening_peak,
            decoding_peak,
        );
    }
    Ok(())
}

#[unsafe(no_mangle)]
extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    if count != 2 {
        return 1;
    }
    // SAFETY: the system gives as many words as it says.
    let file = unsafe { libc::fopen(words.add(1).read(), c"rb".as_ptr()) };
    if file.is_null() {
        return 1;
    }
    let status = read(&Records(file)).err().unwrap_or(0);
    // SAFETY: opened above.
    unsafe { libc::fclose(file) };
    status
}

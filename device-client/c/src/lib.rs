//! The C interface of the device, for an OEM's firmware: `include/layerlock_device.h` is made from this crate.
//!
//! A thin skin over [`layerlock_device::embed`]: bytes and numbers in, status codes out. The transport is the
//! caller's: one encoded `VaultMessage` in, one encoded `DeviceMessage` out, whatever gRPC library frames them.
//! Everything decided is decided in safe code; what is `unsafe` is here, and is the reading of the caller's pointers.
//! Deliberately absent: global state, threads, allocation the caller has to free.

#![allow(non_camel_case_types, reason = "these are the names C sees")]
#![allow(
    unsafe_code,
    reason = "a C interface is made of pointers; every block says what the caller promised"
)]

mod host;
mod slot;

use std::ffi::{CStr, c_char};
use std::panic::{AssertUnwindSafe, catch_unwind};

use layerlock_device::embed::{self, EmbedError, Embedded, Next, Provision, State};
use layerlock_device::{Bed, OwnersWord};
use layerlock_terms::machine::Material;
use layerlock_terms::receipt::Outcome;
use layerlock_terms::units::Micrometres;

pub use host::ll_host;

use host::Caller;
use slot::Slot;

/// Room for one command and its closing zero, in bytes.
pub const LL_COMMAND_SIZE: usize = 96;

/// Version of this interface. A program built with another first number must not go on.
pub const LL_INTERFACE: u32 = 1;

/// How a call ended.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ll_status {
    /// As asked.
    LL_OK = 0,
    /// A pointer is null, or a length or a size is not what the function asks for.
    LL_INVALID = 1,
    /// Another call on the same device has not returned.
    LL_BUSY = 2,
    /// Something in here is broken. The device answers nothing else; close it and report a defect.
    LL_PANIC = 3,
    /// A callback failed. Close the device, see to it, open it again.
    LL_HOST = 4,
    /// What is stored, or was to be provisioned, is missing, malformed or not believed.
    LL_NOT_PROVISIONED = 5,
    /// The vault's message has no place here. End the stream, then open another.
    LL_OUT_OF_TURN = 6,
    /// The link is over for good: fenced, behind, revoked, or what answered is not the vault.
    LL_LINK = 7,
    /// The ledger showed something it must not.
    LL_LEDGER = 8,
    /// The device is halted: a person must look.
    LL_HALTED = 9,
    /// Nothing is in motion: there is nothing to pause, or to go on with.
    LL_NOTHING_MOVES = 10,
}

/// Where a device stands.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ll_state {
    /// Nothing to do.
    LL_IDLE = 0,
    /// Ciphertext is coming.
    LL_FETCHING = 1,
    /// The envelope is whole; the first key isn't here.
    LL_CHECKED = 2,
    /// The machine moves.
    LL_PRINTING = 3,
    /// The machine rests in mid-job.
    LL_PAUSED = 4,
    /// It is over here; the ledger's entry is awaited.
    LL_REPORTING = 5,
    /// A person must look.
    LL_STATE_HALTED = 6,
}

/// What is on a machine's bed.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ll_bed {
    /// Nothing. A print leaves it taken.
    LL_BED_CLEAR = 0,
    /// A print, whole or begun.
    LL_BED_TAKEN = 1,
    /// Nothing, whatever was printed: a belt, or a robot.
    LL_BED_CLEARS_ITSELF = 2,
}

/// What the machine is to do.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ll_next {
    /// Nothing is in motion.
    LL_NOTHING = 0,
    /// A key, an acknowledgement or the end of a pause is awaited: ask again in a while.
    LL_WAIT = 1,
    /// Carry out the command that was written.
    LL_COMMAND = 2,
    /// Motion was broken off: heaters off, motors still, now.
    LL_STOP = 3,
}

/// How a job ended.
#[repr(i32)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ll_outcome {
    /// Printed to its end.
    LL_PRINTED = 0,
    /// It failed.
    LL_FAILED = 1,
    /// A person stopped it.
    LL_CANCELLED = 2,
}

/// What became of the last job that is over.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ll_ending {
    /// How it ended.
    pub outcome: ll_outcome,
    /// 1 when its settlement was found in the ledger, else 0.
    pub is_in_ledger: u8,
    /// Whole layers printed.
    pub layers: u32,
    /// Of so many.
    pub total_layers: u32,
    /// Commands acknowledged.
    pub commands: u64,
}

/// Some bytes of the caller's.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ll_bytes {
    /// The first of them.
    pub data: *const u8,
    /// How many.
    pub length: usize,
}

/// A device. Opaque.
pub struct ll_device(Slot<Embedded<Caller>>);

/// The version of this library, such as `0.1.0`. The text is never freed.
#[unsafe(no_mangle)]
pub extern "C" fn ll_version() -> *const c_char {
    const VERSION: &str = concat!(env!("CARGO_PKG_VERSION"), "\0");
    VERSION.as_ptr().cast()
}

/// The interface this library was built with; compare it with `LL_INTERFACE` of the header.
#[unsafe(no_mangle)]
pub extern "C" fn ll_interface() -> u32 {
    LL_INTERFACE
}

/// Verifies and stores what makes a device: two seeds of 32 bytes, the pinned root, the services' certificates and
/// the licensor's certificate for the two keys. Replaces the items `keys` and `identity` and nothing else. The seeds
/// are secrets: wipe yours afterwards.
///
/// # Safety
/// `host` points to a filled `ll_host`; each seed to 32 bytes; `services` to `service_count` entries; every length
/// is that of its bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_provision(
    host: *const ll_host,
    sign_seed: *const u8,
    open_seed: *const u8,
    root: ll_bytes,
    services: *const ll_bytes,
    service_count: usize,
    certificate: ll_bytes,
) -> ll_status {
    guarded(|| {
        // SAFETY: the caller promises what `Caller::of` asks for.
        let mut host = unsafe { Caller::of(host) }.ok_or(ll_status::LL_INVALID)?;
        // SAFETY: the caller promises that these lengths are those of its bytes.
        let (sign, open, root, certificate, services) = unsafe {
            let services = match service_count {
                0 => &[][..],
                _ if services.is_null() => return Err(ll_status::LL_INVALID),
                count => std::slice::from_raw_parts(services, count),
            };
            let services: Option<Vec<&[u8]>> =
                services.iter().map(|bytes| slice(bytes.data, bytes.length)).collect();
            (
                slice(sign_seed, 32),
                slice(open_seed, 32),
                slice(root.data, root.length),
                slice(certificate.data, certificate.length),
                services,
            )
        };
        let (Some(sign), Some(open), Some(root), Some(certificate), Some(services)) =
            (sign, open, root, certificate, services)
        else {
            return Err(ll_status::LL_INVALID);
        };
        let with = Provision {
            sign_seed: sign.try_into().map_err(|_| ll_status::LL_INVALID)?,
            open_seed: open.try_into().map_err(|_| ll_status::LL_INVALID)?,
            root,
            services: &services,
            certificate,
        };
        embed::provision(&mut host, &with).map(drop).map_err(|error| status(&error))
    })
}

/// Opens a provisioned device and writes it to `device`, which `ll_device_close` frees. A print that was in motion
/// when power was cut has failed: ask `ll_device_next`, which then says `LL_STOP` first.
///
/// # Safety
/// `host` points to a filled `ll_host`, `device` to room for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_open(host: *const ll_host, device: *mut *mut ll_device) -> ll_status {
    guarded(|| {
        if device.is_null() {
            return Err(ll_status::LL_INVALID);
        }
        // SAFETY: checked for null; the caller promises room for a pointer.
        unsafe { device.write(std::ptr::null_mut()) };
        // SAFETY: the caller promises what `Caller::of` asks for.
        let host = unsafe { Caller::of(host) }.ok_or(ll_status::LL_INVALID)?;
        let opened = Embedded::open(host).map_err(|error| status(&error))?;
        let handle = Box::new(ll_device(Slot::new(opened)));
        // SAFETY: as above.
        unsafe { device.write(Box::into_raw(handle)) };
        Ok(())
    })
}

/// Closes a device: its keys are erased from memory, what it owes is in the journal. Null does nothing.
///
/// # Safety
/// `device` came from `ll_device_open` and was not closed; no other call on it is under way.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_close(device: *mut ll_device) {
    if !device.is_null() {
        // SAFETY: the caller promises that this is ours and that nobody else uses it.
        let handle = unsafe { Box::from_raw(device) };
        let _ = catch_unwind(AssertUnwindSafe(|| drop(handle)));
    }
}

/// A stream of `Sessions.OpenSession` stands: the vault's challenge comes next.
///
/// # Safety
/// `device` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_connected(device: *mut ll_device) -> ll_status {
    // SAFETY: the caller promises an open device.
    unsafe {
        with(device, |device| {
            device.connected();
            Ok(())
        })
    }
}

/// The stream is over. `reason` is the `reason` of the `google.rpc.ErrorInfo` in the status it ended with, such as
/// `SESSION_FENCED`, or null. `LL_LINK`: open no other stream before a person has looked.
///
/// # Safety
/// `device` is open; `reason` is null or ends in a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_disconnected(device: *mut ll_device, reason: *const c_char) -> ll_status {
    let reason = if reason.is_null() {
        None
    } else {
        // SAFETY: checked for null; the caller promises the closing zero.
        unsafe { CStr::from_ptr(reason) }.to_str().ok()
    };
    // SAFETY: the caller promises an open device.
    unsafe { with(device, |device| device.disconnected(reason)) }
}

/// Takes one encoded `layerlock.vault.v1.VaultMessage`, as it came out of the stream. Answers go out through the
/// host's `send` before this returns. A refused offer, segment or key is `LL_OK`: `ll_device_message` says why.
///
/// # Safety
/// `device` is open; `message` points to `length` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_receive(
    device: *mut ll_device,
    message: *const u8,
    length: usize,
) -> ll_status {
    // SAFETY: the caller promises an open device and so many bytes.
    unsafe {
        let Some(message) = slice(message, length) else { return ll_status::LL_INVALID };
        with(device, |device| device.receive(message))
    }
}

/// What the machine is to do now. For `LL_COMMAND` one line of G-code, without line end, is written to `command`
/// with a closing zero; `size` is its room, `LL_COMMAND_SIZE` or more. Wipe it when the machine has it.
///
/// # Safety
/// `device` is open; `next` has room for an `ll_next`, `command` for `size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_next(
    device: *mut ll_device,
    next: *mut ll_next,
    command: *mut c_char,
    size: usize,
) -> ll_status {
    if next.is_null() || command.is_null() || size < LL_COMMAND_SIZE {
        return ll_status::LL_INVALID;
    }
    // SAFETY: checked for null and size; the caller promises the room and an open device.
    unsafe {
        next.write(ll_next::LL_NOTHING);
        command.write(0);
        with(device, |device| {
            let (kind, text) = match device.next_command()? {
                Next::Nothing => (ll_next::LL_NOTHING, None),
                Next::Wait => (ll_next::LL_WAIT, None),
                Next::Stop => (ll_next::LL_STOP, None),
                Next::Command(command) => (ll_next::LL_COMMAND, Some(command)),
            };
            if let Some(text) = &text {
                let text = text.text().as_bytes();
                assert!(text.len() < LL_COMMAND_SIZE, "the guard lets no longer line through");
                command.cast::<u8>().copy_from_nonoverlapping(text.as_ptr(), text.len());
                command.add(text.len()).write(0);
            }
            next.write(kind);
            Ok(())
        })
    }
}

/// The machine has acknowledged so many commands of this job, counted from its start. Receipts of whole layers go
/// out, and keys come against receipts: acknowledge as the machine does, not ahead of it.
///
/// # Safety
/// `device` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_acknowledged(device: *mut ll_device, commands: u64) -> ll_status {
    // SAFETY: the caller promises an open device.
    unsafe { with(device, |device| device.acknowledged(commands)) }
}

/// What is in the machine and on its bed, as its owner says: the filament's name (`pla`, `petg`, `abs`, `asa`, `tpu`; null for any), the
/// nozzle's diameter in micrometres (0 for the machine's own) and the bed. Nothing is held against a job before this is
/// said. From then on a job the machine isn't ready for waits, `ll_device_message` says for what, and a print leaves a
/// clear bed taken until this is said again after it. Not kept: say it after each opening. `LL_INVALID` for a name that is no filament's, and
/// for a `bed` that is no `ll_bed`.
///
/// # Safety
/// `device` is open; `material` is null or ends with a zero.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_loaded(
    device: *mut ll_device,
    material: *const c_char,
    nozzle_um: u32,
    bed: i32,
) -> ll_status {
    // SAFETY: checked for null; the caller promises the zero.
    let material = (!material.is_null()).then(|| unsafe { CStr::from_ptr(material) });
    let Some(word) = owners_word(material, nozzle_um, bed) else { return ll_status::LL_INVALID };
    // SAFETY: the caller promises an open device.
    unsafe { with(device, |device| device.loaded(word)) }
}

fn owners_word(material: Option<&CStr>, nozzle_um: u32, bed: i32) -> Option<OwnersWord> {
    let material = match material {
        Some(name) => Some(Material::named(name.to_str().ok()?).ok()?),
        None => None,
    };
    let nozzle = i32::try_from(nozzle_um).ok().map(Micrometres)?;
    let known = [
        (ll_bed::LL_BED_CLEAR, Bed::Clear),
        (ll_bed::LL_BED_TAKEN, Bed::Taken),
        (ll_bed::LL_BED_CLEARS_ITSELF, Bed::ClearsItself),
    ];
    let (_, bed) = known.into_iter().find(|(known, _)| *known as i32 == bed)?;
    Some(OwnersWord { material, nozzle: Some(nozzle).filter(|nozzle| nozzle.0 > 0), bed })
}

/// The machine or a person pauses: no command is given out until `ll_device_resume`. `LL_NOTHING_MOVES` before the first command: a
/// job that is coming can be stopped.
///
/// # Safety
/// `device` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_pause(device: *mut ll_device) -> ll_status {
    // SAFETY: the caller promises an open device.
    unsafe { with(device, Embedded::pause) }
}

/// Whoever paused goes on.
///
/// # Safety
/// `device` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_resume(device: *mut ll_device) -> ll_status {
    // SAFETY: the caller promises an open device.
    unsafe { with(device, Embedded::resume) }
}

/// A person stops the print: it is reported as cancelled at what was acknowledged, and `LL_STOP` comes next. A job that is
/// coming is refused, and moves nothing.
///
/// # Safety
/// `device` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_stop(device: *mut ll_device) -> ll_status {
    // SAFETY: the caller promises an open device.
    unsafe { with(device, Embedded::stop) }
}

/// The machine can't go on: the print is reported as failed at what was acknowledged. `LL_STOP` comes next.
///
/// # Safety
/// `device` is open.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_machine_failed(device: *mut ll_device) -> ll_status {
    // SAFETY: the caller promises an open device.
    unsafe { with(device, Embedded::machine_failed) }
}

/// Writes where the device stands.
///
/// # Safety
/// `device` is open; `state` has room for an `ll_state`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_state(device: *mut ll_device, state: *mut ll_state) -> ll_status {
    if state.is_null() {
        return ll_status::LL_INVALID;
    }
    // SAFETY: checked for null; the caller promises the room and an open device.
    unsafe {
        with(device, |device| {
            state.write(match device.state() {
                State::Idle => ll_state::LL_IDLE,
                State::Fetching => ll_state::LL_FETCHING,
                State::Checked => ll_state::LL_CHECKED,
                State::Printing => ll_state::LL_PRINTING,
                State::Paused => ll_state::LL_PAUSED,
                State::Reporting => ll_state::LL_REPORTING,
                State::Halted => ll_state::LL_STATE_HALTED,
            });
            Ok(())
        })
    }
}

/// Writes what became of the last job that is over. `LL_INVALID` when none is.
///
/// # Safety
/// `device` is open; `ending` has room for an `ll_ending`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_ending(device: *mut ll_device, ending: *mut ll_ending) -> ll_status {
    if ending.is_null() {
        return ll_status::LL_INVALID;
    }
    let mut found = None;
    // SAFETY: the caller promises an open device.
    let status = unsafe {
        with(device, |device| {
            found = device.ending().cloned();
            Ok(())
        })
    };
    match (status, found) {
        (ll_status::LL_OK, Some(of)) => {
            let outcome = match of.outcome {
                Outcome::Printed => ll_outcome::LL_PRINTED,
                Outcome::Failed => ll_outcome::LL_FAILED,
                Outcome::Cancelled => ll_outcome::LL_CANCELLED,
            };
            // SAFETY: checked for null; the caller promises the room.
            unsafe {
                ending.write(ll_ending {
                    outcome,
                    is_in_ledger: of.is_in_ledger.into(),
                    layers: of.extent.layers,
                    total_layers: of.extent.total_layers,
                    commands: of.extent.lines,
                });
            }
            ll_status::LL_OK
        }
        (ll_status::LL_OK, None) => ll_status::LL_INVALID,
        (other, _) => other,
    }
}

/// Writes why the last thing that was refused or failed was, for a person, with a closing zero and cut to `size`.
/// Empty when nothing was. It names no secret.
///
/// # Safety
/// `device` is open; `text` has room for `size` bytes, one or more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn ll_device_message(
    device: *mut ll_device,
    text: *mut c_char,
    size: usize,
) -> ll_status {
    if text.is_null() || size == 0 {
        return ll_status::LL_INVALID;
    }
    // SAFETY: the caller promises that it is null or open.
    let Some(device) = (unsafe { device.as_ref() }) else { return ll_status::LL_INVALID };
    device.0.look(|device, message| {
        let trouble = device.and_then(Embedded::trouble);
        let said = if message.is_empty() { trouble.unwrap_or_default() } else { message };
        let length = said.floor_char_boundary(size - 1);
        // SAFETY: checked for null and room.
        unsafe {
            text.cast::<u8>().copy_from_nonoverlapping(said.as_ptr(), length);
            text.add(length).write(0);
        }
    })
}

/// Does something with a device that nobody else is using.
///
/// # Safety
/// `device` is null or open.
unsafe fn with(
    device: *mut ll_device,
    work: impl FnOnce(&mut Embedded<Caller>) -> Result<(), EmbedError>,
) -> ll_status {
    // SAFETY: as the caller of this function promises.
    match unsafe { device.as_ref() } {
        Some(device) => device.0.with(work),
        None => ll_status::LL_INVALID,
    }
}

fn guarded(work: impl FnOnce() -> Result<(), ll_status>) -> ll_status {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(())) => ll_status::LL_OK,
        Ok(Err(status)) => status,
        Err(_) => ll_status::LL_PANIC,
    }
}

fn status(error: &EmbedError) -> ll_status {
    match error {
        EmbedError::Host(_) => ll_status::LL_HOST,
        EmbedError::Unreadable(_)
        | EmbedError::Identity(_)
        | EmbedError::Trust(_)
        | EmbedError::Malformed(_)
        | EmbedError::Journal(_) => ll_status::LL_NOT_PROVISIONED,
        EmbedError::OutOfTurn(_) => ll_status::LL_OUT_OF_TURN,
        EmbedError::Link(_) => ll_status::LL_LINK,
        EmbedError::Ledger(_) => ll_status::LL_LEDGER,
        EmbedError::NothingMoves => ll_status::LL_NOTHING_MOVES,
        EmbedError::Halted => ll_status::LL_HALTED,
    }
}

/// The caller's bytes; `None` for null where there should be some.
///
/// # Safety
/// `data` is null or points to `length` bytes that stay as they are while the result is used.
unsafe fn slice<'a>(data: *const u8, length: usize) -> Option<&'a [u8]> {
    match (data.is_null(), length) {
        (_, 0) => Some(&[]),
        (true, _) => None,
        // SAFETY: as the caller of this function promises.
        (false, length) => Some(unsafe { std::slice::from_raw_parts(data, length) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_owner_says_is_taken_whole_or_not_at_all() {
        let said = owners_word(Some(c"petg"), 600, 2).expect("all known");
        let wanted = OwnersWord {
            material: Some(Material::Petg),
            nozzle: Some(Micrometres(600)),
            bed: Bed::ClearsItself,
        };
        assert_eq!(said, wanted);
        assert_eq!(owners_word(None, 0, 0), Some(OwnersWord::default()));
        assert_eq!(owners_word(None, 0, 1).map(|word| word.bed), Some(Bed::Taken));
        for (material, nozzle, bed) in [
            (Some(c"unobtainium"), 400, 0),
            (Some(c"\xff"), 400, 0),
            (None, u32::MAX, 0),
            (None, 0, 3),
            (None, 0, -1),
        ] {
            assert_eq!(owners_word(material, nozzle, bed), None, "{material:?} {nozzle} {bed}");
        }
    }
}

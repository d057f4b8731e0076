//! What the caller brings: its functions, called as a [`Host`].

use std::ffi::{c_char, c_void};

use layerlock_device::embed::{Host, HostError, Item};
use layerlock_terms::units::Timestamp;

/// What the caller brings. All functions are called on the thread of the call that needs them, with `context`, and
/// must not call into the same device. Where a function gives a number, 0 is success and anything else failure.
///
/// The items of the storage are `keys`, `identity`, `journal` and `segments`. `keys` holds secrets: encrypted
/// storage of your own, readable by this program alone. `journal` must be durable when `append` returns, or a job
/// may print twice.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct ll_host {
    /// `sizeof(ll_host)`: another one is another version.
    pub size: usize,
    /// Handed to every function as it is.
    pub context: *mut c_void,
    /// Milliseconds since 1970, as well as the machine knows.
    pub now: Option<unsafe extern "C" fn(context: *mut c_void) -> u64>,
    /// Fills `out` from a random source fit for keys.
    pub random: Option<unsafe extern "C" fn(context: *mut c_void, out: *mut u8, length: usize) -> i32>,
    /// Sends one encoded `layerlock.vault.v1.DeviceMessage` into the open stream; it may be queued.
    pub send: Option<unsafe extern "C" fn(context: *mut c_void, message: *const u8, length: usize) -> i32>,
    /// Reads an item from `offset`; gives how many bytes there were, fewer than `length` at its end only, or a
    /// negative number for a failure. An item that was never written is empty.
    pub read: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            item: *const c_char,
            offset: u64,
            out: *mut u8,
            length: usize,
        ) -> i64,
    >,
    /// Puts bytes in the item's place: all of them or none, durably.
    pub replace: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            item: *const c_char,
            bytes: *const u8,
            length: usize,
        ) -> i32,
    >,
    /// Puts bytes at the item's end; of `journal` durably.
    pub append: Option<
        unsafe extern "C" fn(
            context: *mut c_void,
            item: *const c_char,
            bytes: *const u8,
            length: usize,
        ) -> i32,
    >,
}

/// A host whose functions are all there.
pub(crate) struct Caller {
    context: *mut c_void,
    now: unsafe extern "C" fn(*mut c_void) -> u64,
    random: unsafe extern "C" fn(*mut c_void, *mut u8, usize) -> i32,
    send: unsafe extern "C" fn(*mut c_void, *const u8, usize) -> i32,
    read: unsafe extern "C" fn(*mut c_void, *const c_char, u64, *mut u8, usize) -> i64,
    replace: unsafe extern "C" fn(*mut c_void, *const c_char, *const u8, usize) -> i32,
    append: unsafe extern "C" fn(*mut c_void, *const c_char, *const u8, usize) -> i32,
}

impl Caller {
    /// Takes the functions over; `None` when one is missing or the structure is of another version.
    ///
    /// # Safety
    /// `host` is null or points to an `ll_host` whose `size` is its own; its functions do what their descriptions
    /// say for as long as the result is used.
    pub(crate) unsafe fn of(host: *const ll_host) -> Option<Self> {
        if host.is_null() {
            return None;
        }
        // SAFETY: not null; the size comes first, so that a shorter structure is not read beyond its end.
        if unsafe { (&raw const (*host).size).read() } != size_of::<ll_host>() {
            return None;
        }
        // SAFETY: not null, and of this version.
        let host = unsafe { host.read() };
        Some(Self {
            context: host.context,
            now: host.now?,
            random: host.random?,
            send: host.send?,
            read: host.read?,
            replace: host.replace?,
            append: host.append?,
        })
    }
}

const fn name(item: Item) -> *const c_char {
    let name = match item {
        Item::Keys => c"keys",
        Item::Identity => c"identity",
        Item::Journal => c"journal",
        Item::Segments => c"segments",
    };
    name.as_ptr()
}

fn done(status: i32, what: &'static str) -> Result<(), HostError> {
    if status == 0 { Ok(()) } else { Err(HostError(what)) }
}

impl Host for Caller {
    fn now(&mut self) -> Timestamp {
        // SAFETY: promised in `Caller::of`.
        Timestamp(unsafe { (self.now)(self.context) })
    }

    fn random(&mut self, out: &mut [u8]) -> Result<(), HostError> {
        // SAFETY: promised in `Caller::of`; `out` is as long as it is said to be.
        done(unsafe { (self.random)(self.context, out.as_mut_ptr(), out.len()) }, "random")
    }

    fn send(&mut self, message: &[u8]) -> Result<(), HostError> {
        // SAFETY: as above.
        done(unsafe { (self.send)(self.context, message.as_ptr(), message.len()) }, "send")
    }

    fn read(&mut self, item: Item, offset: u64, out: &mut [u8]) -> Result<usize, HostError> {
        // SAFETY: as above.
        let read = unsafe { (self.read)(self.context, name(item), offset, out.as_mut_ptr(), out.len()) };
        usize::try_from(read).ok().filter(|read| *read <= out.len()).ok_or(HostError("read"))
    }

    fn replace(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError> {
        // SAFETY: as above.
        done(unsafe { (self.replace)(self.context, name(item), bytes.as_ptr(), bytes.len()) }, "replace")
    }

    fn append(&mut self, item: Item, bytes: &[u8]) -> Result<(), HostError> {
        // SAFETY: as above.
        done(unsafe { (self.append)(self.context, name(item), bytes.as_ptr(), bytes.len()) }, "append")
    }
}

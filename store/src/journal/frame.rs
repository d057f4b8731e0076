//! Frames, file headers and the chain of hashes: the bytes of `FORMAT.md`, emitted and parsed side by side.
//!
//! A frame is what one sync makes durable: the commits that shared it, whole. Every frame carries the hash of the
//! frame before it, and its checksum is bound to the store it belongs to. Integers are big-endian. Nothing here
//! knows files or what a payload means.

use std::fmt;
use std::io::{self, Read};

use ring::digest::{Context, SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

/// SHA-256 of a frame or header: what the next one links to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Hash(pub [u8; 32]);

/// Drawn once per store; bound into every checksum, so that bytes of another store never pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct StoreId(pub [u8; 16]);

/// How far a journal goes. Equal heads mean equal histories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The newest commit's sequence number; 0 before the first.
    pub sequence: u64,
    /// The hash of the frame that ends with it.
    pub hash: Hash,
}

/// What begins every file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub file: FileKind,
    pub store: StoreId,
    /// A part: the state before its first commit. A snapshot: the state it holds.
    pub base: Head,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKind {
    Part,
    Snapshot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameKind {
    /// Commits that shared one sync.
    Commits,
    /// Records of a snapshot.
    Records,
    /// The end of a snapshot; its payload counts the records.
    End,
}

/// One frame, its checksum verified; whether it follows the one before is [`Frame::follows`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: FrameKind,
    /// Commits: the first commit's number. Records and End: counted from 0 in the snapshot.
    pub sequence: u64,
    pub previous: Hash,
    pub payload: Vec<u8>,
    pub hash: Hash,
}

/// What is wrong with a frame or a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The file ends inside.
    Short,
    /// Not the bytes such a thing begins with.
    Magic,
    /// A length no frame has.
    Length,
    /// The checksum differs.
    Checksum,
    /// Sound in itself, but not what follows the frame before it.
    Link,
    /// Sound in itself, but its payload says nothing that is written here.
    Payload,
}

impl Header {
    pub const BYTES: usize = 8 + 16 + 8 + 32 + 4;

    pub fn emit(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Header::BYTES);
        bytes.extend_from_slice(self.file.magic());
        bytes.extend_from_slice(&self.store.0);
        bytes.extend_from_slice(&self.base.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.base.hash.0);
        let checksum = crc32c::crc32c(&bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        bytes
    }

    pub fn parse(file: FileKind, reader: &mut impl Read) -> io::Result<Result<Header, Flaw>> {
        let mut bytes = [0; Header::BYTES];
        if read_up_to(reader, &mut bytes)? < Header::BYTES {
            return Ok(Err(Flaw::Short));
        }
        Ok(Header::parse_whole(file, &bytes))
    }

    fn parse_whole(file: FileKind, bytes: &[u8; Header::BYTES]) -> Result<Header, Flaw> {
        let (body, checksum) = bytes.split_at(Header::BYTES - 4);
        if &body[..8] != file.magic() {
            return Err(Flaw::Magic);
        }
        if crc32c::crc32c(body).to_be_bytes() != checksum {
            return Err(Flaw::Checksum);
        }
        let base =
            Head { sequence: u64::from_be_bytes(array(&body[24..32])), hash: Hash(array(&body[32..64])) };
        Ok(Header { file, store: StoreId(array(&body[8..24])), base })
    }
}

impl FileKind {
    fn magic(self) -> &'static [u8; 8] {
        match self {
            FileKind::Part => b"LLJRNL01",
            FileKind::Snapshot => b"LLSNAP01",
        }
    }
}

impl FrameKind {
    fn magic(self) -> &'static [u8; 4] {
        match self {
            FrameKind::Commits => b"LLFC",
            FrameKind::Records => b"LLFR",
            FrameKind::End => b"LLFE",
        }
    }

    fn of(magic: [u8; 4]) -> Option<FrameKind> {
        [FrameKind::Commits, FrameKind::Records, FrameKind::End]
            .into_iter()
            .find(|kind| *kind.magic() == magic)
    }
}

impl Frame {
    /// What every kind's magic begins with: where the search for sound frames behind a broken one looks.
    pub const MAGIC_START: &'static [u8; 3] = b"LLF";
    /// Everything before the payload.
    pub const HEAD_BYTES: usize = 4 + 4 + 8 + 32;
    /// A longer payload is a broken length, not a reason to allocate.
    pub const MAX_PAYLOAD: usize = 16 << 20;

    /// The bytes of a frame, and the hash the next one links to.
    pub fn emit(
        store: StoreId,
        kind: FrameKind,
        sequence: u64,
        previous: Hash,
        payload: &[u8],
    ) -> (Vec<u8>, Hash) {
        let length =
            u32::try_from(payload.len()).expect("groups and snapshot frames are cut far below 4 GiB");
        let mut bytes = Vec::with_capacity(Frame::HEAD_BYTES + payload.len() + 4);
        bytes.extend_from_slice(kind.magic());
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(&sequence.to_be_bytes());
        bytes.extend_from_slice(&previous.0);
        bytes.extend_from_slice(payload);
        let checksum = checksum(store, &bytes);
        bytes.extend_from_slice(&checksum.to_be_bytes());
        let hash = Hash::of(&bytes);
        (bytes, hash)
    }

    /// The next frame of `reader`, or `None` where the file ends between two frames.
    pub fn parse(store: StoreId, reader: &mut impl Read) -> io::Result<Result<Option<Frame>, Flaw>> {
        let mut head = [0; Frame::HEAD_BYTES];
        match read_up_to(reader, &mut head)? {
            0 => return Ok(Ok(None)),
            Frame::HEAD_BYTES => {}
            _ => return Ok(Err(Flaw::Short)),
        }
        let Some(kind) = FrameKind::of(array(&head[..4])) else { return Ok(Err(Flaw::Magic)) };
        let length = u32::from_be_bytes(array(&head[4..8])) as usize;
        if length > Frame::MAX_PAYLOAD {
            return Ok(Err(Flaw::Length));
        }
        let mut rest = vec![0; length + 4];
        if read_up_to(reader, &mut rest)? < rest.len() {
            return Ok(Err(Flaw::Short));
        }
        Ok(Frame::check(store, kind, &head, rest).map(Some))
    }

    fn check(
        store: StoreId,
        kind: FrameKind,
        head: &[u8; Frame::HEAD_BYTES],
        mut rest: Vec<u8>,
    ) -> Result<Frame, Flaw> {
        let stated = rest.split_off(rest.len() - 4);
        let computed = crc32c::crc32c_append(checksum(store, head), &rest).to_be_bytes();
        if computed != *stated {
            return Err(Flaw::Checksum);
        }
        let mut context = Context::new(&SHA256);
        [head.as_slice(), &rest, &stated].into_iter().for_each(|piece| context.update(piece));
        Ok(Frame {
            kind,
            sequence: u64::from_be_bytes(array(&head[8..16])),
            previous: Hash(array(&head[16..48])),
            payload: rest,
            hash: Hash(array(context.finish().as_ref())),
        })
    }

    /// Whether this is the frame of `kind` that comes after a state whose hash is `previous`, numbered `sequence`.
    pub fn follows(&self, kind: FrameKind, sequence: u64, previous: Hash) -> Result<(), Flaw> {
        match self.kind == kind && self.sequence == sequence && self.previous == previous {
            true => Ok(()),
            false => Err(Flaw::Link),
        }
    }

    /// What the frame takes in its file.
    pub fn bytes(&self) -> u64 {
        (Frame::HEAD_BYTES + self.payload.len() + 4) as u64
    }
}

impl Flaw {
    /// Whether a write that the power cut off could look like this. A sound frame in the wrong place never does.
    pub fn may_be_torn(self) -> bool {
        match self {
            Flaw::Short | Flaw::Magic | Flaw::Length | Flaw::Checksum => true,
            Flaw::Link | Flaw::Payload => false,
        }
    }
}

impl Hash {
    /// Where every chain begins.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(array(digest(&SHA256, bytes).as_ref()))
    }
}

impl Head {
    /// Before the first commit.
    pub const START: Head = Head { sequence: 0, hash: Hash::ZERO };
}

impl StoreId {
    pub fn draw() -> io::Result<StoreId> {
        let mut bytes = [0; 16];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| io::Error::other("the system gives no random bytes"))?;
        Ok(StoreId(bytes))
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Flaw::Short => "it ends too early",
            Flaw::Magic => "it doesn't begin as it should",
            Flaw::Length => "its length is impossible",
            Flaw::Checksum => "its checksum differs",
            Flaw::Link => "it doesn't follow what stands before it",
            Flaw::Payload => "its payload can't be read",
        })
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl fmt::Debug for StoreId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreId({:032x})", u128::from_be_bytes(self.0))
    }
}

fn checksum(store: StoreId, bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&store.0), bytes)
}

/// Fills `buffer` unless the file ends first; says how much it filled.
fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller cuts exactly N bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE: StoreId = StoreId([7; 16]);

    fn parse(bytes: &[u8]) -> Result<Option<Frame>, Flaw> {
        Frame::parse(STORE, &mut &bytes[..]).unwrap()
    }

    #[test]
    fn a_frame_comes_back_with_the_hash_its_successor_links_to() {
        let (bytes, hash) = Frame::emit(STORE, FrameKind::Commits, 9, Hash([1; 32]), b"payload");
        let frame = parse(&bytes).unwrap().unwrap();
        assert_eq!((frame.sequence, frame.payload.as_slice(), frame.hash), (9, b"payload".as_slice(), hash));
        assert_eq!(frame.bytes(), bytes.len() as u64);
        assert_eq!(frame.follows(FrameKind::Commits, 9, Hash([1; 32])), Ok(()));
        assert_eq!(frame.follows(FrameKind::Commits, 9, Hash([2; 32])), Err(Flaw::Link));
        assert_eq!(frame.follows(FrameKind::Commits, 8, Hash([1; 32])), Err(Flaw::Link));
    }

    #[test]
    fn every_single_flipped_bit_and_every_cut_is_noticed() {
        let (bytes, _) = Frame::emit(STORE, FrameKind::Commits, 9, Hash([1; 32]), b"payload");
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&flipped).is_err(), "bit {bit}");
        }
        for end in 1..bytes.len() {
            assert_eq!(parse(&bytes[..end]), Err(Flaw::Short), "cut at {end}");
        }
    }

    #[test]
    fn a_frame_of_another_store_is_no_frame() {
        let (bytes, _) = Frame::emit(StoreId([8; 16]), FrameKind::Commits, 9, Hash::ZERO, b"payload");
        assert_eq!(parse(&bytes), Err(Flaw::Checksum));
    }

    #[test]
    fn a_header_comes_back_and_no_flipped_bit_passes() {
        let header =
            Header { file: FileKind::Part, store: STORE, base: Head { sequence: 3, hash: Hash([5; 32]) } };
        let bytes = header.emit();
        assert_eq!(Header::parse(FileKind::Part, &mut &bytes[..]).unwrap(), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::parse(FileKind::Part, &mut &flipped[..]).unwrap().is_err(), "bit {bit}");
        }
    }
}

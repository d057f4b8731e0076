//! Signed notes (C2SP signed-note): a text, an empty line, signature lines.
//!
//! The text is kept as received, because that is what was signed. Signatures of unknown keys are carried and
//! ignored; a known key's must fit. Signing and verifying are the caller's: here are names, ids and layout.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::hash::sha256;

/// Most bytes of a note that is read: room for dozens of signatures, post-quantum ones among them.
const NOTE_LIMIT: usize = 256 * 1024;

/// The signature type of plain Ed25519 in key ids.
const ED25519: u8 = 0x01;

/// A text and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name.
    pub name: String,
    /// The key's id, see [`ed25519_key_id`].
    pub key_id: [u8; 4],
    /// The signature; 64 bytes for Ed25519.
    pub signature: Vec<u8>,
}

/// A text isn't a signed note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotANote {
    /// Over the bound.
    #[error("a note of {0} bytes is longer than is read")]
    TooLong(usize),
    /// A control character other than newline.
    #[error("a note holds no control characters but newlines")]
    Control,
    /// No empty line before signatures, or no signature at all.
    #[error("a note is a text, an empty line and signature lines")]
    Layout,
    /// A signature line isn't one.
    #[error("signature line {0} is not `— name base64`")]
    Signature(usize),
}

/// No signature of the wanted key, or one that doesn't fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the note is not signed by the key it should be signed by")]
pub struct Unsigned;

impl Note {
    /// A note with no signature yet.
    ///
    /// # Errors
    /// [`NotANote`] when the text doesn't end with a newline or holds other control characters.
    pub fn new(text: String) -> Result<Self, NotANote> {
        if text.len() > NOTE_LIMIT {
            return Err(NotANote::TooLong(text.len()));
        }
        refuse_control(&text)?;
        if text.ends_with('\n') { Ok(Self { text, signatures: Vec::new() }) } else { Err(NotANote::Layout) }
    }

    /// Adds a signature line.
    ///
    /// # Errors
    /// [`NotANote::Signature`] when the name is empty or holds spaces or `+`.
    pub fn add(&mut self, signature: NoteSignature) -> Result<(), NotANote> {
        if !is_key_name(&signature.name) {
            return Err(NotANote::Signature(self.signatures.len()));
        }
        self.signatures.push(signature);
        Ok(())
    }

    /// What is signed, its last newline included.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Checks that the named key signed: every line of that name and id must satisfy `fits(text, signature)`,
    /// and there must be one.
    ///
    /// # Errors
    /// [`Unsigned`].
    pub fn verify(
        &self,
        name: &str,
        key_id: [u8; 4],
        mut fits: impl FnMut(&str, &[u8]) -> bool,
    ) -> Result<(), Unsigned> {
        let mut own = self.signatures.iter().filter(|s| s.name == name && s.key_id == key_id).peekable();
        if own.peek().is_some() && own.all(|s| fits(&self.text, &s.signature)) {
            Ok(())
        } else {
            Err(Unsigned)
        }
    }

    /// Reads a note.
    ///
    /// # Errors
    /// [`NotANote`].
    pub fn parse(note: &str) -> Result<Self, NotANote> {
        if note.len() > NOTE_LIMIT {
            return Err(NotANote::TooLong(note.len()));
        }
        refuse_control(note)?;
        // The text may hold empty lines itself; the last one separates.
        let end = note.rfind("\n\n").ok_or(NotANote::Layout)? + 1;
        let lines = note[end + 1..].strip_suffix('\n').ok_or(NotANote::Layout)?;
        let signatures = lines
            .split('\n')
            .enumerate()
            .map(|(line, text)| NoteSignature::parse(text).ok_or(NotANote::Signature(line)));
        Ok(Self { text: note[..end].to_owned(), signatures: signatures.collect::<Result<_, _>>()? })
    }
}

impl fmt::Display for Note {
    /// Writes what [`Note::parse`] reads.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| writeln!(f, "{signature}"))
    }
}

impl NoteSignature {
    fn parse(line: &str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = STANDARD.decode(encoded).ok()?;
        let (key_id, signature) = bytes.split_first_chunk()?;
        let whole = is_key_name(name) && !signature.is_empty();
        whole.then(|| Self { name: name.to_owned(), key_id: *key_id, signature: signature.to_vec() })
    }
}

impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "— {} {}", self.name, STANDARD.encode([&self.key_id[..], &self.signature].concat()))
    }
}

/// The id of an Ed25519 key in notes: `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)[:4]`.
pub fn ed25519_key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), b"\n", &[ED25519], public]);
    std::array::from_fn(|place| hash.0[place])
}

/// The text form auditors keep of an Ed25519 note key: `name+id in hex+base64(0x01 ‖ public key)`.
pub fn vkey(name: &str, public: &[u8; 32]) -> String {
    let id = u32::from_be_bytes(ed25519_key_id(name, public));
    format!("{name}+{id:08x}+{}", STANDARD.encode([&[ED25519][..], public].concat()))
}

fn refuse_control(text: &str) -> Result<(), NotANote> {
    if text.bytes().any(|b| b < 0x20 && b != b'\n') { Err(NotANote::Control) } else { Ok(()) }
}

fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+')
}

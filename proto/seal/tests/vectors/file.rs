//! The text form of a vector: `name: value` lines, bytes in hex; described in `proto/vectors/README.md`.

use std::path::PathBuf;

/// One conformance file: one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vector {
    /// `directory/name`, without the suffix.
    pub name: String,
    pub fields: Vec<(String, String)>,
}

impl Vector {
    pub fn new(name: &str, expect: &str, rule: &str, comment: &str) -> Self {
        let vector = Self { name: name.to_owned(), fields: Vec::new() };
        let vector = vector.text("expect", expect);
        let vector = if rule.is_empty() { vector } else { vector.text("rule", rule) };
        vector.text("comment", comment)
    }

    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.fields.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn bytes(self, name: &str, value: &[u8]) -> Self {
        self.text(name, &hex(value))
    }

    pub fn emit(&self) -> String {
        self.fields.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    pub fn parse(name: String, text: &str) -> Self {
        let pair = |line: &str| {
            let (field, value) =
                line.split_once(": ").unwrap_or_else(|| panic!("{name}: `{line:.40}` is no field"));
            (field.to_owned(), value.to_owned())
        };
        Self { fields: text.lines().map(pair).collect(), name }
    }

    /// A field that must be there.
    pub fn field(&self, name: &str) -> &str {
        self.find(name).unwrap_or_else(|| panic!("{}: no field `{name}`", self.name))
    }

    pub fn find(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub fn all(&self, name: &str) -> Vec<Vec<u8>> {
        self.fields.iter().filter(|(field, _)| field == name).map(|(_, value)| unhex(value)).collect()
    }

    pub fn unhex(&self, name: &str) -> Vec<u8> {
        unhex(self.field(name))
    }

    pub fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.unhex(name).try_into().unwrap_or_else(|_| panic!("{}: `{name}` is not {N} bytes", self.name))
    }
}

pub fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../vectors")
}

pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "an odd number of hex digits");
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits"))
        .collect()
}

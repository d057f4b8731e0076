//! The text form of the documents' cases: `name: hex` lines, a value may go on on an indented line; a case ends
//! with an empty line, and what stands behind `#` is for people.

/// One case of one document.
pub(super) struct Case(Vec<(String, Vec<u8>)>);

/// Reads a file of cases, which must be as many as the document has.
pub(super) fn read(text: &str, count: usize) -> Vec<Case> {
    let cases: Vec<Case> = text.split("\n\n").map(Case::parse).filter(|case| !case.0.is_empty()).collect();
    assert_eq!(cases.len(), count, "the document has another number of cases");
    cases
}

impl Case {
    fn parse(block: &str) -> Self {
        let mut fields: Vec<(String, String)> = Vec::new();
        for line in block.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(':') {
                Some((name, value)) => fields.push((name.to_owned(), value.trim().to_owned())),
                None => fields.last_mut().expect("a value begins with its name").1.push_str(line.trim()),
            }
        }
        Self(fields.into_iter().map(|(name, hex)| (name, unhex(&hex))).collect())
    }

    /// A field's bytes.
    pub(super) fn bytes(&self, name: &str) -> &[u8] {
        let field = self.0.iter().find(|(field, _)| field == name);
        &field.unwrap_or_else(|| panic!("a case without `{name}`")).1
    }

    /// A field whose length is fixed.
    pub(super) fn array<const N: usize>(&self, name: &str) -> [u8; N] {
        self.bytes(name).try_into().unwrap_or_else(|_| panic!("`{name}` is not {N} bytes"))
    }
}

fn unhex(hex: &str) -> Vec<u8> {
    assert!(hex.len().is_multiple_of(2), "an odd number of hex digits");
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

//! Which files make up a journal: numbered parts, snapshots they can start from, and leftovers.
//!
//! A part is named by the first commit it may hold, a snapshot by the last commit it contains. A file has its final
//! name only once its header is durable, so a file of that name without a sound header is damage, never a crash.

/// The files of a directory, sorted out by their names alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// First sequence number and name, ascending.
    pub parts: Vec<NumberedFile>,
    /// Last sequence number and name, ascending.
    pub snapshots: Vec<NumberedFile>,
    /// What a crash left unfinished.
    pub unfinished: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NumberedFile {
    pub number: u64,
    pub name: String,
}

/// The directory of the view, beside the journal's files.
pub const VIEW: &str = "view";
/// What a damaged snapshot is renamed to end with, when an older one serves.
pub const DAMAGED: &str = ".damaged";

const PART: &str = "journal-";
const SNAPSHOT: &str = "snapshot-";
const UNFINISHED: &str = ".unfinished";

pub fn part_name(first: u64) -> String {
    format!("{PART}{first:016x}")
}

pub fn snapshot_name(last: u64) -> String {
    format!("{SNAPSHOT}{last:016x}")
}

/// The name a file has until it's whole.
pub fn unfinished_name(name: &str) -> String {
    format!("{name}{UNFINISHED}")
}

impl Layout {
    pub fn of(names: Vec<String>) -> Layout {
        let mut layout = Layout::default();
        for name in names {
            if name.ends_with(UNFINISHED) {
                layout.unfinished.push(name);
            } else if let Some(number) = number(&name, PART) {
                layout.parts.push(NumberedFile { number, name });
            } else if let Some(number) = number(&name, SNAPSHOT) {
                layout.snapshots.push(NumberedFile { number, name });
            }
        }
        layout.parts.sort();
        layout.snapshots.sort();
        layout
    }

    pub fn is_empty(&self) -> bool {
        self.parts.is_empty() && self.snapshots.is_empty()
    }

    /// The parts that go on from a state at `base`.
    pub fn parts_after(&self, base: u64) -> &[NumberedFile] {
        let start = self.parts.partition_point(|part| part.number <= base);
        &self.parts[start..]
    }

    /// What a sound snapshot at `base` makes superfluous.
    pub fn older_than(&self, base: u64) -> impl Iterator<Item = &str> {
        let parts = self.parts.iter().filter(move |part| part.number <= base);
        let snapshots = self.snapshots.iter().filter(move |snapshot| snapshot.number < base);
        parts.chain(snapshots).map(|file| file.name.as_str())
    }
}

fn number(name: &str, kind: &str) -> Option<u64> {
    let digits = name.strip_prefix(kind).filter(|digits| digits.len() == 16)?;
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_sorted_out_by_name() {
        let names = [
            "view",
            &part_name(17),
            &snapshot_name(16),
            &part_name(1),
            &unfinished_name(&part_name(20)),
            "LOCK",
        ];
        let layout = Layout::of(names.map(str::to_owned).to_vec());
        assert_eq!(layout.parts.iter().map(|part| part.number).collect::<Vec<_>>(), [1, 17]);
        assert_eq!(layout.parts_after(16).len(), 1);
        assert_eq!(layout.older_than(16).collect::<Vec<_>>(), [part_name(1)]);
        assert_eq!(layout.unfinished, [unfinished_name(&part_name(20))]);
    }
}

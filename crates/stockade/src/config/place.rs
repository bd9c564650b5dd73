//! Lines and columns of a file.

/// Where something stands in the file, or who says it outside of it. Lines and columns count from 1; columns count
/// characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
    /// The variable or flag that says it instead of the file; line and column are 0 then.
    pub outside: Option<&'static str>,
}

impl Place {
    /// The first character of a file.
    pub const START: Self = Self::of_file(1, 1);

    /// A place in the file.
    #[must_use]
    pub const fn of_file(line: u32, column: u32) -> Self {
        Self { line, column, outside: None }
    }

    /// What a variable or a flag says.
    pub(super) const fn outside(said_by: &'static str) -> Self {
        Self { line: 0, column: 0, outside: Some(said_by) }
    }
}

/// Finds places from byte offsets.
pub(super) struct Lines<'t> {
    text: &'t str,
    /// The byte offset at which each line starts.
    starts: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let newlines = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
        Self { text, starts: std::iter::once(0).chain(newlines).collect() }
    }

    pub(super) fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = line.checked_sub(1).and_then(|index| self.starts.get(index)).copied().unwrap_or_default();
        let before = self.text.as_bytes().get(start..offset).unwrap_or_default();
        // Continuation bytes of UTF-8 start no character.
        let column = 1 + before.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        Place::of_file(narrow(line), narrow(column))
    }
}

fn narrow(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters_from_one() {
        let lines = Lines::of("a\n\u{e9}\u{e9}b\n");
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (2, 2, 1), (4, 2, 2), (6, 2, 3), (8, 3, 1), (99, 3, 1)] {
            assert_eq!(lines.place(offset), Place::of_file(line, column), "{offset}");
        }
    }
}

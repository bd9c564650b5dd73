//! Random JSON text, in the spellings that libraries do not keep.
//!
//! Never: what a strict reader refuses (lone surrogates, repeated names) or what `inspect` has to clean in results
//! (control and invisible characters), because neither passes unchanged.

use testkit::Random;

/// Containers inside containers.
const DEPTH: u32 = 6;
/// Members or elements of one container.
const ITEMS: u64 = 5;

pub(super) struct Generator {
    random: Random,
    names: u64,
}

impl Generator {
    pub(super) fn new(seed: u64) -> Self {
        Self { random: Random::new(seed), names: 0 }
    }

    pub(super) fn value(&mut self) -> String {
        self.value_within(DEPTH)
    }

    pub(super) fn object(&mut self) -> String {
        self.object_within(DEPTH)
    }

    fn value_within(&mut self, depth: u32) -> String {
        match self.random.below(if depth == 0 { 6 } else { 9 }) {
            0 => ["null", "true", "false"][self.random.below(3) as usize].to_owned(),
            1..=3 => self.number(),
            4 | 5 => self.string(),
            6 => self.array_within(depth - 1),
            _ => self.object_within(depth - 1),
        }
    }

    fn array_within(&mut self, depth: u32) -> String {
        let items: Vec<String> = (0..self.random.below(ITEMS)).map(|_| self.spaced_value(depth)).collect();
        format!("[{}{}]", self.space(), items.join(","))
    }

    fn object_within(&mut self, depth: u32) -> String {
        let members: Vec<String> = (0..self.random.below(ITEMS))
            .map(|_| format!("{}{}{}:{}", self.space(), self.name(), self.space(), self.spaced_value(depth)))
            .collect();
        format!("{{{}{}}}", self.space(), members.join(","))
    }

    fn spaced_value(&mut self, depth: u32) -> String {
        format!("{}{}{}", self.space(), self.value_within(depth), self.space())
    }

    /// The number at its end makes each name different from all others, also when case and look are folded.
    fn name(&mut self) -> String {
        self.names += 1;
        let length = self.random.below(4) as usize;
        let start: String = (0..length).map(|_| self.character()).collect();
        format!("\"{start}{}\"", self.names)
    }

    pub(super) fn string(&mut self) -> String {
        let length = self.random.below(12) as usize;
        let inner: String = (0..length).map(|_| self.character()).collect();
        format!("\"{inner}\"")
    }

    /// One character as it may be written inside of a string.
    fn character(&mut self) -> String {
        const WRITTEN: [&str; 24] = [
            "a",
            "Z",
            "0",
            " ",
            "/",
            "'",
            "{",
            "]",
            ":",
            ",",
            "é",
            "漢",
            "🦀",
            "Ж",
            "\\/",
            "\\\\",
            "\\\"",
            "\\n",
            "\\t",
            "\\u0041",
            "\\u00e9",
            "\\u00E9",
            "\\u6f22",
            "\\ud83e\\udd80",
        ];
        WRITTEN[self.random.below(WRITTEN.len() as u64) as usize].to_owned()
    }

    fn number(&mut self) -> String {
        let sign = if self.random.below(3) == 0 { "-" } else { "" };
        let (whole_digits, fraction_digits) = (self.random.below(30) as usize, self.random.below(30) as usize);
        let first = self.random.text("123456789", 1);
        let whole = match whole_digits {
            0 => "0".to_owned(),
            digits => first + &self.random.text("0123456789", digits - 1),
        };
        let fraction = match fraction_digits {
            0..=14 => String::new(),
            digits => format!(".{}", self.random.text("0123456789", digits - 14)),
        };
        let exponent = match self.random.below(4) {
            0 => format!("{}{}", self.random.text("eE", 1), self.random.below(500)),
            1 => format!("{}{}{:03}", self.random.text("eE", 1), self.random.text("+-", 1), self.random.below(500)),
            _ => String::new(),
        };
        format!("{sign}{whole}{fraction}{exponent}")
    }

    fn space(&mut self) -> String {
        let length = self.random.below(9).saturating_sub(6) as usize;
        self.random.text(" \t", length)
    }
}

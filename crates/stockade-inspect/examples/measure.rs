//! Measures the screen on labelled JSON Lines from standard input: recall for attacks, alarms for benign rows.
//!
//! Each line is `{"text", "kind", "label": "attack" | "benign", "technique" or "source"}`. One output line per label and
//! technique: rows, rows with verdict `attack`, rows with any finding.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::time::{Duration, Instant};

use serde_json::Value;
use stockade_inspect::{Screen, TextKind, Verdict};

#[derive(Default)]
struct Count {
    rows: usize,
    attack: usize,
    found: usize,
}

fn main() -> Result<(), Box<dyn Error>> {
    let screen = Screen::default();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut bytes = 0_usize;
    let mut spent = Duration::ZERO;
    for line in io::stdin().lock().lines() {
        let row: Value = serde_json::from_str(&line?)?;
        let field = |name: &str| row.get(name).and_then(Value::as_str);
        let text = field("text").ok_or("a row without text")?;
        let kind = field("kind").and_then(|kind| kind.parse().ok()).unwrap_or(TextKind::Unknown);
        let began = Instant::now();
        let report = screen.screen(text, kind);
        spent += began.elapsed();
        bytes += text.len();
        let label = field("label").ok_or("a row without label")?;
        let technique = field("technique").or(field("source")).unwrap_or("-");
        for name in [format!("{label} {technique}"), format!("{label} (all)")] {
            let count = counts.entry(name).or_default();
            count.rows += 1;
            count.attack += usize::from(report.verdict() == Verdict::Attack);
            count.found += usize::from(!report.is_clean());
        }
    }
    let mut output = io::stdout().lock();
    writeln!(output, "{:>6} {:>7} {:>6}", "rows", "attack", "found")?;
    for (name, Count { rows, attack, found }) in &counts {
        writeln!(output, "{rows:>6} {attack:>7} {found:>6}  {name}")?;
    }
    let per_kib = spent.as_secs_f64() * 1e6 / (bytes as f64 / 1024.0);
    writeln!(output, "{bytes} bytes, {per_kib:.2} µs per KiB")?;
    Ok(())
}

//! `stockade inspect`: the screening engine by hand, and line by line for programs.
//!
//! Must never: print a finding's text as it is; it is what hides things from readers.

use crate::cli::InspectOptions;
use crate::exit::Exit;
use crate::output::{Complaint, Failure, Output};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use stockade_inspect::escape::for_terminal;
use stockade_inspect::{Finding, Group, MAX_FINDINGS, Report, Screen, TextKind};

/// Bytes of one text at most: 64 MiB.
const TEXT_BYTES: u64 = 64 << 20;
/// Bytes of one line of `--jsonl` at most: the text, and as much again for its escapes.
const LINE_BYTES: u64 = TEXT_BYTES * 2;
/// Characters around a finding that are shown.
const AROUND_CHARACTERS: usize = 24;
/// Characters of a finding that are shown.
const SPAN_CHARACTERS: usize = 60;

/// One line of input. Other members are left alone: data sets carry labels.
#[derive(Debug, Deserialize)]
struct Line {
    id: Value,
    text: String,
    kind: Option<String>,
}

pub(crate) fn run(options: &InspectOptions) -> Result<Exit, Failure> {
    let mut output = Output::new();
    let exit = if options.jsonl { lines(&mut output) } else { one(options.file.as_deref(), &mut output) }?;
    output.flush()?;
    Ok(exit)
}

fn lines(output: &mut Output) -> Result<Exit, Failure> {
    let screen = Screen::default();
    let mut input = BufReader::new(io::stdin().lock());
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        // Answers go out before the next line is waited for, so that a program can ask one by one.
        if !input.buffer().contains(&b'\n') {
            output.flush()?;
        }
        let read =
            (&mut input).take(LINE_BYTES + 1).read_until(b'\n', &mut line).map_err(|error| unreadable(&error))?;
        if read == 0 {
            break;
        }
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let answered = answer(&screen, &line).map_err(|complaint| {
            let what = format!("line {number} of standard input {complaint}");
            let fix = "write {\"id\":…,\"text\":\"…\",\"kind\":\"…\"}; `kind` may be left out";
            Complaint::new(what).fix(fix).with(Exit::Usage)
        });
        match answered {
            Ok(answer) => output.json(&answer)?,
            Err(failure) => {
                output.flush()?;
                return Err(failure);
            }
        }
    }
    Ok(Exit::Done)
}

fn answer(screen: &Screen, line: &[u8]) -> Result<Value, String> {
    if line.len() as u64 > LINE_BYTES {
        return Err(format!("is longer than {LINE_BYTES} bytes"));
    }
    let Line { id, text, kind } =
        serde_json::from_slice(line).map_err(|error| format!("cannot be understood: {error}"))?;
    let kind = kind.map(|word| word.parse::<TextKind>().map_err(|error| format!("has an {error}"))).transpose()?;
    let report = screen.screen(&text, kind.unwrap_or_default());
    Ok(report_json(id, &report))
}

fn report_json(id: Value, report: &Report<'_>) -> Value {
    let each = |value: fn(&Report<'_>, Group) -> Value| -> Map<String, Value> {
        Group::ALL.into_iter().map(|group| (group.as_str().to_owned(), value(report, group))).collect()
    };
    let findings: Vec<Value> = report.findings().iter().map(finding_json).collect();
    json!({
        "id": id,
        "score": report.score(),
        "verdict": report.verdict().as_str(),
        "scores": each(|report, group| Value::from(report.group_score(group))),
        "verdicts": each(|report, group| Value::from(report.group_verdict(group).as_str())),
        "findings": findings,
    })
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "rule": finding.rule,
        "span": [finding.span.start, finding.span.end],
        "severity": finding.severity.as_str(),
        "reason": finding.reason,
    })
}

fn one(file: Option<&Path>, output: &mut Output) -> Result<Exit, Failure> {
    let named = file.filter(|file| *file != Path::new("-"));
    let name = named.map_or_else(|| "standard input".to_owned(), |file| file.display().to_string());
    let text = match named {
        Some(file) => File::open(file).and_then(read),
        None => read(io::stdin().lock()),
    };
    let text = text.map_err(|error| {
        let what = format!("`{name}` cannot be screened");
        let fix = format!("name a UTF-8 text of at most {TEXT_BYTES} bytes");
        Complaint::new(what).because(error).fix(fix).with(Exit::Usage)
    })?;
    let report = Screen::default().screen(&text, TextKind::Unknown);
    show(&name, &text, &report, output)?;
    Ok(if report.is_clean() { Exit::Done } else { Exit::Found })
}

fn read(source: impl Read) -> io::Result<String> {
    let mut text = String::new();
    source.take(TEXT_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > TEXT_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the text is too large"));
    }
    Ok(text)
}

fn show(name: &str, text: &str, report: &Report<'_>, output: &mut Output) -> Result<(), Failure> {
    let count = report.findings().len();
    let more = if count > MAX_FINDINGS { " or more" } else { "" };
    let plural = if count == 1 { "" } else { "s" };
    let (name, verdict, score) = (for_terminal(name), report.verdict().as_str(), report.score());
    output.line(format_args!("{name}: {verdict}, score {score:.2}, {count} finding{plural}{more}"))?;
    for finding in report.findings() {
        let (line, column) = place(text, finding.span.start);
        let (severity, rule, reason) = (finding.severity.as_str(), finding.rule, finding.reason);
        output.line(format_args!("{line}:{column}  {severity}  {rule}  {reason}"))?;
        output.line(format_args!("    {}", excerpt(text, finding)))?;
    }
    Ok(())
}

/// Line and column from 1; columns count characters.
fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = text.get(..offset).unwrap_or(text);
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |start| start.chars().count());
    (line, column)
}

/// The finding between marks, written out, with what stands around it in its line.
fn excerpt(text: &str, finding: &Finding) -> String {
    let part = |range: Option<&str>| range.unwrap_or_default().to_owned();
    let before = part(text.get(..finding.span.start));
    let before = before.rsplit('\n').next().unwrap_or_default();
    let skip = before.chars().count().saturating_sub(AROUND_CHARACTERS);
    let before: String = before.chars().skip(skip).collect();
    let found = part(text.get(finding.span.clone()));
    let cut = if found.chars().nth(SPAN_CHARACTERS).is_some() { "…" } else { "" };
    let found: String = found.chars().take(SPAN_CHARACTERS).collect();
    let after = part(text.get(finding.span.end..).and_then(|rest| rest.split('\n').next()));
    let after: String = after.chars().take(AROUND_CHARACTERS).collect();
    format!("{}»{}{cut}«{}", for_terminal(&before), for_terminal(&found), for_terminal(&after))
}

fn unreadable(error: &io::Error) -> Failure {
    Complaint::new("standard input cannot be read").because(error).with(Exit::Internal)
}

//! `stockade audit`: query, verify.
//!
//! Must never: change the record.

use crate::cli::{AuditCommand, QueryOptions};
use crate::config::Config;
use crate::exit::Exit;
use crate::output::{Complaint, Failure, Output, say};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Map, Value, json};
use std::path::Path;
use stockade_audit::{Filter, QueryError, StoredRecord, VerifyError, VerifyProgress};
use stockade_core::ports::Timestamp;
use stockade_inspect::escape::for_terminal;
use stockade_store::DataFolder;

pub(crate) fn run(command: AuditCommand, config: &Config) -> Result<Exit, Failure> {
    let data = &config.gateway.data;
    // Looking must not make the folder, as opening it would.
    if !data.is_dir() {
        let what = format!("there is no data folder `{}`", data.display());
        let fix = "name it with `--data DIR`; `stockade up` and `stockade wrap` write the record there";
        return Err(Complaint::new(what).fix(fix).with(Exit::Usage));
    }
    let folder = DataFolder::beside(data).map_err(|error| Complaint::of(&error).with(Exit::Internal))?.audit();
    let mut output = Output::new();
    let exit = match command {
        AuditCommand::Query(options) => query(&folder, options, &mut output)?,
        AuditCommand::Verify { json } => verify(&folder, json, &mut output)?,
    };
    output.flush()?;
    Ok(exit)
}

fn query(folder: &Path, options: QueryOptions, output: &mut Output) -> Result<Exit, Failure> {
    let filter = Filter {
        since: options.since.as_deref().map(|text| time("--since", text)).transpose()?,
        until: options.until.as_deref().map(|text| time("--until", text)).transpose()?,
        caller: options.caller,
        server: options.server,
        phase: options.phase,
        decision: options.decision,
        ticket: options.ticket,
        limit: options.limit,
    };
    let failed = |error: QueryError| Complaint::of(&error).fix("run `stockade audit verify`").with(Exit::Found);
    for record in stockade_audit::query(folder, filter).map_err(failed)? {
        let record = match record {
            Ok(record) => record,
            Err(error) => {
                // What was found before stands.
                output.flush()?;
                return Err(failed(error));
            }
        };
        if options.json {
            output.json(&record_json(record))?;
        } else {
            output.line(record_line(&record))?;
        }
    }
    Ok(Exit::Done)
}

/// RFC 3339, or a date: its first instant in UTC.
fn time(option: &str, text: &str) -> Result<Timestamp, Failure> {
    let instant = text.parse::<jiff::Timestamp>().ok();
    let parsed = instant.or_else(|| {
        let midnight = text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        Some(midnight.timestamp())
    });
    let nanoseconds = parsed.and_then(|instant| i64::try_from(instant.as_nanosecond()).ok());
    nanoseconds.map(Timestamp).ok_or_else(|| {
        let what = format!("`{option}` is `{text}`, which is no time");
        Complaint::new(what).fix("write it like `2026-11-22T15:04:05Z` or `2026-11-22`").with(Exit::Usage)
    })
}

/// Every field, under the names of the stored record. Taken apart by name, so that a new field cannot be forgotten here.
fn record_json(record: StoredRecord) -> Value {
    let StoredRecord {
        sequence, time, previous, ticket, phase, door, kind, caller, caller_kind, client, session, ..
    } = &record;
    let mut members = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            members.insert(name.to_owned(), value);
        }
    };
    let text = |text: &Option<String>| text.clone().map(Value::from);
    put("sequence", Some(Value::from(*sequence)));
    put("time", Some(Value::from(time.as_str())));
    put("previous", Some(Value::from(previous.as_str())));
    put("ticket", text(ticket));
    put("phase", Some(Value::from(phase.as_str())));
    put("door", text(door));
    put("kind", Some(Value::from(kind.as_str())));
    put("caller", text(caller));
    put("caller_kind", text(caller_kind));
    put("client", text(client));
    put("session", text(session));
    let StoredRecord { revision, server, method, target, arguments, shape, decision, rule, reason, .. } = &record;
    put("revision", text(revision));
    put("server", text(server));
    put("method", text(method));
    put("target", text(target));
    put("arguments", text(arguments));
    put("shape", text(shape));
    put("decision", text(decision));
    put("rule", text(rule));
    put("reason", text(reason));
    let StoredRecord { findings, findings_left_out, outcome, took_us, released_bytes, interim, .. } = &record;
    let findings: Vec<Value> = findings
        .iter()
        .map(|finding| json!({ "rule": finding.rule, "place": finding.place, "count": finding.count }))
        .collect();
    put("findings", (!findings.is_empty()).then(|| Value::from(findings)));
    put("findings_left_out", (*findings_left_out > 0).then(|| Value::from(*findings_left_out)));
    put("outcome", text(outcome));
    put("took_us", took_us.map(Value::from));
    put("released_bytes", released_bytes.map(Value::from));
    put("interim", interim.map(Value::from));
    Value::Object(members)
}

/// One line for people: when, which step, who, what, where, what came of it and why.
fn record_line(record: &StoredRecord) -> String {
    let mut words: Vec<&str> = vec![record.time.get(..19).unwrap_or(&record.time), &record.phase];
    let what = record.method.as_deref().or(Some(&record.kind));
    let came = record.outcome.as_deref().or(record.decision.as_deref());
    for word in [record.caller.as_deref(), what, record.server.as_deref(), record.target.as_deref(), came] {
        words.push(word.unwrap_or("-"));
    }
    words.extend(record.ticket.as_deref());
    let mut line = words.iter().map(|word| for_terminal(word)).collect::<Vec<_>>().join("  ");
    if let Some(reason) = &record.reason {
        line.push_str("  (");
        line.push_str(&for_terminal(reason));
        line.push(')');
    }
    line
}

fn verify(folder: &Path, json: bool, output: &mut Output) -> Result<Exit, Failure> {
    let bar = progress_bar();
    let verified = stockade_audit::verify(folder, |progress| {
        let VerifyProgress { bytes, bytes_in_all, .. } = progress;
        bar.set_length(bytes_in_all);
        bar.set_position(bytes);
    });
    bar.finish_and_clear();
    match verified {
        Ok(report) if json => output.json(&json!({
            "whole": true,
            "records": report.records,
            "segments": report.segments,
            "bytes": report.bytes,
            "vouched": report.vouched,
            "in_use": report.in_use,
        }))?,
        Ok(report) => {
            let in_use = if report.in_use { "; a process is appending now" } else { "" };
            output.line(format_args!(
                "whole: {} records in {} segments, {} bytes{in_use}",
                report.records, report.segments, report.bytes
            ))?;
        }
        Err(error) => {
            let complaint = Complaint::of(&error);
            if json {
                output.json(&problem_json(&error))?;
            }
            complaint.fix("keep the folder as it is and find out who could write to it").tell();
            return Ok(Exit::Found);
        }
    }
    Ok(Exit::Done)
}

fn problem_json(error: &VerifyError) -> Value {
    let mut said = json!({ "whole": false, "problem": error.to_string() });
    if let (VerifyError::Bad { bad }, Value::Object(members)) = (error, &mut said) {
        members.insert("file".to_owned(), Value::from(bad.file.as_str()));
        members.insert("line".to_owned(), Value::from(bad.line));
        members.insert("sequence".to_owned(), Value::from(bad.sequence));
    }
    said
}

/// Draws to standard error if that is a terminal, and nothing otherwise.
fn progress_bar() -> ProgressBar {
    let bar = ProgressBar::new(0);
    match ProgressStyle::with_template("{bar:40} {binary_bytes} of {binary_total_bytes}, {eta} left") {
        Ok(style) => bar.set_style(style),
        Err(error) => say(error),
    }
    bar
}

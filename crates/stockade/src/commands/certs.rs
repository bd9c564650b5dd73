//! `stockade certs`: the certificates and revocation lists that the configuration names, and when they run out.
//!
//! Must never: read a private key; reach for anything on the network.

use crate::cli::CertsCommand;
use crate::config::{Config, Target};
use crate::exit::Exit;
use crate::output::{Complaint, Failure, Output, say};
use serde_json::{Value, json};
use std::path::Path;
use stockade_core::ports::Timestamp;
use stockade_gateway::tls::{TlsFileError, certificates_in, revocation_lists_in};
use stockade_gateway::{ClientCertificates, ClientTrust};

/// Below this many whole days an operator should act.
const WARN_DAYS: i64 = 14;
const DAY_NANOSECONDS: i64 = 24 * 3600 * 1_000_000_000;
/// Names of one certificate that a row for people shows; JSON has all.
const NAMES_SHOWN: usize = 4;

pub(crate) fn run(command: &CertsCommand, config: &Config) -> Result<Exit, Failure> {
    let CertsCommand::Status { json } = command;
    let mut output = Output::new();
    let now = now();
    let rows = rows(config, now);
    for row in &rows {
        if *json {
            output.json(&row.json())?;
        } else {
            output.line(row.shown())?;
        }
    }
    output.flush()?;
    if rows.is_empty() {
        say("the configuration names no certificate");
    }
    let bad: Vec<&Row> = rows.iter().filter(|row| row.trouble.is_some()).collect();
    for row in &bad {
        let what = format!("`{}` ({}) {}", row.file, row.purpose, row.trouble.as_deref().unwrap_or_default());
        Complaint::new(what)
            .fix("renew it, put the new one in its place; a running gateway takes it within seconds")
            .tell();
    }
    Ok(if bad.is_empty() { Exit::Done } else { Exit::Found })
}

/// One certificate or list, or a file that holds none.
struct Row {
    purpose: String,
    file: String,
    kind: &'static str,
    subject: String,
    names: Vec<String>,
    ends: Option<Timestamp>,
    days: Option<i64>,
    pin: Option<String>,
    trouble: Option<String>,
}

impl Row {
    fn json(&self) -> Value {
        json!({
            "purpose": self.purpose,
            "file": self.file,
            "kind": self.kind,
            "subject": self.subject,
            "names": self.names,
            "expires": self.ends.map(shown),
            "days_left": self.days,
            "pin": self.pin,
            "problem": self.trouble,
        })
    }

    fn shown(&self) -> String {
        let Some(ends) = self.ends else {
            return format!("{}  {}  -", self.purpose, self.file);
        };
        let mut names: Vec<&str> = self.names.iter().take(NAMES_SHOWN).map(String::as_str).collect();
        if names.is_empty() {
            names.push(&self.subject);
        }
        let more = if self.names.len() > NAMES_SHOWN { " …" } else { "" };
        let (names, days) = (names.join(" "), self.days.unwrap_or_default());
        let pin = self.pin.as_deref().map(|pin| format!("  {pin}")).unwrap_or_default();
        format!("{}  {}  {names}{more}  until {}  {days} days{pin}", self.purpose, self.file, shown(ends))
    }
}

/// Everything that the configuration names, in its order.
fn rows(config: &Config, now: Timestamp) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(tls) = &config.tls {
        rows.extend(certificates("listener", &tls.certificate, now));
        if let ClientCertificates::Optional(trust) | ClientCertificates::Required(trust) = &tls.clients {
            let ClientTrust { authorities, revocation_lists } = trust;
            rows.extend(authorities.iter().flat_map(|file| certificates("client authority", file, now)));
            rows.extend(revocation_lists.iter().flat_map(|file| lists("client revocation list", file, now)));
        }
    }
    for server in &config.servers {
        let Target::Http(upstream) = &server.target else { continue };
        let Some(tls) = &upstream.tls else { continue };
        let authority = format!("authority of server `{}`", server.name);
        rows.extend(tls.authorities.iter().flat_map(|file| certificates(&authority, file, now)));
        let own = format!("client certificate for server `{}`", server.name);
        rows.extend(tls.identity.iter().flat_map(|identity| certificates(&own, &identity.certificate, now)));
    }
    rows
}

fn certificates(purpose: &str, file: &Path, now: Timestamp) -> Vec<Row> {
    let found = match certificates_in(file) {
        Ok(found) => found,
        Err(error) => return vec![broken(purpose, file, &error)],
    };
    let row = |facts: stockade_gateway::tls::CertificateFacts| {
        let days = days_until(facts.not_after, now);
        let early = (now < facts.not_before).then(|| format!("is not valid before {}", shown(facts.not_before)));
        Row {
            purpose: purpose.to_owned(),
            file: file.display().to_string(),
            kind: "certificate",
            subject: facts.subject,
            names: facts.names,
            ends: Some(facts.not_after),
            days: Some(days),
            pin: Some(facts.pin.to_string()),
            trouble: early.or_else(|| running_out(days, now > facts.not_after)),
        }
    };
    found.into_iter().map(row).collect()
}

fn lists(purpose: &str, file: &Path, now: Timestamp) -> Vec<Row> {
    let found = match revocation_lists_in(file) {
        Ok(found) => found,
        Err(error) => return vec![broken(purpose, file, &error)],
    };
    let row = |facts: stockade_gateway::tls::RevocationFacts| {
        // Lists are short-lived by nature; only one that says nothing any more is a problem.
        let trouble = match facts.next_update {
            Some(next) if now > next => Some("has run out, so nobody of its authority can connect".to_owned()),
            Some(_) => None,
            None => Some("does not say when the next one comes".to_owned()),
        };
        Row {
            purpose: purpose.to_owned(),
            file: file.display().to_string(),
            kind: "revocation-list",
            subject: facts.issuer,
            names: Vec::new(),
            ends: facts.next_update,
            days: facts.next_update.map(|next| days_until(next, now)),
            pin: None,
            trouble,
        }
    };
    found.into_iter().map(row).collect()
}

fn broken(purpose: &str, file: &Path, error: &TlsFileError) -> Row {
    Row {
        purpose: purpose.to_owned(),
        file: file.display().to_string(),
        kind: "file",
        subject: String::new(),
        names: Vec::new(),
        ends: None,
        days: None,
        pin: None,
        trouble: Some(format!("cannot be used: {error}")),
    }
}

fn running_out(days: i64, is_over: bool) -> Option<String> {
    match days {
        _ if is_over => Some("has expired".to_owned()),
        days if days < WARN_DAYS => Some(format!("expires in {days} days")),
        _ => None,
    }
}

/// Whole days; negative when it is over.
fn days_until(time: Timestamp, now: Timestamp) -> i64 {
    time.0.saturating_sub(now.0).div_euclid(DAY_NANOSECONDS)
}

/// The wall clock. A clock beyond 2262 counts as the end of time.
fn now() -> Timestamp {
    Timestamp(i64::try_from(jiff::Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX))
}

/// RFC 3339 in UTC, to the second.
fn shown(time: Timestamp) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(time.0)).unwrap_or(jiff::Timestamp::MAX);
    format!("{time:.0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_warned_in_time() {
        for (days, is_over, expected) in [
            (14, false, None),
            (13, false, Some("expires in 13 days")),
            (0, false, Some("expires in 0 days")),
            (-1, true, Some("has expired")),
        ] {
            assert_eq!(running_out(days, is_over).as_deref(), expected, "{days}");
        }
        let now = Timestamp(1_000 * DAY_NANOSECONDS);
        assert_eq!(days_until(Timestamp(now.0 + 14 * DAY_NANOSECONDS), now), 14);
        assert_eq!(days_until(Timestamp(now.0 + 14 * DAY_NANOSECONDS - 1), now), 13);
        assert_eq!(days_until(Timestamp(now.0 - 1), now), -1);
        assert_eq!(days_until(Timestamp(i64::MAX), now), (i64::MAX - now.0) / DAY_NANOSECONDS);
    }
}

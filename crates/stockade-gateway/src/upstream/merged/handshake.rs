//! Handshakes of the merged route: one answer of our own for all servers behind it.
//!
//! Must never: merge the instructions of servers, or pass on what they call themselves (IN-05); offer what cannot be
//! carried.

use super::share::{Fan, Meanwhile, Part, ShareError, none_answered};
use stockade_core::mcp::Revision;
use stockade_core::ports::{Incoming, UpstreamError};
use stockade_core::wire::Value;

/// What can be carried for several servers, and the switches that go with it. Tasks and extensions cannot: their ids and
/// settings belong to one server.
const CARRIED: [(&str, &[&str]); 5] = [
    ("completions", &[]),
    ("logging", &[]),
    ("prompts", &["listChanged"]),
    ("resources", &["listChanged", "subscribe"]),
    ("tools", &["listChanged"]),
];

/// `initialize`: opens a conversation with every server in reach, and answers once each has answered or failed to.
///
/// # Errors
/// When none has answered.
pub(super) async fn initialize(fan: Fan) -> Result<Incoming, UpstreamError> {
    let parts = fan.ask_all(&Meanwhile::Decline).await;
    let revision = fan.outbound.revision();
    let capabilities = offered(parts, revision)?;
    fan.answer(initialized(revision, &capabilities).as_bytes())
}

/// `server/discover`, MCP 2026-07-28. A client that may choose takes the answer for a choice of era, and would from then on
/// reach none of the servers that have only handshakes; so where one of those is alive, the answer is that this era is not
/// spoken, and the client comes back with `initialize`. Whoever speaks the modern era without asking first is served.
///
/// # Errors
/// When no server speaks that revision, or one that lives speaks only older ones.
pub(super) async fn discover(fan: Fan, meanwhile: Meanwhile) -> Result<Incoming, UpstreamError> {
    let mut parts = fan.ask_all(&meanwhile).await;
    let is_older =
        |(_, part): &Part| matches!(part, Err(ShareError::Upstream { cause: UpstreamError::OtherEra { .. } }));
    if let Some(older) = parts.iter().position(is_older) {
        return Err(none_answered(parts.drain(older..=older).filter_map(|(server, part)| Some((server, part.err()?)))));
    }
    let ttl_ms = least_ttl_ms(&parts);
    let capabilities = offered(parts, fan.outbound.revision())?;
    fan.answer(discovered(ttl_ms, &capabilities).as_bytes())
}

/// `logging/setLevel`: done when it is done wherever there is a log.
///
/// # Errors
/// When no server has answered.
pub(super) async fn set_level(fan: Fan, meanwhile: Meanwhile) -> Result<Incoming, UpstreamError> {
    let parts = fan.ask_all(&meanwhile).await;
    if parts.iter().any(|(_, part)| part.as_ref().map_or_else(ShareError::is_nothing, |_| true)) {
        return fan.answer(b"{}");
    }
    Err(none_answered(parts.into_iter().filter_map(|(server, part)| Some((server, part.err()?)))))
}

/// `ping`: we are there; which of the servers are is no question of the client's.
pub(super) async fn ping(fan: Fan) -> Result<Incoming, UpstreamError> {
    fan.answer(b"{}")
}

/// Who answers, as JSON text: never what a server calls itself.
pub(super) fn server_info() -> String {
    format!(r#"{{"name":"stockade","version":"{}"}}"#, env!("CARGO_PKG_VERSION"))
}

fn initialized(revision: Revision, capabilities: &str) -> String {
    let info = server_info();
    format!(r#"{{"protocolVersion":"{revision}","capabilities":{capabilities},"serverInfo":{info}}}"#)
}

fn discovered(ttl_ms: i64, capabilities: &str) -> String {
    let (info, modern) = (server_info(), Revision::V2026_07_28);
    format!(
        r#"{{"resultType":"complete","supportedVersions":["{modern}"],"capabilities":{capabilities},"ttlMs":{ttl_ms},"cacheScope":"private","_meta":{{"io.modelcontextprotocol/serverInfo":{info}}}}}"#
    )
}

/// How long the whole may be kept: as long as the part that may be kept for the shortest time. A part that is missing may
/// be there the next moment.
pub(super) fn least_ttl_ms(parts: &[Part]) -> i64 {
    let ttl_ms = |(_, part): &Part| match part {
        Ok(frame) => frame.result().and_then(|result| result.get("ttlMs")).and_then(Value::as_i64).unwrap_or(0),
        Err(error) if error.is_nothing() => i64::MAX,
        Err(_) => 0,
    };
    let least = parts.iter().map(ttl_ms).min().unwrap_or(0);
    if least == i64::MAX { 0 } else { least.max(0) }
}

/// The capabilities of all that have answered, as JSON text.
fn offered(parts: Vec<Part>, revision: Revision) -> Result<String, UpstreamError> {
    let (mut answers, mut failures) = (Vec::new(), Vec::new());
    for (server, part) in parts {
        match part {
            Ok(frame) => answers.push(frame),
            Err(error) => failures.push((server, error)),
        }
    }
    if answers.is_empty() {
        return Err(none_answered(failures));
    }
    let said: Vec<_> = answers.iter().filter_map(|frame| frame.result()?.get("capabilities")).collect();
    Ok(union(&said, revision))
}

fn union(said: &[Value<'_>], revision: Revision) -> String {
    let members: Vec<_> = CARRIED
        .iter()
        // Before 2025-03-26 the name had no meaning, and what looks like a name of the protocol does not pass.
        .filter(|(name, _)| *name != "completions" || revision >= Revision::V2025_03_26)
        .filter_map(|(name, switches)| {
            let of_name: Vec<_> = said.iter().filter_map(|capabilities| capabilities.get(name)).collect();
            let is_on = |switch: &&&str| {
                of_name.iter().any(|capability| capability.get(switch).and_then(Value::as_bool) == Some(true))
            };
            let on: Vec<_> = switches.iter().filter(is_on).map(|switch| format!(r#""{switch}":true"#)).collect();
            (!of_name.is_empty()).then(|| format!(r#""{name}":{{{}}}"#, on.join(",")))
        })
        .collect();
    format!("{{{}}}", members.join(","))
}

#[cfg(test)]
mod tests {
    use super::super::share::read_own;
    use super::*;
    use stockade_core::mcp::{Direction, Method, check_result};
    use stockade_core::wire::WireLimits;
    use stockade_core::words::ServerName;

    fn part(name: &str, result: &str) -> Part {
        let parts = [br#"{"jsonrpc":"2.0","id":1,"result":"#, result.as_bytes(), b"}"];
        (ServerName::parse(name).unwrap(), Ok(read_own(&parts, &WireLimits::DEFAULT).unwrap()))
    }

    fn failed(name: &str, code: i64) -> Part {
        (ServerName::parse(name).unwrap(), Err(ShareError::Declined { code: Some(code) }))
    }

    #[test]
    fn capabilities_are_those_of_any_server_that_can_be_carried() {
        let check = |said: &[&str], revision, expected: &str| {
            let parts: Vec<_> = said.iter().map(|said| part("a", &format!(r#"{{"capabilities":{said}}}"#))).collect();
            assert_eq!(offered(parts, revision).unwrap(), expected);
        };
        let (old, new) = (Revision::V2024_11_05, Revision::V2025_11_25);
        check(&["{}"], new, "{}");
        check(
            &[r#"{"tools":{}}"#, r#"{"tools":{"listChanged":true},"logging":{}}"#],
            new,
            r#"{"logging":{},"tools":{"listChanged":true}}"#,
        );
        check(
            &[r#"{"resources":{"subscribe":false}}"#, r#"{"resources":{"subscribe":true}}"#],
            new,
            r#"{"resources":{"subscribe":true}}"#,
        );
        check(
            &[r#"{"tasks":{"list":{}},"experimental":{"x":{}},"extensions":{},"prompts":{}}"#],
            new,
            r#"{"prompts":{}}"#,
        );
        check(&[r#"{"completions":{}}"#], new, r#"{"completions":{}}"#);
        check(&[r#"{"completions":{}}"#], old, "{}");
    }

    #[test]
    fn both_handshakes_are_what_the_message_table_wants() {
        let capabilities = r#"{"resources":{"listChanged":true,"subscribe":true},"tools":{}}"#;
        let check = |result: String, method, revision| {
            let (_, frame) = part("a", &result);
            let checked = check_result(&frame.unwrap(), method, revision, Direction::ServerToClient);
            assert_eq!(checked, Ok(()), "{result}");
        };
        for revision in Revision::ALL.into_iter().filter(|revision| *revision < Revision::V2026_07_28) {
            check(initialized(revision, capabilities), Method::Initialize, revision);
        }
        check(discovered(7, capabilities), Method::ServerDiscover, Revision::V2026_07_28);
    }

    #[test]
    fn the_whole_lives_as_long_as_its_shortest_part() {
        let ttl = |ttl_ms: i64| part("a", &format!(r#"{{"ttlMs":{ttl_ms}}}"#));
        assert_eq!(least_ttl_ms(&[ttl(50), ttl(20), ttl(30)]), 20);
        assert_eq!(least_ttl_ms(&[ttl(50), failed("b", -32601)]), 50, "has no such list, and will have none");
        assert_eq!(least_ttl_ms(&[ttl(50), failed("b", -32603)]), 0);
        assert_eq!(least_ttl_ms(&[failed("b", -32601)]), 0);
        assert_eq!(least_ttl_ms(&[part("a", "{}"), ttl(5)]), 0);
    }
}

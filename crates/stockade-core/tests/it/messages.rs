//! The message table by hand: what each rule refuses, with its place, its code and its words; and what must pass.

use bytes::Bytes;
use stockade_core::mcp::{
    Direction, Frame, InvalidMessage, Method, MethodKind, Revision, Rule, check_error, check_message, check_result,
};
use stockade_core::wire::WireLimits;

use Direction::{ClientToServer, ServerToClient};
use Revision::{V2024_11_05, V2025_06_18, V2025_11_25, V2026_07_28};

fn frame(text: &str) -> Frame {
    Frame::read(Bytes::from(text.to_owned()), &WireLimits::DEFAULT).unwrap_or_else(|error| panic!("{error:?}: {text}"))
}

fn request(method: &str, params: &str) -> Frame {
    frame(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#))
}

/// A request of 2026-07-28: `params` are its parameters without the braces.
fn modern(method: &str, params: &str) -> Frame {
    const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}"#;
    let comma = if params.is_empty() { "" } else { "," };
    request(method, &format!("{{{META}{comma}{params}}}"))
}

fn result(text: &str) -> Frame {
    frame(&format!(r#"{{"jsonrpc":"2.0","id":1,"result":{text}}}"#))
}

#[track_caller]
fn passes(verdict: Result<impl Sized, InvalidMessage>) {
    assert_eq!(verdict.err(), None);
}

#[track_caller]
fn breaks(verdict: Result<impl Sized, InvalidMessage>, path: &str, rule: Rule, code: i32) {
    let error = verdict.err().expect("refused");
    assert_eq!(error.fault(), Some((path, rule)));
    assert_eq!(error.code(), code);
}

#[test]
fn a_call_passes_in_every_revision() {
    for revision in Revision::ALL {
        let call = modern("tools/call", r#""name":"read_file","arguments":{"path":"a","n":1e400},"vendor":[1]"#);
        assert_eq!(check_message(&call, revision, ClientToServer), Ok(Method::ToolsCall), "{revision}");
    }
}

#[test]
fn every_method_is_refused_where_the_table_does_not_allow_it() {
    let mut refused = 0;
    for method in Method::ALL {
        let id = if method.facts().kind == MethodKind::Request { r#""id":1,"# } else { "" };
        let message = frame(&format!(r#"{{"jsonrpc":"2.0",{id}"method":"{}"}}"#, method.as_str()));
        for revision in Revision::ALL {
            for direction in Direction::ALL.into_iter().filter(|direction| !method.is_allowed(revision, *direction)) {
                let expected = if method.is_allowed(revision, direction.reverse()) {
                    InvalidMessage::WrongDirection { method }
                } else {
                    InvalidMessage::NotInRevision { method, revision }
                };
                assert_eq!(expected.code(), -32601);
                assert_eq!(check_message(&message, revision, direction), Err(expected));
                refused += 1;
            }
        }
    }
    assert!(refused > 200, "only {refused} combinations are refused");
}

#[test]
fn unknown_methods_and_wrong_envelopes_are_refused() {
    let unknown = check_message(&request("tools/Call", "{}"), V2025_11_25, ClientToServer);
    assert_eq!(unknown, Err(InvalidMessage::UnknownMethod));
    assert_eq!(InvalidMessage::UnknownMethod.code(), -32601);
    let answer = check_message(&result("{}"), V2025_11_25, ClientToServer);
    assert_eq!(answer, Err(InvalidMessage::WrongEnvelope));
    let told = frame(r#"{"jsonrpc":"2.0","method":"tools/list"}"#);
    let asked = request("notifications/initialized", "{}");
    for (message, method) in [(told, Method::ToolsList), (asked, Method::NotificationsInitialized)] {
        let error = InvalidMessage::WrongKind { method };
        assert_eq!(error.code(), -32600);
        assert_eq!(check_message(&message, V2025_11_25, ClientToServer), Err(error));
    }
}

/// PA-05 and PA-06, in the places that the attack names and in nested ones.
#[test]
fn look_alike_members_are_refused_wherever_the_protocol_has_names() {
    for (params, path) in [
        (r#""name":"read_file","Name":"delete_file","arguments":{}"#, "params.name"),
        (r#""name":"read_file","Arguments":{}"#, "params.arguments"),
        ("\"name\":\"read_file\",\"n\u{430}me\":\"x\"", "params.name"),
    ] {
        let call = check_message(&modern("tools/call", params), V2026_07_28, ClientToServer);
        breaks(call, path, Rule::LookAlike, -32602);
    }
    let token = request("tools/call", "{\"name\":\"x\",\"_meta\":{\"progressTo\u{212a}en\":1}}");
    breaks(check_message(&token, V2025_11_25, ClientToServer), "params._meta.progressToken", Rule::LookAlike, -32602);
    let answer = result(r#"{"content":[{"type":"text","text":"a","Text":"b"}]}"#);
    let verdict = check_result(&answer, Method::ToolsCall, V2025_06_18, ServerToClient);
    breaks(verdict, "result.content[0].text", Rule::LookAlike, -32600);
}

#[test]
fn look_alike_arguments_are_refused_on_their_way_to_the_server_only() {
    for arguments in [r#"{"path":1,"Path":2}"#, r#"{"a":[{"path":1,"PATH":2}]}"#, "{\"path\":1,\"p\u{430}th\":2}"] {
        let call = modern("tools/call", &format!(r#""name":"x","arguments":{arguments}"#));
        breaks(check_message(&call, V2026_07_28, ClientToServer), "params.arguments", Rule::LookAlikeSiblings, -32602);
        let answer = result(&format!(r#"{{"content":[],"structuredContent":{arguments}}}"#));
        passes(check_result(&answer, Method::ToolsCall, V2025_06_18, ServerToClient));
    }
}

/// PA-14 and the limits of names.
#[test]
fn names_that_are_asked_for_are_names() {
    let call =
        |name: &str| check_message(&modern("tools/call", &format!(r#""name":"{name}""#)), V2026_07_28, ClientToServer);
    for name in ["read_file\\u0000.bak", "read_file\\u001b[2K"] {
        breaks(call(name), "params.name", Rule::ControlCharacter, -32602);
    }
    breaks(call(""), "params.name", Rule::NameLength, -32602);
    breaks(call(&"x".repeat(129)), "params.name", Rule::NameLength, -32602);
    passes(call(&"x".repeat(128)));
    let listed =
        result(&format!(r#"{{"tools":[{{"name":"{}","inputSchema":{{"type":"object"}}}}]}}"#, "x".repeat(200)));
    passes(check_result(&listed, Method::ToolsList, V2025_11_25, ServerToClient));
}

#[test]
fn a_modern_request_says_what_it_speaks() {
    let bare = frame(r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#);
    passes(check_message(&bare, V2025_11_25, ClientToServer));
    breaks(check_message(&bare, V2026_07_28, ClientToServer), "params._meta", Rule::Missing, -32602);
    let half = request("tools/list", r#"{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}"#);
    let path = "params._meta.io.modelcontextprotocol/clientCapabilities";
    breaks(check_message(&half, V2026_07_28, ClientToServer), path, Rule::Missing, -32602);
}

#[test]
fn a_modern_result_says_which_it_is() {
    let call = |text: &str| check_result(&result(text), Method::ToolsCall, V2026_07_28, ServerToClient);
    passes(call(r#"{"resultType":"complete","content":[],"structuredContent":[1]}"#));
    passes(call(r#"{"resultType":"input_required","requestState":"s"}"#));
    passes(call(
        r#"{"resultType":"task","taskId":"t","status":"working","createdAt":"x","lastUpdatedAt":"y","ttlMs":null}"#,
    ));
    breaks(call(r#"{"content":[]}"#), "result.resultType", Rule::Missing, -32600);
    breaks(call(r#"{"resultType":"other","content":[]}"#), "result.resultType", Rule::NotListed, -32600);
    breaks(call(r#"{"resultType":"input_required"}"#), "result", Rule::AsksNothing, -32600);
    breaks(call(r#"{"resultType":"task"}"#), "result.taskId", Rule::Missing, -32600);
    let list =
        result(r#"{"resultType":"input_required","requestState":"s","tools":[],"ttlMs":0,"cacheScope":"private"}"#);
    let verdict = check_result(&list, Method::ToolsList, V2026_07_28, ServerToClient);
    breaks(verdict, "result.resultType", Rule::NotListed, -32600);
}

#[test]
fn questions_inside_a_result_are_checked_like_messages() {
    let ask = |request: &str| {
        let text = format!(r#"{{"resultType":"input_required","inputRequests":{{"q":{request}}}}}"#);
        check_result(&result(&text), Method::PromptsGet, V2026_07_28, ServerToClient)
    };
    passes(ask(r#"{"method":"roots/list"}"#));
    passes(ask(r#"{"method":"elicitation/create","params":{"mode":"url","message":"m","url":"https://a.test/"}}"#));
    let path = "result.inputRequests.*";
    breaks(ask(r#"{"method":"tools/call","params":{"name":"x"}}"#), &format!("{path}.method"), Rule::NotListed, -32600);
    for url in ["javascript:alert(1)", "file:///etc/passwd", "a.test"] {
        let text =
            format!(r#"{{"method":"elicitation/create","params":{{"mode":"url","message":"m","url":"{url}"}}}}"#);
        breaks(ask(&text), &format!("{path}.params.url"), Rule::UriScheme, -32600);
    }
}

#[test]
fn answers_inside_a_request_are_one_thing_each() {
    let retry = |answer: &str| {
        let call = modern("tools/call", &format!(r#""name":"x","requestState":"s","inputResponses":{{"q":{answer}}}"#));
        check_message(&call, V2026_07_28, ClientToServer)
    };
    passes(retry(r#"{"action":"accept","content":{"n":1.5,"l":["a"]}}"#));
    passes(retry(r#"{"roots":[{"uri":"file:///a"}]}"#));
    passes(retry(r#"{"role":"assistant","model":"m","content":{"type":"text","text":"t"}}"#));
    let path = "params.inputResponses.*";
    breaks(retry("{}"), path, Rule::AmbiguousVariant, -32602);
    breaks(retry(r#"{"action":"decline","roots":[]}"#), path, Rule::AmbiguousVariant, -32602);
    breaks(retry(r#"{"action":"yes"}"#), &format!("{path}.action"), Rule::NotListed, -32602);
}

#[test]
fn a_listen_stream_names_itself() {
    let told = |meta: &str| {
        let text = format!(r#"{{"jsonrpc":"2.0","method":"notifications/tools/list_changed","params":{{{meta}}}}}"#);
        check_message(&frame(&text), V2026_07_28, ServerToClient)
    };
    passes(told(r#""_meta":{"io.modelcontextprotocol/subscriptionId":7}"#));
    breaks(told(""), "params._meta", Rule::Missing, -32602);
    let path = "params._meta.io.modelcontextprotocol/subscriptionId";
    breaks(told(r#""_meta":{}"#), path, Rule::Missing, -32602);
    breaks(told(r#""_meta":{"io.modelcontextprotocol/subscriptionId":1.0}"#), path, Rule::InexactInteger, -32602);
}

#[test]
fn the_contents_of_a_resource_are_text_or_base64() {
    let read = |contents: &str| {
        let text = format!(r#"{{"contents":[{{"uri":"file:///a",{contents}}}]}}"#);
        check_result(&result(&text), Method::ResourcesRead, V2024_11_05, ServerToClient)
    };
    passes(read(r#""text":"a""#));
    passes(read(r#""blob":"AAA=""#));
    breaks(read(r#""blob":"AAA""#), "result.contents[0].blob", Rule::NotBase64, -32600);
    breaks(read(r#""text":"a","blob":"AAA=""#), "result.contents[0]", Rule::AmbiguousVariant, -32600);
    breaks(read(r#""mimeType":"text/plain""#), "result.contents[0]", Rule::AmbiguousVariant, -32600);
}

#[test]
fn content_blocks_are_those_of_the_revision() {
    let call = |revision, block: &str| {
        check_result(&result(&format!(r#"{{"content":[{block}]}}"#)), Method::ToolsCall, revision, ServerToClient)
    };
    let audio = r#"{"type":"audio","data":"AAAA","mimeType":"audio/wav"}"#;
    breaks(call(V2024_11_05, audio), "result.content[0].type", Rule::NotListed, -32600);
    passes(call(V2025_06_18, audio));
    breaks(call(V2025_06_18, r#"{"type":"video"}"#), "result.content[0].type", Rule::NotListed, -32600);
    breaks(call(V2025_06_18, r#"{"text":"a"}"#), "result.content[0].type", Rule::Missing, -32600);
}

#[test]
fn a_task_may_stand_for_a_result_where_the_core_has_tasks() {
    let task = r#""task":{"taskId":"t","status":"working","createdAt":"x","lastUpdatedAt":"y","ttl":null}"#;
    let call = |revision, text: &str| check_result(&result(text), Method::ToolsCall, revision, ServerToClient);
    passes(call(V2025_11_25, &format!("{{{task}}}")));
    breaks(call(V2025_11_25, &format!(r#"{{{task},"content":[]}}"#)), "result", Rule::AmbiguousVariant, -32600);
    breaks(call(V2025_06_18, &format!("{{{task}}}")), "result.content", Rule::Missing, -32600);
}

#[test]
fn errors_have_a_code_a_message_and_the_data_of_their_code() {
    let error = |revision, direction, rest: &str| {
        check_error(&frame(&format!(r#"{{"jsonrpc":"2.0",{rest}}}"#)), revision, direction)
    };
    passes(error(V2025_06_18, ClientToServer, r#""id":1,"error":{"code":-32601,"message":"m","data":[1]}"#));
    passes(error(V2025_11_25, ServerToClient, r#""error":{"code":-32700,"message":"m"}"#));
    breaks(error(V2025_06_18, ServerToClient, r#""error":{"code":-32700,"message":"m"}"#), "id", Rule::Missing, -32600);
    breaks(error(V2025_06_18, ServerToClient, r#""id":1,"error":{"code":1}"#), "error.message", Rule::Missing, -32600);
    breaks(error(V2025_06_18, ServerToClient, r#""id":1,"error":"x""#), "error", Rule::Kind("object"), -32600);
    let version = r#""id":1,"error":{"code":-32022,"message":"m","data":{"supported":["a"]}}"#;
    breaks(error(V2026_07_28, ServerToClient, version), "error.data.requested", Rule::Missing, -32600);
    passes(error(V2025_11_25, ServerToClient, version));
    let modern_client = error(V2026_07_28, ClientToServer, r#""id":1,"error":{"code":1,"message":"m"}"#);
    assert_eq!(modern_client, Err(InvalidMessage::WrongEnvelope));
}

#[test]
fn a_result_is_checked_in_its_own_direction() {
    let verdict = check_result(&result(r#"{"roots":[]}"#), Method::RootsList, V2025_11_25, ClientToServer);
    passes(verdict);
    let wrong_way = check_result(&result(r#"{"roots":[]}"#), Method::RootsList, V2025_11_25, ServerToClient);
    assert_eq!(wrong_way, Err(InvalidMessage::NotInRevision { method: Method::RootsList, revision: V2025_11_25 }));
    let notification = check_result(&result("{}"), Method::NotificationsCancelled, V2025_11_25, ServerToClient);
    assert_eq!(notification, Err(InvalidMessage::WrongKind { method: Method::NotificationsCancelled }));
}

/// Errors are shown to operators and, in part, to callers: they speak of the table, never in the peer's words.
#[test]
fn no_error_repeats_what_the_peer_wrote() {
    let call = modern("prompts/get", r#""name":"x","arguments":{"SECRET-NAME":5}"#);
    let error = check_message(&call, V2026_07_28, ClientToServer).unwrap_err();
    assert_eq!(error.to_string(), "`params.arguments.*`: string expected");
    let unknown = check_message(&request("SECRET-METHOD", "{}"), V2026_07_28, ClientToServer).unwrap_err();
    assert_eq!(unknown.to_string(), "unknown method");
}

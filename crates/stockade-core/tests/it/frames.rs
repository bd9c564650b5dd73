//! Frames: what JSON-RPC 2.0 lets pass, and what is refused with which code and which id (PA-01 to PA-14).

use bytes::Bytes;
use stockade_core::mcp::{Envelope, Frame, FrameError, Id, Method};
use stockade_core::wire::WireLimits;

fn read(text: &str) -> Result<Frame, FrameError> {
    Frame::read(Bytes::from(text.to_owned()), &WireLimits::DEFAULT)
}

/// Refused, with this word in the error, this code, and this id to answer with.
fn refused(text: &str, word: &str, code: i32, id: Option<&str>) {
    let error = read(text).expect_err(text);
    assert!(error.to_string().contains(word), "{text}: {error}");
    assert_eq!(error.code(), code, "{text}: {error}");
    assert_eq!(error.id().map(|id| id.to_json().into_owned()).as_deref(), id, "{text}");
}

#[test]
fn the_four_messages_are_told_apart() {
    let request = read(r#"{"jsonrpc":"2.0","id":"a","method":"tools\/call","params":{"name":"x"}}"#).unwrap();
    assert!(matches!(request.envelope(), Envelope::Request { method: Some(Method::ToolsCall), .. }));
    assert_eq!(request.method_name().unwrap(), "tools/call");
    assert_eq!(request.params().unwrap().raw(), r#"{"name":"x"}"#);
    assert_eq!(request.id().unwrap().to_json(), r#""a""#);

    let notification = read(r#"{"method":"vendor/thing","jsonrpc":"2.0","trace":{"x":1}}"#).unwrap();
    assert_eq!(notification.envelope(), &Envelope::Notification { method: None });
    assert_eq!(notification.method_name().unwrap(), "vendor/thing");

    let result = read(r#"{"jsonrpc":"2.0","id":7,"result":{}}"#).unwrap();
    assert_eq!(result.envelope(), &Envelope::Result { id: Id::from_number(7) });
    assert_eq!(result.result().unwrap().raw(), "{}");

    let error = read(r#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#).unwrap();
    assert_eq!(error.envelope(), &Envelope::Error { id: None });
    assert!(error.error().is_some() && error.id().is_none());
}

/// PA-08.
#[test]
fn ids_are_short_strings_or_exact_integers() {
    let with = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    let longest = format!("\"{}\"", "x".repeat(1024));
    for id in ["0", "-1", "9007199254740991", "-9007199254740991", "\"\"", "\"1\"", r#""\u0031""#, &longest] {
        assert_eq!(read(&with(id)).unwrap().id().unwrap().to_json(), id);
    }
    let too_long = format!("\"{}\"", "x".repeat(1025));
    for id in [
        "1e400",
        "9007199254740992",
        "9007199254740993",
        "1.0",
        "1e2",
        "-0",
        "null",
        "{}",
        "[1]",
        "true",
        "\"a\\u0000\"",
        &too_long,
    ] {
        refused(&with(id), "`id`", -32600, None);
    }
}

#[test]
fn an_id_is_its_value_and_its_type() {
    let id =
        |text: &str| read(&format!(r#"{{"jsonrpc":"2.0","id":{text},"result":{{}}}}"#)).unwrap().id().unwrap().clone();
    assert_ne!(id("1"), id("\"1\""));
    assert_eq!(id("\"1\""), id(r#""\u0031""#));
    assert_ne!(id("1"), id("2"));
}

#[test]
fn bytes_that_are_no_message_are_refused() {
    refused(r#"{"jsonrpc":"2.0","id":1,"method":"tools/call""#, "cannot be read", -32700, None);
    refused("[]", "batch", -32600, None);
    refused(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#, "batch", -32600, None);
    for text in ["1", "\"a\"", "null"] {
        refused(text, "not an object", -32600, None);
    }
    refused(r#"{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}"#, "cannot be read", -32600, None);
    refused(&format!("{}1{}", "[".repeat(100), "]".repeat(100)), "cannot be read", -32600, None);
}

#[test]
fn exactly_one_of_method_result_and_error_is_there() {
    for rest in [
        "",
        r#","result":{},"error":{"code":1,"message":""}"#,
        r#","method":"ping","result":{}"#,
        r#","method":"ping","error":{"code":1,"message":""}"#,
    ] {
        refused(&format!(r#"{{"jsonrpc":"2.0","id":1{rest}}}"#), "exactly one", -32600, Some("1"));
    }
    refused(r#"{"jsonrpc":"2.0","result":{}}"#, "without `id`", -32600, None);
    refused(r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#, "`params`", -32600, Some("1"));
}

#[test]
fn the_version_the_method_and_the_parameters_are_what_they_must_be() {
    for version in ["\"1.0\"", "2.0", "\"2.0 \"", "null"] {
        refused(&format!(r#"{{"jsonrpc":{version},"id":1,"method":"ping"}}"#), "jsonrpc", -32600, Some("1"));
    }
    refused(r#"{"id":1,"method":"ping"}"#, "jsonrpc", -32600, Some("1"));
    let long = format!("\"{}\"", "m".repeat(257));
    for method in ["1", "null", "\"\"", "\"tools/call\\u0000\"", "\"tools\\u001b[2K\"", &long] {
        refused(&format!(r#"{{"jsonrpc":"2.0","id":"q","method":{method}}}"#), "`method`", -32600, Some("\"q\""));
    }
    for params in ["[]", "null", "1", "\"x\""] {
        refused(
            &format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{params}}}"#),
            "`params`",
            -32600,
            Some("1"),
        );
    }
}

/// PA-05, PA-06.
#[test]
fn a_member_that_looks_like_one_of_the_envelope_is_refused() {
    for (name, looks_like) in [
        ("Method", "`method`"),
        ("PARAMS", "`params`"),
        ("param\u{17f}", "`params`"),
        ("jsonRpc", "`jsonrpc`"),
        ("\u{435}rror", "`error`"),
        ("re\u{200b}sult", "`result`"),
    ] {
        refused(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","{name}":1}}"#), looks_like, -32600, Some("1"));
    }
    refused(r#"{"jsonrpc":"2.0","id":1,"method":"ping","ID":2}"#, "`id`", -32600, None);
}

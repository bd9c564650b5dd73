//! What the upstream and the load generator say is what the published schemas allow.
//!
//! The schemas are not part of the repository: the folder with `<revision>/schema.json` is named by the variable
//! `STOCKADE_MCP_SCHEMAS`, or lies beside the repository as `shared/mcp-schema`. Without it the test says that it skipped.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use stockade_bench::payload;
use stockade_bench::plan::{Era, Work};
use stockade_bench::wire::Connection;

use crate::Part;

const WORKS: [Work; 3] = [Work::Echo1k, Work::Echo64k, Work::ToolsList];

/// Sends one message; gives status, session and the body as JSON (`null` if there is none).
async fn post(part: &Part, headers: &str, body: &Value) -> (u16, Option<String>, Value) {
    let body = body.to_string();
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut connection = Connection::open(&part.authority).await.unwrap();
    let answer = connection.exchange(request.as_bytes()).await.unwrap();
    let body = if answer.body.is_empty() { Value::Null } else { serde_json::from_slice(answer.body).unwrap() };
    (answer.status, answer.session, body)
}

const MODERN: &str = "MCP-Protocol-Version: 2026-07-28\r\n";
const LEGACY: &str = "MCP-Protocol-Version: 2025-11-25\r\nMcp-Session-Id: bench-0\r\n";

fn headers(era: Era) -> &'static str {
    if era == Era::Modern { MODERN } else { LEGACY }
}

fn discover() -> Value {
    let mut request = payload::request(Work::ToolsList, Era::Modern);
    request["method"] = json!("server/discover");
    request
}

fn schema_folder() -> Option<PathBuf> {
    let named = std::env::var_os("STOCKADE_MCP_SCHEMAS").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/mcp-schema"));
    folder.is_dir().then_some(folder)
}

/// The schema of one definition of a revision.
fn validator(folder: &Path, era: Era, definition: &str) -> jsonschema::Validator {
    let text = fs::read_to_string(folder.join(era.revision()).join("schema.json")).unwrap();
    let mut schema: Value = serde_json::from_str(&text).unwrap();
    assert!(schema["$defs"][definition].is_object(), "the schema has no {definition}");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    jsonschema::draft202012::new(&schema).unwrap()
}

fn check(folder: &Path, era: Era, definition: &str, message: &Value) {
    let errors: Vec<_> =
        validator(folder, era, definition).iter_errors(message).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{definition} of {}: {errors:?}", era.revision());
}

#[tokio::test]
async fn every_message_is_valid_in_its_revision() {
    let Some(folder) = schema_folder() else {
        println!("skipped: the published schemas are not here");
        return;
    };
    let upstream = Part::start(&["upstream"]);
    for era in [Era::Modern, Era::Legacy] {
        for work in WORKS {
            let (request_name, result_name) = match work {
                Work::ToolsList => ("ListToolsRequest", "ListToolsResult"),
                Work::Echo1k | Work::Echo64k => ("CallToolRequest", "CallToolResult"),
            };
            let request = payload::request(work, era);
            check(&folder, era, request_name, &request);
            let (status, _, answer) = post(&upstream, headers(era), &request).await;
            assert_eq!(status, 200);
            check(&folder, era, "JSONRPCResultResponse", &answer);
            check(&folder, era, result_name, &answer["result"]);
        }
    }
    check(&folder, Era::Legacy, "InitializeRequest", &payload::initialize());
    check(&folder, Era::Legacy, "InitializedNotification", &payload::initialized());
    let (_, _, answer) = post(&upstream, "", &payload::initialize()).await;
    check(&folder, Era::Legacy, "InitializeResult", &answer["result"]);
    check(&folder, Era::Modern, "DiscoverRequest", &discover());
    let (_, _, answer) = post(&upstream, MODERN, &discover()).await;
    check(&folder, Era::Modern, "DiscoverResultResponse", &answer);
}

#[test]
fn the_oracle_sees_a_wrong_message() {
    let Some(folder) = schema_folder() else {
        println!("skipped: the published schemas are not here");
        return;
    };
    let mut result = payload::result(Work::ToolsList, Era::Modern);
    assert!(validator(&folder, Era::Modern, "ListToolsResult").is_valid(&result));
    result.as_object_mut().unwrap().remove("cacheScope");
    assert!(!validator(&folder, Era::Modern, "ListToolsResult").is_valid(&result));
}

#[tokio::test]
async fn ids_come_back_as_they_were_sent() {
    let upstream = Part::start(&["upstream"]);
    for id in [json!(0), json!(-7), json!("a \"quoted\" id"), json!(9_007_199_254_740_993_u64)] {
        let mut request = payload::request(Work::Echo1k, Era::Modern);
        request["id"] = id.clone();
        let (status, _, answer) = post(&upstream, MODERN, &request).await;
        assert_eq!((status, &answer["id"]), (200, &id));
        assert_eq!(answer["result"]["content"][0]["text"].as_str().map(str::len), Some(1024));
    }
}

#[tokio::test]
async fn a_legacy_handshake_gives_a_session_and_needs_it_afterwards() {
    let upstream = Part::start(&["upstream"]);
    let (status, session, answer) = post(&upstream, "", &payload::initialize()).await;
    assert_eq!((status, &answer["result"]["protocolVersion"]), (200, &json!("2025-11-25")));
    let other = post(&upstream, "", &payload::initialize()).await.1;
    assert!(session.is_some() && session != other, "{session:?} {other:?}");
    assert_eq!(post(&upstream, LEGACY, &payload::initialized()).await.0, 202);
    let request = payload::request(Work::ToolsList, Era::Legacy);
    assert_eq!(post(&upstream, "MCP-Protocol-Version: 2025-11-25\r\n", &request).await.0, 400);
}

#[tokio::test]
async fn what_the_upstream_does_not_know_is_an_error_of_the_protocol() {
    let upstream = Part::start(&["upstream"]);
    let mut unknown_method = payload::request(Work::ToolsList, Era::Modern);
    unknown_method["method"] = json!("echo_1k");
    let mut unknown_tool = payload::request(Work::Echo1k, Era::Modern);
    unknown_tool["params"]["name"] = json!("tools/list");
    let cases = [
        (MODERN, &unknown_method, 404, -32601),
        (LEGACY, &unknown_method, 200, -32601),
        (MODERN, &unknown_tool, 200, -32602),
        ("MCP-Protocol-Version: 1999-01-01\r\n", &unknown_tool, 400, -32022),
    ];
    for (headers, request, status, code) in cases {
        let (found, _, answer) = post(&upstream, headers, request).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &json!(code)), "{headers}");
    }
}

#[tokio::test]
async fn the_proxy_changes_nothing_and_says_when_the_upstream_is_gone() {
    let upstream = Part::start(&["upstream"]);
    let proxy = Part::start(&["proxy", "--upstream", &upstream.authority]);
    let request = payload::request(Work::Echo64k, Era::Modern);
    let direct = post(&upstream, MODERN, &request).await;
    assert_eq!(post(&proxy, MODERN, &request).await, direct);
    drop(upstream);
    let body = request.to_string();
    let request = format!("POST /mcp HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut connection = Connection::open(&proxy.authority).await.unwrap();
    assert_eq!(connection.exchange(request.as_bytes()).await.unwrap().status, 502);
}

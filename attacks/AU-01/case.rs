//! AU-01: nothing is shown.

use crate::issued::{ERAS, Issued};
use serde_json::{Value, json};

const METHODS: [&str; 12] = [
    "initialize",
    "ping",
    "server/discover",
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "no/such/method",
];

#[test]
fn without_a_credential_nothing_is_told_but_where_to_ask() {
    let issued = Issued::open("");
    let metadata = "https://gw.test/.well-known/oauth-protected-resource/mcp/files";
    let mut count = 0;
    for era in ERAS {
        let client = issued.client(era);
        let mut messages: Vec<_> =
            METHODS.iter().map(|method| client.prepare(method, json!({ "name": "read_file" }))).collect();
        if !era.is_modern() {
            // The modern era has neither; its 405 tells nothing either.
            messages
                .extend(["GET", "DELETE"].map(|method| client.prepare_bodiless(method).header("Mcp-Session-Id", "x")));
        }
        for message in messages {
            let what = String::from_utf8_lossy(&message.body).into_owned();
            let answer = client.send(message);
            assert_eq!(answer.status(), 401, "{what}: {answer}");
            let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
            assert!(challenge.starts_with("Bearer "), "{what}: {challenge}");
            assert!(challenge.contains(&format!("resource_metadata=\"{metadata}\"")), "{what}: {challenge}");
            assert!(!challenge.contains("error="), "{what}: {challenge}");
            let said = String::from_utf8_lossy(&answer.raw).into_owned();
            for secret in ["read_file", "write_file", "tockade", "\"files\"", env!("CARGO_PKG_VERSION")] {
                assert!(!said.contains(secret), "{what}: {said}");
            }
            count += 1;
        }
    }
    assert_eq!(issued.upstream.recorder().count(), 0);
    let refused = issued.gateway.audit().into_iter().filter(|record| record.rule() == "identify").count();
    assert_eq!(refused, count);
}

#[test]
fn the_metadata_names_the_authorization_server_and_nothing_else() {
    let issued = Issued::open("");
    for (path, resource) in [
        ("/.well-known/oauth-protected-resource", "https://gw.test/mcp"),
        ("/.well-known/oauth-protected-resource/mcp", "https://gw.test/mcp"),
        ("/.well-known/oauth-protected-resource/mcp/files", "https://gw.test/mcp/files"),
    ] {
        let response = issued.raw(&format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", issued.gateway.address()));
        assert_eq!(response.status(), 200, "{path}");
        let said: Value = response.json();
        assert_eq!(said["resource"], resource, "{said}");
        assert_eq!(said["authorization_servers"], json!([issued.server.issuer()]), "{said}");
        let text = said.to_string();
        assert!(!text.contains("tockade") && !text.contains("read_file"), "{text}");
    }
}

//! EV-13: hostile `x-mcp-header`.

use crate::ground::{LONG, everything, lanes, modern_http_lanes, on_each};
use serde_json::{Value, json};
use testkit::{Tool, WellBehaved, text, wait_until};

fn property(schema: Value) -> Value {
    json!({ "type": "object", "properties": { "path": schema } })
}

fn named(header: &str) -> Value {
    property(json!({ "type": "string", "x-mcp-header": header }))
}

/// Schemas whose annotations no client may follow, each under the name of its tool.
fn hostile() -> Vec<(&'static str, Value)> {
    let nested = json!({ "type": "object", "$defs": { "inner": { "type": "string", "x-mcp-header": "Host" } },
        "properties": { "path": { "$ref": "#/$defs/inner" } } });
    let twice = json!({ "type": "object", "properties": {
        "path": { "type": "string", "x-mcp-header": "Region" },
        "other": { "type": "string", "x-mcp-header": "REGION" } } });
    let items = property(json!({ "type": "array", "items": { "type": "string", "x-mcp-header": "Region" } }));
    vec![
        ("empty", named("")),
        ("line_end", named("Authorization\r\nX-A")),
        ("colon", named("Host: evil.test")),
        ("space", named("A B")),
        ("letter", named("Région")),
        ("nested", nested),
        ("twice", twice),
        ("number", property(json!({ "type": "number", "x-mcp-header": "Region" }))),
        ("items", items),
        ("no_text", property(json!({ "type": "string", "x-mcp-header": 7 }))),
        ("list", property(json!({ "type": "string", "x-mcp-header": ["Region"] }))),
        (
            "outside",
            json!({ "type": "object", "x-mcp-header": "Region", "properties": { "path": { "type": "string" } } }),
        ),
        ("either", property(json!({ "anyOf": [{ "type": "string", "x-mcp-header": "Region" }] }))),
        ("look_alike", property(json!({ "type": "string", "X-Mcp-Header": "Region" }))),
    ]
}

/// `files`, the hostile tools, and one whose annotation is right.
fn server() -> WellBehaved {
    let tool = |name: &str, schema: Value| Tool::new(name, |_| text("ran")).schema(schema);
    let secret = property(json!({ "type": "string", "x-mcp-header": "Api-Key" }));
    let files = WellBehaved::files().tool(tool("right", named("Region"))).tool(tool("secret", secret));
    hostile().into_iter().fold(files, |files, (name, schema)| files.tool(tool(name, schema)))
}

fn listed(result: &Value) -> Vec<&str> {
    result["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect()
}

#[test]
fn a_tool_with_an_annotation_that_cannot_be_followed_is_left_out() {
    on_each(lanes().into_iter().filter(|lane| lane.era.is_modern()), server, everything, |scene| {
        let answer = scene.send(&scene.bob.prepare("tools/list", json!({})));
        assert_eq!(listed(answer.result()), ["read_file", "list_dir", "write_file", "delete_file", "right", "secret"]);
        let found = || {
            let records = scene.stage.audit();
            let of_list = records.iter().rfind(|record| record.method() == "tools/list" && record.phase() == "outcome");
            let findings = of_list.and_then(|record| record.0["findings"].as_array().cloned()).unwrap_or_default();
            let is_noted = |rule: &str, tool: &str| {
                findings.iter().any(|finding| finding["rule"] == rule && finding["place"] == format!("/tools/{tool}"))
            };
            hostile().iter().all(|(tool, _)| is_noted("x-mcp-header", tool))
                && is_noted("x-mcp-header-secret", "secret")
        };
        assert!(wait_until(LONG, found), "the record names each of them: {:#?}", scene.stage.audit().last());
    });
}

#[test]
fn where_the_annotation_means_nothing_it_hides_nothing() {
    on_each(lanes().into_iter().filter(|lane| !lane.era.is_modern()), server, everything, |scene| {
        let answer = scene.send(&scene.bob.prepare("tools/list", json!({})));
        assert_eq!(listed(answer.result()).len(), 6 + hostile().len());
    });
}

#[test]
fn no_hostile_header_is_ever_sent() {
    on_each(modern_http_lanes(), server, everything, |scene| {
        scene.send(&scene.bob.prepare("tools/list", json!({})));
        for (name, _) in hostile() {
            // A client that does not follow the annotation may call the tool nevertheless.
            scene.correct_call(name, json!({ "path": "evil.test", "other": "evil.test" }));
        }
        let message = scene.bob.prepare_call("right", json!({ "path": "eu" })).header("Mcp-Param-Region", "eu");
        assert_eq!(scene.send(&message).text(), "ran");
        for received in scene.stage.recorder().messages() {
            let Some(http) = &received.http else { continue };
            let params =
                http.head.headers.iter().filter(|(header, _)| header.to_ascii_lowercase().starts_with("mcp-param-"));
            let params: Vec<_> = params.map(|(header, value)| (header.to_ascii_lowercase(), value.clone())).collect();
            let expected: &[(String, String)] =
                if received.name() == "right" { &[("mcp-param-region".to_owned(), "eu".to_owned())] } else { &[] };
            assert_eq!(params, expected, "{received:?}");
            assert_eq!(received.header("x-a"), None);
            assert_ne!(received.header("host"), Some("evil.test"));
        }
    });
}

//! AU-25: empty means nobody.

use crate::ground::{DENIED, STOCKADE, http_lanes, on_each, only_tools};
use serde_json::{Value, json};
use testkit::{Gateway, GatewayOptions, TempFolder, WellBehaved};

/// Runs a command and gives what it said on standard output.
#[expect(clippy::disallowed_methods, reason = "the test asks the program itself for its schema")]
fn stockade(arguments: &[&str]) -> String {
    let folder = TempFolder::new();
    let mut command = std::process::Command::new(STOCKADE);
    let output = command.args(arguments).env_clear().env("HOME", folder.path()).output().expect("the program runs");
    String::from_utf8(output.stdout).expect("text")
}

/// Every list in the schema, as the path of its tables and its key. `*` stands for a name that an operator chooses.
fn lists(schema: &Value, path: &str, found: &mut Vec<(String, String)>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    for (name, property) in properties {
        let inner = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        match property["type"].as_str() {
            Some("array") if property["items"]["type"] == "object" => {
                lists(&property["items"], &format!("[{inner}]"), found);
            }
            Some("array") => found.push((path.to_owned(), name.clone())),
            Some("object") if property["additionalProperties"]["properties"].is_object() => {
                lists(&property["additionalProperties"], &format!("{inner}.x"), found);
            }
            Some("object") => lists(property, &inner, found),
            _ => {}
        }
    }
}

#[test]
fn no_empty_list_lets_a_gateway_start() {
    let schema: Value = serde_json::from_str(&stockade(&["config", "schema"])).expect("a schema");
    let mut all = Vec::new();
    lists(&schema, "", &mut all);
    for known in ["hosts", "origins", "callers", "servers", "client_ca"] {
        assert!(all.iter().any(|(_, key)| key == known), "{known} is one of {all:?}");
    }
    for (table, key) in all {
        let config = format!("[{table}]\n{key} = []\n");
        let options = GatewayOptions { config: Some(config.clone()), ..GatewayOptions::default() };
        let Err((status, stderr)) = Gateway::try_start(STOCKADE, options) else { panic!("it started with {config}") };
        assert_eq!(status.and_then(|status| status.code()), Some(2), "{config}{stderr}");
        assert!(stderr.contains(&format!("`{key}` in `[")) && stderr.contains("is an empty list"), "{config}{stderr}");
    }
}

#[test]
fn what_no_permit_names_is_nobodys() {
    // One permit for one tool; for every other tool the lists that could name it were left out.
    on_each(
        http_lanes(),
        WellBehaved::files,
        || only_tools(&["read_file"]),
        |scene| {
            for tool in ["write_file", "delete_file", "list_dir"] {
                let message = scene.bob.prepare_call(tool, json!({ "path": "a", "content": "b" }));
                let answer = scene.send(&message);
                scene.assert_blocked(&message, &answer, DENIED, "", "no rule allows it");
            }
        },
    );
}

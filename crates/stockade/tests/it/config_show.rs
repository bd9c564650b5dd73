//! What holds, where it comes from, and the schema.

use crate::golden;
use crate::program::Program;
use serde_json::Value;
use stockade::config::{json_schema, parse_for_fuzz};
use stockade_core::guard::LimitSettings;
use stockade_core::wire::WireLimits;

const FULL: &str = r#"[gateway]
listen = "127.0.0.1:9000"
resource = "https://mcp.example.com/mcp"
profile = "sandbox"
hosts = ["MCP.example.com"]
origins = ["https://app.example.com"]
oldest_revision = "2025-06-18"

[anonymous]
caller = "tester"

[limits]
calls_per_minute = 10
message_bytes = "1 MiB"
session_idle = "90s"

[servers.files]
command = ["npx", "-y", "server", "say \"hi\""]
environment = { TOKEN = "CANARY-environment" }
working_directory = "work"
effect = "read"

[servers.files.tools."write.file"]
effect = "write"
deadline = "5s"

[servers.db]
url = "https://db.internal/mcp?key=CANARY-query"
headers = { Authorization = "Bearer CANARY-header" }
era = "modern"

[[permit]]
callers = ["alice"]
servers = ["files"]
tools = ["read_*"]
from_server = ["roots"]
"#;

#[test]
fn every_value_is_shown_with_its_source_and_no_secret() {
    let program = Program::new();
    program.folder.write("stockade.toml", FULL);
    let said = program.run(&["config", "show", "--config", "stockade.toml", "--data", "elsewhere"]);
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    assert!(!said.stdout.contains("CANARY"), "{said:?}");
    golden::check("config_show.txt", &said.stdout);
    let json = program.run(&["config", "show", "--json", "--config", "stockade.toml", "--data", "elsewhere"]);
    assert!(!json.stdout.contains("CANARY"), "{json:?}");
    let lines: Vec<Value> = json.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), said.stdout.lines().count());
    let find = |key: &str| lines.iter().find(|line| line["key"] == key).unwrap();
    assert_eq!(find("limits.message_bytes")["value"], 1 << 20);
    assert_eq!(find("limits.message_bytes")["source"], "stockade.toml:14");
    assert_eq!(find("limits.depth")["source"], "default");
    assert_eq!(
        (&find("gateway.data")["source"], &find("gateway.data")["layer"]),
        (&"flag --data".into(), &"flag".into())
    );
    assert_eq!(find("servers.files.environment")["value"]["TOKEN"], "…");
}

#[test]
fn the_defaults_are_those_of_the_parts() {
    let said = Program::new().run(&["config", "show"]);
    golden::check("config_defaults.txt", &said.stdout);
    let config = parse_for_fuzz("").unwrap();
    assert_eq!(config.limits.caller, LimitSettings::default());
    assert_eq!(config.limits.wire, WireLimits::DEFAULT);
}

#[test]
fn the_data_folder_is_the_nearest_that_was_named() {
    let program = Program::new().with("STOCKADE_DATA", "/from/environment").with("STOCKADE_CONFIG", "c.toml");
    program.folder.write("c.toml", "[gateway]\ndata = \"from-file\"\n");
    let shown = |program: &Program, more: &[&str]| {
        let arguments = [&["config", "show"], more].concat();
        let said = program.run(&arguments);
        said.stdout.lines().find(|line| line.starts_with("gateway.data")).unwrap_or_default().to_owned()
    };
    assert_eq!(shown(&program, &["--data", "/from/flag"]), "gateway.data = \"/from/flag\"  # flag --data");
    assert_eq!(shown(&program, &[]), "gateway.data = \"/from/environment\"  # environment STOCKADE_DATA");
    let other = Program::new();
    other.folder.write("c.toml", "[gateway]\ndata = \"from-file\"\n");
    assert_eq!(shown(&other, &["--config", "c.toml"]), "gateway.data = \"FOLDER/from-file\"  # c.toml:2");
    assert_eq!(shown(&other, &[]), "gateway.data = \"FOLDER/.local/share/stockade\"  # default");
}

#[test]
fn a_checked_configuration_says_what_was_written() {
    let config = parse_for_fuzz(FULL).unwrap();
    assert_eq!(config.servers.iter().map(|server| server.name.as_str()).collect::<Vec<_>>(), ["db", "files"]);
    let files = &config.servers[1];
    assert_eq!((files.tools[0].name.as_str(), files.tools[0].deadline.as_secs()), ("write.file", 5));
    assert_eq!((files.deadline.as_secs(), files.line), (60, 17));
    assert!(config.gateway.hosts.iter().all(|host| host == "mcp.example.com"), "{:?}", config.gateway.hosts);
    assert_eq!(config.anonymous.unwrap().as_str(), "tester");
    assert_eq!((config.permits.len(), config.permits[0].place.line), (1, 32));
}

/// Judges a configuration by the schema, as an editor would.
fn fits(validator: &jsonschema::Validator, text: &str) -> bool {
    let value: Value = toml::from_str(text).unwrap();
    validator.is_valid(&value)
}

#[test]
fn the_schema_takes_what_the_check_takes() {
    let said = Program::new().run(&["config", "schema"]);
    let schema: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(schema, json_schema());
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
    assert!(fits(&validator, FULL) && fits(&validator, ""));
    for wrong in [
        "[gateway]\nlisen = \"127.0.0.1:1\"\n",
        "[gateway]\nprofile = \"prod\"\n",
        "[limits]\ndepth = 129\n",
        "[limits]\nidle = 75\n",
        "[limits]\nmessage_bytes = \"4 MB\"\n",
        "[anonymous]\n",
        "[servers.a]\ncommand = \"x\"\n",
        "[servers.a.tools.t]\neffect = \"harmless\"\n",
        "[[permit]]\ncallers = [\"a\"]\n",
        "unknown = 1\n",
    ] {
        assert!(!fits(&validator, wrong), "{wrong}");
        assert!(parse_for_fuzz(wrong).is_err(), "{wrong}");
    }
}

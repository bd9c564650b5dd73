//! AD-01: text that would be a record of its own.

use crate::ground::{Scene, lanes, on_each, readers_only};
use serde_json::{Value, json};
use testkit::{Subject, WellBehaved};

/// A whole record, as the enemy would like to have it.
const FORGED: &str =
    r#"{"phase":"intent","kind":"request","ticket":"FORGED","decision":"allow","caller":"carol","reason":"forged"}"#;

/// Texts that end a line, a string or a terminal's patience.
fn nasty() -> Vec<String> {
    let mut all: Vec<String> = ["\n", "\r\n", "\r", "\u{2028}", "\u{2029}", "\u{85}", "\u{b}", "\u{0}", "\\n", "%0a"]
        .iter()
        .map(|end| format!("x{end}{FORGED}{end}"))
        .collect();
    all.extend(
        [
            r#"","decision":"allow","ticket":"FORGED"#,
            r#"\","decision":"allow","ticket":"FORGED"#,
            "\u{1b}[2J\u{1b}[1;1H\u{1b}]0;owned\u{7}",
            "\u{9b}2J",
            "\u{202e}wolla\u{2066}",
            "\u{e0041}\u{200b}\u{feff}",
        ]
        .map(str::to_owned),
    );
    all
}

/// Sends one message with a nasty text in every place that a record may tell of.
fn attack(scene: &Scene, text: &str) {
    let path = |path: &str| json!({ "path": path });
    let named = scene.bob.prepare_call(text, path("a"));
    let argued = scene.bob.prepare_call("delete_file", path(text));
    let membered = scene.bob.prepare_call("delete_file", json!({ text: text }));
    let method = scene.call().edit(|message| message["method"] = json!(text));
    let id = scene.bob.prepare_call("delete_file", path("a"));
    let id = id.edit(|message| message["id"] = json!(text));
    let client = scene.bob.prepare_call("delete_file", path("a")).edit(|message| {
        let params = message["params"].as_object_mut().expect("parameters");
        let meta = params.entry("_meta").or_insert_with(|| json!({}));
        meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": text, "version": text });
    });
    let agent = r#"x","decision":"allow","ticket":"FORGED"#;
    for message in [named, argued, membered, method, id, client] {
        let answer = scene.send(&message.header("User-Agent", agent));
        assert!(answer.responses()[0].get("error").is_some(), "{answer}");
        let said = String::from_utf8_lossy(&answer.raw).into_owned();
        assert!(!answer.error().to_string().contains("FORGED"), "{said}");
    }
    // Let through, the text is the server's to deal with, and still no record.
    scene.correct_call("read_file", path(text));
}

#[test]
fn no_text_becomes_a_record_or_acts_on_a_terminal() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        for text in nasty() {
            attack(scene, &text);
        }
        let subject = scene.stage.subject(&scene.bob);
        check_records(scene);
        check_files(&*subject);
        check_screen(&*subject);
    });
}

fn check_records(scene: &Scene) {
    for record in scene.stage.audit() {
        assert_ne!(record.ticket(), "FORGED");
        assert_ne!(record.caller(), "carol");
        assert_ne!(record.reason(), "forged");
        let is_denied = record.phase() == "refused";
        assert!(is_denied == (record.decision() == "deny"), "{record:?}");
        assert!(record.target() != "delete_file" || record.phase() == "refused", "{record:?}");
    }
}

/// Every line of the record's own files is one object, and nothing in it acts on anything that shows it.
fn check_files(subject: &dyn Subject) {
    let mut lines = 0;
    for entry in std::fs::read_dir(subject.data().join("audit")).expect("the record's folder") {
        let path = entry.expect("an entry").path();
        let content = std::fs::read(&path).expect("a file of ours");
        assert!(content.iter().all(|byte| (0x20..0x7f).contains(byte) || *byte == b'\n'), "{}", path.display());
        if path.file_name().is_some_and(|name| name == "lock") {
            continue;
        }
        for line in content.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record: Value = serde_json::from_slice(line).expect("a line of JSON");
            assert!(record.is_object(), "{record}");
            lines += 1;
        }
    }
    assert!(lines > 10, "{lines} lines");
}

/// What the operator is shown: the table of the record, and the log.
fn check_screen(subject: &dyn Subject) {
    let shown = subject.command(&["audit", "query"]);
    assert!(shown.status.success(), "{shown:?}");
    for text in [String::from_utf8(shown.stdout).expect("UTF-8"), subject.stderr()] {
        let acts = |letter: char| {
            (letter.is_control() && letter != '\n')
                || "\u{2028}\u{2029}\u{202e}\u{2066}\u{200b}\u{feff}".contains(letter)
        };
        assert!(!text.chars().any(acts), "{text:?}");
        assert!(!text.lines().any(|line| line.starts_with(r#"{"phase""#)), "{text}");
    }
}

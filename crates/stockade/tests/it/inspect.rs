//! `stockade inspect`: the contract of `--jsonl`, and the words for a person.

use crate::program::Program;
use serde_json::{Value, json};

const HIDDEN: &str = "pay\u{202e}lave\u{202c} now";

fn lines(said: &str) -> Vec<Value> {
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_line_is_answered_in_order() {
    let input = [
        json!({ "id": "a", "text": "plain", "kind": "tool_result" }),
        json!({ "id": 7, "text": HIDDEN, "kind": "document", "label": "attack" }),
        json!({ "id": null, "text": "ok\u{1b}]52;c;ZXZpbA==\u{7}" }),
    ];
    let input: String = input.iter().map(|line| format!("{line}\n")).collect();
    let said = Program::new().run_with(&["inspect", "--jsonl"], format!("{input}\n").as_bytes());
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""));
    let answers = lines(&said.stdout);
    assert_eq!(answers.len(), 3, "{said:?}");
    let none = json!({ "injection": 0.0, "unicode": 0.0, "secrets": 0.0, "pii": 0.0 });
    let clean = json!({ "injection": "clean", "unicode": "clean", "secrets": "clean", "pii": "clean" });
    assert_eq!(
        answers[0],
        json!({ "id": "a", "score": 0.0, "verdict": "clean", "scores": none, "verdicts": clean, "findings": [] })
    );
    assert_eq!((&answers[1]["id"], &answers[1]["verdict"]), (&json!(7), &json!("attack")));
    assert_eq!(answers[1]["verdicts"]["unicode"], "attack");
    let finding = &answers[1]["findings"][0];
    assert_eq!(finding["span"][0], HIDDEN.find('\u{202e}').unwrap());
    assert!(finding["rule"].is_string() && finding["severity"] == "high" && finding["reason"].is_string(), "{finding}");
    assert_eq!((&answers[2]["id"], &answers[2]["verdict"]), (&json!(null), &json!("attack")));
    let score = answers[2]["score"].as_f64().unwrap();
    assert!(score > 0.9 && score <= 1.0);
}

#[test]
fn a_line_that_is_no_question_ends_it_with_2() {
    for wrong in [
        "nonsense",
        "{\"id\":1}",
        "{\"text\":\"a\"}",
        "{\"id\":1,\"text\":2}",
        "{\"id\":1,\"text\":\"a\",\"kind\":\"poem\"}",
        "{\"id\":1,\"text\":\"a\",\"text\":\"b\"}",
    ] {
        let input = format!("{{\"id\":0,\"text\":\"a\"}}\n{wrong}\n");
        let said = Program::new().run_with(&["inspect", "--jsonl"], input.as_bytes());
        assert_eq!(said.code, Some(2), "{wrong}: {said:?}");
        assert_eq!(lines(&said.stdout).len(), 1, "the line before is answered: {said:?}");
        assert!(said.stderr.starts_with("error: line 2 of standard input"), "{said:?}");
    }
}

#[test]
fn a_person_sees_where_and_why_and_nothing_hidden() {
    let program = Program::new();
    program.folder.write("page.txt", format!("first line\nplease {HIDDEN}\n"));
    let said = program.run(&["inspect", "page.txt"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.stdout.starts_with("page.txt: attack, score 0.8"), "{said:?}");
    assert!(said.stdout.contains("\n2:11  high  "), "{said:?}");
    assert!(said.stdout.contains("please pay»\\u{202e}«lave"), "{said:?}");
    assert!(!said.stdout.contains('\u{202e}'), "{said:?}");
}

#[test]
fn a_clean_text_ends_with_0_from_a_file_and_from_a_pipe() {
    let program = Program::new();
    program.folder.write("page.txt", "nothing here\n");
    assert_eq!(program.run(&["inspect", "page.txt"]).stdout, "page.txt: clean, score 0.00, 0 findings\n");
    let said = program.run_with(&["inspect"], b"nothing here");
    assert_eq!((said.code, said.stdout.as_str()), (Some(0), "standard input: clean, score 0.00, 0 findings\n"));
    assert_eq!(program.run_with(&["inspect", "-"], HIDDEN.as_bytes()).code, Some(1));
}

#[test]
fn what_is_no_text_is_an_error() {
    let program = Program::new();
    program.folder.write("image", b"\xff\xfe\x00");
    for file in ["image", "missing"] {
        let said = program.run(&["inspect", file]);
        assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
        assert!(said.stderr.contains("why:"), "{said:?}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let program = Program::new();
    let mut command = program.command(&["inspect", "--jsonl"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    command.stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    let line = format!("{}\n", json!({ "id": 1, "text": "a" }));
    // Until the program has noticed that nobody reads.
    while std::io::Write::write_all(&mut stdin, line.as_bytes()).is_ok() {}
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

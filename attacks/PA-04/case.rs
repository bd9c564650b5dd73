//! PA-04: a member twice.

use crate::ground::{INVALID_REQUEST, lanes, on_each, readers_only};
use testkit::WellBehaved;

#[test]
fn a_member_that_stands_twice_is_refused_and_neither_tool_runs() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let (own, secret) = (call.id.to_string(), scene.canaries.value("aws_key"));
        let arguments = format!(r#""arguments":{{"path":"{secret}"}}"#);
        let bent = [
            call.clone().replace(r#""name":"read_file""#, r#""name":"read_file","name":"delete_file""#),
            call.clone().replace(r#""name":"read_file""#, r#""name":"delete_file","name":"read_file""#),
            call.clone().replace(r#""name":"read_file""#, r#""name":"read_file","name":"read_file""#),
            call.clone().replace(r#""method":"tools/call""#, r#""method":"tools/call","method":"tools/list""#),
            call.clone().replace(&format!(r#""id":{own}"#), &format!(r#""id":{own},"id":"other""#)),
            call.clone().replace(r#""jsonrpc":"2.0""#, r#""jsonrpc":"2.0","jsonrpc":"2.0""#),
            call.clone().replace(&arguments, &format!(r#"{arguments},"arguments":{{"path":"b"}}"#)),
            call.clone().replace(&arguments, &format!(r#""arguments":{{"path":"{secret}","path":"b"}}"#)),
            call.clone().replace(&arguments, &format!(r#""arguments":{{"path":"{secret}","deep":[{{"a":1,"a":2}}]}}"#)),
            call.clone().replace(r#""params":"#, r#""params":{"name":"delete_file"},"params":"#),
        ];
        for message in bent {
            let answer = scene.send(&message);
            assert_eq!(answer.responses()[0].get("id"), None, "of two ids none is believed: {answer}");
            scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "duplicate member name");
        }
    });
}

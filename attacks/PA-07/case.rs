//! PA-07: a member twice, once in escapes.

use crate::ground::{INVALID_REQUEST, lanes, on_each, readers_only};
use testkit::WellBehaved;

#[test]
fn names_are_compared_after_unescaping() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let name = r#""name":"read_file""#;
        let path = format!(r#""path":"{}""#, scene.canaries.value("aws_key"));
        for (piece, by) in [
            (name, r#""name":"read_file","n\u0061me":"delete_file""#),
            (name, r#""n\u0061me":"delete_file","name":"read_file""#),
            (name, r#""\u006eame":"read_file","n\u0061me":"delete_file""#),
            (r#""method":"#, r#""m\u0065thod":"tools/list","method":"#),
            (r#""params":"#, r#""\u0070arams":{"name":"delete_file"},"params":"#),
            (path.as_str(), r#""path":"a","p\u0061th":"b""#),
            (path.as_str(), r#""a/b":"a","a\/b":"b","path":"c""#),
        ] {
            let message = call.clone().replace(piece, by);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "duplicate member name");
        }
    });
}

#[test]
fn an_escaped_name_is_the_name_for_the_policy_and_for_the_server() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.bob.prepare_call("read_file", serde_json::json!({ "path": "a" }));
        let message = call.replace(r#""name":"read_file""#, r#""n\u0061me":"re\u0061d_file""#);
        assert_eq!(scene.send(&message).text(), "read_file a");
        assert_eq!(scene.stage.recorder().calls("read_file").len(), 1);
    });
}

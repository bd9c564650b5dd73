//! PA-05: a member in another case of letters.

use crate::ground::{INVALID_PARAMS, INVALID_REQUEST, lanes, on_each, readers_only};
use testkit::WellBehaved;

#[test]
fn a_look_alike_beside_the_member_is_refused() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        let own = call.id.to_string();
        let name = r#""name":"read_file""#;
        let envelope = [
            call.clone().replace(r#""method":"#, r#""Method":"tools/list","method":"#),
            call.clone().replace(r#""params":"#, r#""PARAMS":{"name":"delete_file"},"params":"#),
            call.clone().replace(r#""jsonrpc":"#, r#""JsonRpc":"2.0","jsonrpc":"#),
            call.clone().replace(&format!(r#""id":{own}"#), &format!(r#""ID":7,"id":{own}"#)),
            call.clone().replace(r#""method":"#, r#""Result":{},"method":"#),
        ];
        for message in envelope {
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "looks like");
        }
        let parameters = [
            call.clone().replace(name, r#""name":"read_file","Name":"delete_file""#),
            call.clone().replace(name, r#""Name":"delete_file","name":"read_file""#),
            call.clone().replace(name, r#""name":"read_file","Arguments":{"path":"b"}"#),
            call.clone().replace(name, r#""name":"read_file","_META":{"progressToken":1}"#),
        ];
        for message in parameters {
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, INVALID_PARAMS, "validate", "looks like a member of the protocol");
        }
        let path = format!(r#""path":"{}""#, scene.canaries.value("aws_key"));
        let siblings = call.clone().replace(&path, &format!(r#"{path},"Path":"b""#));
        let answer = scene.send(&siblings);
        scene.assert_blocked(&siblings, &answer, INVALID_PARAMS, "validate", "two members look alike");
    });
}

#[test]
fn a_look_alike_in_place_of_the_member_is_refused() {
    on_each(lanes(), WellBehaved::files, readers_only, |scene| {
        let call = scene.call();
        for (piece, by) in [
            (r#""method":"#, r#""Method":"#),
            (r#""params":"#, r#""PARAMS":"#),
            (r#""jsonrpc":"#, r#""JSONRPC":"#),
            (r#""id":"#, r#""Id":"#),
        ] {
            let message = call.clone().replace(piece, by);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, INVALID_REQUEST, "read", "looks like");
        }
        for (piece, by) in [(r#""name":"read_file""#, r#""NAME":"read_file""#), (r#""arguments":"#, r#""Arguments":"#)]
        {
            let message = call.clone().replace(piece, by);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, INVALID_PARAMS, "validate", "");
        }
    });
}

//! PA-11: content types.

use crate::ground::{DENIED, UNSUPPORTED_MEDIA, http_lanes, on_each, readers_only};
use serde_json::json;
use testkit::WellBehaved;

#[test]
fn every_spelling_of_json_meets_the_policy_and_every_other_type_is_refused() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        let path = scene.canaries.value("aws_key");
        let send = |content_type: Option<&str>| {
            let message = scene.bob.prepare_call("delete_file", json!({ "path": path }));
            let outgoing = message.outgoing();
            let outgoing = match content_type {
                Some(value) => outgoing.header("Content-Type", value),
                None => outgoing.without("Content-Type"),
            };
            scene.count(1);
            (message, scene.bob.http().send(outgoing))
        };
        for json in ["application/json", "Application/JSON", "application/json;charset=UTF-8", "application/json ;x=y"]
        {
            let (message, answer) = send(Some(json));
            scene.assert_blocked(&message, &answer, DENIED, "", "no rule");
        }
        let others = [
            "text/json",
            "text/plain",
            "application/json, text/html",
            "text/html, application/json",
            "application/vnd.api+json",
            "application/jsonx",
            "application",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "",
        ];
        for other in others.map(Some).into_iter().chain([None]) {
            let (message, answer) = send(other);
            scene.assert_blocked(&message, &answer, UNSUPPORTED_MEDIA, "door", "content type");
        }
    });
}

#[test]
fn a_spelling_of_json_is_as_good_as_any_for_who_may() {
    on_each(http_lanes(), WellBehaved::files, readers_only, |scene| {
        for json in ["Application/JSON", "application/json;charset=UTF-8", "application/json ;x=y"] {
            let message = scene.bob.prepare_call("read_file", json!({ "path": "a" }));
            scene.count(1);
            let answer = scene.bob.http().send(message.outgoing().header("Content-Type", json));
            assert_eq!(answer.text(), "read_file a", "{json}");
        }
    });
}

//! PA-15: request smuggling by two lengths.

use crate::ground::{Scene, everything, http_lanes, on_each, on_each_with};
use serde_json::json;
use testkit::{Config, HttpClient, Permit, WellBehaved};

/// `alice` may delete, everybody else only read: a smuggled request of hers would be let through.
fn alice_may_delete() -> Config {
    let permit = |caller: &str, tools: &[&str]| Permit::new().callers(&[caller]).servers(&["files"]).tools(tools);
    Config::new().permit(permit("*", &["read_file"])).permit(permit("alice", &["delete_file"]))
}

/// A correct and permitted request of another caller's, as bytes.
fn smuggled(alice: &HttpClient) -> Vec<u8> {
    alice.prepare_call("delete_file", json!({ "path": "a" })).to_bytes()
}

/// The head of a correct request of `bob`'s with these lines in the place of its length.
fn head(scene: &Scene, lengths: &str) -> Vec<u8> {
    let mut whole = scene.call().outgoing().without("Content-Length").add("X-Lengths", "here");
    whole.body.clear();
    let text = String::from_utf8(whole.to_bytes()).unwrap();
    text.replace("Content-Length: 0\r\n", "").replace("X-Lengths: here\r\n", lengths).into_bytes()
}

#[test]
fn a_request_of_two_lengths_is_cut_off_and_nothing_hides_in_it() {
    on_each_with(&["alice"], http_lanes(), WellBehaved::files, alice_may_delete, |scene| {
        let hidden = smuggled(scene.others[0].http());
        let size = format!("{:x}\r\n", hidden.len());
        let whole_chunk = [size.as_bytes(), &hidden, b"\r\n0\r\n\r\n"].concat();
        let after_end = [&b"0\r\n\r\n"[..], &hidden].concat();
        for (lengths, body) in [
            ("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", &after_end),
            ("Transfer-Encoding: chunked\r\nContent-Length: 6\r\n", &after_end),
            ("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n", &after_end),
            ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", &whole_chunk),
            ("Content-Length: 4\r\nTransfer-Encoding: CHUNKED\r\n", &whole_chunk),
            ("content-length:4\r\ntransfer-encoding:chunked\r\n", &whole_chunk),
        ] {
            scene.assert_cut_off(
                [&head(scene, lengths)[..], body].concat(),
                400,
                "both a length and a transfer coding",
            );
            scene.stage.recorder().assert_nothing();
        }
        // The next client on a fresh connection gets its own answer.
        assert_eq!(scene.correct_call("read_file", json!({ "path": "own" })).text(), "read_file own");
        assert_eq!(scene.stage.recorder().calls("delete_file").len(), 0);
    });
}

#[test]
fn what_follows_a_whole_request_is_the_next_request_with_its_own_key() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        let first = scene.bob.prepare_call("read_file", json!({ "path": "first" })).outgoing().to_bytes();
        let second = scene.bob.prepare_call("read_file", json!({ "path": "second" })).outgoing();
        let second = second.header("Authorization", "Bearer nobody").to_bytes();
        let mut connection = testkit::RawHttp::connect(scene.gateway().address()).unwrap();
        connection.send([first, second].concat()).unwrap();
        scene.count(2);
        let answer = connection.response(crate::ground::LONG).unwrap();
        assert_eq!((answer.status(), &answer.json()["result"]["content"][0]["text"]), (200, &json!("read_file first")));
        let refusal = connection.response(crate::ground::LONG).unwrap();
        assert_eq!(refusal.status(), 401);
        assert_eq!(scene.stage.recorder().calls("read_file").len(), 1);
    });
}

//! AU-22: pages of other sites.

use crate::ground::{FORBIDDEN, Message, NOT_ALLOWED, Scene, UNSUPPORTED_MEDIA, everything, http_lanes, on_each};
use testkit::{Answer, WellBehaved};

/// Origins that are nobody's here, and such as look like ours.
fn origins(scene: &Scene) -> Vec<String> {
    let own = scene.gateway().address();
    let port = own.rsplit(':').next().expect("a port");
    vec![
        "https://evil.example".to_owned(),
        "null".to_owned(),
        String::new(),
        "http://localhost".to_owned(),
        format!("http://{own}.evil.example"),
        format!("http://evil.example:{port}"),
        format!("http://{own}/"),
        format!("HTTP://{own}"),
    ]
}

#[track_caller]
fn assert_unreadable(answer: &Answer) {
    let head = answer.head.as_ref().expect("a head");
    let opens = |(name, _): &&(String, String)| name.to_ascii_lowercase().starts_with("access-control-");
    assert_eq!(head.headers.iter().find(opens), None, "{answer}");
}

/// What a page can make a browser send, but for the origin.
fn attempts(scene: &Scene) -> Vec<Message> {
    let call = || scene.call();
    let form = "jsonrpc=2.0&method=tools/call";
    vec![
        scene
            .bob
            .prepare_bodiless("OPTIONS")
            .header("Access-Control-Request-Method", "POST")
            .header("Access-Control-Request-Headers", "authorization,content-type,mcp-session-id"),
        call(),
        call().header("Content-Type", "text/plain"),
        call().header("Content-Type", "text/plain").without_header("Authorization"),
        call().with(form).header("Content-Type", "application/x-www-form-urlencoded"),
        call().with(form).header("Content-Type", "multipart/form-data; boundary=x"),
        scene.bob.prepare_bodiless("GET").header("Accept", "text/event-stream"),
        scene.bob.prepare_bodiless("DELETE"),
    ]
}

#[test]
fn a_page_of_another_site_gets_nothing_and_may_read_nothing() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        for origin in origins(scene) {
            for attempt in attempts(scene) {
                let message = attempt.header("Origin", &origin);
                let answer = scene.send(&message);
                assert_unreadable(&answer);
                scene.assert_blocked(&message, &answer, FORBIDDEN, "door", "origin");
            }
        }
    });
}

#[test]
fn without_an_origin_a_form_is_no_message() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        for content in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"] {
            let message = scene.call().header("Content-Type", content);
            let answer = scene.send(&message);
            assert_unreadable(&answer);
            scene.assert_blocked(&message, &answer, UNSUPPORTED_MEDIA, "door", "application/json");
        }
    });
}

#[test]
fn even_a_listed_page_is_not_told_that_it_may_read() {
    on_each(http_lanes(), WellBehaved::files, everything, |scene| {
        let own = format!("http://{}", scene.gateway().address());
        let preflight = scene.bob.prepare_bodiless("OPTIONS").header("Origin", &own);
        let answer = scene.send(&preflight);
        assert_unreadable(&answer);
        scene.assert_blocked(&preflight, &answer, NOT_ALLOWED, "door", "");
        let call = scene.call().header("Origin", &own);
        let answer = scene.send(&call);
        assert_eq!(answer.status(), 200, "{answer}");
        assert_unreadable(&answer);
    });
}

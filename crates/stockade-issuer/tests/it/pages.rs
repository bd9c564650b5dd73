//! What people see: nothing of a peer's that acts, and a policy that would let nothing act.

use crate::browser::{Browser, REDIRECT, asking, changed};
use crate::ground::{Ground, member};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use std::sync::OnceLock;
use std::time::Duration;
use stockade_core::wire::{Digest, to_json_string};
use stockade_issuer::IssuerResponse;

/// Looks at a page as an attacker would.
fn check_page(page: &IssuerResponse) {
    let text = std::str::from_utf8(&page.body).unwrap();
    let style = text.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap();
    let digest = STANDARD.encode(Digest::of(style.as_bytes()).as_bytes());
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    );
    assert_eq!(page.header("content-security-policy"), Some(policy.as_str()));
    assert_eq!(page.header("x-frame-options"), Some("DENY"));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    assert!(["same-origin", "no-referrer"].contains(&page.header("referrer-policy").unwrap()));
    for never in ["<script", "<img", "<iframe", "javascript:", " onerror=", " onload=", "<svg", "src="] {
        assert!(!text.to_lowercase().contains(never), "{never} in {text}");
    }
    let tags = text.matches('<').count();
    assert_eq!(tags, text.matches('>').count(), "{text}");
}

fn register(ground: &Ground, name: &str) -> String {
    let body = format!(
        r#"{{"redirect_uris":["{REDIRECT}","https://app.example/cb"],"client_name":{},
            "token_endpoint_auth_method":"none"}}"#,
        to_json_string(name)
    );
    member(&ground.register(&body), "client_id")
}

#[test]
fn a_name_cannot_act_hide_or_break_out() {
    let ground = Ground::new();
    let tags = |text: &str| text.matches('<').count();
    let plain = Browser::open(&ground, &asking(&register(&ground, "Plain")));
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "</q></p><form action=https://evil.example>",
        "a\u{202e}evil\u{202c}b",
        "zero\u{200b}width",
        "' onload='alert(1)",
        "{{7*7}}",
        "javascript&colon;alert(1)",
    ] {
        let client = register(&ground, name);
        let mut browser = Browser::open(&ground, &asking(&client));
        let text = browser.text();
        assert_eq!(tags(&text), tags(&plain.text()), "{text}");
        assert!(!text.contains('\u{202e}') && !text.contains('\u{200b}'), "{text}");
        browser.sign_in();
        assert!(browser.text().contains("Anybody can register under any name."));
        assert!(!browser.text().contains("<script") && !browser.text().contains("<img"), "{}", browser.text());
    }
}

#[test]
fn every_page_has_the_policy() {
    let ground = Ground::new();
    let client = register(&ground, "Client");
    let mut browser = Browser::open(&ground, &asking(&client));
    check_page(&browser.page);
    browser.submit("/sign-in", &[("user", "alice"), ("password", "wrong")]);
    check_page(&browser.page);
    browser.sign_in();
    check_page(&browser.page);
    browser.allow();
    check_page(&browser.page);
    assert_eq!(browser.page.header("referrer-policy"), Some("no-referrer"), "the code is in this page");
    check_page(&Browser::open(&ground, &changed(&client, "client_id", None)).page);
    let mut wrong = changed(&client, "redirect_uri", Some("https://app.example/cb"));
    wrong.retain(|(name, _)| *name != "scope");
    wrong.push(("scope", "none".to_owned()));
    check_page(&Browser::open(&ground, &wrong).page);
    check_page(&ground.post("/consent", &[]));
}

#[test]
fn a_browser_is_told_where_the_answer_goes() {
    let ground = Ground::new();
    let client = ground.client(&["https://app.example/cb", "cursor://anysphere/cb", REDIRECT]);
    let place = |redirect: &str| {
        let mut browser = Browser::open(&ground, &changed(&client, "redirect_uri", Some(redirect)));
        browser.sign_in();
        browser.text()
    };
    assert!(place("https://app.example/cb").contains("<strong>app.example</strong>"));
    assert!(place("cursor://anysphere/cb").contains("opens <code>cursor:</code> links"));
    let expected = "<strong>127.0.0.1:33418</strong>: a program on the computer of this browser";
    assert!(place(REDIRECT).contains(expected));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn no_name_and_no_state_changes_a_page(name in "\\PC{1,60}", state in "\\PC{1,60}") {
        static GROUND: OnceLock<(Ground, usize)> = OnceLock::new();
        let (ground, plain) = GROUND.get_or_init(|| {
            let ground = Ground::new();
            let tags = Browser::open(&ground, &asking(&register(&ground, "Plain"))).text().matches('<').count();
            (ground, tags)
        });
        ground.clock.pass(Duration::from_secs(20));
        let client = register(ground, &name);
        let mut browser = Browser::open(ground, &changed(&client, "state", Some(&state)));
        prop_assume!(browser.page.status == 200 && !name.trim().is_empty());
        prop_assert!(browser.text().matches('<').count().abs_diff(*plain) <= 2);
        check_page(&browser.page);
        browser.sign_in();
        check_page(&browser.page);
        browser.allow();
        check_page(&browser.page);
        prop_assert_eq!(crate::browser::parameter(&browser.goes_to(), "state"), Some(state));
    }
}

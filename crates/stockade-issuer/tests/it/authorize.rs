//! The authorization endpoint: what is refused on a page, what the client is told, and that nobody is sent anywhere else.

use crate::browser::{Browser, REDIRECT, asking, changed, parameter, query};
use crate::ground::{Ground, ISSUER};
use proptest::prelude::*;
use std::sync::OnceLock;
use std::time::Duration;
use stockade_issuer::{Happening, SIGN_INS_PER_SENDER, STATE_BYTES};

/// Where an answer sends the browser, whichever way.
fn sent_to(browser: &Browser<'_>) -> Option<String> {
    let by_header = browser.page.header("location").map(str::to_owned);
    by_header.or_else(|| browser.text().contains("http-equiv").then(|| browser.goes_to()))
}

#[test]
fn a_good_request_gets_the_sign_in_page_and_nothing_else() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let browser = Browser::open(&ground, &asking(&client));
    assert_eq!((browser.page.status, sent_to(&browser)), (200, None));
    let text = browser.text();
    for there in ["Test client", "http://127.0.0.1:8443/mcp", "type=\"password\"", "action=\"/sign-in\""] {
        assert!(text.contains(there), "{there} in {text}");
    }
}

#[test]
fn a_request_whose_client_or_redirect_is_wrong_ends_on_a_page() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT, "https://app.example/cb"]);
    let unknown = "stc_AAAAAAAAAAAAAAAAAAAAAA";
    let long = "s".repeat(STATE_BYTES + 1);
    let cases = [
        changed(&client, "client_id", None),
        changed(&client, "client_id", Some("")),
        changed(&client, "client_id", Some("someone")),
        changed(&client, "client_id", Some(unknown)),
        changed(&client, "client_id", Some("https://app.example/none.json")),
        changed(&client, "client_id", Some("https://127.0.0.1/client.json")),
        changed(&client, "redirect_uri", None),
        changed(&client, "redirect_uri", Some("https://app.example/cb.evil.example")),
        changed(&client, "redirect_uri", Some("https://app.example/cb/")),
        changed(&client, "redirect_uri", Some("https://app.example/cb?x=1")),
        changed(&client, "redirect_uri", Some("https://app.example/CB")),
        changed(&client, "redirect_uri", Some("https://app.example:443/cb")),
        changed(&client, "redirect_uri", Some("https://app.example@evil.example/cb")),
        changed(&client, "redirect_uri", Some("https://evil.example/cb")),
        changed(&client, "redirect_uri", Some("http://app.example/cb")),
        changed(&client, "redirect_uri", Some("//app.example/cb")),
        changed(&client, "redirect_uri", Some("http://127.0.0.1:33418/callback/../x")),
        changed(&client, "redirect_uri", Some("http://localhost:33418/callback")),
        changed(&client, "redirect_uri", Some("javascript:alert(1)")),
        changed(&client, "state", Some(&long)),
    ];
    for parameters in cases {
        let browser = Browser::open(&ground, &parameters);
        assert_eq!(sent_to(&browser), None, "{parameters:?}");
        assert_eq!(browser.page.status, 400, "{parameters:?}");
        assert!(!browser.text().contains("evil"), "nothing of the request is on the page: {}", browser.text());
    }
    assert_eq!(ground.count(Happening::Refused), 20);
}

#[test]
fn a_repeated_parameter_ends_on_a_page_whichever_it_is() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    for (name, value) in asking(&client) {
        let doubled = format!("{}&{name}={value}", query(&asking(&client)));
        let answer = ground.get("/authorize", Some(&doubled.replace(' ', "+")));
        assert_eq!((answer.status, answer.header("location")), (400, None), "{name}");
    }
    let odd = format!("{}&a=%", query(&asking(&client)));
    assert_eq!(ground.get("/authorize", Some(&odd)).status, 400);
    assert_eq!(ground.get("/authorize", None).status, 400);
}

#[test]
fn a_mistake_of_a_client_on_loopback_goes_back_to_it_with_its_state_and_our_name() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let check = |name: &'static str, value: Option<&str>, error: &str| {
        let browser = Browser::open(&ground, &changed(&client, name, value));
        let to = browser.page.header("location").unwrap_or_else(|| panic!("{name} {value:?}: {}", browser.text()));
        assert!(to.starts_with(&format!("{REDIRECT}?error=")), "{to}");
        assert_eq!(browser.page.status, 302);
        assert_eq!(parameter(to, "error").as_deref(), Some(error), "{name} {value:?}");
        assert_eq!(parameter(to, "state").as_deref(), Some("st+a t&e=1"));
        assert_eq!(parameter(to, "iss").as_deref(), Some(ISSUER));
        assert_eq!(parameter(to, "code"), None);
    };
    check("response_type", None, "invalid_request");
    check("response_type", Some("token"), "unsupported_response_type");
    check("response_type", Some("code id_token"), "unsupported_response_type");
    check("code_challenge", None, "invalid_request");
    check("code_challenge", Some("short"), "invalid_request");
    check("code_challenge_method", None, "invalid_request");
    check("code_challenge_method", Some("plain"), "invalid_request");
    check("code_challenge_method", Some("s256"), "invalid_request");
    check("resource", None, "invalid_target");
    check("resource", Some("http://127.0.0.1:8443/mcp/"), "invalid_target");
    check("resource", Some("http://127.0.0.1:8443/mcp/db"), "invalid_target");
    check("resource", Some("http://127.0.0.1:8443"), "invalid_target");
    check("resource", Some("https://mcp.example/mcp"), "invalid_target");
    check("resource", Some("not a uri"), "invalid_target");
    check("scope", Some("admin"), "invalid_scope");
    check("scope", Some("mcp \"x\""), "invalid_scope");
    check("request", Some("eyJ"), "request_not_supported");
    check("request_uri", Some("https://app.example/r"), "request_uri_not_supported");
    check("response_mode", Some("form_post"), "invalid_request");
}

#[test]
fn nobody_is_sent_to_a_web_address_or_a_program_without_having_done_something_here() {
    let ground = Ground::new();
    let client = ground.client(&["https://app.example/cb", "cursor://anysphere/cb"]);
    for redirect in ["https://app.example/cb", "cursor://anysphere/cb"] {
        let mut parameters = changed(&client, "redirect_uri", Some(redirect));
        parameters.retain(|(name, _)| *name != "resource");
        let browser = Browser::open(&ground, &parameters);
        assert_eq!((browser.page.status, sent_to(&browser)), (400, None));
        assert!(browser.text().contains(&format!("href=\"{redirect}?error=invalid_target")), "{}", browser.text());
    }
}

#[test]
fn what_is_allowed_beside_the_usual_is_taken() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT, "http://localhost/cb", "http://[::1]/cb"]);
    let check = |name: &'static str, value: Option<&str>| {
        let browser = Browser::open(&ground, &changed(&client, name, value));
        assert_eq!(browser.page.status, 200, "{name} {value:?}: {}", browser.text());
    };
    check("redirect_uri", Some("http://127.0.0.1:1/callback"));
    check("redirect_uri", Some("http://localhost:65535/cb"));
    check("redirect_uri", Some("http://[::1]:5/cb"));
    check("scope", None);
    check("scope", Some("openid mcp offline_access"));
    check("state", None);
    check("resource", Some("http://127.0.0.1:8443/mcp/files"));
    check("response_mode", Some("query"));
    check("nonce", Some("unknown parameters are ignored"));
}

#[test]
fn the_sign_ins_of_one_sender_are_bounded() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut first = Browser::open(&ground, &asking(&client));
    ground.clock.pass(Duration::from_secs(2));
    let mut second = Browser::open(&ground, &asking(&client));
    for _ in 1..SIGN_INS_PER_SENDER {
        ground.clock.pass(Duration::from_secs(2));
        assert_eq!(Browser::open(&ground, &asking(&client)).page.status, 200);
    }
    assert_eq!(first.sign_in(), 400, "the oldest has gone");
    assert_eq!(second.sign_in(), 200, "{}", second.text());
}

#[test]
fn a_store_that_is_down_lets_nobody_begin() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut browser = Browser::open(&ground, &asking(&client));
    let memory = ground.memory.as_ref().unwrap();
    memory.is_down.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(Browser::open(&ground, &asking(&client)).page.status, 503);
    assert_eq!(browser.sign_in(), 503);
    assert!(ground.last_reason().contains("told to fail"), "{}", ground.last_reason());
    assert!(!browser.text().contains("told to fail"));
    assert_eq!(ground.get("/jwks.json", None).status, 503);
    assert_eq!(crate::browser::redeem(&ground, &client, "code").status, 503);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    /// Whatever stands in `redirect_uri`, the browser goes to the registered place or stays.
    #[test]
    fn no_text_opens_a_redirect(text in prop_oneof![
        "[!-~]{0,40}",
        "https://app\\.example[!-~]{0,20}",
        "http://127\\.0\\.0\\.1[!-~]{0,20}",
        "https://[!-~]{0,20}app\\.example/cb",
    ]) {
        static GROUND: OnceLock<(Ground, String)> = OnceLock::new();
        let (ground, client) = GROUND.get_or_init(|| {
            let ground = Ground::new();
            let client = ground.client(&["https://app.example/cb", "http://127.0.0.1/cb"]);
            (ground, client)
        });
        ground.clock.pass(Duration::from_secs(10));
        let mut parameters = changed(client, "redirect_uri", Some(&text));
        parameters.retain(|(name, _)| *name != "resource");
        let browser = Browser::open(ground, &parameters);
        if let Some(to) = browser.page.header("location") {
            let port = to.strip_prefix("http://127.0.0.1").and_then(|rest| rest.split("/cb?error=").next());
            let port = port.unwrap_or_else(|| panic!("{text} opens {to}"));
            prop_assert!(port.is_empty() || port.strip_prefix(':').is_some_and(|digits| digits.parse::<u16>().is_ok()));
        }
    }
}

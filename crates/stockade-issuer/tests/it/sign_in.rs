//! Password and consent: who gets a code, and who does not.

use crate::browser::{Browser, REDIRECT, asking, changed, code_for, parameter, redeem};
use crate::ground::{Ground, ISSUER, PASSWORD, RESOURCE, find, form_request, member, name};
use std::time::Duration;
use stockade_core::words::Secret;
use stockade_issuer::{
    Happening, IssuerHeaders, IssuerRequest, SENDER_FAILURES, SIGN_IN_FAILURES, SIGN_IN_LIFE, USER_FAILURES,
};

fn ten_at_once(ground: &Ground, client: &str) -> Vec<String> {
    (0..10)
        .map(|_| {
            ground.clock.pass(Duration::from_secs(30));
            code_for(ground, &asking(client))
        })
        .collect()
}

#[test]
fn a_user_signs_in_and_a_client_gets_tokens_over_either_store() {
    for ground in [Ground::new(), Ground::with_database()] {
        let client = ground.client(&[REDIRECT]);
        let mut browser = Browser::open(&ground, &asking(&client));
        assert_eq!(browser.sign_in(), 200);
        let text = browser.text();
        for there in ["<strong>alice</strong>", "Test client", RESOURCE, "program on the computer", "(mcp)"] {
            assert!(text.contains(there), "{there} in {text}");
        }
        assert_eq!(browser.allow(), 200);
        let to = browser.goes_to();
        assert!(to.starts_with(&format!("{REDIRECT}?code=")), "{to}");
        assert_eq!(parameter(&to, "state").as_deref(), Some("st+a t&e=1"));
        assert_eq!(parameter(&to, "iss").as_deref(), Some(ISSUER));
        let answer = redeem(&ground, &client, &parameter(&to, "code").unwrap());
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert_eq!(member(&answer, "token_type"), "Bearer");
        assert_eq!(member(&answer, "expires_in"), "600");
        assert_eq!(member(&answer, "scope"), "mcp");
        let told = |what| ground.count(what);
        let all = [Happening::SignedIn, Happening::Consented, Happening::TokensIssued, Happening::ClientRegistered];
        assert_eq!(all.map(told), [1; 4]);
    }
}

#[test]
fn a_client_that_may_not_refresh_gets_no_refresh_token() {
    let ground = Ground::new();
    let body = format!(r#"{{"redirect_uris":["{REDIRECT}"],"token_endpoint_auth_method":"none"}}"#);
    let client = member(&ground.register(&body), "client_id");
    let answer = redeem(&ground, &client, &code_for(&ground, &asking(&client)));
    assert_eq!((answer.status, find(&answer, "refresh_token")), (200, None));
}

#[test]
fn a_user_who_says_no_is_heard() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut browser = Browser::open(&ground, &asking(&client));
    browser.sign_in();
    assert_eq!(browser.submit("/consent", &[("decision", "deny")]), 200);
    let to = browser.goes_to();
    assert_eq!(parameter(&to, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&to, "state").as_deref(), Some("st+a t&e=1"));
    assert_eq!(parameter(&to, "iss").as_deref(), Some(ISSUER));
    assert_eq!(parameter(&to, "code"), None);
    assert_eq!(ground.count(Happening::Declined), 1);
}

#[test]
fn without_the_password_there_is_no_way_to_consent() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut browser = Browser::open(&ground, &asking(&client));
    assert_eq!(browser.allow(), 400);
    assert!(!browser.text().contains("code="));
    let mut browser = Browser::open(&ground, &asking(&client));
    for (user, password) in
        [("alice", "wrong"), ("alice", ""), ("bob", PASSWORD), ("Alice", PASSWORD), ("alice ", PASSWORD)]
    {
        let page = browser.page.clone();
        assert_eq!(browser.submit("/sign-in", &[("user", user), ("password", password)]), 403, "{user}");
        assert!(browser.text().contains("The user or the password is wrong."));
        let replaced = browser.text().contains("type=\"password\"");
        assert!(replaced, "it may be tried again");
        assert_eq!(page.header("content-security-policy"), browser.page.header("content-security-policy"));
        ground.clock.pass(Duration::from_secs(60));
    }
    assert_eq!(browser.sign_in(), 200);
    assert_eq!(ground.count(Happening::SignInFailed), 5);
}

#[test]
fn a_form_counts_only_with_its_cookie_its_token_and_its_origin() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let fresh = || {
        let browser = Browser::open(&ground, &asking(&client));
        let (id, token) = (browser.field("sign_in"), browser.field("form"));
        (id, token, browser.cookie.unwrap())
    };
    let send = |id: &str, token: &str, cookie: Option<&str>, origin: Option<&str>| {
        let fields = [("sign_in", id), ("form", token), ("user", "alice"), ("password", PASSWORD)];
        let mut request = form_request("/sign-in", &fields);
        request.headers.cookie = cookie.map(str::to_owned);
        request.headers.origin = origin.map(str::to_owned);
        ground.handle(&request).status
    };
    let (id, token, cookie) = fresh();
    let (other_id, other_token, other_cookie) = fresh();
    assert_eq!(send(&id, &token, None, None), 400);
    assert_eq!(send(&id, &token, Some(&other_cookie), None), 400);
    assert_eq!(send(&id, &token, Some(&format!("{cookie}; {other_cookie}")), None), 400);
    assert_eq!(send(&id, &other_token, Some(&cookie), None), 400);
    assert_eq!(send(&other_id, &token, Some(&cookie), None), 400);
    assert_eq!(send(&id, "", Some(&cookie), None), 400);
    assert_eq!(send("", &token, Some(&cookie), None), 400);
    for origin in
        ["null", "http://evil.example", "http://127.0.0.1:8444", "https://127.0.0.1:8443", "http://localhost:8443"]
    {
        assert_eq!(send(&id, &token, Some(&cookie), Some(origin)), 403, "{origin}");
    }
    assert_eq!(ground.count(Happening::SignInFailed), 0, "no password was looked at");
    assert_eq!(send(&id, &token, Some(&cookie), Some(ISSUER)), 200);
    assert_eq!(send(&id, &token, Some(&cookie), Some(ISSUER)), 400, "each form counts once");
}

#[test]
fn a_form_of_another_type_or_with_a_repeated_field_is_none() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let browser = Browser::open(&ground, &asking(&client));
    let (id, token) = (browser.field("sign_in"), browser.field("form"));
    let fields = [("sign_in", id.as_str()), ("form", token.as_str()), ("user", "alice"), ("password", PASSWORD)];
    for content_type in ["application/json", "text/plain", "multipart/form-data; boundary=x", ""] {
        let mut request = form_request("/sign-in", &fields);
        request.headers.content_type = Some(content_type.to_owned());
        request.headers.cookie = browser.cookie.clone();
        assert_eq!(ground.handle(&request).status, 415, "{content_type}");
    }
    let doubled = [fields.as_slice(), &[("user", "bob")]].concat();
    let mut request = form_request("/sign-in", &doubled);
    request.headers.cookie = browser.cookie.clone();
    assert_eq!(ground.handle(&request).status, 400);
}

#[test]
fn a_sign_in_has_ten_minutes() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut browser = Browser::open(&ground, &asking(&client));
    ground.clock.pass(SIGN_IN_LIFE - Duration::from_nanos(1));
    assert_eq!(browser.sign_in(), 200);
    ground.clock.pass(Duration::from_nanos(1));
    assert_eq!(browser.allow(), 400);
    assert!(browser.text().contains("This sign-in is over."));
}

#[test]
fn guessing_is_slowed_down_for_a_user_and_a_success_forgets() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut browser = Browser::open(&ground, &asking(&client));
    let mut guess = |user: &str, password: &str| {
        let before = browser.page.clone();
        let status = browser.submit("/sign-in", &[("user", user), ("password", password)]);
        let wait = browser.page.header("retry-after").map(str::to_owned);
        browser.page = before;
        (status, wait)
    };
    for _ in 0..USER_FAILURES {
        assert_eq!(guess("alice", "wrong").0, 403);
    }
    assert_eq!(guess("alice", PASSWORD), (429, Some("61".to_owned())), "the right one too");
    assert_eq!(guess("nobody", "wrong").0, 403, "others are not held up");
    ground.clock.pass(Duration::from_secs(60));
    assert_eq!(guess("alice", PASSWORD).0, 200);
    assert_eq!(ground.count(Happening::SignInThrottled), 1);
    // After a success the whole allowance is there again.
    let mut browser = Browser::open(&ground, &asking(&client));
    for _ in 0..USER_FAILURES {
        assert_eq!(browser.submit("/sign-in", &[("user", "alice"), ("password", "wrong")]), 403);
    }
}

#[test]
fn guessing_is_slowed_down_for_a_sender_whoever_is_guessed() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut browser = Browser::open(&ground, &asking(&client));
    for number in 0..SENDER_FAILURES {
        if number % (SIGN_IN_FAILURES - 1) == 0 {
            browser = Browser::open(&ground, &asking(&client));
        }
        let user = format!("user-{number}");
        assert_eq!(browser.submit("/sign-in", &[("user", &user), ("password", "wrong")]), 403, "{number}");
    }
    assert_eq!(browser.submit("/sign-in", &[("user", "alice"), ("password", PASSWORD)]), 429);
}

#[test]
fn guessing_ends_a_sign_in() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut browser = Browser::open(&ground, &asking(&client));
    for number in 1..SIGN_IN_FAILURES {
        let user = format!("user-{number}");
        assert_eq!(browser.submit("/sign-in", &[("user", &user), ("password", "wrong")]), 403, "{number}");
    }
    assert_eq!(browser.submit("/sign-in", &[("user", "last"), ("password", "wrong")]), 400);
}

#[test]
fn a_user_who_goes_or_gets_another_password_in_the_middle_gets_no_code() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let now = || stockade_core::ports::Clock::wall(ground.clock.as_ref());
    let other = Secret::new("another password, long".to_owned());
    let mut browser = Browser::open(&ground, &asking(&client));
    assert_eq!(browser.sign_in(), 200);
    ground.users().set_password(&name("alice"), Some(&other), now()).unwrap();
    assert_eq!(browser.allow(), 400);
    let mut browser = Browser::open(&ground, &asking(&client));
    assert_eq!(browser.submit("/sign-in", &[("user", "alice"), ("password", other.expose())]), 200);
    ground.users().remove(&name("alice"), now()).unwrap();
    assert_eq!(browser.allow(), 400);
}

#[test]
fn a_consent_is_remembered_only_where_the_answer_can_reach_nobody_else() {
    let ground = Ground::new();
    let web = "https://app.example/cb";
    let client = ground.client(&[REDIRECT, web]);
    let to_web = changed(&client, "redirect_uri", Some(web));
    code_for(&ground, &to_web);
    code_for(&ground, &asking(&client));
    // The same again: a web address needs no second yes, a program on the computer does.
    let mut browser = Browser::open(&ground, &to_web);
    browser.sign_in();
    assert!(browser.goes_to().starts_with("https://app.example/cb?code="));
    let mut browser = Browser::open(&ground, &changed(&client, "redirect_uri", Some("http://127.0.0.1:9/callback")));
    browser.sign_in();
    assert!(browser.text().contains("You have agreed to exactly this before."), "{}", browser.text());
    assert!(browser.text().contains("value=\"allow\""));
    // Anything else is another question.
    let other = ground.client(&[REDIRECT, web]);
    let mut elsewhere = to_web.clone();
    elsewhere.retain(|(name, _)| *name != "resource");
    elsewhere.push(("resource", format!("{RESOURCE}/files")));
    let mut asked = to_web.clone();
    asked.push(("prompt", "consent".to_owned()));
    for parameters in [changed(&other, "redirect_uri", Some(web)), elsewhere, asked] {
        let mut browser = Browser::open(&ground, &parameters);
        browser.sign_in();
        assert!(browser.text().contains("value=\"allow\""), "{parameters:?}");
    }
}

#[test]
fn the_cookie_is_for_this_host_and_for_no_script() {
    let plain = Ground::new();
    let client = plain.client(&[REDIRECT]);
    let set = |ground: &Ground, client: &str| {
        let browser = Browser::open(ground, &asking(client));
        browser.page.header("set-cookie").unwrap().to_owned()
    };
    let cookie = set(&plain, &client);
    assert!(cookie.starts_with("stockade-sign-in="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax"), "{cookie}");
    let secure = Ground::with(|raw| raw.issuer = "https://mcp.example".to_owned());
    let client = secure.client(&[REDIRECT]);
    let cookie = set(&secure, &client);
    assert!(cookie.starts_with("__Host-stockade-sign-in="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Max-Age=600; HttpOnly; SameSite=Lax; Secure"), "{cookie}");
}

#[test]
fn two_windows_of_one_browser_do_not_end_each_other() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let mut one = Browser::open(&ground, &asking(&client));
    let mut two = Browser::open_with(&ground, &asking(&client), one.cookie.clone());
    assert_eq!(one.cookie.as_ref().unwrap().split(';').next(), two.cookie.as_ref().unwrap().split(';').next());
    assert_eq!((one.sign_in(), two.sign_in()), (200, 200));
    assert_eq!((one.allow(), two.allow()), (200, 200));
    let planted = Some("stockade-sign-in=planted".to_owned());
    let browser = Browser::open_with(&ground, &asking(&client), planted);
    assert_ne!(browser.cookie.as_deref(), Some("stockade-sign-in=planted"));
}

#[test]
fn no_two_codes_are_the_same() {
    let ground = Ground::new();
    let client = ground.client(&[REDIRECT]);
    let codes: std::collections::HashSet<String> = ten_at_once(&ground, &client).into_iter().collect();
    assert_eq!(codes.len(), 10);
    assert!(codes.iter().all(|code| code.len() == 43));
}

#[test]
fn a_post_without_a_body_or_with_too_much_is_refused_before_it_is_read() {
    let ground = Ground::new();
    let empty = form_request("/sign-in", &[]);
    assert_eq!(ground.handle(&empty).status, 400);
    let long = "x".repeat(16 * 1024);
    assert_eq!(ground.handle(&form_request("/sign-in", &[("a", &long)])).status, 413);
    let request = IssuerRequest {
        method: "POST".into(),
        path: "/consent".into(),
        headers: IssuerHeaders::default(),
        ..IssuerRequest::default()
    };
    assert_eq!(ground.handle(&request).status, 415);
}

//! Clients that describe themselves by a document at their own URL.

use crate::browser::{Browser, REDIRECT, asking, changed, code_for, redeem, refresh};
use crate::ground::{Ground, member};
use stockade_issuer::{METADATA_BYTES, Offer};

const CLIENT: &str = "https://app.example/oauth/client.json";

fn publish(ground: &Ground, body: &str) {
    ground.web.0.lock().unwrap().insert(CLIENT.to_owned(), body.to_owned());
}

fn good() -> String {
    format!(
        r#"{{"client_id":"{CLIENT}","client_name":"Published","redirect_uris":["http://127.0.0.1/callback"],
            "token_endpoint_auth_method":"none","grant_types":["authorization_code","refresh_token"]}}"#
    )
}

#[test]
fn a_client_with_a_document_signs_in_without_registration_over_either_store() {
    for ground in [Ground::new(), Ground::with_database()] {
        publish(&ground, &good());
        let mut browser = Browser::open(&ground, &asking(CLIENT));
        assert_eq!(browser.sign_in(), 200, "{}", browser.text());
        let text = browser.text();
        assert!(text.contains("<q>Published</q>, published by app.example"), "{text}");
        let answer = redeem(&ground, CLIENT, &code_for(&ground, &asking(CLIENT)));
        assert_eq!(answer.status, 200, "{answer:?}");
        // The document is not needed again: what was granted is bound to the URL itself.
        ground.web.0.lock().unwrap().clear();
        assert_eq!(refresh(&ground, CLIENT, &member(&answer, "refresh_token")).status, 200);
    }
}

#[test]
fn a_document_that_cannot_be_used_ends_on_a_page_that_says_no_more() {
    let ground = Ground::new();
    let too_large = format!("{}{}", good(), " ".repeat(METADATA_BYTES));
    for body in [
        "",
        "<html></html>",
        "{}",
        &good().replace("client.json", "other.json"),
        &good().replace("http://127.0.0.1/callback", "javascript:alert(1)"),
        &good().replace("\"none\"", "\"client_secret_basic\""),
        &too_large,
    ] {
        publish(&ground, body);
        let browser = Browser::open(&ground, &asking(CLIENT));
        assert_eq!(browser.page.status, 400, "{body}");
        assert!(browser.text().contains("description cannot be fetched or used"));
        assert!(
            ground.last_reason().starts_with("`https://app.example/oauth/client.json`: "),
            "{}",
            ground.last_reason()
        );
    }
    publish(&ground, &good());
    let browser = Browser::open(&ground, &changed(CLIENT, "redirect_uri", Some("https://app.example/cb")));
    assert_eq!(browser.page.status, 400);
    assert_eq!(Browser::open(&ground, &changed(CLIENT, "redirect_uri", Some(REDIRECT))).page.status, 200);
}

#[test]
fn a_gateway_without_documents_fetches_none() {
    let ground = Ground::with(|raw| raw.documents = Offer::Closed);
    publish(&ground, &good());
    assert_eq!(Browser::open(&ground, &asking(CLIENT)).page.status, 400);
    let metadata = ground.get("/.well-known/oauth-authorization-server", None);
    assert_eq!(member(&metadata, "client_id_metadata_document_supported"), "false");
}

//! A browser that follows a sign-in: keeps the cookie, fills in forms, reads where it is sent.

use crate::ground::{Ground, PASSWORD, RESOURCE, encode, form_request, member};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use stockade_core::wire::Digest;
use stockade_issuer::{IssuerHeaders, IssuerRequest, IssuerResponse};

pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const REDIRECT: &str = "http://127.0.0.1:33418/callback";

pub(crate) fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(Digest::of(VERIFIER.as_bytes()).as_bytes())
}

/// One window of one browser.
pub(crate) struct Browser<'g> {
    pub(crate) ground: &'g Ground,
    pub(crate) cookie: Option<String>,
    pub(crate) page: IssuerResponse,
}

/// The parameters of a good request of `client`.
pub(crate) fn asking(client: &str) -> Vec<(&'static str, String)> {
    vec![
        ("response_type", "code".to_owned()),
        ("client_id", client.to_owned()),
        ("redirect_uri", REDIRECT.to_owned()),
        ("state", "st+a t&e=1".to_owned()),
        ("code_challenge", challenge()),
        ("code_challenge_method", "S256".to_owned()),
        ("resource", RESOURCE.to_owned()),
        ("scope", "mcp".to_owned()),
    ]
}

/// The same with one parameter changed; taken out if there is no value.
pub(crate) fn changed(client: &str, name: &'static str, value: Option<&str>) -> Vec<(&'static str, String)> {
    let mut parameters = asking(client);
    parameters.retain(|(there, _)| *there != name);
    parameters.extend(value.map(|value| (name, value.to_owned())));
    parameters
}

pub(crate) fn query(parameters: &[(&'static str, String)]) -> String {
    encode(&parameters.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>())
}

impl<'g> Browser<'g> {
    /// Opens the authorization endpoint.
    pub(crate) fn open(ground: &'g Ground, parameters: &[(&'static str, String)]) -> Self {
        Self::open_with(ground, parameters, None)
    }

    pub(crate) fn open_with(ground: &'g Ground, parameters: &[(&'static str, String)], cookie: Option<String>) -> Self {
        let request = IssuerRequest {
            method: "GET".into(),
            path: "/authorize".into(),
            query: Some(query(parameters)),
            headers: IssuerHeaders { cookie: cookie.clone(), ..IssuerHeaders::default() },
            ..IssuerRequest::default()
        };
        let page = ground.handle(&request);
        let set = page.header("set-cookie").and_then(|set| set.split(';').next()).map(str::to_owned);
        Self { ground, cookie: set.or(cookie), page }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.page.body.to_vec()).unwrap()
    }

    /// The value of a hidden field of the page.
    pub(crate) fn field(&self, name: &str) -> String {
        between(&self.text(), &format!("name=\"{name}\" value=\""))
    }

    /// Sends a form with the page's own fields beside `parameters`.
    pub(crate) fn submit(&mut self, path: &str, parameters: &[(&str, &str)]) -> u16 {
        let (id, token) = (self.field("sign_in"), self.field("form"));
        let mut all = vec![("sign_in", id.as_str()), ("form", token.as_str())];
        all.extend(parameters);
        let mut request = form_request(path, &all);
        request.headers.cookie = self.cookie.clone();
        request.headers.origin = Some(crate::ground::ISSUER.to_owned());
        self.page = self.ground.handle(&request);
        self.page.status
    }

    pub(crate) fn sign_in(&mut self) -> u16 {
        self.submit("/sign-in", &[("user", "alice"), ("password", PASSWORD)])
    }

    pub(crate) fn allow(&mut self) -> u16 {
        self.submit("/consent", &[("decision", "allow")])
    }

    /// Where the page goes on by itself, and where its link goes: the same place.
    pub(crate) fn goes_to(&self) -> String {
        let text = self.text();
        let after = |mark: &str| between(&text, mark).replace("&amp;", "&");
        let to = after("<a id=\"continue\" href=\"");
        assert_eq!(after("http-equiv=\"refresh\" content=\"0;url="), to);
        to
    }
}

/// What stands between `mark` and the next quotation mark.
fn between(text: &str, mark: &str) -> String {
    let rest = text.split_once(mark).unwrap_or_else(|| panic!("no `{mark}` in {text}")).1;
    rest.split('"').next().unwrap().to_owned()
}

/// The value of a parameter of an address, decoded.
pub(crate) fn parameter(address: &str, name: &str) -> Option<String> {
    let (_, query) = address.split_once('?')?;
    let values: Vec<&str> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .filter(|(there, _)| *there == name)
        .map(|(_, value)| value)
        .collect();
    assert!(values.len() < 2, "`{name}` stands twice in {address}");
    let mut text = Vec::new();
    let mut rest = values.first()?.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next().unwrap(), rest.next().unwrap()];
            text.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
        } else {
            text.push(byte);
        }
    }
    Some(String::from_utf8(text).unwrap())
}

/// Goes all the way to a code.
pub(crate) fn code_for(ground: &Ground, parameters: &[(&'static str, String)]) -> String {
    let mut browser = Browser::open(ground, parameters);
    assert_eq!(browser.page.status, 200, "{}", browser.text());
    assert_eq!(browser.sign_in(), 200, "{}", browser.text());
    assert_eq!(browser.allow(), 200, "{}", browser.text());
    parameter(&browser.goes_to(), "code").unwrap()
}

/// Redeems a code as its client does.
pub(crate) fn redeem(ground: &Ground, client: &str, code: &str) -> IssuerResponse {
    ground.post(
        "/token",
        &[
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
            ("resource", RESOURCE),
        ],
    )
}

/// What a client has after a whole sign-in.
pub(crate) struct Tokens {
    pub(crate) client: String,
    pub(crate) access: String,
    pub(crate) refresh: String,
}

pub(crate) fn signed_in(ground: &Ground) -> Tokens {
    let client = ground.client(&[REDIRECT]);
    tokens_for(ground, &client)
}

pub(crate) fn tokens_for(ground: &Ground, client: &str) -> Tokens {
    let answer = redeem(ground, client, &code_for(ground, &asking(client)));
    assert_eq!(answer.status, 200, "{answer:?}");
    Tokens {
        client: client.to_owned(),
        access: member(&answer, "access_token"),
        refresh: member(&answer, "refresh_token"),
    }
}

pub(crate) fn refresh(ground: &Ground, client: &str, token: &str) -> IssuerResponse {
    ground.post("/token", &[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)])
}

//! The ground of the cases about tokens: a gateway that believes one authorization server, which is under the test's control.

use std::cell::RefCell;

use serde_json::{Value, json};
use testkit::authorization::{AuthorizationServer, TokenKey};
use testkit::{
    Answer, AuditRecord, Config, Era, Gateway, HttpClient, Outgoing, RawHttp, Response, Transport, Upstream,
    WellBehaved, wait_until,
};

use crate::ground::{LONG, STOCKADE, everything};

/// What the gateway is called by clients and tokens.
pub(crate) const RESOURCE: &str = "https://gw.test/mcp";
/// The route of the server `files`, as clients know it.
pub(crate) const ROUTE: &str = "https://gw.test/mcp/files";
/// The eras, each by its newest revision.
pub(crate) const ERAS: [Era; 2] = [Era::Modern, Era::Legacy("2025-11-25")];

/// A gateway before the server `files`, and the authorization server `corp` whose tokens it takes. Everybody who is recognised
/// may do everything.
pub(crate) struct Issued {
    pub(crate) server: AuthorizationServer,
    pub(crate) key: TokenKey,
    pub(crate) upstream: Upstream,
    pub(crate) gateway: Gateway,
    /// The checks that refused, in order, as the record must tell them.
    refused: RefCell<Vec<String>>,
}

impl Issued {
    /// Starts it; `more` are further lines of the issuer's table.
    pub(crate) fn open(more: &str) -> Self {
        let key = TokenKey::new("k");
        let server = AuthorizationServer::start(&[&key]);
        Self::open_with(server, key, more, |config| config)
    }

    pub(crate) fn open_with(
        server: AuthorizationServer,
        key: TokenKey,
        more: &str,
        change: impl FnOnce(Config) -> Config,
    ) -> Self {
        let upstream = Upstream::over(Transport::Http, WellBehaved::files());
        // An issuer without TLS is for sandboxes; wrong credentials are counted elsewhere.
        let config = everything()
            .profile("sandbox")
            .gateway("resource", json!(RESOURCE))
            .set(&["identity"], "wrong_per_minute", json!(1000))
            .set(&["sign_in"], "enabled", json!("off"))
            .server("files", upstream.entry())
            .append(&server.configured(more));
        let gateway = Gateway::start(STOCKADE, change(config));
        Self { server, key, upstream, gateway, refused: RefCell::default() }
    }

    /// The claims of a right token of bob's.
    pub(crate) fn claims(&self) -> Value {
        self.server.claims("bob", RESOURCE)
    }

    /// The same with one claim that is other.
    pub(crate) fn claims_with(&self, claim: &str, value: impl Into<Value>) -> Value {
        let mut claims = self.claims();
        claims[claim] = value.into();
        claims
    }

    pub(crate) fn client(&self, era: Era) -> HttpClient {
        HttpClient::unopened(&self.gateway.url_of("files"), None, era)
    }

    /// The first thing that a client of the era says, without a credential: a call, or a handshake.
    pub(crate) fn first(&self, era: Era) -> Outgoing {
        let client = self.client(era);
        match era {
            Era::Modern => client.prepare_call("read_file", json!({ "path": "a" })),
            Era::Legacy(revision) => {
                let about = json!({ "name": "testkit", "version": "1" });
                let params = json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": about });
                client.prepare("initialize", params)
            }
        }
    }

    pub(crate) fn send(&self, era: Era, outgoing: Outgoing) -> Answer {
        self.client(era).send(outgoing)
    }

    /// Shows a token as bearer.
    pub(crate) fn show(&self, era: Era, token: &str) -> Answer {
        self.send(era, self.first(era).header("Authorization", &format!("Bearer {token}")))
    }

    #[track_caller]
    pub(crate) fn assert_granted(&self, what: &str, token: &str) {
        for era in ERAS {
            let answer = self.show(era, token);
            assert_eq!(answer.status(), 200, "{what}: {answer}");
            assert!(answer.result().is_object(), "{what}: {answer}");
        }
    }

    /// Shows a token that must be refused by `check`: 401 with the same words whatever is wrong, and nothing goes on.
    #[track_caller]
    pub(crate) fn assert_refused(&self, what: &str, token: &str, check: &str) {
        for era in ERAS {
            let answer = self.show(era, token);
            self.check_refusal(what, &answer, "invalid_token", check);
        }
    }

    /// What a refusal is like, whichever check made it.
    #[track_caller]
    pub(crate) fn check_refusal(&self, what: &str, answer: &Answer, error: &str, check: &str) {
        assert_eq!(answer.status(), 401, "{what}: {answer}");
        let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
        assert!(challenge.contains(&format!("error=\"{error}\"")), "{what}: {challenge}");
        assert!(challenge.contains("resource_metadata=\"https://gw.test/"), "{what}: {challenge}");
        let said = String::from_utf8_lossy(&answer.raw).into_owned();
        assert!(said.contains("Authentication required"), "{what}: {answer}");
        for word in [check, "signature", "audience", "expected"].into_iter().filter(|word| *word != "proof") {
            assert!(!said.contains(word), "{what}: it tells `{word}`: {answer}");
        }
        self.refused.borrow_mut().push(check.to_owned());
    }

    /// That nothing reached the server, and that the record says of each refusal which check made it.
    #[track_caller]
    pub(crate) fn check_evidence(&self) {
        assert_eq!(self.upstream.recorder().count(), 0, "something went on");
        let expected = self.refused.borrow().clone();
        let reasons = || -> Vec<String> {
            let records = self.gateway.audit();
            let refused = records.iter().filter(|record| record.phase() == "refused" && record.rule() == "identify");
            refused.map(|record: &AuditRecord| record.reason().to_owned()).collect()
        };
        let fits = |reasons: &[String]| {
            reasons.len() == expected.len()
                && expected.iter().zip(reasons).all(|(check, reason)| reason.contains(check.as_str()))
        };
        assert!(wait_until(LONG, || fits(&reasons())), "{expected:?} in {:#?}", reasons());
    }

    /// A request that carries no message.
    pub(crate) fn raw(&self, request: &str) -> Response {
        let mut raw = RawHttp::connect(self.gateway.address()).expect("the gateway listens");
        raw.exchange(request, LONG).expect("an answer")
    }
}

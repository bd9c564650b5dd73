//! `WWW-Authenticate`: what a refused caller is told to show, and where to get it.
//!
//! Must never: say which check refused what was shown.
//! Source: RFC 6750 §3, RFC 9728 §5.1, RFC 9449 §7.1, MCP 2026-07-28 `basic/authorization`.

use http::header::{HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use stockade_core::identity::Challenge;
use stockade_core::ports::Route;

/// Where protected resource metadata lives (RFC 9728 §3.1): before the resource's own path.
pub(super) const METADATA_PATH: &str = "/.well-known/oauth-protected-resource";
const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// The algorithms of proofs that are named to clients (RFC 9449 §7.1).
const DPOP_ALGORITHMS: &str = "ES256 EdDSA RS256 PS256";

/// Writes challenges.
pub(crate) struct Challenges {
    /// The canonical URI of the merged route.
    resource: String,
    /// Its scheme and authority.
    origin: String,
    /// What a caller without a credential needs.
    scopes: Vec<String>,
    has_metadata: bool,
}

impl Challenges {
    pub(crate) fn new(resource: &str, scopes: Vec<String>, has_metadata: bool) -> Self {
        let authority_start = resource.find("://").map_or(0, |at| at + 3);
        let path_start = resource
            .char_indices()
            .find(|(at, character)| *at >= authority_start && *character == '/')
            .map_or(resource.len(), |(at, _)| at);
        let origin = resource.get(..path_start).unwrap_or(resource).to_owned();
        Self { resource: resource.to_owned(), origin, scopes, has_metadata }
    }

    /// The URL of a route as clients know it.
    pub(crate) fn url_of(&self, route: &Route) -> String {
        match route {
            Route::Merged => self.resource.clone(),
            Route::One(server) => format!("{}/{server}", self.resource),
        }
    }

    /// Writes the challenge of one answer to a request for `path`.
    pub(crate) fn write(&self, challenge: &Challenge, path: &str, headers: &mut HeaderMap) {
        let scheme = if challenge.dpop { "DPoP" } else { "Bearer" };
        // Only a path of ours is named: one that a stranger made up never comes back.
        let path = if path == "/mcp" || path.starts_with("/mcp/") { path } else { "/mcp" };
        let mut parameters = Vec::new();
        if self.has_metadata {
            parameters.push(format!("resource_metadata=\"{}{METADATA_PATH}{path}\"", self.origin));
        }
        let scopes = if challenge.scopes.is_empty() { &self.scopes } else { &challenge.scopes };
        if !scopes.is_empty() {
            parameters.push(format!("scope=\"{}\"", scopes.join(" ")));
        }
        if let Some(error) = challenge.error {
            parameters.push(format!("error=\"{}\"", error.as_str()));
        }
        if challenge.dpop {
            parameters.push(format!("algs=\"{DPOP_ALGORITHMS}\""));
        }
        let text =
            if parameters.is_empty() { scheme.to_owned() } else { format!("{scheme} {}", parameters.join(", ")) };
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.append(WWW_AUTHENTICATE, value);
        }
        if let Some(Ok(nonce)) = challenge.nonce.as_deref().map(HeaderValue::from_str) {
            headers.insert(DPOP_NONCE, nonce);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stockade_core::identity::ChallengeError;

    fn written(challenge: &Challenge, path: &str) -> String {
        let challenges = Challenges::new("https://gw.test:8443/mcp", vec!["mcp".to_owned()], true);
        let mut headers = HeaderMap::new();
        challenges.write(challenge, path, &mut headers);
        headers[WWW_AUTHENTICATE].to_str().unwrap().to_owned()
    }

    #[test]
    fn a_challenge_says_where_to_ask_and_for_what() {
        let nothing = Challenge::default();
        let metadata = "https://gw.test:8443/.well-known/oauth-protected-resource/mcp";
        assert_eq!(written(&nothing, "/mcp"), format!(r#"Bearer resource_metadata="{metadata}", scope="mcp""#));
        let step_up = Challenge {
            error: Some(ChallengeError::InsufficientScope),
            scopes: vec!["files:read".to_owned(), "files:write".to_owned()],
            ..Challenge::default()
        };
        assert_eq!(
            written(&step_up, "/mcp/files"),
            format!(
                r#"Bearer resource_metadata="{metadata}/files", scope="files:read files:write", error="insufficient_scope""#
            )
        );
        let dpop = Challenge { dpop: true, error: Some(ChallengeError::InvalidDpopProof), ..Challenge::default() };
        assert!(written(&dpop, "/mcp").starts_with("DPoP "));
    }
}

//! The header `Authorization`: one credential of the characters that tokens have, or something malformed.

use stockade_core::identity::Credential;
use stockade_gateway::credential_for_fuzz;

/// The lines of the input are the values of the header.
pub fn fuzz_credentials(data: &[u8]) {
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').take(4).collect();
    let Some(credential) = credential_for_fuzz(&values) else { return };
    let is_judged = matches!(credential, Credential::Bearer(_) | Credential::Dpop(_) | Credential::Malformed(_));
    assert!(is_judged, "what was shown was taken for nothing, or for the word of the operating system");
    if let Credential::Bearer(secret) | Credential::Dpop(secret) = credential {
        let token = secret.expose();
        assert_eq!(values.len(), 1, "one of several was chosen");
        assert!(!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic() && byte != b','), "{token:?}");
        let whole = values.first().copied().unwrap_or_default();
        assert!(whole.ends_with(token.as_bytes()), "the token is not what was sent");
        assert!(whole.len() <= token.len().saturating_add("bearer ".len()), "more than a scheme stood before it");
    }
}

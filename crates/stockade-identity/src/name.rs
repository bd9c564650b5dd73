//! Names for callers of tokens: `issuer:claim`, written so that no two claims give the same name.
//!
//! Must never: cut, fold or replace. What cannot be written whole is refused.

use crate::settings::IssuerName;
use stockade_core::words::{CallerName, NameError};

/// Makes the name. What a name cannot hold stands as `%` and two hexadecimal digits for each byte, `%` itself too.
pub(crate) fn of(issuer: &IssuerName, claim: &str) -> Result<CallerName, NameError> {
    let mut name = format!("{issuer}:");
    for byte in claim.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.@:/|".contains(&byte) {
            name.push(char::from(byte));
        } else {
            name.push_str(&format!("%{byte:02X}"));
        }
    }
    CallerName::parse(&name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_can_be_read_and_are_never_cut() {
        let corp = IssuerName::parse("corp").unwrap();
        let named = |claim: &str| of(&corp, claim).map(|name| name.to_string()).ok();
        assert_eq!(named("alice"), Some("corp:alice".to_owned()));
        assert_eq!(named("auth0|1"), Some("corp:auth0|1".to_owned()));
        assert_eq!(named("a+b c%"), Some("corp:a%2Bb%20c%25".to_owned()));
        assert_eq!(named("\u{e9}"), Some("corp:%C3%A9".to_owned()));
        assert_eq!(named(&"a".repeat(123)).map(|name| name.len()), Some(128));
        assert_eq!(named(&"a".repeat(124)), None);
    }

    proptest! {
        #[test]
        fn no_two_claims_have_the_same_name(one in "\\PC{0,12}", other in "\\PC{0,12}") {
            let corp = IssuerName::parse("corp").unwrap();
            if let (Ok(first), Ok(second)) = (of(&corp, &one), of(&corp, &other)) {
                prop_assert_eq!(first == second, one == other);
            }
        }
    }
}

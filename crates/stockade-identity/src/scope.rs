//! Scopes: what one is, and which others it brings with it (RFC 6749 §3.3).
//!
//! Must never: make a scope of something that is none; go round in circles.

use std::collections::{BTreeMap, BTreeSet};

/// Scopes of one caller at most, those that are implied counted.
const SCOPES: usize = 1024;
/// Characters of one scope.
const SCOPE_BYTES: usize = 256;

/// True for one scope: no space, quote or backslash.
pub(crate) fn is_scope(text: &str) -> bool {
    let fine = |byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=SCOPE_BYTES).contains(&text.len()) && text.bytes().all(fine)
}

/// Adds everything that the scopes imply, however far down; what is over [`SCOPES`] is left out, which grants less.
pub(crate) fn expand(granted: &mut BTreeSet<String>, implied: &[&BTreeMap<String, Vec<String>>]) {
    let mut open: Vec<String> = granted.iter().cloned().collect();
    while let Some(scope) = open.pop() {
        for more in implied.iter().filter_map(|implied| implied.get(&scope)).flatten() {
            if granted.len() < SCOPES && granted.insert(more.clone()) {
                open.push(more.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_bring_what_they_imply_and_circles_end() {
        let pairs = [("admin", ["write", "audit"]), ("write", ["read", "admin"])];
        let implied: BTreeMap<String, Vec<String>> =
            pairs.into_iter().map(|(scope, more)| (scope.to_owned(), more.map(str::to_owned).to_vec())).collect();
        let other = BTreeMap::from([("read".to_owned(), vec!["list".to_owned()])]);
        for (granted, expected) in [
            (vec!["admin"], vec!["admin", "audit", "list", "read", "write"]),
            (vec!["read"], vec!["list", "read"]),
            (vec!["else"], vec!["else"]),
            (vec![], vec![]),
        ] {
            let mut scopes: BTreeSet<String> = granted.into_iter().map(str::to_owned).collect();
            expand(&mut scopes, &[&implied, &other]);
            assert_eq!(scopes.into_iter().collect::<Vec<_>>(), expected);
        }
        let many = BTreeMap::from([("a".to_owned(), (0..5000).map(|at| at.to_string()).collect())]);
        let mut scopes = BTreeSet::from(["a".to_owned()]);
        expand(&mut scopes, &[&many]);
        assert_eq!(scopes.len(), SCOPES);
    }

    #[test]
    fn what_is_no_scope_is_told_apart() {
        for (text, expected) in
            [("files:read", true), ("", false), ("a b", false), ("a\"", false), ("a\\", false), ("\u{e9}", false)]
        {
            assert_eq!(is_scope(text), expected, "{text:?}");
        }
        assert!(!is_scope(&"a".repeat(SCOPE_BYTES + 1)));
    }
}

//! Terminal links (OSC 8): whether one leads elsewhere than its text says.

use super::class::{Class, class_of};
use super::reader::Reader;

/// Most characters of a link's text that are compared with its target.
pub const MAX_LINK_LABEL_CHARS: usize = 256;

/// Endings by which a word without a scheme is taken for a host name. Few on purpose: `main.rs` is a file.
const HOST_ENDINGS: [&str; 8] = [".com", ".org", ".net", ".edu", ".gov", ".io", ".dev", ".test"];

/// Whether the text that follows names another host than the link's `data`, which is `parameters;target`.
///
/// `label` stands behind the sequence that opens the link; the text ends at the next control character.
pub(crate) fn leads_elsewhere(data: &str, label: &Reader<'_>) -> bool {
    let Some((_, target)) = data.split_once(';') else { return false };
    if target.is_empty() {
        return false;
    }
    let label: String = label
        .clone()
        .map(|symbol| symbol.character)
        .take_while(|&character| !matches!(class_of(character), Class::Escape | Class::Control | Class::HighControl))
        .take(MAX_LINK_LABEL_CHARS)
        .collect();
    let target = address_host(target);
    label.split_whitespace().filter_map(shown_host).any(|shown| target.as_deref() != Some(&shown))
}

/// The host in `scheme://user@host:port/path`, in small letters and without a leading `www.`.
fn address_host(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    host(rest)
}

/// The host that a word of the text claims: with a scheme, with `www.`, or with a common ending.
fn shown_host(word: &str) -> Option<String> {
    let word = word.trim_matches(|character: char| !character.is_alphanumeric() && character != '/');
    if word.contains("://") {
        return address_host(word);
    }
    let claimed = host(word)?;
    let claims = word.to_ascii_lowercase().starts_with("www.")
        || HOST_ENDINGS.iter().any(|ending| claimed.ends_with(ending) && claimed.len() > ending.len());
    // An e-mail address is no web address.
    (claims && !word.contains('@')).then_some(claimed)
}

fn host(rest: &str) -> Option<String> {
    let authority = rest.split(['/', '?', '#']).next()?;
    let named = authority.rsplit('@').next()?.split(':').next()?.to_lowercase();
    let named = named.strip_prefix("www.").unwrap_or(&named);
    (!named.is_empty()).then(|| named.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_compared_with_the_host_that_its_text_names() {
        let check = |data: &str, label: &str, expected| {
            assert_eq!(leads_elsewhere(data, &Reader::new(label)), expected, "{data} {label}");
        };
        check(";https://example.com/a", "here\u{1b}]8;;\u{7}", false);
        check(";https://example.com/a", "https://example.com/b\u{1b}", false);
        check(";https://example.com/a", "www.Example.com", false);
        check(";https://evil.test/a", "https://example.com/a", true);
        check(";https://evil.test/a", "see (example.com)", true);
        check(";https://example.com@evil.test/a", "example.com", true);
        check("id=1;https://evil.test/", "example.com:443/x", true);
        check(";file:///home/a/main.rs", "main.rs", false);
        check(";file:///home/a", "example.com", true);
        check(";mailto:a@example.com", "a@example.com", false);
        check(";", "example.com", false);
        check("", "example.com", false);
        check(";https://evil.test/", "here\u{1b}]8;;\u{7} and example.com", false);
    }

    #[test]
    fn a_links_text_is_compared_up_to_its_limit() {
        let label = |padding: usize| format!("{} example.com", "a".repeat(padding));
        let elsewhere = |label: String| leads_elsewhere(";https://evil.test/", &Reader::new(&label));
        assert!(elsewhere(label(MAX_LINK_LABEL_CHARS - " example.com".len())));
        assert!(!elsewhere(label(MAX_LINK_LABEL_CHARS)));
    }
}

//! Just enough of Rust's lexical structure for the rules: where comments and strings are, which braces belong
//! together, which items are tests. `The Rust Reference, Lexical structure`.

use std::ops::Range;

/// The text with comments and the insides of literals as spaces; line ends stay, so places stay.
pub(super) fn blank_out(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment(text, at);
        match end {
            Some(end) => {
                for byte in code.iter_mut().take(end).skip(at).filter(|byte| **byte != b'\n') {
                    *byte = b' ';
                }
                at = end;
            }
            None => at += 1,
        }
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// The end of the comment, string or character that begins at `at`, if one does.
fn literal_or_comment(text: &str, at: usize) -> Option<usize> {
    let rest = text.as_bytes().get(at..)?;
    let length = match rest {
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !continues_a_name(text, at) => raw_string(rest)?,
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !continues_a_name(text, at) => 1 + raw_string(rest.get(1..)?)?,
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', ..] => character(text.get(at..)?)?,
        _ => return None,
    };
    Some(at + length)
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        match rest.get(at..) {
            Some([b'/', b'*', ..]) => (at, depth) = (at + 2, depth + 1),
            Some([b'*', b'/', ..]) => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        at += 1;
        match *byte {
            b'\\' => at += 1,
            end if end == quote => return at,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"`, `r##"…"##`. `None` for a raw name such as `r#type`.
fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest.iter().skip(1).take_while(|byte| **byte == b'#').count();
    let body = 1 + hashes + 1;
    if rest.get(body - 1) != Some(&b'"') {
        return None;
    }
    let end = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect::<Vec<u8>>();
    let inside = rest.get(body..)?;
    let length =
        inside.windows(end.len()).position(|window| window == end).map_or(inside.len(), |found| found + end.len());
    Some(body + length)
}

/// `'a'` but not the lifetime `'a`.
fn character(rest: &str) -> Option<usize> {
    let mut characters = rest.char_indices().skip(1);
    characters.next()?;
    let (close, quote) = characters.next()?;
    (quote == '\'').then_some(close + 1)
}

fn continues_a_name(text: &str, at: usize) -> bool {
    at.checked_sub(1).and_then(|before| text.as_bytes().get(before)).is_some_and(|byte| in_name(*byte))
}

fn in_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Where `words` stand and neither side continues a name.
pub(super) fn occurrences<'code>(code: &'code str, words: &'code str) -> impl Iterator<Item = usize> + 'code {
    code.match_indices(words).map(|(at, _)| at).filter(move |at| {
        let after = code.as_bytes().get(at + words.len()).is_some_and(|byte| in_name(*byte));
        !continues_a_name(code, *at) && !after
    })
}

/// The byte after the brace that closes the one at `open`.
pub(super) fn closing(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return Some(at + 1);
                }
            }
            _ => {}
        }
    }
    None
}

/// The body of the item that begins at `from`: its first brace outside parentheses. `None` when a `;` comes first.
pub(super) fn body(code: &str, from: usize) -> Option<Range<usize>> {
    let mut depth = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => depth += 1,
            b')' | b']' => depth -= 1,
            b';' if depth == 0 => return None,
            b'{' if depth == 0 => return closing(code, at).map(|end| at..end),
            _ => {}
        }
    }
    None
}

/// The items under `#[cfg(test)]`.
pub(super) fn test_ranges(code: &str) -> Vec<Range<usize>> {
    const MARK: &str = "#[cfg(test)]";
    code.match_indices(MARK).filter_map(|(at, _)| body(code, at + MARK.len()).map(|found| at..found.end)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_become_spaces_and_places_stay() {
        let check = |text: &str, expected: &str| assert_eq!(blank_out(text), expected, "{text}");
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("a\"b", c)"#, "f(      , c)");
        check(r###"r#"a"b"# + r"c" + br"d""###, "         +      +      ");
        check("'a' + '\\'' + f::<'a>()", "    +      + f::<'a>()");
        check("r#type + for_\"x\"", "r#type + for_   ");
        check("\"two\nlines\"", "    \n      ");
    }

    #[test]
    fn words_are_found_only_whole() {
        let found: Vec<usize> = occurrences("use std::fs; my_std::fs::x; std::fs2; std::fs::read", "std::fs").collect();
        assert_eq!(found, [4, 38]);
    }

    #[test]
    fn the_body_is_found_behind_parentheses_and_not_behind_a_semicolon() {
        assert_eq!(body("fn f(a: [u8; 4]) { {} } x", 0), Some(17..23));
        assert_eq!(body("fn f(); { }", 0), None);
    }

    #[test]
    fn test_modules_are_known() {
        let code = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() {} }\nfn c() {}";
        let [found] = &test_ranges(code)[..] else { panic!("one test module") };
        assert_eq!(*found, 10..46);
    }
}

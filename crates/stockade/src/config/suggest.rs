//! The known word that somebody may have meant.

/// Characters of a word that are compared; a longer one is no misspelling of ours.
const WORD_CHARACTERS: usize = 40;

/// The nearest of `known` to `word`, if it is near enough to be meant: at most a third of its letters are wrong, and one
/// always may be.
pub(super) fn nearest<'k>(word: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    if word.chars().count() > WORD_CHARACTERS {
        return None;
    }
    let word: Vec<char> = word.chars().map(|letter| if letter == '-' { '_' } else { letter }).collect();
    let (distance, nearest) =
        known.map(|known| (distance(&word, known), known)).min_by_key(|(distance, _)| *distance)?;
    (distance <= (nearest.chars().count() / 3).max(1)).then_some(nearest)
}

/// Insertions, deletions and replacements from one to the other (Levenshtein), case aside.
fn distance(word: &[char], known: &str) -> usize {
    let mut row: Vec<usize> = (0..=word.len()).collect();
    for (line, theirs) in known.chars().enumerate() {
        let mut diagonal = line;
        let mut left = line + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (ours, above) in word.iter().zip(row.iter_mut().skip(1)) {
            let same = ours.eq_ignore_ascii_case(&theirs);
            let best = (diagonal + usize::from(!same)).min(*above + 1).min(left + 1);
            diagonal = std::mem::replace(above, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_near_word_is_suggested() {
        let known = ["listen", "profile", "calls_per_minute", "in_flight"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("listen", Some("listen")),
            ("Profile", Some("profile")),
            ("calls-per-minute", Some("calls_per_minute")),
            ("call_per_min", Some("calls_per_minute")),
            ("inflight", Some("in_flight")),
            ("zzz", None),
            ("", None),
            ("tls", None),
        ] {
            assert_eq!(nearest(word, known.into_iter()), expected, "{word:?}");
        }
        assert_eq!(nearest(&"x".repeat(1 << 20), known.into_iter()), None);
    }

    #[test]
    fn the_distance_is_that_of_levenshtein() {
        for (one, other, expected) in [("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("flaw", "lawn", 2)] {
            assert_eq!(distance(&one.chars().collect::<Vec<_>>(), other), expected, "{one} {other}");
        }
    }
}

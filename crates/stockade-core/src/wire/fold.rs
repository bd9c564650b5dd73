//! Names that look like other names.
//!
//! Some parsers compare member names without regard to case or by Unicode folding (CVE-2026-27896), so a member that
//! folds to a protocol name without being it would mean one thing here and another thing there.

use std::borrow::Cow;
use std::cell::RefCell;
use unicode_normalization::char::canonical_combining_class;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfkc_quick};
use unicode_security::GeneralSecurityProfile;
use unicode_security::confusable_detection::skeleton;

/// The form under which two names count as look-alikes: compatibility-normalised, lower case, invisible characters
/// dropped and, where the name is not ASCII, confusable letters replaced by what they look like (UTS #39 skeleton).
#[must_use]
pub fn fold_name(name: &str) -> Cow<'_, str> {
    if name.is_ascii() {
        return if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
            Cow::Owned(name.to_ascii_lowercase())
        } else {
            Cow::Borrowed(name)
        };
    }
    let folded = QUICK.with_borrow_mut(|quick| {
        let mut folded = String::with_capacity(name.len());
        name.chars().all(|c| quick.push_fold(c, &mut folded)).then_some(folded)
    });
    Cow::Owned(folded.unwrap_or_else(|| fold_slowly(name)))
}

/// The whole folding, as it is defined.
fn fold_slowly(name: &str) -> String {
    let plain: String =
        name.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_ascii() || c.identifier_allowed()).collect();
    skeleton(&plain).flat_map(char::to_lowercase).collect()
}

thread_local! {
    static QUICK: RefCell<Quick> = const { RefCell::new(Quick { places: Vec::new() }) };
}

/// How single characters fold, as far as that is the same whatever stands beside them. A message may have tens of thousands
/// of names that are not ASCII, and the tables of Unicode are slow.
struct Quick {
    /// Empty until the first such name of the thread; then [`Self::PLACES`] places, one for each remainder of a character.
    places: Vec<Place>,
}

#[derive(Clone, Copy)]
struct Place {
    character: char,
    fold: Fold,
}

#[derive(Clone, Copy)]
enum Fold {
    /// So many bytes of UTF-8.
    To([u8; Self::BYTES], u8),
    /// It depends on what stands beside it, or is long.
    Depends,
}

impl Fold {
    const BYTES: usize = 14;
}

impl Quick {
    const PLACES: usize = 4096;

    /// Appends what `c` folds to; false if that cannot be said of it alone. ASCII letters have look-alikes too (`m`, `rn`).
    fn push_fold(&mut self, c: char, folded: &mut String) -> bool {
        if self.places.is_empty() {
            self.places = vec![Place { character: '\0', fold: Fold::Depends }; Self::PLACES];
        }
        let Some(place) = self.places.get_mut(c as usize % Self::PLACES) else { return false };
        if place.character != c {
            *place = Place { character: c, fold: Self::fold_of(c) };
        }
        let Fold::To(bytes, length) = place.fold else { return false };
        let text = bytes.get(..usize::from(length)).and_then(|bytes| std::str::from_utf8(bytes).ok());
        text.map(|text| folded.push_str(text)).is_some()
    }

    /// A character folds by itself if no normalisation joins it to the one before or moves it (UAX #15 §9), and what it folds
    /// to begins with one of that kind.
    fn fold_of(c: char) -> Fold {
        let mut utf8 = [0; 4];
        let alone = fold_slowly(c.encode_utf8(&mut utf8));
        let is_starter = |c: char| canonical_combining_class(c) == 0;
        let stays = is_nfkc_quick(std::iter::once(c)) == IsNormalized::Yes && is_starter(c);
        let mut bytes = [0; Fold::BYTES];
        match (bytes.get_mut(..alone.len()), u8::try_from(alone.len())) {
            (Some(place), Ok(length)) if stays && alone.chars().next().is_none_or(is_starter) => {
                place.copy_from_slice(alone.as_bytes());
                Fold::To(bytes, length)
            }
            _ => Fold::Depends,
        }
    }
}

/// True if `name` folds to `protocol_name` but is not it.
#[must_use]
pub fn folds_to(name: &str, protocol_name: &str) -> bool {
    if name == protocol_name {
        return false;
    }
    if name.is_ascii() {
        return name.eq_ignore_ascii_case(protocol_name);
    }
    let folded = fold_name(name);
    folded.eq_ignore_ascii_case(protocol_name)
        || folded.as_ref() == skeleton(&protocol_name.to_ascii_lowercase()).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_quick_way_folds_as_the_slow_one(name in "\\PC{1,12}|[a-zA-Z\u{300}-\u{36f}\u{100}-\u{1ff}\u{1100}-\u{11ff}]{1,8}") {
            if !name.is_ascii() {
                prop_assert_eq!(fold_name(&name).into_owned(), fold_slowly(&name));
            }
        }
    }

    #[test]
    fn every_character_between_letters_folds_as_it_is_defined() {
        for c in ('\u{80}'..=char::MAX).step_by(7) {
            let name = format!("a{c}b");
            assert_eq!(fold_name(&name), fold_slowly(&name), "U+{:04X}", c as u32);
        }
    }

    #[test]
    fn look_alikes_fold_to_the_protocol_name() {
        for (name, protocol_name) in [
            ("Name", "name"),
            ("PARAMS", "params"),
            ("param\u{17f}", "params"),
            ("progressTo\u{212a}en", "progressToken"),
            ("n\u{430}me", "name"),
            ("\u{ff4e}ame", "name"),
            ("na\u{200b}me", "name"),
            ("meth\u{3bf}d", "method"),
            ("\u{435}rror", "error"),
            ("tool\u{455}", "tools"),
        ] {
            assert!(folds_to(name, protocol_name), "{name:?} {}", fold_name(name));
        }
    }

    #[test]
    fn the_name_itself_and_other_names_do_not() {
        for (name, protocol_name) in [("name", "name"), ("names", "name"), ("größe", "grosse"), ("данные", "data")]
        {
            assert!(!folds_to(name, protocol_name), "{name:?}");
        }
    }
}

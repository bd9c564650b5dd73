//! Names that look like other names.
//!
//! Some parsers compare member names without regard to case or by Unicode folding (CVE-2026-27896), so a member that
//! folds to a protocol name without being it would mean one thing here and another thing there.

use std::borrow::Cow;
use unicode_normalization::UnicodeNormalization;
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
    let plain: String =
        name.nfkc().flat_map(char::to_lowercase).filter(|c| c.is_ascii() || c.identifier_allowed()).collect();
    Cow::Owned(skeleton(&plain).flat_map(char::to_lowercase).collect())
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

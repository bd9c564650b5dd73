//! What a character is, seen alone. Whether it belongs where it stands is decided in `context`.
//!
//! Sources: UAX #44 (Default_Ignorable_Code_Point), UAX #9 §2 (directional formatting), UTS #51 (emoji), ECMA-48 §5
//! (control functions). Ranges of scripts are given by block, which is generous and stable.

use unicode_normalization::char::is_combining_mark;

/// What a character is, seen alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A reader sees it, or it is a tab, line feed or carriage return, or another space.
    Visible,
    /// A combining mark that is drawn.
    Mark,
    /// ESC, which begins a terminal sequence.
    Escape,
    /// Another control character below U+0020, or DEL.
    Control,
    /// U+0080 to U+009F (ECMA-48 §5.3).
    HighControl,
    Tag,
    ZeroWidthSpace,
    /// Zero-width joiner and non-joiner.
    Joiner,
    Selector,
    MongolianSelector,
    MongolianSeparator,
    GraphemeJoiner,
    BidiMark,
    BidiFormat,
    BidiOverride,
    SoftHyphen,
    Filler,
    Annotation,
    ByteOrderMark,
    LineSeparator,
    Noncharacter,
    /// Drawn as nothing, and no script of today needs it.
    Invisible,
}

pub(crate) fn class_of(character: char) -> Class {
    match u32::from(character) {
        0x09 | 0x0a | 0x0d | 0x20..=0x7e | 0xa0..=0xac | 0xae..=0x2ff => Class::Visible,
        0x1b => Class::Escape,
        0x00..=0x1f | 0x7f => Class::Control,
        0x80..=0x9f => Class::HighControl,
        0xad => Class::SoftHyphen,
        // Han and Hangul syllables first: they are most of what comes in their languages.
        0x3400..=0x9fff | 0xac00..=0xd7a3 => Class::Visible,
        0x34f => Class::GraphemeJoiner,
        0x61c | 0x200e | 0x200f => Class::BidiMark,
        0x115f | 0x1160 | 0x3164 | 0xffa0 => Class::Filler,
        0x180b..=0x180d | 0x180f => Class::MongolianSelector,
        0x180e => Class::MongolianSeparator,
        0x200b => Class::ZeroWidthSpace,
        0x200c | 0x200d => Class::Joiner,
        0x2028 | 0x2029 => Class::LineSeparator,
        0x202d | 0x202e => Class::BidiOverride,
        0x202a..=0x202c | 0x2066..=0x2069 => Class::BidiFormat,
        0xfe00..=0xfe0f | 0xe0100..=0xe01ef => Class::Selector,
        0xfeff => Class::ByteOrderMark,
        0xfff9..=0xfffb => Class::Annotation,
        0xe0000..=0xe007f => Class::Tag,
        0x17b4 | 0x17b5 | 0x2060..=0x2065 | 0x206a..=0x206f | 0xfff0..=0xfff8 => Class::Invisible,
        0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a | 0xe0080..=0xe0fff => Class::Invisible,
        0xfdd0..=0xfdef => Class::Noncharacter,
        code if code & 0xfffe == 0xfffe => Class::Noncharacter,
        _ if is_combining_mark(character) => Class::Mark,
        _ => Class::Visible,
    }
}

/// A letter that is drawn and that is no mark.
pub(crate) fn is_letter(character: char) -> bool {
    character.is_alphabetic() && class_of(character) == Class::Visible
}

/// Could begin or continue an emoji. By block, so it also holds some symbols which are no emoji.
pub(crate) fn is_pictograph(character: char) -> bool {
    matches!(u32::from(character),
        0xa9 | 0xae | 0x203c | 0x2049 | 0x2122 | 0x2139 | 0x3030 | 0x303d | 0x3297 | 0x3299
        | 0x2190..=0x21ff | 0x2300..=0x23ff | 0x2460..=0x24ff | 0x25a0..=0x27bf | 0x2900..=0x297f
        | 0x2b00..=0x2bff | 0x1f000..=0x1faff)
}

/// A Han ideograph, which may carry an ideographic variation sequence (UTS #37).
pub(crate) fn is_ideograph(character: char) -> bool {
    matches!(u32::from(character), 0x3400..=0x4dbf | 0x4e00..=0x9fff | 0xf900..=0xfaff | 0x20000..=0x3ffff)
        && class_of(character) == Class::Visible
}

/// Has standardized variants which VS1 to VS3 select (StandardizedVariants.txt, by block).
pub(crate) fn has_standard_variants(character: char) -> bool {
    let listed = matches!(u32::from(character),
        0x30 | 0x1000..=0x109f | 0x2200..=0x22ff | 0x2600..=0x27bf | 0x2a00..=0x2aff | 0x3000..=0x303f
        | 0xa840..=0xa87f | 0xff00..=0xffef | 0x10ac0..=0x10aff | 0x13000..=0x1345f | 0x1d49c..=0x1d4cf);
    is_ideograph(character) || (listed && class_of(character) == Class::Visible)
}

/// Of a script in which joiner and non-joiner change how letters are drawn: Arabic and its kin, Mongolian, the Indic scripts.
pub(crate) fn is_of_joining_script(character: char) -> bool {
    let listed = matches!(u32::from(character),
        0x600..=0x8ff | 0x900..=0xdff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x1800..=0x18af | 0x1900..=0x194f
        | 0x1a20..=0x1aaf | 0x1b00..=0x1bff | 0x1cd0..=0x1cff | 0xa800..=0xa82f | 0xa840..=0xa8ff | 0xa900..=0xa9ff
        | 0xaa00..=0xaa7f | 0xaae0..=0xaaff | 0xabc0..=0xabff | 0xfb50..=0xfdff | 0xfe70..=0xfeff
        | 0x10a00..=0x10aff | 0x10d00..=0x10d3f | 0x11000..=0x11fff | 0x1e900..=0x1e95f);
    listed && matches!(class_of(character), Class::Visible | Class::Mark)
}

/// Of a script that writes no spaces between words and uses U+200B instead: Thai, Lao, Tibetan, Myanmar, Khmer and kin.
pub(crate) fn is_of_spaceless_script(character: char) -> bool {
    matches!(u32::from(character),
        0xe00..=0xfff | 0x1000..=0x109f | 0x1780..=0x17ff | 0x1950..=0x19ff | 0x1a20..=0x1aaf | 0x1b00..=0x1b7f
        | 0xa980..=0xa9ff | 0xaa60..=0xaadf)
        && matches!(class_of(character), Class::Visible | Class::Mark)
}

/// A letter of the Mongolian block.
pub(crate) fn is_mongolian_letter(character: char) -> bool {
    matches!(u32::from(character), 0x1820..=0x18aa)
}

/// A letter that is written from right to left: Hebrew, Arabic, Syriac, Thaana, N'Ko and the later ones.
pub(crate) fn is_right_to_left(character: char) -> bool {
    matches!(u32::from(character),
        0x590..=0x8ff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff | 0x10800..=0x10fff | 0x1e800..=0x1efff)
        && is_letter(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_character_has_the_class_of_its_use() {
        let check = |characters: &str, expected| {
            for character in characters.chars() {
                assert_eq!(class_of(character), expected, "{character:?}");
            }
        };
        check("\t\n\r a~\u{a0}\u{2003}\u{3000}\u{4e2d}\u{ac00}\u{1f600}\u{fffd}\u{e000}", Class::Visible);
        check("\u{301}\u{5b0}\u{94d}\u{20e3}", Class::Mark);
        check("\u{0}\u{7}\u{8}\u{b}\u{c}\u{18}\u{1f}\u{7f}", Class::Control);
        check("\u{1b}", Class::Escape);
        check("\u{80}\u{85}\u{9b}\u{9f}", Class::HighControl);
        check("\u{e0000}\u{e0001}\u{e0061}\u{e007f}", Class::Tag);
        check("\u{fe00}\u{fe0f}\u{e0100}\u{e01ef}", Class::Selector);
        check("\u{202d}\u{202e}", Class::BidiOverride);
        check("\u{202a}\u{202b}\u{202c}\u{2066}\u{2067}\u{2068}\u{2069}", Class::BidiFormat);
        check("\u{61c}\u{200e}\u{200f}", Class::BidiMark);
        check("\u{2060}\u{2061}\u{2064}\u{206a}\u{206f}\u{e0080}\u{e0fff}\u{fff0}", Class::Invisible);
        check("\u{115f}\u{1160}\u{3164}\u{ffa0}", Class::Filler);
        check("\u{fff9}\u{fffb}", Class::Annotation);
        check("\u{fdd0}\u{fdef}\u{fffe}\u{ffff}\u{1fffe}\u{10ffff}", Class::Noncharacter);
        check("\u{2028}\u{2029}", Class::LineSeparator);
    }

    #[test]
    fn no_hidden_character_counts_as_a_letter_or_a_base() {
        for character in (0..=0x10_ffff).filter_map(char::from_u32) {
            if matches!(class_of(character), Class::Visible | Class::Mark) {
                continue;
            }
            let taken = is_letter(character)
                || is_pictograph(character)
                || is_ideograph(character)
                || has_standard_variants(character)
                || is_of_joining_script(character)
                || is_of_spaceless_script(character)
                || is_mongolian_letter(character)
                || is_right_to_left(character);
            assert!(!taken, "{character:?}");
        }
    }
}

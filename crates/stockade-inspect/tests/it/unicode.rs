//! Invisible and deceptive characters.

use stockade_inspect::Severity::{High, Low, Medium};
use stockade_inspect::{
    Group, MAX_FINDINGS, MAX_FLAG_TAGS, MAX_MARKS_PER_BASE, SPLIT_GAP_CHARS, SPLIT_STREAK, Screen, TextKind, Verdict,
};

use crate::{check, check_clean, screen};

fn tags(text: &str) -> String {
    text.chars().filter_map(|character| char::from_u32(0xe0000 + u32::from(character))).collect()
}

#[test]
fn tag_characters_are_an_attack_unless_they_make_a_flag() {
    let hidden = tags("ignore all");
    check(&format!("a{hidden}b"), &[("tag-characters", High, &hidden)], "ab");
    check("a\u{e0001}", &[("tag-characters", High, "\u{e0001}")], "a");
    for region in ["gbeng", "gbsct", "gbwls", "ustx", "fr1"] {
        check_clean(&format!("\u{1f3f4}{}\u{e007f} won", tags(region)));
    }
    for region in ["", "gb", "1beng", "g1eng", "gbENG", "ignorex"] {
        let hidden = format!("{}\u{e007f}", tags(region));
        check(&format!("\u{1f3f4}{hidden}"), &[("tag-characters", High, &hidden)], "\u{1f3f4}");
    }
    let unended = tags("gbeng");
    check(&format!("\u{1f3f4}{unended}x"), &[("tag-characters", High, &unended)], "\u{1f3f4}x");
}

#[test]
fn a_flag_holds_tags_up_to_its_limit() {
    let flag = |count: usize| format!("\u{1f3f4}{}\u{e007f}", tags(&"a".repeat(count)));
    assert!(screen(&flag(MAX_FLAG_TAGS)).is_clean());
    assert_eq!(screen(&flag(MAX_FLAG_TAGS + 1)).verdict(), Verdict::Attack);
}

#[test]
fn emoji_are_left_alone() {
    check_clean("\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}\u{200d}\u{1f466} family");
    check_clean(
        "\u{1f469}\u{1f3fd}\u{200d}\u{1f4bb} coder \u{1f3f3}\u{fe0f}\u{200d}\u{1f308} \u{1f3f4}\u{200d}\u{2620}\u{fe0f}",
    );
    check_clean("1\u{fe0f}\u{20e3} #\u{fe0f}\u{20e3} \u{26a0}\u{fe0f} \u{2764}\u{fe0e} \u{a9}\u{fe0f}");
    check_clean("\u{1f1e9}\u{1f1ea}");
}

#[test]
fn joiners_stay_only_where_a_script_needs_them() {
    check_clean("می\u{200c}خواهم \u{915}\u{94d}\u{200d}\u{937} \u{d28}\u{d4d}\u{200d}");
    check_clean("\u{1820}\u{180b}\u{180e}\u{1820}");
    check_clean("\u{e01}\u{200b}\u{e02} \u{1780}\u{200b}\u{1781}");
    check("a\u{200c}b", &[("zero-width", Medium, "\u{200c}")], "ab");
    check("a\u{200d}b", &[("zero-width", Medium, "\u{200d}")], "ab");
    check("\u{1f468}\u{200d}b", &[("zero-width", Medium, "\u{200d}")], "\u{1f468}b");
    check("\u{645}\u{200c}\u{200d}\u{645}", &[("zero-width", Medium, "\u{200d}")], "\u{645}\u{200c}\u{645}");
    check("\u{e01}\u{200b}a", &[("zero-width", Medium, "\u{200b}")], "\u{e01}a");
    check("\u{5b0}\u{34f}\u{5b0} a\u{34f}b", &[("zero-width", Medium, "\u{34f}")], "\u{5b0}\u{34f}\u{5b0} ab");
}

#[test]
fn one_invisible_character_is_suspicious() {
    for hidden in ["\u{200b}", "\u{2060}", "\u{2061}", "\u{2064}", "\u{180e}", "\u{206a}", "\u{17b4}", "\u{e0fff}"] {
        check(&format!("a{hidden}b"), &[("zero-width", Medium, hidden)], "ab");
    }
    for filler in ["\u{115f}", "\u{1160}", "\u{3164}", "\u{ffa0}"] {
        check(&format!("a{filler}b"), &[("filler", Medium, filler)], "ab");
    }
    for mark in ["\u{fff9}", "\u{fffa}", "\u{fffb}"] {
        check(&format!("a{mark}b"), &[("annotation", Medium, mark)], "ab");
    }
    for noncharacter in ["\u{fdd0}", "\u{fffe}", "\u{10ffff}"] {
        check(&format!("a{noncharacter}b"), &[("noncharacter", Medium, noncharacter)], "ab");
    }
}

#[test]
fn a_run_of_invisible_characters_is_an_attack() {
    check("a\u{200b}\u{200c}\u{200b}b", &[("zero-width", Medium, "\u{200b}\u{200c}\u{200b}")], "ab");
    let run = "\u{200b}\u{200c}\u{200c}\u{200b}";
    check(&format!("a{run}b"), &[("zero-width", High, run)], "ab");
}

#[test]
fn invisible_characters_between_letters_are_an_attack_from_the_limit_on() {
    let split = |count: usize, gap: usize| format!("\u{200b}{}", "a".repeat(gap)).repeat(count);
    let verdict = |count, gap| screen(&split(count, gap)).verdict();
    assert_eq!(verdict(SPLIT_STREAK, SPLIT_GAP_CHARS), Verdict::Attack);
    assert_eq!(verdict(SPLIT_STREAK - 1, SPLIT_GAP_CHARS), Verdict::Suspicious);
    assert_eq!(verdict(SPLIT_STREAK, SPLIT_GAP_CHARS + 1), Verdict::Suspicious);
    // All findings of the streak are raised, and none before it.
    let text = format!("\u{200b}before {}", split(SPLIT_STREAK + 1, 1));
    let severities: Vec<_> = screen(&text).findings().iter().map(|finding| finding.severity).collect();
    assert_eq!(severities, [Medium, High, High, High, High, High]);
}

#[test]
fn variation_selectors_stay_only_where_they_select() {
    check_clean("\u{845b}\u{e0100} \u{2229}\u{fe00} \u{4e00}\u{fe00} 0\u{fe00}");
    check("a\u{fe0f}b", &[("variation-selector", Medium, "\u{fe0f}")], "ab");
    check("1\u{fe0f}b", &[("variation-selector", Medium, "\u{fe0f}")], "1b");
    check("a\u{e0100}b", &[("variation-selector", Medium, "\u{e0100}")], "ab");
    check("\u{1f600}\u{e0100}", &[("variation-selector", Medium, "\u{e0100}")], "\u{1f600}");
    check("\u{26a0}\u{fe0f}\u{fe0f}", &[("variation-selector", Medium, "\u{fe0f}")], "\u{26a0}\u{fe0f}");
    let run = "\u{e0158}\u{e0155}\u{e015c}";
    check(&format!("\u{1f600}{run}"), &[("variation-selector", High, run)], "\u{1f600}");
    check("a\u{fe00}\u{fe01}", &[("variation-selector", High, "\u{fe00}\u{fe01}")], "a");
}

#[test]
fn direction_overrides_are_always_an_attack() {
    check("\u{202e}abc\u{202c}", &[("bidi-override", High, "\u{202e}"), ("bidi-format", Medium, "\u{202c}")], "abc");
    check("\u{5d0}\u{202d}b", &[("bidi-override", High, "\u{202d}")], "\u{5d0}b");
    check("\u{2067}a\u{2069}", &[("bidi-format", Medium, "\u{2067}"), ("bidi-format", Medium, "\u{2069}")], "a");
}

#[test]
fn direction_marks_belong_to_right_to_left_text() {
    check_clean("السعر \u{200f}53 ريال\u{200e} (x)");
    check_clean("\u{200f}1. \u{5d0}");
    check_clean("\u{5d0}\u{61c}1");
    check("a\u{200e}b", &[("bidi-mark", Low, "\u{200e}")], "ab");
    check("\u{5d0}\u{200e}\u{200f}", &[("bidi-mark", Low, "\u{200f}")], "\u{5d0}\u{200e}");
    let run = "\u{200e}\u{200f}\u{200e}\u{200f}";
    check(&format!("a{run}"), &[("bidi-mark", High, run)], "a");
    // Each mark before the letter stays, however many there are.
    check_clean("\u{200e}1 \u{200e}2 \u{200f}3 \u{5d0}");
    // A letter past the reach of the mark, or behind a control character, does not count.
    let far = format!("\u{200e}{}\u{5d0}", "a".repeat(32));
    check(&far, &[("bidi-mark", Low, "\u{200e}")], far.trim_start_matches('\u{200e}'));
    check_clean(&format!("\u{200e}{}\u{5d0}", "a".repeat(31)));
    check("\u{200e}\u{0}\u{5d0}", &[("bidi-mark", Low, "\u{200e}"), ("control-character", Medium, "\u{0}")], "\u{5d0}");
}

#[test]
fn soft_hyphens_divide_long_words_only() {
    check_clean("Rechts\u{ad}schutz\u{ad}versicherungs\u{ad}gesell\u{ad}schaft");
    check_clean("ab\u{ad}cd");
    check("a\u{ad}cd", &[("soft-hyphen", Low, "\u{ad}")], "acd");
    check("ab\u{ad}c", &[("soft-hyphen", Low, "\u{ad}")], "abc");
    check("abc\u{ad} d", &[("soft-hyphen", Low, "\u{ad}")], "abc d");
    let text = "i\u{ad}g\u{ad}n\u{ad}o\u{ad}re";
    assert_eq!(screen(text).verdict(), Verdict::Attack);
    assert_eq!(screen(text).cleaned(), "ignore");
}

#[test]
fn a_byte_order_mark_belongs_to_the_beginning() {
    check_clean("\u{feff}id,name");
    check("a\n\u{feff}id", &[("byte-order-mark", Low, "\u{feff}")], "a\nid");
    check("\u{feff}\u{feff}id", &[("byte-order-mark", Low, "\u{feff}")], "\u{feff}id");
}

#[test]
fn line_separators_become_line_feeds() {
    check("a\u{2028}b", &[("line-separator", Low, "\u{2028}")], "a\nb");
    check("a\u{2029}\u{2029}b", &[("line-separator", Low, "\u{2029}\u{2029}")], "a\n\nb");
}

#[test]
fn marks_past_the_limit_are_cut() {
    let base_with = |count: usize| format!("e{}", "\u{301}".repeat(count));
    check_clean(&base_with(MAX_MARKS_PER_BASE).repeat(3));
    let flood = format!("{}x", base_with(MAX_MARKS_PER_BASE + 2));
    let kept = format!("{}x", base_with(MAX_MARKS_PER_BASE));
    check(&flood, &[("combining-flood", Medium, "\u{301}\u{301}")], &kept);
}

#[test]
fn ordinary_text_of_the_world_is_clean() {
    for text in [
        "",
        "Ärger, café, naïve, Zürich",
        "Привет, мир",
        "中文，日本語、한국어",
        "हिन्दी ภาษาไทย ភាសាខ្មែរ",
        "שָׁלוֹם עֲלֵיכֶם",
        "tie\u{302}\u{301}ng Vie\u{323}\u{302}t",
        "\u{1d453}(\u{1d465}) ≤ ∇ 37\u{a0}€",
    ] {
        check_clean(text);
    }
}

#[test]
fn findings_are_listed_up_to_the_limit_and_all_is_cleaned() {
    let text = |count: usize| "\u{200b}word ".repeat(count);
    let at_limit = text(MAX_FINDINGS);
    assert_eq!(screen(&at_limit).findings().len(), MAX_FINDINGS);
    assert!(screen(&at_limit).findings().iter().all(|finding| finding.rule == "unicode.zero-width"));
    let past = format!("{}\u{202e}tail", text(MAX_FINDINGS + 50));
    let report = screen(&past);
    assert_eq!(report.findings().len(), MAX_FINDINGS + 1);
    let last = &report.findings()[MAX_FINDINGS];
    assert_eq!((last.rule, last.severity), ("unicode.more", High));
    assert_eq!(last.span, MAX_FINDINGS * "\u{200b}word ".len()..past.len() - "tail".len());
    assert_eq!(report.cleaned(), &format!("{}tail", "word ".repeat(MAX_FINDINGS + 50)));
    assert_eq!(report.verdict(), Verdict::Attack);
}

#[test]
fn the_group_of_every_finding_is_unicode() {
    let report = Screen::default().screen("\x1b[31m\u{200b}", TextKind::Unknown);
    assert_eq!(report.group_verdict(Group::Unicode), Verdict::Suspicious);
    assert_eq!(report.group_verdict(Group::Injection), Verdict::Clean);
    assert!((report.score() - report.group_score(Group::Unicode)).abs() < f64::EPSILON);
}

//! The rules of the group `unicode`: their names, severities and words. When each applies is said in `scanner`,
//! `context` and `terminal`.

use crate::report::{Group, Severity};
use crate::rule::{Dense, Rule};

macro_rules! rules {
    ($($constant:ident = $name:literal, $severity:ident, $reason:literal $(, dense $run:literal $dense:literal)?;)*) => {
        $(pub(crate) static $constant: Rule = Rule {
            name: concat!("unicode.", $name),
            group: Group::Unicode,
            severity: Severity::$severity,
            reason: $reason,
            dense: rules!(@dense $($run $dense)?),
        };)*
    };
    (@dense) => { None };
    (@dense $run:literal $dense:literal) => { Some(Dense { run_chars: $run, reason: $dense }) };
}

rules! {
    COLOUR = "terminal-colour", Low, "a terminal colour or style sequence";
    ERASE_RIGHT = "terminal-erase-right", Low, "a terminal sequence that colouring programs print at a change of colour";
    ERASE_NOTHING = "terminal-erase-empty", Medium, "a terminal sequence that begins a line anew where nothing was written";
    CONCEAL = "terminal-conceal", High, "a terminal sequence that makes the text after it invisible";
    MOVE = "terminal-move", High, "a terminal sequence that moves the cursor, erases, resets or makes the terminal answer";
    MODE = "terminal-mode", Medium, "a terminal sequence that changes a mode";
    CHARSET = "terminal-charset", Low, "a terminal sequence that selects a character set";
    CLIPBOARD = "terminal-clipboard", Critical, "a terminal sequence that reads or writes the clipboard";
    LINK = "terminal-link", Medium, "a terminal link, whose target is not shown";
    LINK_ELSEWHERE = "terminal-link", High, "a terminal link that leads elsewhere than its text says";
    COMMAND = "terminal-command", High, "a terminal sequence that reaches into the terminal program or its files";
    TITLE = "terminal-title", Medium, "a terminal sequence that sets a title";
    STRING = "terminal-string", Medium, "a terminal control string, whose body is not shown";
    BROKEN = "terminal-broken", Medium, "the beginning of a terminal sequence that does not end";
    OTHER = "terminal-other", Medium, "a terminal escape sequence";
    PAGE = "control-character", Low, "a control character (bell, form feed or vertical tab)";
    CONTROL = "control-character", Medium, "a control character";
    OVERSTRIKE = "overstrike", Low, "a backspace as printers used it for bold and underlined letters";
    BACKSPACE = "backspace", Medium, "a backspace, which lets later text overwrite earlier text",
        dense 2 "backspaces that take back text which a reader of the raw text still sees";
    TAG = "tag-characters", High, "invisible tag characters, which can carry a whole hidden text";
    ZERO_WIDTH = "zero-width", Medium, "an invisible character of no width",
        dense 4 "a run of invisible characters, long enough to carry hidden data";
    SELECTOR = "variation-selector", Medium, "a variation selector where it selects nothing",
        dense 2 "a run of variation selectors, which can carry hidden data";
    BIDI_OVERRIDE = "bidi-override", High, "a direction override: the text reads otherwise than it is stored";
    BIDI_FORMAT = "bidi-format", Medium, "an embedding or isolate, which changes the order of what is shown";
    BIDI_MARK = "bidi-mark", Low, "a direction mark in text that has no right-to-left letters near it",
        dense 4 "a run of direction marks, long enough to carry hidden data";
    SOFT_HYPHEN = "soft-hyphen", Low, "a soft hyphen where no word would be divided",
        dense 4 "a run of soft hyphens, long enough to carry hidden data";
    FILLER = "filler", Medium, "a letter that is drawn as nothing",
        dense 4 "a run of invisible letters, long enough to carry hidden data";
    ANNOTATION = "annotation", Medium, "an interlinear annotation mark, which hides or shows text by the reader's program";
    BYTE_ORDER_MARK = "byte-order-mark", Low, "a byte order mark inside a text",
        dense 4 "a run of invisible characters, long enough to carry hidden data";
    LINE_SEPARATOR = "line-separator", Low, "a line or paragraph separator, which only some programs take for a line end";
    MARKS = "combining-flood", Medium, "more combining marks on one letter than any script needs";
    NONCHARACTER = "noncharacter", Medium, "a code point that is no character";
    MALFORMED = "malformed-escape", Medium, "a JSON escape that stands for no character";
}

/// The reason for invisible characters which follow each other with one or two letters between them.
pub(crate) const SPLIT_REASON: &str = "invisible characters between nearly all letters, which hide words from filters";

//! What sort of text is screened. It must never name a message or method of a protocol.

use core::fmt;
use core::str::FromStr;

/// What the text is, as far as the caller knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum TextKind {
    /// What a tool answered.
    ToolResult,
    /// A tool's definition: its description alone, or the whole definition as one JSON object.
    ToolDescription,
    /// A file, a page, a resource.
    Document,
    /// A prompt which a server offers.
    Prompt,
    /// What a user wrote.
    UserPrompt,
    /// The arguments of a tool call.
    ToolArguments,
    /// Nobody said.
    #[default]
    Unknown,
}

impl TextKind {
    /// The word for this kind in input and output; `unknown` for [`TextKind::Unknown`].
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ToolResult => "tool_result",
            Self::ToolDescription => "tool_description",
            Self::Document => "document",
            Self::Prompt => "prompt",
            Self::UserPrompt => "user_prompt",
            Self::ToolArguments => "tool_arguments",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for TextKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Why a word is not a [`TextKind`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextKindError {
    /// The word names no kind. The word itself is not repeated: it may come from a peer.
    #[error(
        "unknown kind of text; known are tool_result, tool_description, document, prompt, user_prompt, tool_arguments"
    )]
    Unrecognised,
}

impl FromStr for TextKind {
    type Err = TextKindError;

    /// Reads one of the six names. There is no name for `Unknown`: a caller who was told nothing uses the default.
    ///
    /// # Errors
    /// `Unrecognised` for every other word; letters of other case are other words.
    fn from_str(word: &str) -> Result<Self, Self::Err> {
        [Self::ToolResult, Self::ToolDescription, Self::Document, Self::Prompt, Self::UserPrompt, Self::ToolArguments]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .ok_or(TextKindError::Unrecognised)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_read_from_its_own_word_only() {
        let check =
            |word: &str, expected: Result<TextKind, TextKindError>| assert_eq!(word.parse(), expected, "{word}");
        check("tool_result", Ok(TextKind::ToolResult));
        check("tool_description", Ok(TextKind::ToolDescription));
        check("document", Ok(TextKind::Document));
        check("prompt", Ok(TextKind::Prompt));
        check("user_prompt", Ok(TextKind::UserPrompt));
        check("tool_arguments", Ok(TextKind::ToolArguments));
        check("unknown", Err(TextKindError::Unrecognised));
        check("Tool_Result", Err(TextKindError::Unrecognised));
        check("", Err(TextKindError::Unrecognised));
    }
}

//! The closed list of reasons for being stricter than the published schemas.

use super::oracle::{Answers, Case};
use stockade_core::mcp::{Era, FrameError, InvalidMessage, Method, Rule};

/// How we refused a message.
#[derive(Debug)]
pub(super) enum Refusal {
    /// It is no frame.
    Frame(FrameError),
    /// It is no message of the protocol.
    Message(InvalidMessage),
    /// It is a message of another method.
    OtherMethod,
}

/// Why we refuse a message that its published schema lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum StricterBecause {
    /// Ids are short strings without controls or integers that every reader keeps exact (PA-08).
    IdsAreExact,
    /// A member that looks like one of the protocol would be that one to a loose reader (PA-05, PA-06).
    NamesDoNotLookAlike,
    /// The same among a tool's arguments.
    ArgumentsDoNotLookAlike,
    /// Names and addresses hold no control characters (PA-14).
    NamesHoldNoControls,
    /// What is asked for by name has one, and a tool's has at most 128 characters.
    WantedNamesHaveALength,
    /// Integers are written as such and are exact: `1.0` is an integer to some readers only.
    IntegersAreExact,
    /// Addresses have a scheme, and those that are opened or fetched one of the web.
    AddressesHaveAScheme,
    /// Images, audio and blobs are base64.
    BinaryIsBase64,
    /// A value that fits two variants of a union is one to a guard and another to a client.
    VariantsAreToldApart,
    /// `input_required` asks for something.
    InputRequiredAsks,
    /// `resultType` says which variant a result is, and only known values are results.
    ResultTypeTells,
    /// Each member of a question is checked, though a union of open objects lets it pass through another variant.
    QuestionsAreCheckedWhole,
    /// `_meta` is checked everywhere, also where an older definition does not repeat the base definition.
    MetaIsCheckedEverywhere,
    /// Notifications of a listen stream say which (MCP 2026-07-28, subscriptions).
    StreamsAreNamed,
    /// A cancellation says what is cancelled.
    CancellationsNameARequest,
    /// A message is a request, a notification, a result or an error, and nothing else at the same time.
    MessagesAreOneThing,
    /// The keywords of a tool's schema that the protocol speaks of have their kind in every revision.
    ToolSchemasHaveTheirKeywords,
    /// Members of the tasks extension are checked where the core's schema does not know them.
    ExtensionsAreChecked,
}

impl StricterBecause {
    pub(super) const ALL: [Self; 18] = [
        Self::IdsAreExact,
        Self::NamesDoNotLookAlike,
        Self::ArgumentsDoNotLookAlike,
        Self::NamesHoldNoControls,
        Self::WantedNamesHaveALength,
        Self::IntegersAreExact,
        Self::AddressesHaveAScheme,
        Self::BinaryIsBase64,
        Self::VariantsAreToldApart,
        Self::InputRequiredAsks,
        Self::ResultTypeTells,
        Self::QuestionsAreCheckedWhole,
        Self::MetaIsCheckedEverywhere,
        Self::StreamsAreNamed,
        Self::CancellationsNameARequest,
        Self::MessagesAreOneThing,
        Self::ToolSchemasHaveTheirKeywords,
        Self::ExtensionsAreChecked,
    ];
}

/// The reason for a refusal, from what it says; nothing if there is none.
pub(super) fn reason(refusal: &Refusal, case: &Case) -> Option<StricterBecause> {
    match refusal {
        Refusal::Frame(FrameError::BadId) => Some(StricterBecause::IdsAreExact),
        Refusal::Frame(FrameError::LookAlike { .. }) => Some(StricterBecause::NamesDoNotLookAlike),
        Refusal::Frame(FrameError::NoSingleKind { .. } | FrameError::BadParams { .. })
        | Refusal::Message(InvalidMessage::WrongKind { .. }) => Some(StricterBecause::MessagesAreOneThing),
        Refusal::Frame(_) | Refusal::OtherMethod => None,
        Refusal::Message(error) => {
            let (path, rule) = error.fault()?;
            of_rule(rule).or_else(|| of_place(path, rule, case))
        }
    }
}

/// Rules that the schemas do not have.
fn of_rule(rule: Rule) -> Option<StricterBecause> {
    match rule {
        Rule::LookAlike => Some(StricterBecause::NamesDoNotLookAlike),
        Rule::LookAlikeSiblings => Some(StricterBecause::ArgumentsDoNotLookAlike),
        Rule::ControlCharacter => Some(StricterBecause::NamesHoldNoControls),
        Rule::NameLength => Some(StricterBecause::WantedNamesHaveALength),
        Rule::InexactInteger => Some(StricterBecause::IntegersAreExact),
        Rule::IdLength => Some(StricterBecause::IdsAreExact),
        Rule::UriScheme => Some(StricterBecause::AddressesHaveAScheme),
        Rule::NotBase64 => Some(StricterBecause::BinaryIsBase64),
        Rule::AmbiguousVariant => Some(StricterBecause::VariantsAreToldApart),
        Rule::AsksNothing => Some(StricterBecause::InputRequiredAsks),
        Rule::Kind(_) | Rule::Missing | Rule::NotListed | Rule::OutOfRange => None,
    }
}

/// Rules that the schemas have, at places where their definition of this message does not apply them.
fn of_place(path: &str, rule: Rule, case: &Case) -> Option<StricterBecause> {
    let modern = case.revision.era() == Era::Modern;
    let is_union = match case.answers {
        Answers::Request(method) => method.facts().may_require_input,
        Answers::Nothing(_) | Answers::WithError => false,
    };
    let cancels = matches!(case.answers, Answers::Nothing(Method::NotificationsCancelled));
    if cancels && path == "params.requestId" && rule == Rule::Missing {
        Some(StricterBecause::CancellationsNameARequest)
    } else if modern
        && rule == Rule::Missing
        && (path.ends_with("/subscriptionId") || is_stream(case) && path == "params._meta")
    {
        Some(StricterBecause::StreamsAreNamed)
    } else if path.contains("requestedSchema.properties.*") {
        Some(StricterBecause::QuestionsAreCheckedWhole)
    } else if path.ends_with("_meta") || path.contains("_meta.") {
        Some(StricterBecause::MetaIsCheckedEverywhere)
    } else if path.contains("taskIds") {
        Some(StricterBecause::ExtensionsAreChecked)
    } else if modern && (path.ends_with("inputSchema.properties") || path.contains("inputSchema.required")) {
        Some(StricterBecause::ToolSchemasHaveTheirKeywords)
    } else if path.ends_with(".ttl") && rule == Rule::OutOfRange {
        Some(StricterBecause::IntegersAreExact)
    } else if modern && (path == "result.resultType" || is_union && path.starts_with("result")) {
        Some(StricterBecause::ResultTypeTells)
    } else {
        None
    }
}

/// Notifications that a modern server sends on a listen stream only.
fn is_stream(case: &Case) -> bool {
    matches!(
        case.answers,
        Answers::Nothing(
            Method::NotificationsToolsListChanged
                | Method::NotificationsPromptsListChanged
                | Method::NotificationsResourcesListChanged
                | Method::NotificationsResourcesUpdated
                | Method::NotificationsSubscriptionsAcknowledged
                | Method::NotificationsTasks
        )
    )
}

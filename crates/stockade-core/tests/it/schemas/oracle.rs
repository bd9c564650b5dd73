//! The published schemas as an oracle: one validator for each revision, direction and message.

use super::generate::Generator;
use jsonschema::Validator;
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;
use stockade_core::mcp::{Direction, Era, Method, MethodKind, Revision};

/// What a case's messages answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answers {
    /// Nothing: they are requests or notifications of this method.
    Nothing(Method),
    /// They are results of this request.
    Request(Method),
    /// They are errors.
    WithError,
}

/// One kind of message in one revision and direction.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) revision: Revision,
    pub(super) direction: Direction,
    pub(super) answers: Answers,
    /// A message is allowed if one of these says so.
    validators: Vec<Validator>,
    /// Where messages come from: a document and a schema in it.
    sources: Vec<(Arc<Value>, Value)>,
}

impl Case {
    pub(super) fn is_allowed(&self, message: &Value) -> bool {
        self.validators.iter().any(|validator| validator.is_valid(message))
    }

    /// True for messages with many members at many levels, of which more are needed to reach every corner.
    pub(super) fn is_rich(&self) -> bool {
        match self.answers {
            Answers::Nothing(method) => {
                matches!(method, Method::SamplingCreateMessage | Method::ElicitationCreate | Method::ToolsCall)
            }
            Answers::Request(method) => matches!(
                method,
                Method::ToolsList
                    | Method::ToolsCall
                    | Method::ResourcesRead
                    | Method::PromptsGet
                    | Method::SamplingCreateMessage
                    | Method::ElicitationCreate
                    | Method::TasksGet
            ),
            Answers::WithError => false,
        }
    }

    /// A message that some definition describes. The members that old definitions leave to the envelope are put in.
    pub(super) fn make(&self, generator: &mut Generator) -> Value {
        let (document, schema) = generator.pick(&self.sources);
        let mut message = match self.answers {
            Answers::Request(_) => json!({ "result": generator.make(document, schema) }),
            Answers::Nothing(_) | Answers::WithError => generator.make(document, schema),
        };
        message["jsonrpc"] = "2.0".into();
        let has_id = match self.answers {
            Answers::Nothing(method) => method.facts().kind == MethodKind::Request,
            Answers::Request(_) | Answers::WithError => true,
        };
        if has_id && message.get("id").is_none() {
            message["id"] = generator.id();
        }
        self.add_meta(&mut message, generator);
        message
    }

    /// The tasks extension's own schema does not repeat what the core requires of every modern request.
    fn add_meta(&self, message: &mut Value, generator: &mut Generator) {
        if let (Answers::Nothing(method), Era::Modern) = (self.answers, self.revision.era())
            && method.facts().kind == MethodKind::Request
            && message["params"].get("_meta").is_none()
            && generator.chance(90)
        {
            message["params"]["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": {},
            });
        }
    }
}

/// The published schemas, with their errata corrected.
pub(super) struct Published {
    core: Vec<(Revision, Arc<Value>)>,
    tasks: Arc<Value>,
}

impl Published {
    /// Reads the schemas from the folder beside the repository; nothing where it is absent.
    pub(super) fn read() -> Option<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/mcp-schema");
        let read = |name: &str| -> Option<Arc<Value>> {
            let text = std::fs::read_to_string(folder.join(name)).ok()?;
            let mut schema: Value = serde_json::from_str(&text).unwrap();
            correct(&mut schema);
            Some(Arc::new(schema))
        };
        let core =
            Revision::ALL.into_iter().map(|revision| Some((revision, read(&format!("{revision}/schema.json"))?)));
        Some(Self { core: core.collect::<Option<_>>()?, tasks: read("ext-tasks-draft.json")? })
    }

    /// Every kind of message that the schemas describe.
    pub(super) fn cases(&self) -> Vec<Case> {
        let mut cases = Vec::new();
        for (revision, schema) in &self.core {
            for method in Method::ALL {
                for direction in Direction::ALL {
                    if method.is_allowed(*revision, direction) {
                        cases.extend(self.message(*revision, schema, method, direction));
                        cases.extend(self.result(*revision, schema, method, direction.reverse()));
                    }
                }
            }
            for direction in Direction::ALL {
                if revision.era() == Era::Legacy || direction == Direction::ServerToClient {
                    cases.extend(error(*revision, schema, direction));
                }
            }
        }
        cases
    }

    fn message(&self, revision: Revision, core: &Arc<Value>, method: Method, direction: Direction) -> Option<Case> {
        let (document, name) = [core, &self.tasks]
            .into_iter()
            .filter(|document| !Arc::ptr_eq(document, &self.tasks) || revision.era() == Era::Modern)
            .find_map(|document| Some((document, definition_of(document, method)?)))?;
        let envelope = match method.facts().kind {
            MethodKind::Request => "JSONRPCRequest",
            MethodKind::Notification => "JSONRPCNotification",
        };
        let own = reference(document, &name);
        let schema = json!({ "allOf": [reference(document, envelope), own] });
        Some(Case {
            name: format!("{revision} {direction:?} {name}"),
            revision,
            direction,
            answers: Answers::Nothing(method),
            validators: vec![compile(document, &schema)],
            sources: vec![(Arc::clone(document), own)],
        })
    }

    fn result(&self, revision: Revision, core: &Arc<Value>, method: Method, direction: Direction) -> Option<Case> {
        let modern = revision.era() == Era::Modern;
        let from = |document: &Arc<Value>, names: &[&str]| {
            let present: Vec<_> = names.iter().filter(|name| definitions(document).get(**name).is_some()).collect();
            let schemas: Vec<_> = present.iter().map(|name| reference(document, name)).collect();
            // The schema of the extension has no envelope for results.
            let envelope = ["JSONRPCResultResponse", "JSONRPCResponse"]
                .into_iter()
                .find(|name| definitions(document).get(*name).is_some())
                .map_or_else(
                    || json!({ "type": "object", "properties": { "jsonrpc": { "const": "2.0" }, "id": reference(document, "RequestId") }, "required": ["jsonrpc", "id", "result"] }),
                    |name| reference(document, name),
                );
            let result = json!({ "properties": { "result": { "anyOf": schemas } } });
            let schema = json!({ "allOf": [envelope, result] });
            let sources: Vec<_> = schemas.into_iter().map(|schema| (Arc::clone(document), schema)).collect();
            (!sources.is_empty()).then(|| (compile(document, &schema), sources))
        };
        let names = result_definitions(method);
        let of_core = if method.facts().extension.is_some() && modern { None } else { from(core, names) };
        let of_tasks = if modern && (of_core.is_none() || method == Method::ToolsCall) {
            from(&self.tasks, &names.iter().copied().filter(|name| name.contains("Task")).collect::<Vec<_>>())
        } else {
            None
        };
        let (validators, sources): (Vec<_>, Vec<_>) = of_core.into_iter().chain(of_tasks).unzip();
        (!validators.is_empty()).then(|| Case {
            name: format!("{revision} {direction:?} result of {}", method.as_str()),
            revision,
            direction,
            answers: Answers::Request(method),
            validators,
            sources: sources.into_iter().flatten().collect(),
        })
    }
}

fn error(revision: Revision, document: &Arc<Value>, direction: Direction) -> Option<Case> {
    const WITH_DATA: [(i64, &str); 4] = [
        (-32042, "URLElicitationRequiredError"),
        (-32020, "HeaderMismatchError"),
        (-32021, "MissingRequiredClientCapabilityError"),
        (-32022, "UnsupportedProtocolVersionError"),
    ];
    let exists = |name: &&str| definitions(document).get(*name).is_some();
    let general = reference(document, ["JSONRPCErrorResponse", "JSONRPCError"].iter().find(|name| exists(name))?);
    let mut all = vec![general.clone()];
    let mut sources = vec![(Arc::clone(document), general)];
    for (code, name) in WITH_DATA.into_iter().filter(|(_, name)| exists(name)) {
        let own = reference(document, name);
        let of_code = json!({ "properties": { "error": { "properties": { "code": { "const": code } }, "required": ["code"] } }, "required": ["error"] });
        all.push(json!({ "if": of_code, "then": own }));
        sources.push((Arc::clone(document), own));
    }
    Some(Case {
        name: format!("{revision} {direction:?} error"),
        revision,
        direction,
        answers: Answers::WithError,
        validators: vec![compile(document, &json!({ "allOf": all }))],
        sources,
    })
}

/// The one place where the published schemas are corrected: `schema.ts`, which is normative, says `number` where the
/// generated files say `integer` (protocol.md §5).
fn correct(schema: &mut Value) {
    let definitions = definitions_mut(schema);
    let numbers = |types: &mut Value| *types = json!(["string", "number", "boolean"]);
    if let Some(answer) = definitions.get_mut("ElicitResult") {
        let values = &mut answer["properties"]["content"]["additionalProperties"];
        match values.get_mut("anyOf") {
            Some(either) => numbers(&mut either[1]["type"]),
            None => numbers(&mut values["type"]),
        }
    }
    if let Some(token) = definitions.get_mut("ProgressToken") {
        token["type"] = json!(["string", "number"]);
    }
    if let Some(value) = definitions.get_mut("JSONValue") {
        value["anyOf"][2]["type"] = json!(["string", "number", "boolean", "null"]);
    }
}

fn keyword(document: &Value) -> &'static str {
    if document.get("$defs").is_some() { "$defs" } else { "definitions" }
}

pub(super) fn definitions(document: &Value) -> &Value {
    &document[keyword(document)]
}

fn definitions_mut(document: &mut Value) -> &mut Value {
    let keyword = keyword(document);
    &mut document[keyword]
}

fn reference(document: &Value, name: &str) -> Value {
    json!({ "$ref": format!("#/{}/{name}", keyword(document)) })
}

/// Compiles `schema` with the definitions of `document`. Formats are annotations, as JSON Schema has them by default.
fn compile(document: &Value, schema: &Value) -> Validator {
    let mut whole = schema.clone();
    whole[keyword(document)] = definitions(document).clone();
    whole["$schema"] = document["$schema"].clone();
    jsonschema::options().should_validate_formats(false).build(&whole).unwrap()
}

/// The definition whose `method` is this method's name.
fn definition_of(document: &Value, method: Method) -> Option<String> {
    let names_it = |definition: &Value| definition["properties"]["method"]["const"] == method.as_str();
    let is_it = |definition: &Value| {
        names_it(definition) || definition["allOf"].as_array().is_some_and(|parts| parts.iter().any(names_it))
    };
    let of_kind = |name: &str| name.ends_with("Request") || name.ends_with("Notification");
    let definitions = definitions(document).as_object()?;
    definitions.iter().find(|(name, definition)| of_kind(name) && is_it(definition)).map(|(name, _)| name.clone())
}

/// What a request's result may be, by the names of the definitions of every revision.
fn result_definitions(method: Method) -> &'static [&'static str] {
    match method {
        Method::Initialize => &["InitializeResult"],
        Method::ServerDiscover => &["DiscoverResult"],
        Method::ToolsList => &["ListToolsResult"],
        Method::ToolsCall => &["CallToolResult", "InputRequiredResult", "CreateTaskResult"],
        Method::ResourcesList => &["ListResourcesResult"],
        Method::ResourcesTemplatesList => &["ListResourceTemplatesResult"],
        Method::ResourcesRead => &["ReadResourceResult", "InputRequiredResult"],
        Method::PromptsList => &["ListPromptsResult"],
        Method::PromptsGet => &["GetPromptResult", "InputRequiredResult"],
        Method::CompletionComplete => &["CompleteResult"],
        Method::SubscriptionsListen => &["SubscriptionsListenResult"],
        Method::TasksGet => &["GetTaskResult"],
        Method::TasksResult => &["GetTaskPayloadResult"],
        Method::TasksCancel => &["CancelTaskResult"],
        Method::TasksList => &["ListTasksResult"],
        Method::TasksUpdate => &["UpdateTaskResult"],
        Method::SamplingCreateMessage => &["CreateMessageResult", "CreateTaskResult"],
        Method::ElicitationCreate => &["ElicitResult", "CreateTaskResult"],
        Method::RootsList => &["ListRootsResult"],
        Method::Ping | Method::ResourcesSubscribe | Method::ResourcesUnsubscribe | Method::LoggingSetLevel => {
            &["EmptyResult"]
        }
        _ => &[],
    }
}

//! The words of the model: types, actions, attributes, as Cedar knows them.
//!
//! For: one place where our words and Cedar's meet. The model itself is `stockade.cedarschema`.
//! Must never: name a word that the model does not have; the tests hold both together.

use cedar_policy::{
    EntityId, EntityTypeName, EntityUid, PolicySet, Schema, ValidationMode, ValidationResult, Validator,
};
use serde_json::{Value, json};
use std::str::FromStr as _;
use stockade_core::mcp::Revision;
use stockade_core::ports::{Action, Effect, Object};
use stockade_core::words::CallerKind;

/// The model, for editors and for people. Every policy is checked against it.
pub const SCHEMA: &str = include_str!("stockade.cedarschema");

/// Full names of the model's types.
pub(crate) mod name {
    pub(crate) const ACTION: &str = "Stockade::Action";
    pub(crate) const CALLER: &str = "Stockade::Caller";
    pub(crate) const KIND: &str = "Stockade::Kind";
    pub(crate) const EFFECT: &str = "Stockade::Effect";
    pub(crate) const REVISION: &str = "Stockade::Revision";
    pub(crate) const SERVER: &str = "Stockade::Server";
    pub(crate) const TOOL: &str = "Stockade::Tool";
    pub(crate) const RESOURCE: &str = "Stockade::Resource";
    pub(crate) const PROMPT: &str = "Stockade::Prompt";
}

/// What stands between the server and the name in the id of a tool, resource or prompt. No server name has it in it.
pub(crate) const ID_SEPARATOR: char = '/';

/// How far a rule may look: at the attributes of the caller and the object of its question, not at those of others.
/// What is not part of a question is not there when the rule is evaluated: such a rule would always fail, and so deny.
pub(crate) const DEREFERENCES: u32 = 1;

/// An entity in the JSON form of policies.
pub(crate) fn entity_json(type_name: &str, id: &str) -> Value {
    json!({ "type": type_name, "id": id })
}

/// True if the model has this action for this sort of object. What it does not have is never asked of Cedar.
pub(crate) const fn is_in_model(action: Action, object: Object<'_>) -> bool {
    match action {
        Action::Connect | Action::List | Action::Sample | Action::Elicit | Action::Roots => {
            matches!(object, Object::Server)
        }
        Action::Call => matches!(object, Object::Tool(_) | Object::Server),
        Action::Read => matches!(object, Object::Resource(_)),
        Action::Get => matches!(object, Object::Prompt(_)),
        Action::Complete => matches!(object, Object::Prompt(_) | Object::Resource(_)),
    }
}

/// The model, read once for each policy.
#[derive(Debug)]
pub(crate) struct Model {
    validator: Validator,
    types: Types,
}

#[derive(Debug)]
struct Types {
    action: EntityTypeName,
    caller: EntityTypeName,
    kind: EntityTypeName,
    effect: EntityTypeName,
    revision: EntityTypeName,
    server: EntityTypeName,
    tool: EntityTypeName,
    resource: EntityTypeName,
    prompt: EntityTypeName,
}

/// The model cannot be read. It is part of the program, so this is a fault of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModelError {
    #[error("internal: the model cannot be read")]
    InternalSchema(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("internal: a type of the model cannot be named")]
    InternalType(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Model {
    pub(crate) fn read() -> Result<Self, ModelError> {
        let (schema, _warnings) =
            Schema::from_cedarschema_str(SCHEMA).map_err(|error| ModelError::InternalSchema(Box::new(error)))?;
        let of = |text: &str| EntityTypeName::from_str(text).map_err(|error| ModelError::InternalType(Box::new(error)));
        let types = Types {
            action: of(name::ACTION)?,
            caller: of(name::CALLER)?,
            kind: of(name::KIND)?,
            effect: of(name::EFFECT)?,
            revision: of(name::REVISION)?,
            server: of(name::SERVER)?,
            tool: of(name::TOOL)?,
            resource: of(name::RESOURCE)?,
            prompt: of(name::PROMPT)?,
        };
        Ok(Self { validator: Validator::new(schema), types })
    }

    /// Checks policies as strictly as Cedar can.
    pub(crate) fn check(&self, policies: &PolicySet) -> ValidationResult {
        self.validator.validate_with_level(policies, ValidationMode::Strict, DEREFERENCES)
    }

    #[cfg(test)]
    pub(crate) fn schema(&self) -> &Schema {
        self.validator.schema()
    }

    pub(crate) fn action(&self, action: Action) -> EntityUid {
        uid(&self.types.action, action.as_str())
    }

    pub(crate) fn caller(&self, caller: &str) -> EntityUid {
        uid(&self.types.caller, caller)
    }

    pub(crate) fn kind(&self, kind: CallerKind) -> EntityUid {
        uid(&self.types.kind, kind.as_str())
    }

    pub(crate) fn effect(&self, effect: Effect) -> EntityUid {
        uid(&self.types.effect, effect.as_str())
    }

    pub(crate) fn revision(&self, revision: Revision) -> EntityUid {
        uid(&self.types.revision, revision.as_str())
    }

    pub(crate) fn server(&self, server: &str) -> EntityUid {
        uid(&self.types.server, server)
    }

    /// The object, and the name it has on its server; the server itself has none.
    pub(crate) fn object<'q>(&self, server: &str, object: Object<'q>) -> (EntityUid, Option<&'q str>) {
        let (type_name, name) = match object {
            Object::Server => return (self.server(server), None),
            Object::Tool(name) => (&self.types.tool, name),
            Object::Resource(name) => (&self.types.resource, name),
            Object::Prompt(name) => (&self.types.prompt, name),
        };
        (uid(type_name, &format!("{server}{ID_SEPARATOR}{name}")), Some(name))
    }
}

/// Ids are values, never text that is parsed, so no name can break out of them.
fn uid(type_name: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(type_name.clone(), EntityId::new(id))
}

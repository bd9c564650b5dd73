//! Everything that a ruling depends on, and nothing else.
//!
//! For: one value from which both the Cedar request and the key of the cache are made. A fact that is not in [`Facts`]
//! can enter neither, so two questions with equal facts have equal rulings, and the cache is sound by construction.
//! Must never: read a clock or a counter, or carry arguments. Then the cache would lie.

use crate::schema::Model;
use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use std::collections::{HashMap, HashSet};
use stockade_core::mcp::Revision;
use stockade_core::ports::{Action, Effect, Object, Question};
use stockade_core::words::{CallerKind, CallerName, ServerName};

/// The facts of one question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Facts<'q> {
    pub(crate) caller: &'q CallerName,
    pub(crate) kind: CallerKind,
    pub(crate) action: Action,
    pub(crate) server: &'q ServerName,
    pub(crate) object: Object<'q>,
    pub(crate) effect: Effect,
    pub(crate) revision: Revision,
}

/// A question could not be put in Cedar's words.
#[derive(Debug, thiserror::Error)]
#[error("the question cannot be put: {reason}")]
pub(crate) struct FactsError {
    reason: String,
}

impl<'q> Facts<'q> {
    /// Takes the question apart without `..`: a new field does not compile until it is decided what it means here.
    pub(crate) fn of(question: &Question<'q>) -> Self {
        let Question { caller, action, server, object, effect, revision } = *question;
        // Where a caller comes from is in the name already, and rules speak of names.
        let stockade_core::words::Caller { name, kind, origin: _ } = caller;
        Self { caller: name, kind: *kind, action, server, object, effect, revision }
    }

    /// The question in Cedar's words.
    pub(crate) fn ask(&self, model: &Model) -> Result<(Request, Entities), FactsError> {
        let Self { caller, kind, action, server, object, effect, revision } = *self;
        let wrong = |reason: &dyn std::fmt::Display| FactsError { reason: reason.to_string() };
        let (principal, server_uid) = (model.caller(caller.as_str()), model.server(server.as_str()));
        let (resource, object_name) = model.object(server.as_str(), object);
        let mut context = vec![
            pair("revision", is(model.revision(revision))),
            pair("effect", is(model.effect(effect))),
            pair("server", text(server.as_str())),
        ];
        context.extend(object_name.map(|name| pair("name", text(name))));
        let names = [pair("name", text(caller.as_str())), pair("kind", is(model.kind(kind)))];
        let caller_entity = entity(&principal, names, None)?;
        let server_attribute = pair("server", text(server.as_str()));
        // Behind the server of an object no rule can look (`schema::DEREFERENCES`): its id is enough.
        let object_entity = match object_name {
            None => entity(&server_uid, [server_attribute], None)?,
            Some(name) => {
                let attributes = [server_attribute, pair("name", text(name)), pair("effect", is(model.effect(effect)))];
                entity(&resource, attributes, Some(server_uid))?
            }
        };
        let entities = Entities::from_entities([caller_entity, object_entity], None).map_err(|error| wrong(&error))?;
        let context = Context::from_pairs(context).map_err(|error| wrong(&error))?;
        let request = Request::new(principal, model.action(action), resource, context, None);
        Ok((request.map_err(|error| wrong(&error))?, entities))
    }
}

fn pair(attribute: &str, value: RestrictedExpression) -> (String, RestrictedExpression) {
    (attribute.to_owned(), value)
}

fn text(value: &str) -> RestrictedExpression {
    RestrictedExpression::new_string(value.to_owned())
}

fn is(uid: EntityUid) -> RestrictedExpression {
    RestrictedExpression::new_entity_uid(uid)
}

fn entity<const N: usize>(
    uid: &EntityUid,
    attributes: [(String, RestrictedExpression); N],
    parent: Option<EntityUid>,
) -> Result<Entity, FactsError> {
    let parents: HashSet<EntityUid> = parent.into_iter().collect();
    Entity::new(uid.clone(), HashMap::from(attributes), parents)
        .map_err(|error| FactsError { reason: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::is_in_model;

    /// Cedar's validator speaks only for requests that conform to the model.
    #[test]
    fn every_question_of_the_model_conforms_to_it() {
        let model = Model::read().unwrap();
        let caller = CallerName::parse("alice").unwrap();
        let server = ServerName::parse("files").unwrap();
        let objects = [Object::Server, Object::Tool("a\"b"), Object::Resource("file:///*"), Object::Prompt("")];
        let kinds = CallerKind::ALL;
        let effects = [Effect::Read, Effect::Write, Effect::Destructive];
        for action in Action::ALL {
            for object in objects {
                for (kind, effect) in kinds.into_iter().zip(effects.into_iter().cycle()) {
                    for revision in Revision::ALL {
                        let facts = Facts { caller: &caller, kind, action, server: &server, object, effect, revision };
                        let (request, entities) = facts.ask(&model).unwrap();
                        let parts = [request.principal(), request.action(), request.resource()];
                        let [Some(principal), Some(action_uid), Some(resource)] = parts.map(Option::<&_>::cloned)
                        else {
                            panic!("{request}");
                        };
                        let context = request.context().cloned().unwrap();
                        let checked = Request::new(principal, action_uid, resource, context, Some(model.schema()));
                        assert_eq!(checked.is_ok(), is_in_model(action, object), "{action:?} {object:?}");
                        let entities: Vec<_> = entities.iter().cloned().collect();
                        Entities::from_entities(entities, Some(model.schema())).unwrap();
                    }
                }
            }
        }
    }
}

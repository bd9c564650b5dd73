//! The state of a running server and the test's hand on it.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Value, json};

use crate::random::Random;
use crate::received::Received;
use crate::reply::Reply;

/// Somebody who gets notifications: a GET stream, a legacy child, or a modern subscription.
pub(super) struct Listener {
    pub(super) reply: Reply,
    pub(super) session: Option<String>,
    pub(super) subscription: Option<(Value, Value)>,
}

pub(super) struct State {
    pub(super) random: Random,
    pub(super) sessions: HashSet<String>,
    pub(super) initialised_links: HashSet<u64>,
    pub(super) listeners: Vec<Listener>,
    pub(super) questions: HashMap<String, (Received, Reply)>,
    pub(super) issued_states: HashSet<String>,
    pub(super) counter: u64,
}

/// Sends notifications of a [`super::WellBehaved`] server and forgets its sessions, while it runs.
#[derive(Clone)]
pub struct Control {
    state: Arc<Mutex<State>>,
}

impl Default for Control {
    fn default() -> Self {
        let state = State {
            random: Random::new(7),
            sessions: HashSet::new(),
            initialised_links: HashSet::new(),
            listeners: Vec::new(),
            questions: HashMap::new(),
            issued_states: HashSet::new(),
            counter: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }
}

impl Control {
    /// Notifies everybody who may be: all legacy listeners, and the modern subscriptions that asked for this.
    pub fn notify(&self, method: &str, params: &Value) {
        for listener in self.live_listeners().iter() {
            let mut params = params.clone();
            if let Some((id, filter)) = &listener.subscription {
                if !wants(filter, method, &params) {
                    continue;
                }
                params["_meta"]["io.modelcontextprotocol/subscriptionId"] = id.clone();
            }
            listener.reply.json(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
        }
    }

    /// Sends this very text to every listener, wanted or not.
    pub fn push(&self, message: &str) {
        for listener in self.live_listeners().iter() {
            listener.reply.message(message);
        }
    }

    /// How many listeners there are.
    #[must_use]
    pub fn listening(&self) -> usize {
        self.live_listeners().len()
    }

    /// The sessions that are open.
    #[must_use]
    pub fn sessions(&self) -> Vec<String> {
        self.state().sessions.iter().cloned().collect()
    }

    /// Forgets every session, as a restarted server does; their streams end.
    pub fn forget_sessions(&self) {
        let mut state = self.state();
        state.sessions.clear();
        for listener in state.listeners.extract_if(.., |listener| listener.session.is_some()) {
            listener.reply.finish();
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("server state")
    }

    fn live_listeners(&self) -> Vec<Listener> {
        let mut state = self.state();
        state.listeners.retain(|listener| !listener.reply.is_gone());
        let copy = |held: &Listener| Listener {
            reply: held.reply.clone(),
            session: held.session.clone(),
            subscription: held.subscription.clone(),
        };
        state.listeners.iter().map(copy).collect()
    }
}

/// Does a subscription's filter ask for this notification?
fn wants(filter: &Value, method: &str, params: &Value) -> bool {
    match method {
        "notifications/tools/list_changed" => filter["toolsListChanged"] == true,
        "notifications/prompts/list_changed" => filter["promptsListChanged"] == true,
        "notifications/resources/list_changed" => filter["resourcesListChanged"] == true,
        "notifications/resources/updated" => {
            filter["resourceSubscriptions"].as_array().is_some_and(|uris| uris.contains(&params["uri"]))
        }
        _ => false,
    }
}

//! Answering a checked message: results, streams, progress, delays, questions to the client.

use std::time::Duration;

use serde_json::{Value, json};

use super::WellBehaved;
use super::control::Listener;
use super::door::Errand;
use super::tool::{Act, Call, Tool};
use crate::received::{Received, Transport};
use crate::reply::Reply;

pub(super) fn answer(server: &WellBehaved, received: &Received, reply: Reply, errand: Errand) {
    match errand {
        Errand::Initialize => initialize(server, received, &reply),
        Errand::OpenStream { session } => {
            // Whoever sees the stream open is told from then on: no notification falls in between.
            let mut state = server.control.state();
            reply.open_stream();
            state.listeners.push(Listener { reply, session: Some(session), subscription: None });
        }
        Errand::EndSession { session } => {
            let mut state = server.control.state();
            state.sessions.remove(&session);
            for ended in state.listeners.extract_if(.., |listener| listener.session.as_ref() == Some(&session)) {
                ended.reply.finish();
            }
            reply.http(200, &[], b"");
        }
        Errand::Notification => {
            if received.method() == "notifications/cancelled" {
                let cancelled = &received.params()["requestId"];
                let is_it = |listener: &Listener| listener.subscription.as_ref().is_some_and(|(id, _)| id == cancelled);
                server.control.state().listeners.retain(|listener| !is_it(listener));
            }
            match server.overrides.get(received.method()) {
                Some(instead) => instead(received, reply),
                None => reply.accepted(),
            }
        }
        Errand::Response => respond(server, received, &reply),
        Errand::Request { modern } => request(server, received, reply, modern),
    }
}

fn initialize(server: &WellBehaved, received: &Received, reply: &Reply) {
    let asked = received.params()["protocolVersion"].as_str().unwrap_or_default();
    let legacy: Vec<&str> =
        server.revisions.iter().copied().filter(|revision| *revision != crate::era::MODERN).collect();
    let Some(agreed) = legacy.iter().find(|revision| **revision == asked).or(legacy.last()) else {
        return fail(received, reply, false, (-32601, "Method not found"));
    };
    {
        let mut state = server.control.state();
        match received.transport {
            Transport::Stdio => {
                state.initialised_links.insert(received.link);
                state.listeners.push(Listener { reply: reply.clone(), session: None, subscription: None });
            }
            Transport::Http => {
                let session = format!("{:016x}{:016x}", state.random.bits(), state.random.bits());
                reply.header("Mcp-Session-Id", &session);
                state.sessions.insert(session);
            }
        }
    }
    let mut result = json!({
        "protocolVersion": agreed,
        "capabilities": server.capabilities(false),
        "serverInfo": { "name": server.name, "version": "1.0.0" },
    });
    if let Some(instructions) = &server.instructions {
        result["instructions"] = json!(instructions);
    }
    send(server, received, reply, result);
}

fn request(server: &WellBehaved, received: &Received, reply: Reply, modern: bool) {
    let method = received.method();
    if let Some(instead) = server.overrides.get(method) {
        return instead(received, reply);
    }
    match method {
        "tools/call" => match server.tools.iter().find(|tool| tool.definition["name"] == received.name()) {
            Some(tool) => call(server, tool, received, reply, modern),
            None => fail(received, &reply, modern, (-32602, "Unknown tool")),
        },
        "subscriptions/listen" if modern => listen(server, received, reply),
        _ => match server.result_of(method, received, modern) {
            Ok(result) if received.is_act() => {
                deliver(server, received, reply, complete(server, received, result, modern))
            }
            Ok(result) => send(server, received, &reply, complete(server, received, result, modern)),
            Err(error) => fail(received, &reply, modern, error),
        },
    }
}

fn call(server: &WellBehaved, tool: &Tool, received: &Received, reply: Reply, modern: bool) {
    let call = Call::of(received);
    match &tool.act {
        Act::Scripted(scripted) => scripted(received, reply),
        Act::Answer(answer) => {
            let result = complete(server, received, answer(&call), modern);
            deliver(server, received, reply, result);
        }
        Act::Ask { method, params, .. } if !modern => {
            let id = {
                let mut state = server.control.state();
                state.counter += 1;
                let id = format!("ask-{}", state.counter);
                state.questions.insert(id.clone(), (received.clone(), reply.clone()));
                id
            };
            reply.open_stream();
            reply.json(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
        }
        Act::Ask { method, params, then } => match received.params().get("requestState").and_then(Value::as_str) {
            None => {
                let mut state = server.control.state();
                let request_state = format!("state-{:016x}", state.random.bits());
                state.issued_states.insert(request_state.clone());
                drop(state);
                let result = json!({ "resultType": "input_required", "requestState": request_state,
                    "inputRequests": { "ask": { "method": method, "params": params } } });
                deliver(server, received, reply, complete(server, received, result, true));
            }
            Some(said) if server.control.state().issued_states.remove(said) => {
                let result = then(&call, &received.params()["inputResponses"]["ask"]);
                deliver(server, received, reply, complete(server, received, result, true));
            }
            Some(_) => fail(received, &reply, true, (-32602, "Unknown requestState")),
        },
    }
}

/// The client answered a question: the call that asked it gets its result.
fn respond(server: &WellBehaved, received: &Received, reply: &Reply) {
    reply.accepted();
    let id = received.id().as_str().unwrap_or_default();
    let Some((asked, kept)) = server.control.state().questions.remove(id) else { return };
    let tool = server.tools.iter().find(|tool| tool.definition["name"] == asked.name());
    let Some(Tool { act: Act::Ask { then, .. }, .. }) = tool else { return };
    match received.member("result") {
        Value::Null => fail(&asked, &kept, false, (-32603, "The client refused")),
        answer => send(server, &asked, &kept, then(&Call::of(&asked), answer)),
    }
    kept.finish();
}

fn listen(server: &WellBehaved, received: &Received, reply: Reply) {
    let filter = received.params()["notifications"].clone();
    let meta = json!({ "io.modelcontextprotocol/subscriptionId": received.id() });
    let params = json!({ "_meta": meta, "notifications": filter });
    let acknowledged =
        json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params });
    let mut state = server.control.state();
    reply.open_stream();
    reply.json(&acknowledged);
    state.listeners.push(Listener { reply, session: None, subscription: Some((received.id().clone(), filter)) });
}

/// Adds what the revision wants in every result.
fn complete(server: &WellBehaved, received: &Received, mut result: Value, modern: bool) -> Value {
    if !modern {
        return result;
    }
    let method = received.method();
    if result.get("resultType").is_none() {
        result["resultType"] = json!("complete");
    }
    result["_meta"]["io.modelcontextprotocol/serverInfo"] = json!({ "name": server.name, "version": "1.0.0" });
    let cacheable = method.ends_with("/list") || ["server/discover", "resources/read"].contains(&method);
    if cacheable && result["resultType"] == "complete" {
        result["ttlMs"] = json!(0);
        result["cacheScope"] = json!("private");
    }
    result
}

/// Sends the result of an act: after the random delay, with progress where it was asked for.
fn deliver(server: &WellBehaved, received: &Received, reply: Reply, result: Value) {
    let longest = u64::try_from(server.longest_delay.as_micros()).unwrap_or(u64::MAX);
    let delay = Duration::from_micros(server.control.state().random.below(longest));
    let token = received.meta("progressToken").clone();
    let steps = if token.is_null() { 0 } else { server.progress_steps };
    let result = edited(server, received, result);
    let always_stream = server.always_stream;
    let message = json!({ "jsonrpc": "2.0", "id": received.id(), "result": result });
    let finish = move |reply: Reply| {
        if always_stream || steps > 0 {
            reply.open_stream();
        }
        for step in 1..=steps {
            let params = json!({ "progressToken": token, "progress": step, "total": steps });
            reply.json(&json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": params }));
        }
        reply.json(&message);
        reply.finish();
    };
    if delay.is_zero() { finish(reply) } else { reply.later(delay, finish) }
}

/// Sends a result at once.
fn send(server: &WellBehaved, received: &Received, reply: &Reply, result: Value) {
    let result = edited(server, received, result);
    reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": result }));
}

fn edited(server: &WellBehaved, received: &Received, mut result: Value) -> Value {
    for (_, edit) in server.edits.iter().filter(|(method, _)| method == received.method()) {
        edit(&mut result, received);
    }
    result
}

fn fail(received: &Received, reply: &Reply, modern: bool, (code, text): (i64, &str)) {
    let message = json!({ "jsonrpc": "2.0", "id": received.id(), "error": { "code": code, "message": text } });
    if modern && code == -32601 && reply.transport() == Transport::Http {
        return reply.http(404, &[("Content-Type", "application/json")], message.to_string());
    }
    reply.json(&message);
}

//! PA-23: notifications that nobody asked for.

use crate::ground::{LONG, Message, Scene, everything, lanes, on_each};
use serde_json::{Value, json};
use testkit::{Lane, Received, Reply, Tool, Transport, WellBehaved, text};

const CHANGED: &str = "notifications/tools/list_changed";
const SUBSCRIPTION: &str = "io.modelcontextprotocol/subscriptionId";

fn changed(subscription: Option<Value>) -> Value {
    let mut params = json!({});
    if let Some(subscription) = subscription {
        params["_meta"] = json!({ SUBSCRIPTION: subscription });
    }
    json!({ "jsonrpc": "2.0", "method": CHANGED, "params": params })
}

fn progress(token: Value) -> Value {
    json!({ "jsonrpc": "2.0", "method": "notifications/progress", "params": { "progressToken": token, "progress": 1 } })
}

fn acknowledged(id: &Value) -> Value {
    let params = json!({ "_meta": { SUBSCRIPTION: id }, "notifications": { "toolsListChanged": true } });
    json!({ "jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged", "params": params })
}

fn modern_lanes() -> impl Iterator<Item = Lane> {
    lanes().into_iter().filter(|lane| lane.era.is_modern())
}

#[test]
fn progress_that_nobody_asked_for_is_dropped() {
    let noisy = |received: &Received, reply: Reply| {
        reply.open_stream();
        for token in [json!("unknown"), json!(999_999), received.id().clone(), json!("")] {
            reply.json(&progress(token));
        }
        let mut result = text("truth");
        result["resultType"] = json!("complete");
        reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": result }));
        reply.finish();
    };
    let server = move || WellBehaved::files().tool(Tool::scripted("noisy", noisy));
    on_each(lanes(), server, everything, |scene| {
        // No token, so not even progress under the right number is wanted.
        let answer = scene.correct_call("noisy", json!({}));
        assert_eq!(answer.text(), "truth");
        assert_eq!(answer.messages.len(), 1, "{answer}");
        scene.expect_event("server-message-dropped", "progress nobody asked for");
    });
}

#[test]
fn news_without_a_subscription_are_dropped() {
    let noisy = |received: &Received, reply: Reply| {
        reply.open_stream();
        for subscription in [None, Some(json!("another")), Some(json!(999_999)), Some(received.id().clone())] {
            reply.json(&changed(subscription));
        }
        let mut result = text("truth");
        result["resultType"] = json!("complete");
        reply.json(&json!({ "jsonrpc": "2.0", "id": received.id(), "result": result }));
        reply.finish();
    };
    let server = move || WellBehaved::files().tool(Tool::scripted("noisy", noisy));
    on_each(modern_lanes(), server, everything, |scene| {
        let answer = scene.correct_call("noisy", json!({}));
        assert_eq!(answer.text(), "truth");
        assert_eq!(answer.messages.len(), 1, "{answer}");
        scene.expect_event("server-message-dropped", "a notification outside of a subscription");
        if scene.lane().upstream == Transport::Stdio {
            let seen = scene.stage.recorder().count();
            for child in scene.stage.upstream.children() {
                child.json(&changed(None));
                child.json(&changed(Some(json!("another"))));
            }
            let answer = scene.correct_call("read_file", json!({ "path": "a" }));
            assert_eq!(answer.messages.len(), 1, "{answer}");
            assert_eq!(scene.stage.recorder().count(), seen + 1);
        }
    });
}

/// Reads so many messages of a subscription.
fn hear(scene: &Scene, listen: &Message, count: usize) -> Vec<Value> {
    scene.count(1);
    if scene.lane().door == Transport::Http {
        let mut stream = scene.bob.http().start(&listen.outgoing()).expect("a stream");
        return (0..count).map(|_| stream.message(LONG)).collect();
    }
    let client = scene.bob.stdio();
    let seen = client.lines().len();
    client.send_raw([&listen.bytes[..], b"\n"].concat());
    (seen..seen + count).map(|at| serde_json::from_slice(&client.line(at, LONG).expect("a line")).unwrap()).collect()
}

#[test]
fn news_before_the_acknowledgement_and_news_for_others_are_dropped() {
    let early = |received: &Received, reply: Reply| {
        let id = received.id().clone();
        reply.open_stream();
        reply.json(&changed(Some(id.clone())));
        reply.json(&changed(None));
        reply.json(&acknowledged(&id));
        reply.json(&changed(Some(json!("another"))));
        reply.json(&changed(Some(json!(999_999))));
        reply.json(&changed(None));
        reply.json(&changed(Some(id)));
    };
    let server = move || WellBehaved::files().on("subscriptions/listen", early);
    on_each(modern_lanes(), server, everything, |scene| {
        let listen =
            scene.bob.prepare("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }));
        let heard = hear(scene, &listen, 2);
        let methods: Vec<&Value> = heard.iter().map(|message| &message["method"]).collect();
        assert_eq!(methods, ["notifications/subscriptions/acknowledged", CHANGED], "{heard:?}");
        for message in &heard {
            assert_eq!(message["params"]["_meta"][SUBSCRIPTION], listen.id, "under the client's own id: {message}");
        }
        scene.expect_event("server-message-dropped", "before the subscription was acknowledged");
        if scene.lane().door == Transport::Stdio {
            scene.bob.stdio().send(&json!({ "jsonrpc": "2.0", "method": "notifications/cancelled",
                "params": { "requestId": listen.id, "_meta": meta() } }));
        }
    });
}

fn meta() -> Value {
    json!({ "io.modelcontextprotocol/protocolVersion": testkit::MODERN,
        "io.modelcontextprotocol/clientInfo": { "name": "testkit", "version": "1.0.0" },
        "io.modelcontextprotocol/clientCapabilities": {} })
}

//! AU-16: revocation ends what was begun.

use crate::ground::{Attacker, LONG, Scene, UNIDENTIFIED, everything, http_lanes, on_each_with};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use testkit::{Answer, EventStream, Received, Reply, Tool, WellBehaved, text, wait_until};

/// How long a revoked credential may still open something.
const DENIED_WITHIN: Duration = Duration::from_secs(1);
/// How long an open stream may outlive it.
const CLOSED_WITHIN: Duration = Duration::from_secs(5);
const CALLS: usize = 10;
/// What nobody may see who was revoked.
const LATE: &str = "the-late-answer-of-the-server";

/// The calls that the server has not answered yet.
type Waiting = Arc<Mutex<Vec<(Value, Reply)>>>;

/// A server whose tool `slow` answers when it is told to.
fn server(waiting: &Waiting) -> WellBehaved {
    let waiting = Arc::clone(waiting);
    WellBehaved::files().tool(Tool::scripted("slow", move |received: &Received, reply: Reply| {
        waiting.lock().unwrap().push((received.id().clone(), reply));
    }))
}

fn answer_all(waiting: &Waiting) {
    for (id, reply) in waiting.lock().unwrap().drain(..) {
        let mut result = text(LATE);
        result["resultType"] = json!("complete");
        reply.json(&json!({ "jsonrpc": "2.0", "id": id, "result": result }));
    }
}

/// The id of the only key of a caller.
fn key_of(scene: &Scene, caller: &str) -> String {
    let output = scene.gateway().command(&["keys", "list", "--json"]);
    let rows = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = rows.lines().map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"));
    let row = rows.into_iter().find(|row| row["caller"] == caller).expect("a key");
    row["id"].as_str().expect("an id").to_owned()
}

/// The stream of the session, or a subscription.
fn open_stream(scene: &Scene, client: &Attacker) -> EventStream {
    let asked = if scene.is_modern() {
        scene.count(1);
        client.prepare("subscriptions/listen", json!({ "notifications": { "toolsListChanged": true } }))
    } else {
        client.prepare_bodiless("GET")
    };
    let stream = client.http().start(&asked.outgoing()).expect("a stream");
    assert_eq!(stream.head.status(), Some(200));
    stream
}

/// True if the stream ends in time, whatever it still says before.
fn ends(mut stream: EventStream) -> bool {
    let start = std::time::Instant::now();
    loop {
        match stream.piece(CLOSED_WITHIN.saturating_sub(start.elapsed())) {
            Ok(Some(piece)) => assert!(!String::from_utf8_lossy(&piece).contains(LATE)),
            Ok(None) => return true,
            // Cut off, and not merely silent.
            Err(error) => return !is_silence(&error) && start.elapsed() < CLOSED_WITHIN,
        }
    }
}

fn is_silence(error: &std::io::Error) -> bool {
    [std::io::ErrorKind::TimedOut, std::io::ErrorKind::WouldBlock].contains(&error.kind())
}

/// True if the stream goes on, whether or not it has something to say now.
fn lives(stream: &mut EventStream) -> bool {
    match stream.piece(Duration::from_millis(200)) {
        Ok(piece) => piece.is_some(),
        Err(error) => is_silence(&error),
    }
}

fn status(scene: &Scene, client: &Attacker) -> u16 {
    scene.count(1);
    client.send(&client.prepare("tools/list", json!({}))).status()
}

/// What the calls of the enemy and the one call of the friend came to, and the friend's stream.
struct Outcome {
    enemy: Vec<Answer>,
    friend: Answer,
    stream: EventStream,
}

/// `enemy` has a stream and ten calls under way when `revoke` happens, `friend` a stream and one call.
fn act(scene: &Scene, waiting: &Waiting, revoke: impl Fn(&Scene, &str)) -> Outcome {
    let [enemy, friend] = &scene.others[..] else { panic!("two others") };
    let key = key_of(scene, "mallory");
    let (lost, kept) = (open_stream(scene, enemy), open_stream(scene, friend));
    let call = |client: &Attacker| client.prepare_call("slow", json!({})).outgoing();
    scene.count(CALLS + 1);
    std::thread::scope(|scope| {
        let start = |client: usize| {
            let (client, outgoing) = (scene.others[client].http(), call(&scene.others[client]));
            scope.spawn(move || client.try_send(&outgoing))
        };
        let calls: Vec<_> = (0..CALLS).map(|_| start(0)).collect();
        let other = start(1);
        assert!(wait_until(LONG, || waiting.lock().unwrap().len() == CALLS + 1), "all calls are under way");
        revoke(scene, &key);
        assert!(wait_until(DENIED_WITHIN, || status(scene, enemy) == 401), "it still opens");
        assert!(ends(lost), "the stream is still open");
        // What proved the caller has not held for as long as that took; now the server answers.
        answer_all(waiting);
        let answers = calls.into_iter().map(|call| call.join().unwrap().expect("an end of the call"));
        Outcome { enemy: answers.collect(), friend: other.join().unwrap().expect("an answer"), stream: kept }
    })
}

fn on_each_lane(revoke: impl Fn(&Scene, &str)) {
    let waiting = Waiting::default();
    on_each_with(
        &["mallory", "alice"],
        http_lanes(),
        || server(&waiting),
        everything,
        |scene| {
            let mut outcome = act(scene, &waiting, &revoke);
            for answer in &outcome.enemy {
                assert!(!String::from_utf8_lossy(&answer.raw).contains(LATE), "{answer}");
                // A stream that was open already ends without an answer.
                let is_refused = |said: &&Value| said["error"]["message"] == "Authentication required";
                assert!(answer.responses().iter().all(is_refused), "{answer}");
            }
            assert!(outcome.friend.text().contains(LATE), "{}", outcome.friend);
            assert!(lives(&mut outcome.stream), "the other's stream goes on");
            assert_eq!(status(scene, &scene.others[1]), 200);
            // Withheld by the road, or cut off by the door with its stream or session: whichever saw it first.
            let outcomes = || -> Vec<String> {
                let records = scene.stage.audit();
                let ended = records.iter().filter(|record| {
                    record.caller() == "mallory" && record.target() == "slow" && record.phase() == "outcome"
                });
                ended.map(|record| record.outcome().to_owned()).collect()
            };
            assert!(wait_until(LONG, || outcomes().len() == CALLS), "{:?}", outcomes());
            let is_kept_back = |outcome: &String| ["withheld", "cancelled"].contains(&outcome.as_str());
            assert!(outcomes().iter().all(is_kept_back), "{:?}", outcomes());
            assert_nothing_opens(scene, &scene.others[0]);
        },
    );
}

fn assert_nothing_opens(scene: &Scene, enemy: &Attacker) {
    scene.stage.recorder().clear();
    for message in [enemy.prepare("tools/list", json!({})), enemy.prepare_call("slow", json!({}))] {
        scene.count(1);
        let answer = enemy.send(&message);
        scene.assert_blocked(&message, &answer, UNIDENTIFIED, "identify", "");
        let challenge = answer.header("WWW-Authenticate").unwrap_or_default();
        assert!(challenge.contains("invalid_token"), "{answer}");
    }
}

#[track_caller]
fn run(scene: &Scene, command: &[&str]) {
    let output = scene.gateway().command(command);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_revoked_key_ends_what_it_has_begun() {
    on_each_lane(|scene, key| run(scene, &["keys", "revoke", key]));
}

#[test]
fn a_revoked_caller_ends_with_everything_begun() {
    on_each_lane(|scene, _| run(scene, &["revoke", "caller", "mallory", "--reason", "left"]));
}

#[test]
fn the_old_key_of_a_rotation_ends_with_its_overlap() {
    on_each_lane(|scene, key| run(scene, &["keys", "rotate", key, "--overlap", "0s"]));
}

#[test]
fn what_was_lifted_holds_again() {
    on_each_with(&["alice"], http_lanes(), WellBehaved::files, everything, |scene| {
        let alice = &scene.others[0];
        assert_eq!(status(scene, alice), 200);
        run(scene, &["revoke", "caller", "alice"]);
        assert!(wait_until(DENIED_WITHIN, || status(scene, alice) == 401), "she still comes in");
        run(scene, &["revoke", "lift", "1"]);
        assert!(wait_until(DENIED_WITHIN, || status(scene, alice) != 401), "she is still kept out");
    });
}

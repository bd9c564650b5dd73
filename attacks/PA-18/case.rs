//! PA-18: clients that send next to nothing.

use crate::ground::{Scene, is_long, on_each, readers_only};
use serde_json::json;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use testkit::{Era, Lane, RawHttp, Transport, WellBehaved};

/// Connections of each of the two kinds; 500 in the case.
const SHORT: usize = 60;
const LONG: usize = 500;
/// By then every connection of the attack is gone.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// What a head may take, with the time that a loaded machine takes to notice.
const HEAD_GONE_AFTER: Duration = Duration::from_secs(10 + 4);
/// Longest time for one call of the good client in the short form.
const GOOD_LIMIT: Duration = Duration::from_secs(1);
/// Calls of the good client per sample in the long form.
const SAMPLE: usize = 400;

/// A connection that sends byte after byte of `rest`.
struct Slow {
    connection: RawHttp,
    rest: VecDeque<u8>,
}

impl Slow {
    fn begin(scene: &Scene, at_once: &[u8], rest: &[u8]) -> Self {
        let mut connection = RawHttp::connect(scene.gateway().address()).expect("a place for one more connection");
        connection.send(at_once).expect("the beginning is taken");
        Self { connection, rest: rest.iter().copied().collect() }
    }

    fn drip(&mut self) {
        if let Some(byte) = self.rest.pop_front() {
            // Nobody may be there any more; that is what is waited for.
            let _refused = self.connection.send([byte]);
        }
    }
}

/// The time of each of so many calls, sorted.
fn good_calls(scene: &Scene, count: usize) -> Vec<Duration> {
    let call = |_| {
        let started = Instant::now();
        assert_eq!(scene.correct_call("read_file", json!({ "path": "a" })).text(), "read_file a");
        started.elapsed()
    };
    let mut times: Vec<Duration> = (0..count).map(call).collect();
    times.sort();
    times
}

fn p99(sorted: &[Duration]) -> Duration {
    sorted[sorted.len() * 99 / 100]
}

fn slow_clients_are_put_out(era: Era) {
    let lane = Lane { door: Transport::Http, upstream: Transport::Http, era };
    on_each([lane], WellBehaved::files, readers_only, |scene| {
        let (count, pause) = if is_long() { (LONG, Duration::from_secs(10)) } else { (SHORT, Duration::from_secs(2)) };
        let baseline = if is_long() { good_calls(scene, SAMPLE) } else { Vec::new() };
        let whole = scene.call().outgoing().to_bytes();
        let body_at = whole.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        let (head, body) = whole.split_at(body_at);
        let started = Instant::now();
        let mut in_head: Vec<Slow> = (0..count).map(|_| Slow::begin(scene, b"", head)).collect();
        let mut in_body: Vec<Slow> = (0..count).map(|_| Slow::begin(scene, head, body)).collect();
        scene.count(2 * count);

        let mut next_drip = started;
        while started.elapsed() < HEAD_GONE_AFTER {
            if Instant::now() >= next_drip {
                in_head.iter_mut().chain(&mut in_body).for_each(Slow::drip);
                next_drip += pause;
            }
            if is_long() {
                let during = good_calls(scene, SAMPLE);
                assert!(p99(&during) <= 2 * p99(&baseline), "{:?}, before {:?}", p99(&during), p99(&baseline));
            } else {
                let times = good_calls(scene, 2);
                assert!(times[1] <= GOOD_LIMIT, "{times:?}");
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        for slow in &mut in_head {
            assert!(slow.connection.closes_within(Duration::from_millis(100)), "a slow head is still there");
        }
        for slow in &mut in_body {
            let left = GONE_AFTER.saturating_sub(started.elapsed());
            assert!(slow.connection.closes_within(left), "a slow body is still there");
        }
        scene.stage.recorder().clear();
        (0..count).for_each(|_| scene.expect_refusal("http-framing", "too slow: head"));
        (0..count).for_each(|_| scene.expect_refusal("http-framing", "too slow: body"));
    });
}

#[test]
fn slow_clients_are_put_out_in_the_legacy_era() {
    slow_clients_are_put_out(Era::Legacy("2025-11-25"));
}

#[test]
fn slow_clients_are_put_out_in_the_modern_era() {
    slow_clients_are_put_out(Era::Modern);
}

//! AU-19: a session id that somebody chose or guessed.

use crate::ground::{NO_SESSION, everything, is_long, legacy_http_lanes, on_each};
use serde_json::json;
use std::collections::HashSet;
use testkit::{Caller, HttpClient, Transport, WellBehaved};

/// Ids that are looked at: 10,000 in the case.
fn samples() -> usize {
    if is_long() { 10_000 } else { 300 }
}

#[test]
fn an_id_that_the_client_chose_is_never_taken() {
    on_each(legacy_http_lanes(), WellBehaved::files, everything, |scene| {
        let own = scene.bob.http().session().expect("a session");
        let key = scene.gateway().key_for("bob");
        let url = scene.gateway().url_of("files");
        let client = HttpClient::unopened(&url, Some(&key), scene.lane().era);
        let params = json!({ "protocolVersion": scene.lane().era.revision(), "capabilities": {},
            "clientInfo": { "name": "testkit", "version": "1" } });
        for chosen in ["1", &"a".repeat(64), &own, "session-of-bob"] {
            let answer = client.send(client.prepare("initialize", params.clone()).header("Mcp-Session-Id", chosen));
            let minted = answer.header("Mcp-Session-Id").expect("a session").to_owned();
            assert_ne!(minted, chosen);
            let end = client.prepare_bodiless("DELETE").header("Mcp-Session-Id", &minted);
            assert_eq!(client.send(end).status(), 200);
            scene.count(1);
        }
        scene.stage.recorder().clear();
        for chosen in ["1", &"a".repeat(64), "session-of-bob"] {
            let message = scene.call().header("Mcp-Session-Id", chosen);
            let answer = scene.send(&message);
            scene.assert_blocked(&message, &answer, NO_SESSION, "validate", "");
        }
        assert_eq!(scene.bob.call("read_file", json!({ "path": "a" })).text(), "read_file a");
        scene.count(1);
    });
}

#[test]
fn minted_ids_say_nothing_and_are_never_the_same() {
    let over_http = legacy_http_lanes().into_iter().filter(|lane| lane.upstream == Transport::Http);
    on_each(over_http, WellBehaved::files, everything, |scene| {
        let key = scene.gateway().key_for("carol");
        let url = scene.gateway().url_of("files");
        let client = HttpClient::unopened(&url, Some(&key), scene.lane().era);
        let mut minted = Vec::new();
        for _ in 0..samples() {
            client.open_session();
            minted.push(client.session().expect("a session"));
            assert_eq!(client.send(client.prepare_bodiless("DELETE")).status(), 200);
        }
        scene.count(samples());
        check_ids(&minted);
    });
}

/// Hexadecimal digits that an id begins with; behind them stands what is sealed for another process of ours.
const RANDOM_DIGITS: usize = 64;

/// At least 128 bits, none of which stands still or follows the order of minting.
fn check_ids(minted: &[String]) {
    assert!(minted.iter().all(|id| id.len() > RANDOM_DIGITS && id.len() <= 256), "{minted:?}");
    let random: Vec<&str> = minted.iter().map(|id| id.split_at(RANDOM_DIGITS).0).collect();
    let sealed: HashSet<&str> = minted.iter().map(|id| id.split_at(RANDOM_DIGITS).1).collect();
    assert_eq!(sealed.len(), minted.len(), "what is sealed differs too");
    let bits: Vec<Vec<bool>> = random
        .iter()
        .map(|id| {
            assert!(id.bytes().all(|letter| letter.is_ascii_hexdigit()), "{id}");
            let digits = id.chars().map(|digit| digit.to_digit(16).expect("a digit"));
            digits.flat_map(|digit| (0..4).map(move |bit| digit >> bit & 1 == 1)).collect()
        })
        .collect();
    let width = bits[0].len();
    assert!(width >= 128, "{width} bits");
    assert!(bits.iter().all(|id| id.len() == width), "all are of one length");
    assert_eq!(minted.iter().collect::<HashSet<_>>().len(), minted.len(), "all differ");
    let heads: HashSet<&str> = minted.iter().map(|id| id.split_at(16).0).collect();
    assert_eq!(heads.len(), minted.len(), "no two begin alike");
    let count = minted.len() as f64;
    // Eight standard deviations: chance exceeds it once in 10^15, a constant, a counter or a clock always.
    let slack = 4.0 * count.sqrt();
    for place in 0..width {
        let ones = bits.iter().filter(|id| id[place]).count() as f64;
        assert!((ones - count / 2.0).abs() <= slack, "bit {place} is set in {ones} of {count}");
        let kept = bits.windows(2).filter(|pair| pair[0][place] == pair[1][place]).count() as f64;
        assert!((kept - count / 2.0).abs() <= slack + 1.0, "bit {place} stays the same {kept} times of {count}");
    }
}

//! The launcher, the stage and the invariants, against a stand-in for the binary: a shell script that answers as it should.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;
use testkit::{
    Caller, Canaries, Config, Era, Gateway, GatewayOptions, HttpClient, Invariants, Lane, Stage, TempFolder, Upstream,
    WellBehaved, check_invariants,
};

/// Prints what the real commands print, and wraps by becoming the wrapped server. `up` stays until it is stopped; its audit log is `records` in the data folder.
const STAND_IN: &str = r#"#!/bin/sh
if [ "$1" = wrap ]; then
  while [ "$1" != -- ]; do shift; done
  shift
  exec "$@"
fi
command="$1 $2"
while [ $# -gt 0 ]; do
  [ "$1" = --data ] && data="$2"
  [ "$1" = --config ] && config="$2"
  shift
done
case "$command" in
  "up "*)
    grep -q refuse "$config" && { echo "error: refused" >&2; exit 2; }
    trap 'exit 0' TERM
    echo "starting" >&2
    key=',"api_key":"first"'
    [ -d "$data" ] && key=''
    mkdir -p "$data"
    echo "{\"url\":\"$(grep ^url "$config" | cut -d\" -f2)\"$key,\"data\":\"$data\"}"
    while :; do sleep 0.05; done ;;
  "keys add") echo '{"caller":"alice","id":"1","api_key":"alices"}' ;;
  "audit query") cat "$data/records" ;;
  "audit verify") [ ! -f "$data/broken" ]; code=$?; echo "{\"ok\":$code}"; exit $code ;;
esac
"#;

struct StandIn {
    folder: TempFolder,
    upstream: Upstream,
}

impl StandIn {
    fn new() -> Self {
        Self { folder: TempFolder::new(), upstream: Upstream::http(WellBehaved::files()) }
    }

    fn binary(&self) -> PathBuf {
        let path = self.folder.write("stockade", STAND_IN);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o700)).expect("make it executable");
        path
    }

    /// The "gateway" says that it listens where in truth the upstream does.
    fn start(&self) -> Gateway {
        Gateway::start(self.binary(), Config::new().server("files", self.upstream.entry()))
    }
}

#[test]
fn the_launcher_starts_asks_and_stops() {
    let stand_in = StandIn::new();
    let mut gateway = stand_in.start();
    assert_eq!((gateway.api_key(), gateway.url()), ("first", stand_in.upstream.url()));
    assert_eq!(gateway.key_for("alice"), "alices");
    assert_eq!(gateway.url_of("files"), format!("{}/files", stand_in.upstream.url()));
    assert!(gateway.rss_kib() > 0 && gateway.open_fds() >= 3 && gateway.thread_count() == 1);
    let first = gateway.pid();
    gateway.restart();
    assert!(gateway.pid() != first && gateway.api_key() == "first" && gateway.stderr() == "starting\nstarting\n");
    gateway.kill9();
    assert!(!gateway.is_alive() && gateway.footprint().is_none());
    gateway.restart();
    assert_eq!(gateway.sigterm().and_then(|status| status.code()), Some(0));
    let pid = gateway.pid();
    gateway.restart();
    assert!(gateway.pid() != pid && gateway.is_alive());
}

#[test]
fn a_stage_is_the_same_case_on_every_lane() {
    let stand_in = StandIn::new();
    // Without a gateway only the lanes whose two ends are alike can be joined.
    let lanes: Vec<Lane> = Lane::all().into_iter().filter(|lane| lane.door == lane.upstream).collect();
    assert_eq!((lanes.len(), Lane::all().len(), Lane::typical().len()), (9, 13, 6));
    for lane in lanes {
        let stage = Stage::open(stand_in.binary(), lane, WellBehaved::files(), Config::new());
        let client = stage.warm_client("alice", "read_file", json!({ "path": "warm" }));
        stage.recorder().assert_nothing();
        assert_eq!(client.call("read_file", json!({ "path": "a" })).text(), "read_file a", "{lane:?}");
        assert_eq!((stage.recorder().calls("read_file").len(), client.era()), (1, lane.era));
        std::fs::create_dir_all(stage.data()).expect("a data folder");
        std::fs::write(stage.data().join("records"), "{\"phase\":\"intent\"}\n").expect("records");
        let subject = stage.subject(&*client);
        let benign = || client.call("read_file", json!({ "path": "a" }));
        check_invariants(&*subject, &Invariants::before(&*subject, benign).requests(0).children_at_most(0));
        assert_eq!(stage.audit().len(), 1);
    }
}

#[test]
fn a_refusal_to_start_is_told_with_code_and_reason() {
    let options = GatewayOptions::from(Config::new().append("# refuse"));
    let (status, stderr) = Gateway::try_start(StandIn::new().binary(), options).expect_err("it refuses");
    assert_eq!(status.and_then(|status| status.code()), Some(2));
    assert!(stderr.contains("error: refused"), "{stderr}");
}

/// Runs the invariants after `spoil` and gives what they complain about.
fn complaint(spoil: impl Fn(&Gateway, &Canaries)) -> String {
    let stand_in = StandIn::new();
    let gateway = stand_in.start();
    let canaries = Canaries::new(3);
    let bob = HttpClient::connect(gateway.url(), "key", Era::Modern);
    let benign = || bob.call("read_file", json!({ "path": "a" }));
    let records = |count: u64| {
        let record = |number| format!("{}\n", json!({ "phase": "refused", "kind": "request", "sequence": number }));
        std::fs::write(gateway.data().join("records"), (0..count).map(record).collect::<String>()).expect("records");
    };
    let expected = Invariants::before(&gateway, benign).canaries(&canaries).requests(6).children_at_most(1);
    records(7);
    spoil(&gateway, &canaries);
    let checked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check_invariants(&gateway, &expected)));
    checked.err().and_then(|panic| panic.downcast_ref::<String>().cloned()).unwrap_or_default()
}

#[test]
fn the_invariants_hold_when_all_is_well() {
    assert_eq!(complaint(|_, _| {}), "");
}

#[test]
fn each_broken_invariant_is_named() {
    let check = |spoil: &dyn Fn(&Gateway, &Canaries), expected: &str| {
        let said = complaint(spoil);
        assert!(said.contains(expected), "expected {expected:?}, got {said:?}");
    };
    check(&|gateway, _| gateway.kill9(), "1: the gateway is gone");
    let leak = |gateway: &Gateway, text: String| std::fs::write(gateway.data().join("log"), text).expect("leak");
    check(&|gateway, canaries| leak(gateway, canaries.value("jwt").to_owned()), "2: jwt (clear) in ");
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    check(&|gateway, canaries| leak(gateway, hex(canaries.value("aws_key"))), "2: aws_key (hex) in ");
    let spoil =
        |name: &'static str| move |gateway: &Gateway, _: &Canaries| drop(std::fs::write(gateway.data().join(name), ""));
    check(&spoil("broken"), "3: audit verify ended with 1");
    check(&spoil("records"), "3: 0 requests in the audit log, 7 were sent");
}

#[test]
fn a_gateway_is_gone_when_its_handle_is_dropped() {
    let stand_in = StandIn::new();
    let gateway = stand_in.start();
    let pid = gateway.pid();
    drop(gateway);
    assert!(testkit::wait_until(Duration::from_secs(5), || !testkit::is_alive(pid)));
}

//! `[[permit]]` tables.

use crate::words::{check, loaded, of_permits, permit};
use stockade_policy::{CallerPattern, FromServer, ServerPattern};

const NOTHING: &str = "deny: no rule allows it";

#[test]
fn a_permit_gives_what_it_names_and_no_more() {
    let policy = loaded(&of_permits(vec![permit(
        "alice",
        "files",
        ["read_*,list", "file:///srv/*", "hello"],
        &[FromServer::Roots],
    )]));
    check(
        &policy,
        &[
            ("alice", "connect", "server files", "allow permit-1"),
            ("alice", "list", "server files", "allow permit-1"),
            ("alice", "roots", "server files", "allow permit-1"),
            ("alice", "sample", "server files", NOTHING),
            ("alice", "elicit", "server files", NOTHING),
            ("alice", "call", "server files", "allow permit-1"),
            ("alice", "call", "tool files/read_file", "allow permit-1"),
            ("alice", "call", "tool files/list", "allow permit-1"),
            ("alice", "call", "tool files/lists", NOTHING),
            ("alice", "call", "tool files/write", NOTHING),
            ("alice", "call", "tool db/read_file", NOTHING),
            ("alice", "read", "resource files/file:///srv/a", "allow permit-1"),
            ("alice", "complete", "resource files/file:///srv/a", "allow permit-1"),
            ("alice", "read", "resource files/file:///etc/passwd", NOTHING),
            ("alice", "get", "prompt files/hello", "allow permit-1"),
            ("alice", "complete", "prompt files/hello", "allow permit-1"),
            ("alice", "get", "prompt files/other", NOTHING),
            ("alice", "connect", "server db", NOTHING),
            ("bob", "connect", "server files", NOTHING),
            ("me", "call", "tool files/read_file", NOTHING),
        ],
    );
}

#[test]
fn what_a_permit_leaves_out_it_does_not_give() {
    let policy = loaded(&of_permits(vec![permit("alice", "files", ["", "", ""], &[])]));
    check(
        &policy,
        &[
            ("alice", "connect", "server files", "allow permit-1"),
            ("alice", "list", "server files", "allow permit-1"),
            ("alice", "call", "server files", NOTHING),
            ("alice", "call", "tool files/a", NOTHING),
            ("alice", "read", "resource files/a", NOTHING),
            ("alice", "get", "prompt files/a", NOTHING),
            ("alice", "complete", "prompt files/a", NOTHING),
            ("alice", "roots", "server files", NOTHING),
        ],
    );
}

#[test]
fn a_star_means_all_but_never_an_anonymous_caller() {
    let all = [FromServer::Sampling, FromServer::Elicitation, FromServer::Roots];
    let policy = loaded(&of_permits(vec![
        permit("*", "*", ["*", "*", "*"], &all),
        permit("anon*", "*", ["", "", ""], &[]),
        permit("anonymous", "open", ["echo", "", ""], &[]),
    ]));
    check(
        &policy,
        &[
            ("me", "call", "tool any/thing", "allow permit-1"),
            ("alice", "read", "resource any/x://y", "allow permit-1"),
            ("alice", "sample", "server any", "allow permit-1"),
            ("anonymous", "call", "tool any/thing", NOTHING),
            ("anonymous", "connect", "server any", NOTHING),
            ("anonymous", "connect", "server open", "allow permit-3"),
            ("anonymous", "call", "tool open/echo", "allow permit-3"),
            ("anonymous", "call", "tool open/other", NOTHING),
        ],
    );
}

#[test]
fn several_callers_and_servers_in_one_permit_are_a_product() {
    let policy = loaded(&of_permits(vec![
        permit("alice,ci-*,me", "files,db-*", ["get,put_*", "", ""], &[]),
        permit("bob,carol,bob", "files,db,files", ["get,get", "", ""], &[]),
    ]));
    check(
        &policy,
        &[
            ("alice", "call", "tool files/get", "allow permit-1"),
            ("ci-7", "call", "tool db-main/put_x", "allow permit-1"),
            ("me", "connect", "server db-x", "allow permit-1"),
            ("ci", "connect", "server files", NOTHING),
            ("alice", "connect", "server db", NOTHING),
            ("bob", "call", "tool db/get", "allow permit-2"),
            ("carol", "call", "tool files/get", "allow permit-2"),
            ("carol", "call", "tool files/put_x", NOTHING),
        ],
    );
}

#[test]
fn more_names_than_the_index_files_apart_are_judged_the_same() {
    let names: Vec<String> = (0..100).map(|number| format!("user{number}")).collect();
    let servers: Vec<String> = (0..100).map(|number| format!("server{number}")).collect();
    let policy = loaded(&of_permits(vec![
        permit(&names.join(","), &servers.join(","), ["go", "", ""], &[]),
        permit(&names.join(","), "single", ["go", "", ""], &[]),
    ]));
    check(
        &policy,
        &[
            ("user99", "call", "tool server99/go", "allow permit-1"),
            ("user0", "call", "tool single/go", "allow permit-2"),
            ("user100", "call", "tool server99/go", NOTHING),
            ("user99", "call", "tool server100/go", NOTHING),
            ("user99", "call", "tool server99/stop", NOTHING),
        ],
    );
}

#[test]
fn patterns_that_no_name_can_match_are_refused() {
    for (text, caller, server) in [
        ("alice", true, true),
        ("*", true, true),
        ("a-*", true, true),
        ("Alice", true, false),
        ("alice@example.com", true, false),
        ("a b", false, false),
        ("a\"b", false, false),
        ("a__*", true, false),
        ("*-", true, false),
        ("", false, false),
    ] {
        assert_eq!(CallerPattern::parse(text).is_ok(), caller, "{text:?}");
        assert_eq!(ServerPattern::parse(text).is_ok(), server, "{text:?}");
    }
}

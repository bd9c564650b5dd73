//! OP-04: weak secrets.

use crate::ground::STOCKADE;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use testkit::{Gateway, GatewayOptions, TempFolder};

const PROFILES: [&str; 4] = ["sandbox", "internal", "production", "regulated"];

#[expect(clippy::disallowed_methods, reason = "the test runs commands of the program without a gateway")]
fn stockade(home: &Path, arguments: &[&str]) -> Output {
    let mut command = std::process::Command::new(STOCKADE);
    command.args(arguments).current_dir(home).env_clear().env("HOME", home).output().expect("the program runs")
}

/// A data folder with a key of alice's, and its root key.
fn folder(home: &Path) -> PathBuf {
    let made = stockade(home, &["keys", "add", "alice", "--data", "data"]);
    assert!(made.status.success(), "{made:?}");
    home.join("data/keys/root.key")
}

fn set(key: &Path, content: &[u8], mode: u32) {
    fs::write(key, content).expect("the key is ours");
    fs::set_permissions(key, fs::Permissions::from_mode(mode)).expect("the key is ours");
}

/// Nothing starts, nothing is listed, nothing is made, and the file is as it was.
#[track_caller]
fn assert_refused(home: &TempFolder, key: &Path, words: &str) {
    let before = fs::read(key).expect("the key is there");
    for profile in PROFILES {
        let options = GatewayOptions {
            data: Some(home.path().join("data")),
            arguments: vec!["--profile".to_owned(), profile.to_owned()],
            ..GatewayOptions::default()
        };
        let Err((status, stderr)) = Gateway::try_start(STOCKADE, options) else { panic!("it started as {profile}") };
        assert!(status.is_some_and(|status| !status.success()) && stderr.contains(words), "{profile}: {stderr}");
        for command in [&["keys", "list"][..], &["keys", "add", "bob"]] {
            let said = stockade(home.path(), &[command, &["--data", "data", "--profile", profile]].concat());
            let stderr = String::from_utf8_lossy(&said.stderr);
            assert!(!said.status.success() && said.stdout.is_empty() && stderr.contains(words), "{said:?}");
        }
    }
    assert_eq!(fs::read(key).expect("the key is there"), before);
}

#[test]
fn a_root_key_that_is_none_is_refused_in_every_profile() {
    let home = TempFolder::new();
    let key = folder(home.path());
    let right = fs::read(&key).expect("the key is there");
    for (weak, words) in [
        (&b"changeme"[..], "not 32 bytes long"),
        (b"", "not 32 bytes long"),
        (b"8 bytes!", "not 32 bytes long"),
        (&[0; 32], "one byte repeated"),
        (&[b'x'; 32], "one byte repeated"),
        (b"changemechangemechangemechangeme", "a pattern"),
        (b"0123456789abcdef0123456789abcdef", "a pattern"),
    ] {
        set(&key, weak, 0o600);
        assert_refused(&home, &key, words);
    }
    set(&key, &right, 0o600);
    assert!(stockade(home.path(), &["keys", "list", "--data", "data"]).status.success(), "the right one still works");
}

#[test]
fn a_root_key_that_others_can_read_is_refused_in_every_profile() {
    let home = TempFolder::new();
    let key = folder(home.path());
    let right = fs::read(&key).expect("the key is there");
    for mode in [0o604, 0o640, 0o644, 0o660] {
        set(&key, &right, mode);
        assert_refused(&home, &key, "can be read by others");
    }
}

#[test]
fn no_option_takes_a_secret() {
    let home = TempFolder::new();
    let help = |page: &[&str]| {
        let said = stockade(home.path(), &[page, &["--help"]].concat());
        assert!(said.status.success(), "{page:?} {said:?}");
        String::from_utf8(said.stdout).expect("text")
    };
    let mut pages = vec![vec![]];
    let mut seen = 0;
    while let Some(page) = pages.pop() {
        let text = help(&page.iter().map(String::as_str).collect::<Vec<_>>());
        let commands = text.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
        for command in commands.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next()) {
            if command != "help" && text.contains(&format!("\n  {command} ")) {
                pages.push([page.clone(), vec![command.to_owned()]].concat());
            }
        }
        let options = text.lines().filter_map(|line| line.trim_start().split_once("--")).map(|(_, option)| option);
        for option in options {
            let name: String =
                option.chars().take_while(|letter| letter.is_ascii_alphabetic() || *letter == '-').collect();
            // A file that holds one is named by its path, which is no secret; standard input is seen by nobody.
            let holds = ["key", "secret", "password", "token", "credential"].iter().any(|word| name.contains(word));
            assert!(!holds || name.ends_with("-file") || name.ends_with("-stdin"), "{page:?} takes `--{name}`");
        }
        seen += 1;
    }
    assert!(seen > 20, "{seen} pages");
}

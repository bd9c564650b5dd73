//! Defaults, file, environment, flags: each goes before the one before it, each value says where it comes from, and no layer
//! can bring into a strict profile what belongs into a sandbox (OP-09).

use crate::program::{Program, Said};
use serde_json::Value;

/// One line of `config show`.
fn shown(program: &Program, arguments: &[&str], key: &str) -> String {
    let said = program.run(&[&["config", "show"], arguments].concat());
    assert_eq!((said.code, said.stderr.as_str()), (Some(0), ""), "{said:?}");
    let start = format!("{key} = ");
    said.stdout.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
}

fn refused(program: &Program, arguments: &[&str]) -> Said {
    let said = program.run(&[&["config", "show"], arguments].concat());
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{arguments:?} {said:?}");
    said
}

#[test]
fn each_layer_goes_before_the_one_below_it() {
    let file = "[gateway]\nlisten = \"127.0.0.1:2\"\n";
    let plain = Program::new();
    plain.folder.write("c.toml", file);
    let with_variable = Program::new().with("STOCKADE_GATEWAY__LISTEN", "127.0.0.1:3");
    with_variable.folder.write("c.toml", file);
    let (of_file, flag) = (["--config", "c.toml"], ["--listen", "127.0.0.1:4"]);
    let both = [&of_file[..], &flag].concat();
    for (program, arguments, expected) in [
        (&plain, &[][..], "\"127.0.0.1:8443\"  # default"),
        (&plain, &of_file, "\"127.0.0.1:2\"  # c.toml:2"),
        (&with_variable, &[], "\"127.0.0.1:3\"  # environment STOCKADE_GATEWAY__LISTEN"),
        (&with_variable, &of_file, "\"127.0.0.1:3\"  # environment STOCKADE_GATEWAY__LISTEN"),
        (&with_variable, &both, "\"127.0.0.1:4\"  # flag --listen"),
        (&plain, &flag, "\"127.0.0.1:4\"  # flag --listen"),
    ] {
        assert_eq!(shown(program, arguments, "gateway.listen"), expected);
    }
}

#[test]
fn every_single_key_can_be_set_by_a_variable_of_its_own() {
    for (variable, text, key, expected) in [
        ("STOCKADE_LIMITS__CALLS_PER_MINUTE", "7", "limits.calls_per_minute", "7"),
        ("STOCKADE_LIMITS__MESSAGE_BYTES", "65536", "limits.message_bytes", "\"64 KiB\""),
        ("STOCKADE_LIMITS__MESSAGE_BYTES", "1 MiB", "limits.message_bytes", "\"1 MiB\""),
        ("STOCKADE_LIMITS__IDLE", "90s", "limits.idle", "\"90s\""),
        ("STOCKADE_GATEWAY__ENVIRONMENT", "staging", "gateway.environment", "\"staging\""),
        ("STOCKADE_GATEWAY__OLDEST_REVISION", "2025-06-18", "gateway.oldest_revision", "\"2025-06-18\""),
        ("STOCKADE_KEYS__MAX_AGE", "30d", "keys.max_age", "\"30d\""),
        ("STOCKADE_LOG", "warn", "gateway.log", "\"warn\""),
    ] {
        let program = Program::new().with(variable, text);
        assert_eq!(shown(&program, &[], key), format!("{expected}  # environment {variable}"));
    }
    let sandbox = Program::new().with("STOCKADE_ANONYMOUS__CALLER", "tester");
    let arguments = ["--profile", "sandbox"];
    let expected = "\"tester\"  # environment STOCKADE_ANONYMOUS__CALLER";
    assert_eq!(shown(&sandbox, &arguments, "anonymous.caller"), expected);
}

#[test]
fn what_a_profile_asks_for_says_so() {
    let program = Program::new();
    program.folder.write("c.toml", "[keys]\nmax_age = \"20d\"\n");
    for (arguments, key, expected) in [
        (&[][..], "keys.max_age", "\"90d\"  # profile production"),
        (&[], "keys.warn_age", "\"76d\"  # profile production"),
        (&[], "gateway.environment", "\"production\"  # profile production"),
        (&["--profile", "regulated"], "keys.max_age", "\"90d\"  # profile regulated"),
        (&["--profile", "sandbox"], "keys.max_age", ""),
        (&["--profile", "sandbox"], "keys.warn_age", ""),
        (&["--profile", "sandbox"], "gateway.environment", "\"sandbox\"  # profile sandbox"),
        (&["--profile", "sandbox"], "gateway.profile", "\"sandbox\"  # flag --profile"),
        (&["--config", "c.toml"], "keys.max_age", "\"20d\"  # c.toml:2"),
        (&["--config", "c.toml"], "keys.warn_age", "\"10d\"  # default"),
    ] {
        assert_eq!(shown(&program, arguments, key), expected, "{arguments:?} {key}");
    }
    let said = program.run(&["config", "show", "--json", "--profile", "internal", "--data", "d"]);
    let layer = |key: &str| {
        let lines = said.stdout.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.into_iter().find(|line| line["key"] == key).unwrap()["layer"].clone()
    };
    assert_eq!(
        [layer("gateway.profile"), layer("gateway.environment"), layer("gateway.listen")],
        ["flag", "profile", "default"]
    );
}

#[test]
fn a_variable_that_sets_nothing_is_refused() {
    for (variable, text, words) in [
        ("STOCKADE_GATEWAY__LISEN", "127.0.0.1:1", "did you mean `STOCKADE_GATEWAY__LISTEN`?"),
        ("STOCKADE_GATEWAY_LISTEN", "127.0.0.1:1", "did you mean `STOCKADE_GATEWAY__LISTEN`?"),
        ("STOCKADE_GATEWAY__HOSTS", "a.test", "sets nothing"),
        ("STOCKADE_SERVERS__FILES__URL", "https://a.test", "lists and tables of names stand in the file"),
        ("STOCKADE_GATEWAY__DATA", "/d", "named by `STOCKADE_DATA`"),
        ("STOCKADE_LIMITS__IDLE", "75", "STOCKADE_LIMITS__IDLE: `idle` is `75`, which has no unit"),
        ("STOCKADE_LIMITS__DEPTH", "129", "STOCKADE_LIMITS__DEPTH: `depth` is `129`"),
        ("STOCKADE_GATEWAY__PROFILE", "prod", "STOCKADE_GATEWAY__PROFILE: `profile` is `\"prod\"`"),
        ("STOCKADE_GATEWAY__LISTEN", "0.0.0.0:1", "STOCKADE_GATEWAY__LISTEN: `listen` is `0.0.0.0:1`"),
    ] {
        let said = refused(&Program::new().with(variable, text), &[]);
        assert!(said.stderr.contains(words), "{variable} {said:?}");
    }
    // What others put into the environment under our name is none of ours.
    for stranger in
        ["STOCKADE_PORT", "STOCKADE_SERVICE_HOST", "STOCKADE_PORT_8443_TCP", "STOCKADE_GATEWAY_SERVICE_PORT"]
    {
        shown(&Program::new().with(stranger, "tcp://10.0.0.1:8443"), &[], "gateway.listen");
    }
    // A variable that is empty is one that is not set.
    assert_eq!(
        shown(&Program::new().with("STOCKADE_GATEWAY__LISTEN", ""), &[], "gateway.listen"),
        "\"127.0.0.1:8443\"  # default"
    );
}

#[test]
fn what_belongs_into_a_sandbox_is_refused_elsewhere_whatever_layer_it_comes_from() {
    const ANONYMOUS: &str = "`[anonymous]` stands outside profile `sandbox`";
    const LOG: &str = "which is more than `info`";
    const OPEN: &str = "which other machines can reach";
    for profile in ["production", "regulated"] {
        let by_flag = ["--profile", profile];
        let by_variable = || Program::new().with("STOCKADE_GATEWAY__PROFILE", profile);
        for (table, key, value, variable, flag, words) in [
            ("anonymous", "caller", "tester", "STOCKADE_ANONYMOUS__CALLER", None, ANONYMOUS),
            ("gateway", "log", "debug", "STOCKADE_LOG", Some("--log"), LOG),
            ("gateway", "log", "info,stockade_core=trace", "STOCKADE_LOG", Some("--log"), LOG),
            ("gateway", "log", "hyper", "STOCKADE_LOG", Some("--log"), LOG),
            ("gateway", "listen", "0.0.0.0:8443", "STOCKADE_GATEWAY__LISTEN", Some("--listen"), OPEN),
        ] {
            let file = format!("[{table}]\n{key} = \"{value}\"\n");
            for program in [Program::new(), by_variable()] {
                program.folder.write("c.toml", &file);
                let said = refused(&program, &[&["--config", "c.toml"], &by_flag[..]].concat());
                assert!(said.stderr.contains("c.toml:") && said.stderr.contains(words), "{said:?}");
            }
            let said = refused(&by_variable().with(variable, value), &[]);
            assert!(said.stderr.contains(&format!("{variable}: ")) && said.stderr.contains(words), "{said:?}");
            let Some(flag) = flag else { continue };
            let said = refused(&by_variable(), &[flag, value]);
            assert!(said.stderr.contains(&format!("{flag}: ")) && said.stderr.contains(words), "{said:?}");
            // And the gateway does not start with it.
            let up = Program::new().run(&["up", "--data", "d", "--profile", profile, flag, value]);
            assert!(up.code == Some(2) && up.stderr.contains(words), "{up:?}");
        }
    }
    for fine in ["info", "warn,stockade_gateway=info", "off", "error,hyper=warn"] {
        shown(&Program::new(), &["--profile", "regulated", "--log", fine], "gateway.log");
    }
    for profile in ["sandbox", "internal"] {
        shown(&Program::new(), &["--profile", profile, "--log", "debug"], "gateway.log");
    }
    let said = refused(&Program::new(), &["--log", "info,=,["]);
    assert!(said.stderr.contains("which is no filter"), "{said:?}");
}

#[test]
fn nothing_outside_the_file_makes_the_profile_laxer() {
    const PROFILES: [&str; 4] = ["sandbox", "internal", "production", "regulated"];
    for (rank, in_file) in PROFILES.into_iter().enumerate() {
        for (other_rank, other) in PROFILES.into_iter().enumerate() {
            let program = Program::new();
            program.folder.write("c.toml", format!("[gateway]\nprofile = \"{in_file}\"\n"));
            let of_file = ["--config", "c.toml"];
            let by_flag = [&of_file[..], &["--profile", other]].concat();
            let by_variable = program.with("STOCKADE_GATEWAY__PROFILE", other);
            if other_rank >= rank {
                let expected = format!("\"{other}\"  # environment STOCKADE_GATEWAY__PROFILE");
                assert_eq!(shown(&by_variable, &of_file, "gateway.profile"), expected);
                assert_eq!(shown(&by_variable, &by_flag, "gateway.profile"), format!("\"{other}\"  # flag --profile"));
            } else {
                for arguments in [&of_file[..], &by_flag] {
                    let said = refused(&by_variable, arguments);
                    let words = format!("would be `{other}`, and the file says `{in_file}`");
                    assert!(said.stderr.contains(&words), "{said:?}");
                }
            }
        }
    }
    // A file that says nothing leaves the choice to whoever starts the gateway.
    assert_eq!(shown(&Program::new(), &["--profile", "sandbox"], "gateway.profile"), "\"sandbox\"  # flag --profile");
}

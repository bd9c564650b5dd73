//! Every problem of a configuration, at once, with line, column and what to do.

use crate::golden;
use crate::program::Program;
use stockade::config::{PROBLEMS_LIMIT, Place, parse_for_fuzz};

/// Line, column, a part of what is said, a part of the fix.
type Expected = (u32, u32, &'static str, &'static str);

#[track_caller]
fn check(text: &str, expected: &[Expected]) {
    let problems = parse_for_fuzz(text).err().map(|errors| errors.problems().to_vec()).unwrap_or_default();
    let said: Vec<String> = problems
        .iter()
        .map(|problem| {
            let Place { line, column, .. } = problem.place.unwrap();
            format!("{line}:{column} {} | {} | {}", problem.what, problem.why, problem.fix)
        })
        .collect();
    assert_eq!(said.len(), expected.len(), "{text}\n{said:#?}");
    for (said, (line, column, what, fix)) in said.iter().zip(expected) {
        let fits = said.starts_with(&format!("{line}:{column} ")) && said.contains(what) && said.ends_with(fix);
        assert!(fits, "{text}\nsaid     {said}\nexpected {line}:{column} {what} … {fix}");
    }
}

#[test]
fn an_empty_file_is_fine() {
    check("", &[]);
    check("[gateway]\n[limits]\n", &[]);
}

#[test]
fn unknown_keys_are_refused_with_the_nearest_known_one() {
    check(
        "[gateway]\nlisen = \"127.0.0.1:1\"\n",
        &[(2, 1, "unknown key `lisen` in `[gateway]`", "did you mean `listen`?")],
    );
    check("[gatway]\nlisten = 1\n", &[(1, 2, "unknown key `gatway`", "did you mean `gateway`?")]);
    check("[limits]\ncalls-per-minute = 5\n", &[(2, 1, "unknown key", "did you mean `calls_per_minute`?")]);
    check(
        "[servers.a]\ncommand = [\"x\"]\n[servers.a.tools.t]\neffects = \"read\"\n",
        &[(4, 1, "unknown key `effects` in `[servers.a.tools.t]`", "did you mean `effect`?")],
    );
    check(
        "[anonymous]\ncaller = \"x\"\nzzzzz = 1\n[gateway]\nprofile = \"sandbox\"\n",
        &[(3, 1, "unknown key `zzzzz`", "remove it; known here: `caller`")],
    );
    check("x = 1\n", &[(1, 1, "remove it; known here: `gateway`, ", "`permit`, `policy`")]);
    check("\u{e9}\u{e9} = 1", &[(1, 1, "the file is not TOML here", "once it can be read")]);
    check("\"\\u001b[2J\" = 1\n", &[(1, 1, "unknown key `\\u{1b}[2J`", "`policy`")]);
}

#[test]
fn wrong_sorts_are_refused_with_an_example() {
    check(
        "[gateway]\nlisten = 8443\n",
        &[(2, 10, "`listen` in `[gateway]` is a whole number", "write it like `listen = \"127.0.0.1:8443\"`")],
    );
    check(
        "[gateway]\nprofile = \"prod\"\n",
        &[(2, 11, "is `\"prod\"` | it takes one of `\"sandbox\"`", "`profile = \"production\"`")],
    );
    check("[limits]\ndepth = 129\n", &[(2, 9, "is `129` | it takes a whole number from 1 to 128", "`depth = 64`")]);
    check("[limits]\ndepth = 0\nin_flight = -1\n", &[(2, 9, "is `0`", "64`"), (3, 13, "is `-1`", "64`")]);
    check("[limits]\nidle = 75\n", &[(2, 8, "is `75`, which has no unit", "`idle = \"75s\"`")]);
    check("[limits]\nidle = \"75\"\n", &[(2, 8, "is `\"75\"`", "\"75s\"`")]);
    check("[limits]\nmessage_bytes = \"4 MB\"\n", &[(2, 17, "is `\"4 MB\"`", "\"4 MiB\"`")]);
    check("[limits]\nmessage_bytes = 4.5\n", &[(2, 17, "is a broken number", "`")]);
    check("gateway = 1\n", &[(1, 1, "`[gateway]` is not a table", "its keys below")]);
    check("[permit]\ncallers = [\"a\"]\n", &[(1, 2, "`[[permit]]` is not a table", "its keys below")]);
    check("[servers]\na = 1\n", &[(2, 1, "`[servers.a]` is not a table", "its keys below")]);
    check("permit = [1]\n", &[(1, 11, "`[[permit]]` is not a table", "its keys below")]);
    check("[gateway]\nhosts = [\"a\", 1]\n", &[(2, 15, "something in `hosts` in `[gateway]` is a whole number", "`")]);
}

#[test]
fn sizes_and_times_may_be_written_in_several_ways() {
    let config = parse_for_fuzz("[limits]\nmessage_bytes = 65536\nstring_bytes = \"64 KiB\"\nidle = \"2m\"\n").unwrap();
    assert_eq!(config.limits.wire.message_bytes, config.limits.wire.string_bytes);
    assert_eq!(config.limits.timeouts.idle.as_secs(), 120);
}

#[test]
fn without_tls_the_gateway_is_only_reached_from_this_machine() {
    for fine in ["127.0.0.1:0", "127.0.0.1:8443", "[::1]:8443", "127.9.9.9:1"] {
        check(&format!("[gateway]\nlisten = \"{fine}\"\n"), &[]);
    }
    for open in ["0.0.0.0:8443", "[::]:8443", "192.168.1.1:8443"] {
        let fix = "add `[tls]` with `certificate` and `key`, or listen on `127.0.0.1:8443`";
        check(&format!("[gateway]\nlisten = \"{open}\"\n"), &[(2, 10, "which other machines can reach", fix)]);
    }
    for broken in ["localhost:8443", "127.0.0.1", "8443", "", "127.0.0.1:99999"] {
        check(
            &format!("[gateway]\nlisten = \"{broken}\"\n"),
            &[(2, 10, "which is no address", "`listen = \"127.0.0.1:8443\"`")],
        );
    }
}

#[test]
fn an_anonymous_caller_exists_in_a_sandbox_only() {
    check("[gateway]\nprofile = \"sandbox\"\n[anonymous]\ncaller = \"tester\"\n", &[]);
    for profile in ["internal", "production", "regulated"] {
        check(
            &format!("[gateway]\nprofile = \"{profile}\"\n[anonymous]\ncaller = \"tester\"\n"),
            &[(3, 2, "`[anonymous]` stands outside profile `sandbox`", "for a test on this machine")],
        );
    }
    check("[anonymous]\ncaller = \"tester\"\n", &[(1, 2, "outside profile `sandbox`", "for a test on this machine")]);
    check("[gateway]\nprofile = \"sandbox\"\n[anonymous]\n", &[(3, 2, "names no caller", "add `caller = \"tester\"`")]);
    check(
        "[gateway]\nprofile = \"sandbox\"\n[anonymous]\ncaller = \"a b\"\n",
        &[(4, 10, "`a b`, which is no name for a caller", "any of `-_.@:/`")],
    );
}

#[test]
fn a_server_is_reached_in_one_way() {
    check("[servers.a]\ncommand = [\"x\"]\n[servers.b]\nurl = \"https://b.test/mcp\"\n", &[]);
    check("[servers.a]\n", &[(1, 10, "has no `command` and no `url`", "or `url = \"https://…\"`")]);
    check(
        "[servers.a]\ncommand = [\"x\"]\nurl = \"https://b.test\"\n",
        &[(3, 7, "has both `command` and `url`", "make two servers of it")],
    );
    check(
        "[servers.a]\ncommand = []\n",
        &[(2, 11, "`command` in `[servers.a]` is an empty list", "then it is: the server has a `url`")],
    );
    check("[servers.a]\ncommand = [\"\"]\n", &[(2, 11, "names no program", "`")]);
    check("[servers.a]\ncommand = \"npx x\"\n", &[(2, 11, "is a text", "`")]);
    check(
        "[servers.a]\nurl = \"http://b.test/mcp\"\n",
        &[(2, 7, "`url` is `http` to another machine", "[::1] and localhost")],
    );
    check("[servers.a]\nurl = \"http://127.0.0.1:1/mcp\"\n", &[]);
    check(
        "[servers.a]\nurl = \"https://b.test\"\nenvironment = { A = \"1\" }\nworking_directory = \"/\"\n",
        &[
            (3, 15, "`environment` in `[servers.a]` has no use", "remove it"),
            (4, 21, "`working_directory`", "remove it"),
        ],
    );
    check(
        "[servers.a]\ncommand = [\"x\"]\nheaders = { A = \"1\" }\n",
        &[(3, 11, "`headers` in `[servers.a]` has no use", "remove it")],
    );
}

#[test]
fn names_of_servers_split_one_way() {
    let command = "command = [\"x\"]\n";
    for (name, fix) in [
        ("Files", "call it `files`"),
        ("\"my files\"", "call it `my-files`"),
        ("a__b", "start and end with a letter or digit"),
        ("-a", "start and end with a letter or digit"),
        ("\"\"", "start and end with a letter or digit"),
    ] {
        check(&format!("[servers.{name}]\n{command}"), &[(1, 10, "is no name for a server", fix)]);
    }
    // The two differ only by case: the second is no name at all.
    check(&format!("[servers.a]\n{command}[servers.A]\n{command}"), &[(3, 10, "`A` is no name", "call it `a`")]);
}

#[test]
fn headers_of_the_protocol_cannot_be_set() {
    for name in ["Host", "connection", "Mcp-Session-Id", "MCP-Protocol-Version", "Content-Length", "Transfer-Encoding"]
    {
        let text = format!("[servers.a]\nurl = \"https://b.test\"\nheaders = {{ {name} = \"CANARY\" }}\n");
        check(&text, &[(3, 13, "cannot be set", "remove it")]);
    }
    let config = parse_for_fuzz(
        "[servers.a]\nurl = \"https://b.test\"\nheaders = { Authorization = \"Bearer k\", X-A = \"1\" }\n",
    );
    assert!(config.is_ok(), "{config:?}");
    for value in ["a\\nb", "a\\u0000", " a", "a\\u00e9"] {
        let text = format!("[servers.a]\nurl = \"https://b.test\"\nheaders = {{ X-A = \"{value}\" }}\n");
        check(&text, &[(3, 13, "cannot be set", "correct the value")]);
    }
    check(
        "[servers.a]\nurl = \"https://b.test\"\nheaders = { X-A = \"1\", x-a = \"2\" }\n",
        &[(3, 24, "`x-a` stands twice", "remove one of them")],
    );
}

#[test]
fn a_permit_says_who_and_where() {
    let server = "[servers.files]\ncommand = [\"x\"]\n";
    check(&format!("{server}[[permit]]\ncallers = [\"alice\"]\nservers = [\"files\"]\ntools = [\"*\"]\n"), &[]);
    check(&format!("{server}[[permit]]\ncallers = [\"*\"]\nservers = [\"fil*\", \"*\"]\n"), &[]);
    check(
        &format!("{server}[[permit]]\ncallers = [\"alice\"]\nservers = [\"file\"]\n"),
        &[(5, 12, "`file` in `servers` cannot be used | no server has this name", "did you mean `files`?")],
    );
    check(
        &format!("{server}[[permit]]\ncallers = [\"alice\"]\nservers = [\"db*\"]\n"),
        &[(5, 12, "no server has this name", "or remove it from the permit")],
    );
    check(
        &format!("{server}[[permit]]\ntools = [\"*\"]\n"),
        &[(3, 1, "names no caller", "for all"), (3, 1, "names no server", "for all")],
    );
    check(
        &format!("{server}[[permit]]\ncallers = []\nservers = [\"files\"]\n"),
        &[(4, 11, "`callers` in `[permit]` is an empty list", "such as `callers = [\"alice\", \"ci-*\"]`")],
    );
    check(
        &format!("{server}[[permit]]\ncallers = [\"a b\"]\nservers = [\"files\"]\nfrom_server = [\"sample\"]\n"),
        &[
            (4, 12, "`a b` in `callers` cannot be used", "`"),
            (6, 16, "`sample` in `from_server`", "use `sampling`, `elicitation` or `roots`"),
        ]
        .map(|(line, column, what, fix)| (line, column, what, if fix == "`" { "any characters" } else { fix })),
    );
}

#[test]
fn keys_have_an_age_that_makes_sense() {
    check("[keys]\nmax_age = \"90d\"\nwarn_age = \"89d\"\n", &[]);
    check("[keys]\nwarn_age = \"80d\"\n", &[]);
    check(
        "[keys]\nmax_age = \"30d\"\nwarn_age = \"30d\"\n",
        &[(3, 12, "`warn_age` is not before `max_age`", "is a good time")],
    );
    check("[keys]\nwarn_age = \"90d\"\n", &[(2, 12, "is not before `max_age`", "is a good time")]);
    check(
        "[gateway]\nprofile = \"sandbox\"\n[keys]\nwarn_age = \"9d\"\n",
        &[(4, 12, "has no use without `max_age`", "or remove it")],
    );
    check("[keys]\nmax_age = \"1h\"\n", &[(2, 11, "from 1d to 366d", "`max_age = \"1d\"`")]);
    check("[keys]\nmax_age = \"367d\"\n", &[(2, 11, "from 1d to 366d", "`max_age = \"1d\"`")]);
    let rules = |text: &str| {
        let keys = parse_for_fuzz(text).unwrap().keys;
        let days = |age: Option<std::time::Duration>| age.map(|age| age.as_secs() / 86_400);
        (days(keys.warn_age), days(keys.max_age), keys.environment.to_string())
    };
    assert_eq!(rules(""), (Some(76), Some(90), "production".to_owned()));
    assert_eq!(rules("[keys]\nmax_age = \"20d\"\n"), (Some(10), Some(20), "production".to_owned()));
    let sandbox = "[gateway]\nprofile = \"sandbox\"\nenvironment = \"dev-1\"\n";
    assert_eq!(rules(sandbox), (None, None, "dev-1".to_owned()));
    check(
        "[gateway]\nenvironment = \"Dev 1\"\n",
        &[(2, 15, "which is no name of an environment", "such as `staging-eu`")],
    );
}

#[test]
fn a_permit_for_a_broken_server_is_no_second_problem() {
    check(
        "[servers.files]\n[[permit]]\ncallers = [\"alice\"]\nservers = [\"files\"]\n",
        &[(1, 10, "has no `command` and no `url`", "\"https://…\"`")],
    );
}

#[test]
fn secrets_are_never_repeated() {
    for text in [
        "[servers.a]\ncommand = [\"x\"]\nenvironment = { TOKEN = [\"CANARY\"] }\n",
        "[servers.a]\ncommand = [\"x\", 1, \"CANARY\"]\n",
        "[servers.a]\ncommand = [\"x\"]\nenvironment = { \"A=B\" = \"CANARY\" }\n",
        "[servers.a]\nurl = \"https://user:CANARY@b.test/mcp\"\n",
        "[servers.a]\nurl = \"https://b.test\"\nheaders = { X-A = \"CANARY\\n\" }\n",
        "[servers.a]\nurl = \"https://b.test\"\nheaders = \"CANARY\"\n",
    ] {
        let said = parse_for_fuzz(text).unwrap_err().to_string();
        assert!(!said.contains("CANARY"), "{text}\n{said}");
    }
    let fine = parse_for_fuzz("[servers.a]\ncommand = [\"x\"]\nenvironment = { TOKEN = \"CANARY\" }\n").unwrap();
    assert!(!format!("{fine:?}").contains("CANARY"));
}

#[test]
fn a_broken_file_tells_where() {
    check("[gateway\nlisten = 1\n", &[(1, 9, "the file is not TOML here", "once it can be read")]);
    let twice = parse_for_fuzz("[gateway]\nprofile = \"sandbox\"\nprofile = \"production\"\n").unwrap_err();
    assert_eq!(twice.problems()[0].place, Some(Place::of_file(3, 1)), "{twice}");
    assert!(parse_for_fuzz(&"[".repeat(100_000)).is_err());
    assert!(parse_for_fuzz(&format!("a = {}", "[".repeat(100_000))).is_err());
}

#[test]
fn very_many_problems_are_counted() {
    let text: String = (0..500).map(|number| format!("unknown_{number} = 1\n")).collect();
    let errors = parse_for_fuzz(&text).unwrap_err();
    assert_eq!((errors.problems().len(), errors.untold()), (PROBLEMS_LIMIT, 500 - PROBLEMS_LIMIT));
    assert!(errors.to_string().ends_with("500 problems; the first 100 are shown"));
}

#[test]
fn all_problems_come_at_once_in_words_for_people() {
    let program = Program::new();
    program.folder.write(
        "stockade.toml",
        r#"[gateway]
listen = "0.0.0.0:8443"
lisen = "127.0.0.1:1"
profile = "prod"
origins = ["https://app.test/", "null"]
resource = "mcp.example.com"

[anonymous]
caller = "every body"

[limits]
calls_per_minute = "many"
message_bytes = "4 MB"
depth = 1000
idle = 75

[servers.Files]
command = ["npx"]
headers = { X-A = "1" }

[servers.db]
url = "http://db.internal/mcp"
headers = { Host = "evil.test", "X Y" = "1" }
deadline = "2 days"

[servers.db.tools.drop]
effect = "harmless"

[servers.nothing]

[policy]
files = ["rules/*.cedar"]

[[permit]]
callers = ["alice"]
servers = ["filez"]
tools = [""]
"#,
    );
    let said = program.run(&["config", "check", "--config", "stockade.toml"]);
    assert_eq!((said.code, said.stdout.as_str()), (Some(2), ""), "{said:?}");
    golden::check("config_problems.txt", &said.stderr);
}

#[test]
fn files_that_cannot_be_read_are_explained() {
    let program = Program::new();
    for (name, content) in [("missing.toml", None), ("latin.toml", Some(&b"[gateway]\n# \xe9\n"[..]))] {
        if let Some(content) = content {
            program.folder.write(name, content);
        }
        let said = program.run(&["config", "check", "--config", name]);
        assert_eq!(said.code, Some(2), "{said:?}");
        assert!(said.stderr.contains("why:") && said.stderr.contains("fix:"), "{said:?}");
    }
    program.folder.write("large.toml", vec![b'#'; stockade::config::CONFIG_BYTES + 1]);
    let said = program.run(&["config", "check", "--config", "large.toml"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("it is larger than 1048576 bytes"), "{said:?}");
    program.folder.write("fits.toml", vec![b'#'; stockade::config::CONFIG_BYTES]);
    assert_eq!(program.run(&["config", "check", "--config", "fits.toml"]).code, Some(0));
}

#[test]
fn policy_files_are_found_beside_the_configuration() {
    let program = Program::new();
    program.folder.write("stockade.toml", "[policy]\nfiles = [\"policies/*.cedar\"]\n");
    let said = program.run(&["config", "check", "--config", "stockade.toml"]);
    assert_eq!(said.code, Some(2), "the folder is missing: {said:?}");
    std::fs::create_dir(program.folder.path().join("policies")).unwrap();
    let said = program.run(&["config", "check", "--config", "stockade.toml"]);
    assert!(said.stderr.contains("no file matches"), "{said:?}");
    program.folder.write("policies/a.cedar", "");
    program.folder.write("policies/.hidden.cedar", "");
    program.folder.write("policies/a.txt", "");
    let said = program.run(&["config", "show", "--config", "stockade.toml"]);
    assert!(said.stdout.contains("policy.files = [\"FOLDER/policies/a.cedar\"]  # stockade.toml:2"), "{said:?}");
    program.folder.write("stockade.toml", "");
    let said = program.run(&["config", "show", "--config", "stockade.toml"]);
    assert!(said.stdout.contains("policy.files = [\"FOLDER/policies/a.cedar\"]  # default"), "{said:?}");
}

#[test]
fn a_configuration_in_the_working_directory_is_not_taken_by_itself() {
    let program = Program::new();
    program.folder.write("stockade.toml", "this is not TOML");
    let said = program.run(&["config", "show"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    let said = program.run(&["config", "check"]);
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.stderr.starts_with("error: no configuration is named"), "{said:?}");
}

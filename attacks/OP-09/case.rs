//! OP-09: what belongs into a sandbox does not reach a gateway for real use.

use crate::ground::{LONG, STOCKADE, everything};
use serde_json::{Value, json};
use testkit::{
    Config, Era, Gateway, GatewayOptions, HttpClient, Permit, TempFolder, Upstream, WellBehaved, wait_until,
};

/// One setting, in each layer that can say it.
struct Setting {
    file: &'static str,
    variable: (&'static str, &'static str),
    flag: Option<[&'static str; 2]>,
    words: &'static str,
}

const SETTINGS: [Setting; 3] = [
    Setting {
        file: "[anonymous]\ncaller = \"tester\"\n",
        variable: ("STOCKADE_ANONYMOUS__CALLER", "tester"),
        flag: None,
        words: "stands outside profile `sandbox`",
    },
    Setting {
        file: "[gateway]\nlog = \"debug\"\n",
        variable: ("STOCKADE_LOG", "debug"),
        flag: Some(["--log", "debug"]),
        words: "which is more than `info`",
    },
    Setting {
        file: "[gateway]\nlisten = \"0.0.0.0:0\"\n",
        variable: ("STOCKADE_GATEWAY__LISTEN", "0.0.0.0:0"),
        flag: Some(["--listen", "0.0.0.0:0"]),
        words: "which other machines can reach",
    },
];

#[track_caller]
fn assert_refused(options: GatewayOptions, said_by: &str, words: &str) {
    let shown = format!("{options:?}");
    let Err((status, stderr)) = Gateway::try_start(STOCKADE, options) else { panic!("it started: {shown}") };
    assert_eq!(status.and_then(|status| status.code()), Some(2), "{shown}\n{stderr}");
    assert!(stderr.contains(said_by) && stderr.contains(words), "{shown}\n{stderr}");
}

#[test]
fn no_layer_brings_a_setting_for_tests_into_real_use() {
    for profile in ["production", "regulated"] {
        for Setting { file, variable: (name, value), flag, words } in SETTINGS {
            let by = |arguments: &[&str], config: Option<&str>, environment: &[(&str, &str)]| GatewayOptions {
                config: config.map(str::to_owned),
                arguments: [&["--profile", profile], arguments].concat().into_iter().map(str::to_owned).collect(),
                environment: environment
                    .iter()
                    .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                    .collect(),
                ..GatewayOptions::default()
            };
            assert_refused(by(&[], Some(file), &[]), "stockade.toml:", words);
            assert_refused(by(&[], None, &[(name, value)]), name, words);
            if let Some(flag) = flag {
                assert_refused(by(&flag, None, &[]), flag[0], words);
            }
        }
    }
}

#[test]
fn nobody_makes_the_profile_laxer_from_outside() {
    let config = Some("[gateway]\nprofile = \"production\"\n[servers.a]\ncommand = [\"true\"]\n".to_owned());
    let words = "would be `sandbox`, and the file says `production`";
    let by_flag = vec!["--profile".to_owned(), "sandbox".to_owned()];
    assert_refused(
        GatewayOptions { config: config.clone(), arguments: by_flag, ..GatewayOptions::default() },
        "--profile",
        words,
    );
    let by_variable = vec![("STOCKADE_GATEWAY__PROFILE".to_owned(), "sandbox".to_owned())];
    let options = GatewayOptions { config, environment: by_variable, ..GatewayOptions::default() };
    assert_refused(options, "STOCKADE_GATEWAY__PROFILE", words);
}

#[test]
fn every_value_that_holds_says_where_it_comes_from_and_no_secret_is_shown() {
    let server = Upstream::http(WellBehaved::files());
    let secret = "CANARY-of-a-header";
    let config = everything()
        .server("files", server.entry())
        .server_setting("files", "headers", json!({ "Authorization": secret }))
        .permit(Permit::everything_on("files"));
    let gateway = Gateway::start(STOCKADE, config);
    let shown = gateway.command(&["config", "show", "--json"]);
    let text = String::from_utf8(shown.stdout).expect("text");
    assert!(shown.status.success() && !text.contains(secret), "{text}");
    let layers = ["default", "profile", "file", "environment", "flag"];
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).expect("a line of JSON");
        assert!(layers.iter().any(|layer| value["layer"] == *layer) && value["source"].is_string(), "{line}");
    }
}

#[test]
fn a_key_of_one_environment_opens_nothing_in_another() {
    let server = Upstream::http(WellBehaved::files());
    let folder = TempFolder::new();
    let config = |environment: &str| {
        let config = Config::new().gateway("environment", json!(environment)).server("files", server.entry());
        config.permit(Permit::everything_on("files")).to_toml()
    };
    let start = |environment: &str| {
        let data = Some(folder.path().join("data"));
        Gateway::start(
            STOCKADE,
            GatewayOptions { config: Some(config(environment)), data, ..GatewayOptions::default() },
        )
    };
    let status = |gateway: &Gateway, key: &str| {
        let client = HttpClient::unopened(&gateway.url_of("files"), Some(key), Era::OVER_HTTP[0]);
        client.open_session().status()
    };
    let staging = start("staging");
    let key = staging.key_for("alice");
    assert_eq!(status(&staging, &key), 200);
    assert!(staging.sigterm().is_some());
    drop(staging);
    let production = start("prod");
    let own = production.key_for("alice");
    assert_eq!((status(&production, &key), status(&production, &own)), (401, 200));
    let told = || {
        let records = production.audit();
        records.iter().any(|record| {
            record.phase() == "refused"
                && record.reason().contains("was made for `staging`, and this gateway is `prod`")
        })
    };
    assert!(wait_until(LONG, told), "{:#?}", production.audit());
}

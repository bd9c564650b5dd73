//! `stockade config`: check, show, schema.
//!
//! Must never: show a secret; the values come without them.

use crate::cli::ConfigCommand;
use crate::config::{self, ConfigErrors, EffectiveValue, LoadOptions};
use crate::exit::Exit;
use crate::output::{Complaint, Failure, Output, say};
use crate::transport;
use serde_json::json;
use stockade_inspect::escape::for_terminal;

pub(crate) fn run(command: &ConfigCommand, options: &LoadOptions) -> Result<Exit, Failure> {
    let mut output = Output::new();
    let exit = match command {
        ConfigCommand::Check => check(options),
        ConfigCommand::Show { json } => show(options, *json, &mut output)?,
        ConfigCommand::Schema { markdown: true } => {
            output.text(&config::markdown())?;
            Exit::Done
        }
        ConfigCommand::Schema { markdown: false } => {
            output.line(format_args!("{:#}", config::json_schema()))?;
            Exit::Done
        }
    };
    output.flush()?;
    Ok(exit)
}

fn check(options: &LoadOptions) -> Exit {
    let Some(file) = &options.file else {
        let fix = "name it with `--config FILE`; without one the defaults hold, which `stockade config show` prints";
        Complaint::new("no configuration is named").fix(fix).tell();
        return Exit::Usage;
    };
    match config::load(options) {
        Ok(loaded) => {
            let problems = transport::file_problems(&loaded.config);
            if !problems.is_empty() {
                problems.iter().for_each(Complaint::tell);
                return Exit::Usage;
            }
            let count = loaded.config.servers.len();
            let servers = if count == 1 { "1 server".to_owned() } else { format!("{count} servers") };
            say(format_args!("`{}` is fine: {servers}", for_terminal(&file.display().to_string())));
            Exit::Done
        }
        Err(errors) => refused(&errors),
    }
}

fn show(options: &LoadOptions, json: bool, output: &mut Output) -> Result<Exit, Failure> {
    let loaded = match config::load(options) {
        Ok(loaded) => loaded,
        Err(errors) => return Ok(refused(&errors)),
    };
    for EffectiveValue { key, toml, json: value, source } in &loaded.values {
        if json {
            output
                .json(&json!({ "key": key, "value": value, "source": source.to_string(), "layer": source.layer() }))?;
        } else {
            output.line(format_args!("{} = {toml}  # {source}", for_terminal(key)))?;
        }
    }
    Ok(Exit::Done)
}

fn refused(errors: &ConfigErrors) -> Exit {
    say(errors);
    Exit::Usage
}

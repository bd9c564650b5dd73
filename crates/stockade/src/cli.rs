//! The command line: what may be said, and who does it.
//!
//! Must never: do anything itself; name a command that is not there.

use crate::commands;
use crate::config::{self, DataFolderChoice, Flag, FlagValue, LoadOptions, Loaded};
use crate::environment::{CONFIG_VARIABLE, Environment};
use crate::exit::Exit;
use crate::logging::{self, Level};
use crate::output::{Complaint, Failure, say};
use crate::{up, wrap};
use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::future::Future;
use std::path::PathBuf;
use std::process::ExitCode;

/// A security gateway for the Model Context Protocol.
///
/// Every message between an AI client and an MCP server passes one road of guards, and all that happened on it is
/// recorded. Exit codes: 0 done, 1 found something or refused, 2 wrong usage or configuration, 70 internal error.
#[derive(Debug, Parser)]
#[command(name = "stockade", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Global {
    /// The folder for keys, state and the audit log.
    #[arg(long, global = true, value_name = "DIR", display_order = 100)]
    data: Option<PathBuf>,
    /// The configuration file.
    #[arg(long, global = true, value_name = "FILE", display_order = 101)]
    config: Option<PathBuf>,
    /// How strict: `sandbox`, `internal`, `production` or `regulated`; never laxer than the file says.
    #[arg(long, global = true, value_name = "PROFILE", display_order = 102)]
    profile: Option<String>,
    /// The address and port of the gateway, in place of `gateway.listen`.
    #[arg(long, global = true, value_name = "ADDRESS", display_order = 103)]
    listen: Option<String>,
    /// What is logged, in place of `gateway.log`.
    #[arg(long, global = true, value_name = "FILTER", display_order = 104)]
    log: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the gateway.
    Up(UpOptions),
    /// Put the guards before one stdio server: use this as its command in a client.
    Wrap(WrapOptions),
    /// Make, list, replace and revoke API keys.
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Revoke tokens, subjects, issuers, certificates and callers. A running gateway refuses them within a second.
    #[command(subcommand)]
    Revoke(RevokeCommand),
    /// Find out why a credential is refused.
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Add, list and remove the users of the built-in sign-in.
    #[command(subcommand)]
    Users(UsersCommand),
    /// Look after certificates.
    #[command(subcommand)]
    Certs(CertsCommand),
    /// Read and verify the record of what happened.
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check, show and describe the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Screen a text for hidden and deceptive content.
    Inspect(InspectOptions),
    /// Run the built-in sample server on standard input and output.
    #[command(hide = true)]
    SampleServer,
}

/// What `stockade up` may be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct UpOptions {
    /// Print one line of JSON when the gateway is ready.
    #[arg(long)]
    pub(crate) json: bool,
    /// Let people sign in at the gateway itself, in place of `sign_in.enabled`. `stockade users add NAME` makes the people.
    #[arg(long)]
    sign_in: bool,
}

/// What `stockade wrap` may be told.
#[derive(Debug, Clone, Args)]
pub(crate) struct WrapOptions {
    /// The server's name in rules and records. [default: made from the command]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// The server's command and its arguments.
    #[arg(last = true, required = true, value_name = "CMD", num_args = 1..)]
    pub(crate) command: Vec<OsString>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuthCommand {
    /// Check a key or token, the first line of standard input, and show every check. Nothing is used up.
    Explain {
        /// The address that the client asks. [default: gateway.resource]
        #[arg(long, value_name = "URL")]
        url: Option<String>,
        /// The client asks with GET, not POST.
        #[arg(long)]
        get: bool,
        /// The token was shown with `DPoP`; the next lines of standard input are the proofs.
        #[arg(long)]
        dpop: bool,
        /// Print one line of JSON for each check, and one for the outcome.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key for a caller. It is shown now and never again.
    Add {
        /// The name that rules and records use for whoever holds the key.
        caller: String,
        /// Limit the key to this scope; may be said again for each. Without any, scopes do not limit it.
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// End the key by itself: after a span such as `90d`, or at a time or date in UTC.
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the keys. None is shown.
    List {
        /// Print JSON, one key a line.
        #[arg(long)]
        json: bool,
    },
    /// Make a key in the place of another. Both work for a while. The new one is shown now and never again.
    Rotate {
        /// The old key's id, as `keys list` shows it.
        id: String,
        /// How long both work, at most `30d`.
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        overlap: String,
        /// End the new key then. [default: it lasts as long as the old one was to]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a key. A running gateway refuses it at once.
    Revoke {
        /// The key's id, as `keys list` shows it.
        id: String,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum UsersCommand {
    /// Add a user. Without --password-stdin a password is made, and shown now and never again.
    Add {
        /// The name to sign in with, which rules and records use too.
        name: String,
        /// Read the password from the first line of standard input.
        #[arg(long)]
        password_stdin: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List the users.
    List {
        /// Print JSON, one user a line.
        #[arg(long)]
        json: bool,
    },
    /// Remove a user. A running gateway refuses their tokens at once.
    Remove {
        /// The user's name.
        name: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Give a user another password. They sign in again everywhere.
    Password {
        /// The user's name.
        name: String,
        /// Read the password from the first line of standard input. Without it one is made and shown.
        #[arg(long)]
        password_stdin: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CertsCommand {
    /// List the configured certificates and revocation lists. Exits 1 if one runs out within 14 days or cannot be used.
    Status {
        /// Print JSON, one certificate a line.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RevokeCommand {
    /// Revoke one token, by its id (`jti`).
    Token {
        /// The id, never the token itself.
        id: String,
        /// Only the token of this issuer. [default: whoever has issued it]
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        #[command(flatten)]
        how: RevokeOptions,
    },
    /// Revoke everything that issuers say of a subject, now and later.
    Subject {
        /// The subject (`sub`), whole.
        subject: String,
        /// Only what this issuer says. [default: whoever says it]
        #[arg(long, value_name = "URL")]
        issuer: Option<String>,
        #[command(flatten)]
        how: RevokeOptions,
    },
    /// Revoke everything of an issuer, now and later.
    Issuer {
        /// The issuer (`iss`), whole.
        issuer: String,
        #[command(flatten)]
        how: RevokeOptions,
    },
    /// Revoke a client certificate.
    Certificate {
        /// Its serial number, or its SHA-256 thumbprint.
        certificate: String,
        #[command(flatten)]
        how: RevokeOptions,
    },
    /// Revoke a caller, by whatever they are recognised.
    Caller {
        /// The name in rules and records.
        name: String,
        #[command(flatten)]
        how: RevokeOptions,
    },
    /// List the revocations in force.
    List {
        /// Those that are over, too.
        #[arg(long)]
        all: bool,
        /// Print JSON, one revocation a line.
        #[arg(long)]
        json: bool,
    },
    /// Take a revocation back.
    Lift {
        /// Its number, as `revoke list` shows it.
        number: i64,
        /// Why, for the record.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RevokeOptions {
    /// Until then: a span such as `30d`, or a time or date in UTC. [default: for good]
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    /// Why, for the record.
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// Print the records that match, oldest first.
    Query(QueryOptions),
    /// Check that no record was changed, moved or removed. Exits 1 at the first that was.
    Verify {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct QueryOptions {
    /// Not before this time (RFC 3339, or a date in UTC).
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,
    /// Of this caller.
    #[arg(long, value_name = "NAME")]
    pub(crate) caller: Option<String>,
    /// About this server.
    #[arg(long, value_name = "NAME")]
    pub(crate) server: Option<String>,
    /// Of this step of a ticket.
    #[arg(long, value_parser = ["refused", "intent", "outcome", "event"])]
    pub(crate) phase: Option<String>,
    /// With this decision.
    #[arg(long, value_parser = ["allow", "ask", "deny"])]
    pub(crate) decision: Option<String>,
    /// Of this ticket: the id that callers see in a refusal.
    #[arg(long, value_name = "ID")]
    pub(crate) ticket: Option<String>,
    /// At most so many.
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
    /// Print JSON, one record a line.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Report every problem of the configuration. Exits 2 if there is one.
    Check,
    /// Print each value that holds and where it comes from.
    Show {
        /// Print JSON, one value a line.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the configuration.
    Schema {
        /// Print the reference page instead.
        #[arg(long, hide = true)]
        markdown: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct InspectOptions {
    /// The text; standard input without it. Exits 1 on a finding.
    #[arg(value_name = "FILE", conflicts_with = "jsonl")]
    pub(crate) file: Option<PathBuf>,
    /// Read lines {"id","text","kind"} on standard input and print one line of findings for each.
    #[arg(long)]
    pub(crate) jsonl: bool,
}

/// Runs the command that the process's arguments name.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // `--help` and `--version` come this way too; a closed pipe is no reason to complain.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { Exit::Done.into() };
        }
    };
    run(cli).unwrap_or_else(|failure| failure.end().into())
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let environment = Environment::of_process();
    let mut options = load_options(cli.global, &environment);
    if matches!(&cli.command, Command::Up(UpOptions { sign_in: true, .. })) {
        options.flags.push(FlagValue { flag: Flag::SignIn, text: "on".to_owned() });
    }
    let load = || load(&options);
    let exit = match cli.command {
        Command::Up(up_options) => {
            let config = load()?.config;
            logging::start(config.gateway.log.as_deref(), Level::Info)?;
            return block_on(up::run(up_options, config, environment));
        }
        Command::Wrap(wrap_options) => {
            let config = load()?.config;
            logging::start(config.gateway.log.as_deref(), Level::Warn)?;
            return block_on(wrap::run(wrap_options, config, environment));
        }
        Command::Keys(command) => commands::keys::run(command, &load()?.config)?,
        Command::Auth(command) => {
            let config = load()?.config;
            let work = async { commands::auth::run(command, config).await.unwrap_or_else(|failure| failure.end()) };
            return block_on(async { work.await.into() });
        }
        Command::Revoke(command) => commands::revoke::run(command, &load()?.config)?,
        Command::Users(command) => commands::users::run(&command, &load()?.config)?,
        Command::Certs(command) => commands::certs::run(&command, &load()?.config)?,
        Command::Audit(command) => commands::audit::run(command, &load()?.config)?,
        Command::Config(command) => commands::config::run(&command, &options)?,
        Command::Inspect(inspect_options) => commands::inspect::run(&inspect_options)?,
        Command::SampleServer => commands::sample_server::run(&load()?.config)?,
    };
    Ok(exit.into())
}

fn load_options(global: Global, environment: &Environment) -> LoadOptions {
    let flags = [(Flag::Listen, global.listen), (Flag::Profile, global.profile), (Flag::Log, global.log)];
    let flags = flags.into_iter().filter_map(|(flag, text)| Some(FlagValue { flag, text: text? })).collect();
    let named = global.data.map(|folder| DataFolderChoice { folder, named_by: "--data" });
    LoadOptions {
        file: global.config.or_else(|| environment.config.clone()),
        data: named.or_else(|| environment.data.clone()),
        default_data: environment.default_data.clone(),
        variables: environment.settings.clone(),
        flags,
    }
}

fn load(options: &LoadOptions) -> Result<Loaded, Failure> {
    config::load(options).map_err(|errors| {
        say(&errors);
        let fix = format!("correct the file that `--config` or `{CONFIG_VARIABLE}` names");
        Complaint::new("the configuration cannot be used").fix(fix).with(Exit::Usage)
    })
}

fn block_on(work: impl Future<Output = ExitCode>) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Complaint::new("the runtime cannot be started").because(error).with(Exit::Internal))?;
    let exit = runtime.block_on(work);
    // A thread may still wait for standard input, which nobody can interrupt; everything that matters has ended.
    runtime.shutdown_background();
    Ok(exit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}

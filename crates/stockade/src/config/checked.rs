//! The configuration once it was checked: every value is one that the gateway can use as it is.
//!
//! Must never: be made by anything but the check.

use super::identity::IdentityConfig;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use stockade_core::guard::LimitSettings;
use stockade_core::mcp::Revision;
use stockade_core::ports::Effect;
use stockade_core::wire::WireLimits;
use stockade_core::words::{CallerName, Secret, ServerName};
use stockade_gateway::{AdmissionSettings, ServerTlsSettings, UpstreamTls};
use stockade_policy::PermitRule;
use stockade_store::KeyRules;

/// Having one tells you: the whole configuration was checked and nothing was wrong with it.
#[derive(Debug)]
pub struct Config {
    /// The file, absolute; nothing when there is none and everything is a default.
    pub file: Option<PathBuf>,
    /// The folder that relative paths in the file belong to, absolute.
    pub base: PathBuf,
    /// `[gateway]`.
    pub gateway: Gateway,
    /// `[anonymous]`: the caller that messages without a key are taken for. Only ever there in profile `sandbox`.
    pub anonymous: Option<CallerName>,
    /// `[tls]`; only ever missing where the gateway listens on loopback.
    pub tls: Option<ServerTlsSettings>,
    /// `[admission]`.
    pub admission: AdmissionSettings,
    /// `[keys]`, and the environment that keys are made for.
    pub keys: KeyRules,
    /// `[identity]`, `[[issuers]]` and `[[certificates]]`.
    pub identity: IdentityConfig,
    /// `[sign_in]`; nothing where it is off.
    pub sign_in: Option<SignIn>,
    /// `[limits]`.
    pub limits: Limits,
    /// `[servers.…]`, in the order of their names.
    pub servers: Vec<Server>,
    /// `[[permit]]`, in the order of the file.
    pub permits: Vec<PermitRule>,
    /// The Cedar files, absolute, in the order of their names within each pattern.
    pub policy_files: Vec<PathBuf>,
}

/// `[sign_in]`: the embedded authorization server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// Whether clients may register themselves.
    pub registers: bool,
    /// Origins whose scripts may ask for tokens.
    pub origins: Vec<String>,
}

/// `[gateway]`.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// The address of the gateway; loopback if there is no `[tls]`.
    pub listen: SocketAddr,
    /// Our canonical URI.
    pub resource: Option<String>,
    /// How strict.
    pub profile: Profile,
    /// What is logged; nothing for what the command thinks best.
    pub log: Option<String>,
    /// The data folder, absolute.
    pub data: PathBuf,
    /// True if somebody has named it, in the file or beside it; false for the default.
    pub data_is_named: bool,
    /// Further values of `Host`, in lower case.
    pub hosts: Vec<String>,
    /// Further values of `Origin`, in lower case.
    pub origins: Vec<String>,
    /// The oldest revision that is spoken.
    pub oldest_revision: Revision,
}

/// How strict the gateway is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// For trying things out on one machine.
    Sandbox,
    /// For a trusted network.
    Internal,
    /// For real use; the default.
    Production,
    /// For use that others audit.
    Regulated,
}

impl Profile {
    /// All of them, the laxest first.
    pub const ALL: [Self; 4] = [Self::Sandbox, Self::Internal, Self::Production, Self::Regulated];

    /// The place among [`Self::ALL`].
    #[must_use]
    pub const fn rank(self) -> usize {
        match self {
            Self::Sandbox => 0,
            Self::Internal => 1,
            Self::Production => 2,
            Self::Regulated => 3,
        }
    }

    /// The word in the configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Internal => "internal",
            Self::Production => "production",
            Self::Regulated => "regulated",
        }
    }
}

/// `[limits]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Of one caller, for the guard `limit`.
    pub caller: LimitSettings,
    /// Of one message, for the strict reader.
    pub wire: WireLimits,
    /// Of one HTTP connection.
    pub timeouts: Timeouts,
    /// Sessions of one caller.
    pub sessions_per_caller: usize,
    /// Server processes of one caller.
    pub children_per_caller: usize,
    /// How long a session lives without a message.
    pub session_idle: Duration,
    /// How long it lives at all.
    pub session_life: Duration,
    /// Connections of all clients together.
    pub connections: usize,
}

/// How long a client may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the whole head of a request.
    pub header: Duration,
    /// For the whole body of a request.
    pub body: Duration,
    /// Between two requests of a connection.
    pub idle: Duration,
}

/// One server.
#[derive(Debug)]
pub struct Server {
    /// Its name.
    pub name: ServerName,
    /// Where it is.
    pub target: Target,
    /// What it speaks.
    pub era: ServerEra,
    /// For one request.
    pub deadline: Duration,
    /// What its tools do where they do not say otherwise.
    pub effect: Effect,
    /// The scopes that it needs where a tool does not say otherwise.
    pub scopes: Vec<String>,
    /// What was said of its tools, in the order of their names.
    pub tools: Vec<ToolSettings>,
    /// The line of its heading.
    pub line: u32,
}

/// Where a server is.
#[derive(Debug)]
pub enum Target {
    /// A process that speaks over stdio.
    Command {
        /// A path or a name to be searched in `PATH`.
        program: String,
        /// Its arguments.
        arguments: Vec<String>,
        /// Variables beside the base environment.
        environment: Vec<(String, Secret)>,
        /// The folder that it starts in, absolute.
        working_directory: Option<PathBuf>,
    },
    /// A server that speaks Streamable HTTP.
    Http(Upstream),
}

/// A server that speaks Streamable HTTP.
#[derive(Debug)]
pub struct Upstream {
    /// Its address: `https`, or `http` on loopback; without user name and fragment.
    pub url: String,
    /// Headers for each request, with lower-case names.
    pub headers: Vec<(String, Secret)>,
    /// `[servers.….tls]`; only ever there for `https`.
    pub tls: Option<UpstreamTls>,
}

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerEra {
    /// To be found out.
    Auto,
    /// Revisions with a handshake.
    Legacy,
    /// 2026-07-28.
    Modern,
}

/// What the operator says of one tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSettings {
    /// The name that its server gives it.
    pub name: String,
    /// What it does.
    pub effect: Effect,
    /// For one call.
    pub deadline: Duration,
    /// The scopes that it needs; nothing for the server's.
    pub scopes: Option<Vec<String>>,
}

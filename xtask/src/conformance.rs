//! `cargo xtask conformance`: the public MCP conformance suite against our reference server, directly and through the
//! gateway. The gateway is right when the suite says the same of both, scenario by scenario and check by check: it may
//! protect, it may not be noticed.
//!
//! Must never compare a run that did not happen: a suite that ends early, or that ran nothing, is an error.

mod compare;
mod peers;
mod suite;

use std::io;
use std::path::{Path, PathBuf};

pub use compare::{Difference, compare};
pub use peers::PeerError;
pub use suite::{Check, Report, Scenario, SuiteError};

use crate::deps::{self, DepsError};
use crate::place::Place;
use crate::process::{ProcessError, Program};

/// The revisions whose frozen requirement sets the suite knows.
const REVISIONS: &[&str] = &["2025-11-25", "2026-07-28"];
/// The server's name in the gateway's configuration, and so in its route.
const SERVER: &str = "conformance";

/// Why the suite could not be run or was not passed.
#[derive(Debug, thiserror::Error)]
pub enum ConformanceError {
    /// The suite or Node is not installed.
    #[error("the conformance suite is not installed")]
    NotInstalled {
        /// What the installation said.
        #[source]
        cause: Box<DepsError>,
    },
    /// The gateway's binary could not be built or found.
    #[error("the gateway could not be built")]
    NotBuilt {
        /// What cargo said.
        #[source]
        cause: ProcessError,
    },
    /// The reference server or the gateway did not start.
    #[error("a peer of the conformance run did not start")]
    Peer {
        /// Which, and why.
        #[source]
        cause: PeerError,
    },
    /// The suite did not come to an end or its results are not to be read.
    #[error("the conformance suite did not run to its end")]
    Suite {
        /// Why.
        #[source]
        cause: SuiteError,
    },
    /// The reference server itself does not pass, so comparing says nothing.
    #[error(
        "the reference server does not pass the required scenarios of {revision}; fix: fixtures/node/conformance-surface.mjs"
    )]
    ReferenceFails {
        /// The revision.
        revision: &'static str,
    },
    /// The gateway is noticed.
    #[error("{count} checks differ between direct and through the gateway; fix: the gateway, see the lines above")]
    Differs {
        /// In how many checks, both revisions together.
        count: usize,
    },
    /// A file could not be written.
    #[error("could not write `{path}`")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Runs both requirement sets directly against the reference server; writes the results into `.test-deps/conformance`.
///
/// # Errors
/// `ReferenceFails` when a required scenario fails; else what kept the suite from running.
pub fn run_direct(place: &Place) -> Result<(), ConformanceError> {
    let bench = Bench::prepare(place)?;
    for revision in REVISIONS {
        bench.direct(revision)?;
    }
    Ok(())
}

/// Runs both requirement sets directly and through the gateway, and compares.
///
/// # Errors
/// `Differs` when the gateway changes what the suite says; else as [`run_direct`], or what kept the gateway from starting.
pub fn run_both(place: &Place) -> Result<(), ConformanceError> {
    compare_with(place, &built_gateway(place)?)
}

/// The same with a gateway that is already built.
///
/// # Errors
/// As [`run_both`].
pub fn compare_with(place: &Place, binary: &Path) -> Result<(), ConformanceError> {
    let bench = Bench::prepare(place)?;
    let mut count = 0;
    for revision in REVISIONS {
        let direct = bench.direct(revision)?;
        let through = bench.through(revision, binary)?;
        let differences = compare(&direct, &through);
        for difference in &differences {
            println!("{revision} {difference}");
        }
        eprintln!("   {revision}: {} scenarios compared, {} checks differ", direct.scenarios.len(), differences.len());
        count += differences.len();
    }
    if count == 0 { Ok(()) } else { Err(ConformanceError::Differs { count }) }
}

/// What every run needs.
struct Bench<'place> {
    place: &'place Place,
    folder: PathBuf,
}

impl<'place> Bench<'place> {
    fn prepare(place: &'place Place) -> Result<Self, ConformanceError> {
        deps::install(place).map_err(|cause| ConformanceError::NotInstalled { cause: Box::new(cause) })?;
        Ok(Self { place, folder: place.test_deps().join("conformance") })
    }

    fn direct(&self, revision: &'static str) -> Result<Report, ConformanceError> {
        let reference = self.reference()?;
        let report = self.suite(revision, "direct", reference.url())?;
        if report.required_passed { Ok(report) } else { Err(ConformanceError::ReferenceFails { revision }) }
    }

    /// A fresh reference server and a fresh gateway with a fresh data folder: no state from a run before.
    fn through(&self, revision: &'static str, binary: &Path) -> Result<Report, ConformanceError> {
        let reference = self.reference()?;
        let data = self.folder.join(format!("data-{revision}"));
        let gateway = peers::Gateway::start(binary, &data, SERVER, reference.url())
            .map_err(|cause| ConformanceError::Peer { cause })?;
        self.suite(revision, "gateway", &format!("{}/{SERVER}", gateway.url()))
    }

    fn reference(&self) -> Result<peers::Reference, ConformanceError> {
        let log = self.folder.join("reference.log");
        peers::Reference::start(self.place, &log).map_err(|cause| ConformanceError::Peer { cause })
    }

    fn suite(&self, revision: &'static str, way: &str, url: &str) -> Result<Report, ConformanceError> {
        eprintln!("   conformance suite, {revision}, {way}");
        let output = self.folder.join(format!("{way}-{revision}"));
        let report =
            suite::run(self.place, url, revision, &output).map_err(|cause| ConformanceError::Suite { cause })?;
        print!("{}", report.table(way));
        let path = self.folder.join(format!("{way}-{revision}.json"));
        std::fs::write(&path, report.to_json())
            .map_err(|cause| ConformanceError::File { path: path.display().to_string(), cause })?;
        Ok(report)
    }
}

/// The debug build of the gateway: the conformance run is about behaviour, not speed.
fn built_gateway(place: &Place) -> Result<PathBuf, ConformanceError> {
    let not_built = |cause| ConformanceError::NotBuilt { cause };
    let build = Program::new("cargo", &["build", "--quiet", "--package", "stockade"]);
    build.inside(place.root()).show().map_err(not_built)?;
    let arguments = ["metadata", "--no-deps", "--format-version", "1", "--offline"];
    let metadata = Program::new("cargo", &arguments).inside(place.root()).read().map_err(not_built)?;
    let target = serde_json::from_str::<serde_json::Value>(&metadata)
        .ok()
        .and_then(|value| value.get("target_directory")?.as_str().map(PathBuf::from))
        .unwrap_or_else(|| place.root().join("target"));
    Ok(target.join("debug/stockade"))
}

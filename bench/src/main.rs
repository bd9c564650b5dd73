//! `stockade-bench`: the benchmark's command line, and its parts as hidden subcommands.

use std::io::{self, BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use clap::{Parser, Subcommand};
use http::uri::Authority;
use indicatif::{ProgressBar, ProgressStyle};
use stockade_bench::machine::Machine;
use stockade_bench::measure::{Order, Run};
use stockade_bench::plan::{Effort, Era, Target};
use stockade_bench::report::Report;
use stockade_bench::{idle, load, proxy, render, upstream};

/// The gateway's allocator, so that the proxy is not slower for having another one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what Stockade costs, against a direct connection and a bare reverse proxy, on this machine.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    part: Option<Part>,
    /// Measure only these, separated by commas
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Target::ALL)]
    only: Vec<Target>,
    /// The gateway's program [default: `stockade` beside this program]
    #[arg(long, value_name = "PATH")]
    stockade: Option<PathBuf>,
    /// The era of all messages
    #[arg(long, value_enum, default_value_t = Era::Modern)]
    era: Era,
    /// One short round: shows that everything works, the numbers mean little
    #[arg(long)]
    quick: bool,
    /// Rounds over all cells, in place of the usual number
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=100))]
    rounds: Option<u32>,
    /// What is measured, usually a commit
    #[arg(long, default_value = "unnamed")]
    label: String,
    /// Print the report as JSON
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Write the results between the markers of this document
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// The fast upstream, until standard input ends
    #[command(hide = true)]
    Upstream,
    /// The bare reverse proxy, until standard input ends
    #[command(hide = true)]
    Proxy {
        /// Host and port of the upstream
        #[arg(long)]
        upstream: Authority,
    },
    /// The load generator: one order from standard input, one line of numbers to standard output
    #[command(hide = true)]
    Load,
}

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.part {
        None => measure(&arguments),
        Some(Part::Upstream) => serve(upstream::run()),
        Some(Part::Proxy { upstream }) => serve(proxy::run(upstream.clone())),
        Some(Part::Load) => generate(),
    };
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error}");
        let mut cause = error.source();
        while let Some(inner) = cause {
            eprintln!("  because: {inner}");
            cause = inner.source();
        }
        ExitCode::from(2)
    })
}

/// Exit code 0 when every cell has numbers, 1 when one failed, 2 when the run could not be made.
fn measure(arguments: &Arguments) -> Outcome {
    let program = env::current_exe()?;
    let stockade = arguments.stockade.clone().unwrap_or_else(|| program.with_file_name("stockade"));
    let mut targets = Target::ALL.to_vec();
    targets.retain(|target| arguments.only.contains(target));
    if targets.contains(&Target::Stockade) && !stockade.is_file() {
        let shown = stockade.display();
        return Err(format!("there is no program `{shown}`: build it, name it with --stockade, or use --only").into());
    }
    let document = arguments.markdown.as_deref().map(read).transpose()?;
    if let Some(document) = &document {
        // Before minutes of measuring, not after.
        render::insert(document, "")?;
    }
    let mut effort = if arguments.quick { Effort::QUICK } else { Effort::FULL };
    effort.rounds = arguments.rounds.unwrap_or(effort.rounds);
    let machine = Machine::of_this_process();
    let run = Run { program, stockade, era: arguments.era, effort, targets };
    let bar = progress(run.steps());
    let measured = run.measure(|what| {
        bar.set_message(what.to_owned());
        bar.inc(1);
    });
    bar.finish_and_clear();
    let report = Report::new(arguments.label.clone(), arguments.era, effort, machine, &measured?);
    let mut out = io::stdout().lock();
    if arguments.json {
        serde_json::to_writer(&mut out, &report)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", render::table(&report))?;
    }
    if let (Some(path), Some(document)) = (&arguments.markdown, document) {
        write_results(path, &document, &report)?;
    }
    Ok(if report.has_failed() { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("could not read `{}`: {error}", path.display()))
}

fn write_results(path: &Path, document: &str, report: &Report) -> Result<(), Box<dyn std::error::Error>> {
    Ok(fs::write(path, render::insert(document, &render::markdown(report))?)?)
}

fn progress(steps: u64) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {eta:>4} {msg}");
    ProgressBar::new(steps).with_style(style.expect("the template is a constant"))
}

fn serve(part: impl Future<Output = io::Result<()>>) -> Outcome {
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(part)?;
    Ok(ExitCode::SUCCESS)
}

fn generate() -> Outcome {
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let order: Order = serde_json::from_str(&line)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let numbers = match order {
        Order::Load(order) => serde_json::to_value(runtime.block_on(load::run(order)))?,
        Order::Hold(order) => serde_json::to_value(runtime.block_on(idle::run(order)))?,
    };
    writeln!(io::stdout(), "{numbers}")?;
    Ok(ExitCode::SUCCESS)
}

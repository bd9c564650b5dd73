//! What it costs to note one proof of possession, on the disk of the folder that is named.
//!
//! `cargo run --release -p stockade-store --example replay_cost -- FOLDER`: the folder must not exist; it stays.

use std::error::Error;
use std::io::{self, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use stockade_core::ports::{Clock, Entropy as _, Moment, PortFuture, Timestamp};
use stockade_identity::ReplayRegister as _;
use stockade_store::{DataFolder, OsEntropy, ReplayDatabase};

/// Proofs that are noted.
const PROOFS: usize = 50_000;

struct Monotonic(Instant);

impl Clock for Monotonic {
    fn wall(&self) -> Timestamp {
        Timestamp(i64::try_from(self.0.elapsed().as_nanos()).unwrap_or(i64::MAX))
    }
    fn moment(&self) -> Moment {
        Moment(self.0.elapsed())
    }
    fn sleep_until(&self, _: Moment) -> PortFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("name a folder that does not exist")?;
    let clock = Arc::new(Monotonic(Instant::now()));
    let register = ReplayDatabase::open(&DataFolder::open(Path::new(&folder))?, clock.clone())?;
    let mut times: Vec<Duration> = Vec::with_capacity(PROOFS);
    for _ in 0..PROOFS {
        let mut hash = [0; 32];
        OsEntropy.fill(&mut hash);
        // Each is too old after two seconds, so that forgetting is measured too.
        let until = Timestamp(clock.wall().0.saturating_add(2_000_000_000));
        let begun = Instant::now();
        register.first_use(hash, until)?;
        times.push(begun.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times.get(times.len() * share / 1000).copied().unwrap_or_default();
    let mean = times.iter().sum::<Duration>() / u32::try_from(PROOFS)?;
    let worst = times.last().copied().unwrap_or_default();
    writeln!(
        io::stdout(),
        "{PROOFS} proofs: median {:?}, mean {mean:?}, 99 % {:?}, 99.9 % {:?}, worst {worst:?}",
        at(500),
        at(990),
        at(999)
    )?;
    Ok(())
}

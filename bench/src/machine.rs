//! The words that say where numbers were made.

use std::fs;

use serde::Serialize;

/// The machine, its system, and the compiler that built this benchmark.
#[derive(Debug, Clone, Serialize)]
pub struct Machine {
    /// The processor's name.
    pub cpu: String,
    /// Processors this process may use.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
    /// The kernel's release.
    pub kernel: String,
    /// The compiler.
    pub rustc: String,
    /// Processes that wanted to run when the benchmark began, averaged over one minute: near 0 on an idle machine.
    pub load_before: String,
}

impl Machine {
    /// Asks `/proc`; what it does not say is `unknown` or 0.
    #[must_use]
    pub fn of_this_process() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let memory_kib: u64 = field(&read("/proc/meminfo"), "MemTotal")
            .and_then(|text| text.split(' ').next()?.parse().ok())
            .unwrap_or(0);
        Self {
            cpu: or_unknown(field(&read("/proc/cpuinfo"), "model name")),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_mib: memory_kib / 1024,
            kernel: or_unknown(Some(read("/proc/sys/kernel/osrelease").trim().to_owned())),
            rustc: or_unknown(Some(env!("BENCH_RUSTC").to_owned())),
            load_before: or_unknown(read("/proc/loadavg").split(' ').next().map(str::to_owned)),
        }
    }
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

fn or_unknown(text: Option<String>) -> String {
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| String::from("unknown"))
}

#[cfg(test)]
mod tests {
    use super::{field, or_unknown};

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let text = "model\t\t: 1\nmodel name\t: A: B\nmodel name\t: C\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A: B"));
        assert_eq!(or_unknown(field(text, "name")), "unknown");
    }
}

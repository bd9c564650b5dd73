//! A latency histogram with logarithmic buckets: constant memory, no allocation while it counts.
//!
//! Each power of two is cut into 64 equal buckets, so a reported value is within 0.8 % of the true one.

/// Buckets per power of two, as a power of two.
const STEP_BITS: u32 = 6;
const STEPS: u64 = 1 << STEP_BITS;
/// Enough for every `u64`.
const BUCKETS: usize = ((64 - STEP_BITS as usize) + 1) << STEP_BITS;

/// Counts durations in nanoseconds.
#[derive(Debug, Clone)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
}

impl Histogram {
    /// An empty histogram.
    #[must_use]
    pub fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }

    /// Counts one duration, in nanoseconds.
    pub fn record(&mut self, nanoseconds: u64) {
        self.counts[bucket(nanoseconds)] += 1;
        self.total += 1;
    }

    /// How many durations were counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.total
    }

    /// The duration in nanoseconds that `share` (0 to 1) of all counted ones do not exceed; nothing counted gives 0.
    #[must_use]
    pub fn quantile(&self, share: f64) -> u64 {
        let wanted = ((self.total as f64 * share).ceil() as u64).max(1);
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return middle(index as u64);
            }
        }
        0
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

fn bucket(value: u64) -> usize {
    if value < STEPS {
        return value as usize;
    }
    let shift = value.ilog2() - STEP_BITS;
    let within = (value >> shift) - STEPS;
    (u64::from(shift + 1) * STEPS + within) as usize
}

/// The middle of a bucket's range.
fn middle(index: u64) -> u64 {
    if index < STEPS {
        return index;
    }
    let shift = index / STEPS - 1;
    let low = (STEPS + index % STEPS) << shift;
    low + ((1 << shift) >> 1)
}

#[cfg(test)]
mod tests {
    use super::{Histogram, bucket, middle};

    #[test]
    fn every_value_is_reported_within_one_percent() {
        for exponent in 0..63 {
            for value in [1_u64 << exponent, (1 << exponent) + (1 << exponent >> 1), (2 << exponent) - 1] {
                let reported = middle(bucket(value) as u64);
                let error = reported.abs_diff(value) as f64 / value as f64;
                assert!(error < 0.01, "{value} became {reported}");
            }
        }
        assert!(bucket(u64::MAX) < super::BUCKETS);
    }

    #[test]
    fn quantiles_are_those_of_the_sorted_values() {
        let mut histogram = Histogram::new();
        for value in 1..=1000_u64 {
            histogram.record(value * 1000);
        }
        assert_eq!(histogram.count(), 1000);
        for (share, expected) in [(0.5, 500_000_f64), (0.99, 990_000.0), (1.0, 1_000_000.0)] {
            let found = histogram.quantile(share) as f64;
            assert!((found - expected).abs() / expected < 0.01, "{share} gave {found}");
        }
    }

    #[test]
    fn an_empty_histogram_has_no_latency() {
        assert_eq!(Histogram::new().quantile(0.5), 0);
    }
}

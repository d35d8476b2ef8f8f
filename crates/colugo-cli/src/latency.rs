//! `Latencies`: percentiles of any number of measurements in a fixed amount of memory, to within two per cent.

use std::time::Duration;

/// Each bucket ends two per cent above the one before, the first at a microsecond; the last one takes all from 6 minutes on.
const GROWTH: f64 = 1.02;
const BUCKETS: usize = 1000;

/// How often each latency was measured.
#[derive(Clone, Debug)]
pub(crate) struct Latencies {
    buckets: Vec<u64>,
    count: u64,
}

impl Latencies {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
        }
    }

    pub(crate) fn add(&mut self, latency: Duration) {
        let micros = (latency.as_secs_f64() * 1e6).max(1.0);
        let bucket = (micros.ln() / GROWTH.ln()) as usize;
        if let Some(count) = self.buckets.get_mut(bucket.min(BUCKETS - 1)) {
            *count += 1;
            self.count += 1;
        }
    }

    /// The microseconds that this share (0 to 1) of the measurements did not exceed; none without measurements.
    pub(crate) fn percentile_us(&self, share: f64) -> Option<f64> {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut below = 0;
        let bucket = self.buckets.iter().position(|count| {
            below += count;
            below >= rank
        })?;
        Some(GROWTH.powf(bucket as f64 + 0.5))
    }
}

/// Microseconds for people.
pub(crate) fn for_people(micros: Option<f64>) -> String {
    match micros {
        None => "-".to_owned(),
        Some(micros) if micros < 10_000.0 => format!("{micros:.0} µs"),
        Some(micros) => format!("{:.0} ms", micros / 1e3),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_two_per_cent() {
        let mut latencies = Latencies::new();
        assert_eq!(latencies.percentile_us(0.5), None);
        (1..=10_000).for_each(|micros| latencies.add(Duration::from_micros(micros)));
        for (share, expected) in [(0.5, 5_000.0), (0.99, 9_900.0), (1.0, 10_000.0)] {
            let found = latencies.percentile_us(share).unwrap_or(0.0);
            assert!((found / expected - 1.0).abs() < 0.02, "{share}: {found}");
        }
    }

    #[test]
    fn extremes_are_counted_too() {
        let mut latencies = Latencies::new();
        latencies.add(Duration::ZERO);
        latencies.add(Duration::from_secs(100_000));
        assert!(latencies.percentile_us(0.5).is_some_and(|us| us < 2.0));
        assert!(latencies.percentile_us(1.0).is_some_and(|us| us > 3e8));
    }
}

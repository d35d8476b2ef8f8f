//! Medians and percentiles, and what a process has used so far. No engine, no conversation.

use std::time::{Duration, Instant};

use crate::Result;
use crate::report::Report;

/// The median; of an even number the lower of the middle two, so that the figure is one that was measured.
pub fn median(values: &[f64]) -> Option<f64> {
    percentile(values, 0.5)
}

/// The smallest value that a `share` of all values does not exceed.
pub fn percentile(values: &[f64], share: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.max(1) - 1).copied()
}

/// Times: collected as they come, sorted at the end.
#[derive(Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    /// Room for a run's worth, so that collecting does not allocate.
    pub fn new() -> Self {
        Self(Vec::with_capacity(1 << 18))
    }

    /// Calls `call` one after the other for `duration`, a tenth of it unrecorded at the start.
    pub fn of_calls(
        duration: Duration,
        mut call: impl FnMut(u64) -> Result<Duration>,
    ) -> Result<Self> {
        let mut latencies = Self::new();
        let start = Instant::now();
        let warm = start + duration / 10;
        for number in 0.. {
            let taken = call(number)?;
            let now = Instant::now();
            if now > warm {
                latencies.add(taken);
            }
            if now - start > duration {
                break;
            }
        }
        Ok(latencies)
    }

    /// One more (4 s at most).
    pub fn add(&mut self, taken: Duration) {
        self.0
            .push(u32::try_from(taken.as_nanos()).unwrap_or(u32::MAX));
    }

    /// One more, in nanoseconds (4 s at most).
    #[inline]
    pub fn add_nanos(&mut self, taken: u64) {
        self.0.push(u32::try_from(taken).unwrap_or(u32::MAX));
    }

    /// Those of another receiver too.
    pub fn append(&mut self, mut other: Self) {
        self.0.append(&mut other.0);
    }

    /// p50 and p99 in microseconds, and how many there were.
    pub fn report(&self) -> Report {
        let micros: Vec<f64> = self.0.iter().map(|&nanos| f64::from(nanos) / 1e3).collect();
        let at = |share| percentile(&micros, share).unwrap_or(f64::NAN);
        Report::new()
            .with("p50_us", at(0.5))
            .with("p99_us", at(0.99))
            .with("calls", micros.len() as f64)
    }
}

/// What this process has used since `start`.
#[derive(Debug)]
pub struct Usage {
    cpu: f64,
    started: Instant,
}

impl Usage {
    /// From here on.
    pub fn start() -> Self {
        Self {
            cpu: cpu_seconds(),
            started: Instant::now(),
        }
    }

    /// CPU seconds of all threads so far.
    pub fn cpu(&self) -> f64 {
        cpu_seconds() - self.cpu
    }

    /// CPU seconds of all threads, wall clock, and the process's peak memory.
    pub fn report(&self) -> Report {
        Report::new()
            .with("cpu", cpu_seconds() - self.cpu)
            .with("wall", self.started.elapsed().as_secs_f64())
            .with("peak_kib", memory_kib(Memory::Peak))
    }
}

fn cpu_seconds() -> f64 {
    // SAFETY: `rusage` is plain data, and the call fills it or leaves it zeroed.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(usage.ru_utime) + seconds(usage.ru_stime)
}

/// Which memory of this process.
#[derive(Debug, Clone, Copy)]
pub enum Memory {
    /// The most there ever was in all, program text and libraries included.
    Peak,
    /// Now, without what is only mapped from files.
    Own,
}

/// As the kernel counts it.
pub fn memory_kib(which: Memory) -> f64 {
    let name = match which {
        Memory::Peak => "VmHWM:",
        Memory::Own => "RssAnon:",
    };
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().trim_end_matches(" kB").trim().parse().ok())
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::{median, percentile};

    #[test]
    fn median_is_a_measured_value() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.0));
        assert_eq!(median(&[]), None);
        assert_eq!(percentile(&[1.0, 2.0], 0.99), Some(2.0));
    }
}

//! What the kernel tells of a process: its memory, descriptors, threads and time on a processor.

/// As it is now.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    pub(crate) memory_kib: u64,
    pub(crate) peak_kib: u64,
    pub(crate) descriptors: u64,
    pub(crate) threads: u64,
    /// In all of its threads since its start.
    pub(crate) cpu_ms: u64,
}

impl Usage {
    /// Of a process that lives.
    pub(crate) fn of(process: u32) -> Self {
        let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
        let number = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .unwrap_or_default()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd"));
        Self {
            memory_kib: number("VmRSS:"),
            peak_kib: number("VmHWM:"),
            descriptors: descriptors.map_or(0, |entries| entries.count() as u64),
            threads: number("Threads:"),
            cpu_ms: cpu_ms(process),
        }
    }
}

/// From the scheduler's own count, which is in nanoseconds; `stat` counts ticks of 10 ms.
fn cpu_ms(process: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{process}/task"));
    let run = |entry: std::fs::DirEntry| {
        let text = std::fs::read_to_string(entry.path().join("schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    let total: u64 = tasks.into_iter().flatten().flatten().filter_map(run).sum();
    total / 1_000_000
}

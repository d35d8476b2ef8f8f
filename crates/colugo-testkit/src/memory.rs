//! What the system says of the memory of a process. None where it does not tell: elsewhere than on Linux.

use std::fs;

/// The most memory this process has had at a time, in KiB.
pub fn peak_memory_kib() -> Option<u64> {
    read("self", "VmHWM:")
}

/// The same of another process.
pub fn peak_memory_kib_of(process: u32) -> Option<u64> {
    read(&process.to_string(), "VmHWM:")
}

/// From here on the peak is that of what follows. `None`: of this process.
pub fn forget_peak(process: Option<u32>) {
    let process = process.map_or_else(|| "self".to_owned(), |id| id.to_string());
    let _ = fs::write(format!("/proc/{process}/clear_refs"), "5");
}

fn read(process: &str, field: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

//! What all measuring processes share, whatever they measure: settings, the conversation with the runner, payloads that are checked,
//! clocks and figures. Knows no engine and no row.

pub mod child;
pub mod clock;
pub mod payload;
pub mod report;
pub mod stats;

use child::{Link, Spec};
use report::Report;

/// Anything may go wrong; all of it is told in words.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// A part in a run: takes its settings, talks to the runner, comes back with its figures.
pub type Role = fn(&Spec, &Link) -> Result<Report>;

/// Plays the role called `name`, one of `known`, until it is done. Never comes back.
pub fn play(known: &[(&str, Role)], name: &str, args: &[String]) -> ! {
    allow_descriptors();
    let link = Link::open();
    let outcome = match known.iter().find(|(known, _)| *known == name) {
        None => Err(format!("no role is called {name:?}").into()),
        Some((_, role)) => Spec::parse(args).and_then(|spec| role(&spec, &link)),
    };
    match outcome {
        Ok(report) => link.done(&report),
        Err(error) => link.failed(&format!("{name}: {error}")),
    }
}

/// As many open files as the system allows: a thousand links are two thousand descriptors.
fn allow_descriptors() {
    // SAFETY: `rlimit` is plain data; the first call fills it, the second one reads it.
    unsafe {
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit);
        }
    }
}

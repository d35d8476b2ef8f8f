//! What a sweep measured, as it stands in its file.

use std::path::Path;

use kit::clock::date;
use serde::Deserialize;

use crate::Result;

/// Where and when, and how often.
#[derive(Debug, Deserialize)]
pub struct Head {
    machine: String,
    time: u64,
    /// Missing where nothing was measured, but simulated.
    runs: Option<usize>,
    secs: Option<f64>,
}

/// One point of one engine.
#[derive(Debug, Deserialize)]
pub struct Point {
    sweep: String,
    /// Octets, subscribers, topics or nodes.
    pub x: f64,
    /// The engine.
    pub who: String,
    pub rate: Option<f64>,
    pub mbs: Option<f64>,
    pub cpu_us: Option<f64>,
    pub peak_mb: Option<f64>,
    pub p50_us: Option<f64>,
    pub p99_us: Option<f64>,
    pub found_ms: Option<f64>,
    pub links: Option<f64>,
    pub told_kb: Option<f64>,
    pub idle_octets: Option<f64>,
}

/// A file: its head and its points.
#[derive(Debug)]
pub struct Sweep {
    pub head: Head,
    points: Vec<Point>,
}

impl Sweep {
    /// Reads JSON lines.
    pub fn read(file: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}", file.display()))?;
        let mut lines = text.lines().filter(|line| !line.trim().is_empty());
        let head = lines.next().ok_or("the file is empty")?;
        let head = serde_json::from_str(head)
            .map_err(|error| format!("the first line is no sweep's head: {error}"))?;
        let points = lines
            .map(serde_json::from_str)
            .collect::<std::result::Result<_, _>>()?;
        Ok(Self { head, points })
    }

    /// The points of one thing that grows.
    pub fn of(&self, sweep: &str) -> Vec<&Point> {
        self.points
            .iter()
            .filter(|point| point.sweep == sweep)
            .collect()
    }
}

impl Head {
    /// Machine, date and conditions, in a line.
    pub fn caption(&self) -> String {
        let mut caption = format!("{}. {}.", date(self.time), self.machine);
        if let (Some(runs), Some(secs)) = (self.runs, self.secs) {
            caption += &format!(" Medians of {runs} × {secs} s.");
        }
        caption
    }
}

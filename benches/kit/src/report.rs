//! Named figures of one run, as they travel from a measuring process to the runner and on to the table.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Named figures of one run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report(BTreeMap<String, f64>);

impl Report {
    /// No figures yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same with one figure more.
    #[must_use]
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// A figure by name.
    pub fn figure(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// The same with `load`: milliseconds of CPU time in each second.
    #[must_use]
    pub fn with_load(self) -> Self {
        let both = self.figure("cpu").zip(self.figure("wall"));
        both.map_or(self.clone(), |(cpu, wall)| {
            self.with("load", cpu / wall * 1e3)
        })
    }

    /// Both sides' figures as one: CPU time adds up, peak memory is the larger, everything else comes from the side that has it.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        for (name, value) in other.0 {
            let before = self.figure(&name);
            let both = match (name.as_str(), before) {
                ("cpu" | "load", Some(before)) => before + value,
                ("peak_kib", Some(before)) => before.max(value),
                _ => value,
            };
            self.0.insert(name, both);
        }
        if let (Some(cpu), Some(msgs)) = (self.figure("cpu"), self.figure("msgs"))
            && msgs > 0.0
        {
            self = self.with("cpu_per_million", cpu / (msgs / 1e6));
        }
        // What the sender says it dropped is what the receiver missed, or something is lost in silence.
        if let (Some(dropped), Some(lost)) = (self.figure("dropped"), self.figure("lost")) {
            self = self.with("unexplained", (dropped - lost).abs());
        }
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (name, value)) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { " " };
            write!(f, "{gap}{name}={value}")?;
        }
        Ok(())
    }
}

impl FromStr for Report {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut report = Self::new();
        for pair in text.split_whitespace() {
            let figure = pair
                .split_once('=')
                .and_then(|(name, value)| Some((name, value.parse().ok()?)));
            let (name, value) = figure.ok_or_else(|| format!("{pair:?} is not a figure"))?;
            report = report.with(name, value);
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::Report;

    #[test]
    fn merging_adds_cpu_time_and_divides_it_by_the_messages() {
        let sender: Report = "cpu=0.5 sent=2000000".parse().unwrap();
        let receiver: Report = "cpu=0.25 msgs=1000000 lost=1000000".parse().unwrap();
        let both = sender.merge(receiver);
        assert_eq!(both.figure("cpu_per_million"), Some(0.75));
        assert_eq!(both.figure("lost"), Some(1_000_000.0));
        let told = both.merge("dropped=999999".parse().unwrap());
        assert_eq!(told.figure("unexplained"), Some(1.0));
        let both = told;
        assert_eq!(both.to_string().parse::<Report>().unwrap(), both);
    }
}

//! `Board`: the demo's table. On a terminal it is drawn over itself; elsewhere there is a line a second; with `--json` only the summary.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::json;

use super::Role;
use super::process::Process;
use super::report::{lost, lost_at_end, rounded};
use crate::exit::Failure;
use crate::latency::for_people;
use crate::node_list::SCHEMA;
use crate::output::Out;
use crate::table::Table;

/// How often the table is drawn on a terminal, and a line is printed elsewhere.
const DRAW_EVERY: Duration = Duration::from_millis(100);
const LINE_EVERY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Board {
    namespace: String,
    style: Style,
    shown: Option<Duration>,
    /// Lines of the table that is on the terminal.
    drawn: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Style {
    Live,
    Lines,
    Json,
}

impl Board {
    pub(super) fn new(namespace: &str, json: bool) -> Self {
        let dumb = std::env::var("TERM").is_ok_and(|term| term == "dumb");
        let style = match (json, std::io::stdout().is_terminal() && !dumb) {
            (true, _) => Style::Json,
            (false, true) => Style::Live,
            (false, false) => Style::Lines,
        };
        Self {
            namespace: namespace.to_owned(),
            style,
            shown: None,
            drawn: 0,
        }
    }

    /// Says what is going on.
    pub(super) fn open(&self, out: &mut Out) -> Result<(), Failure> {
        if self.style == Style::Json {
            return Ok(());
        }
        out.line("Six processes, a node each, that find each other by discovery alone. Meanwhile, in another terminal:")?;
        out.line(format_args!(
            "  colugo --namespace {} node list",
            self.namespace
        ))?;
        out.line(format_args!(
            "  colugo --namespace {} topic echo pose",
            self.namespace
        ))?;
        out.line("")?;
        out.flush()
    }

    /// Shows how things stand, if that is due.
    pub(super) fn show(
        &mut self,
        out: &mut Out,
        processes: &[Process],
        now: Duration,
    ) -> Result<(), Failure> {
        let every = if self.style == Style::Live {
            DRAW_EVERY
        } else {
            LINE_EVERY
        };
        if self.style == Style::Json || self.shown.is_some_and(|last| now < last + every) {
            return Ok(());
        }
        // The first line comes when there is something to tell.
        if self.style == Style::Lines && now < every {
            return Ok(());
        }
        self.shown = Some(now);
        match self.style {
            Style::Live => self.draw(out, &table(processes, None).lines())?,
            Style::Lines => out.line(line(processes, now))?,
            Style::Json => {}
        }
        out.flush()
    }

    fn draw(&mut self, out: &mut Out, lines: &[String]) -> Result<(), Failure> {
        // Without wrapping, so that a line stays a line on a narrow terminal.
        out.octets(b"\x1b[?7l")?;
        if self.drawn > 0 {
            out.octets(format!("\x1b[{}A", self.drawn).as_bytes())?;
        }
        for line in lines {
            out.line(format_args!("\x1b[2K{line}"))?;
        }
        out.octets(b"\x1b[?7h")?;
        self.drawn = lines.len();
        Ok(())
    }

    /// Prints the summary.
    pub(super) fn close(
        &mut self,
        out: &mut Out,
        processes: &[Process],
        talked: Duration,
    ) -> Result<(), Failure> {
        match self.style {
            Style::Json => out.line(self.summary(processes, talked))?,
            Style::Live => self.draw(out, &table(processes, Some(talked)).lines())?,
            Style::Lines => {
                out.line("")?;
                table(processes, Some(talked))
                    .lines()
                    .iter()
                    .try_for_each(|line| out.line(line))?;
            }
        }
        if self.style != Style::Json {
            out.line("")?;
            out.line(sentence(processes))?;
        }
        out.flush()
    }

    fn summary(&self, processes: &[Process], talked: Duration) -> serde_json::Value {
        let parts: Vec<_> = processes
            .iter()
            .map(|process| {
                let mut part = process.report.to_json();
                if let Some(part) = part.as_object_mut() {
                    part.insert("name".to_owned(), process.name.into());
                    part.insert("does".to_owned(), process.role.does().into());
                    part.insert(
                        "lost_at_end".to_owned(),
                        lost_at_end(process, processes).into(),
                    );
                }
                part
            })
            .collect();
        let found = processes
            .iter()
            .all(|process| process.report.found_ms.is_some());
        let lost = lost(processes);
        let done = processes.iter().all(|process| process.report.done);
        json!({
            "v": SCHEMA,
            "namespace": self.namespace,
            "seconds": rounded(talked.as_secs_f64()),
            "ok": found && done && lost == 0,
            "found_ms": if found { slowest(processes).map(rounded) } else { None },
            "lost": lost,
            "parts": parts,
        })
    }
}

/// The table; after the end with the rates of the whole time.
fn table(processes: &[Process], talked: Option<Duration>) -> Table {
    let head = [
        "WHO", "DOES", "FOUND IN", "MESSAGES", "PER SEC", "P50", "P99", "LOST",
    ];
    let mut table = Table::new(&head).right(&[2, 3, 4, 5, 6, 7]);
    for process in processes {
        let report = &process.report;
        let rate = match (talked, report.found_ms) {
            (Some(talked), Some(found)) => {
                report.count as f64 / (talked.as_secs_f64() - found / 1e3).max(1e-3)
            }
            _ => process.rate,
        };
        table.row([
            process.name.to_owned(),
            process.role.does(),
            report
                .found_ms
                .map_or_else(|| "…".to_owned(), |found| format!("{found:.0} ms")),
            report.count.to_string(),
            format!("{rate:.0}"),
            for_people(report.p50_us),
            for_people(report.p99_us),
            (report.lost + lost_at_end(process, processes)).to_string(),
        ]);
    }
    table
}

fn line(processes: &[Process], now: Duration) -> String {
    let found = processes
        .iter()
        .filter(|process| process.report.found_ms.is_some())
        .count();
    let sum = |role| {
        processes
            .iter()
            .filter(|process| process.role == role)
            .map(|process| process.report.count)
            .sum::<u64>()
    };
    let p50 = |role| {
        for_people(
            processes
                .iter()
                .find(|process| process.role == role)
                .and_then(|process| process.report.p50_us),
        )
    };
    format!(
        "{:3} s  {found} of {} found their peers; {} published, {} received (p50 {}); {} calls (p50 {}); {} lost",
        now.as_secs(),
        processes.len(),
        sum(Role::Publisher),
        sum(Role::Subscriber),
        p50(Role::Subscriber),
        sum(Role::Client),
        p50(Role::Client),
        lost(processes),
    )
}

/// The result in words.
fn sentence(processes: &[Process]) -> String {
    let missing = processes
        .iter()
        .filter(|process| process.report.found_ms.is_none())
        .count();
    let found = match slowest(processes) {
        Some(slowest) if missing == 0 => {
            format!("All found each other within {slowest:.0} ms of their start")
        }
        _ => format!("{missing} of {} did not find their peers", processes.len()),
    };
    match lost(processes) {
        0 => format!("{found}; nothing was lost."),
        lost => format!("{found}; {lost} messages or calls were lost."),
    }
}

/// When the last one had found all it needs.
fn slowest(processes: &[Process]) -> Option<f64> {
    processes
        .iter()
        .filter_map(|process| process.report.found_ms)
        .reduce(f64::max)
}

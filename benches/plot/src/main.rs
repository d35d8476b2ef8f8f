//! `cargo xtask plot FILE.json`: draws what `cargo xtask bench --sweep` measured, and what
//! `cargo xtask soak growth` simulated: one SVG for each thing that grows, with four panels.

mod panel;
mod points;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use plotters::prelude::*;

use panel::{Panel, legend};
use points::{Head, Point, Sweep};

/// Anything may go wrong; all of it is told in words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A picture's name, title, axis, and four panels.
struct Picture {
    sweep: &'static str,
    title: &'static str,
    axis: &'static str,
    panels: fn() -> [Panel; 4],
    /// What the colours of its lines mean, where there are several.
    legend: bool,
}

const PICTURES: [Picture; 4] = [
    Picture {
        sweep: "size",
        title: "One publisher, one subscriber: message size",
        axis: "octets a message",
        panels: || {
            let rate = Panel::new("throughput, MB/s").line(|point| point.mbs);
            measured(rate, "one way, µs, at 1 kHz or 200 MB/s")
        },
        legend: true,
    },
    Picture {
        sweep: "peers",
        title: "1 KiB to many subscribers, a thread each",
        axis: "subscribers",
        panels: || {
            let rate = thousands("all deliveries, thousands a second");
            measured(rate, "one way, µs, at 1 kHz")
        },
        legend: true,
    },
    Picture {
        sweep: "topics",
        title: "64 octets on many topics of one process",
        axis: "topics",
        panels: || {
            let rate = thousands("all messages, thousands a second");
            measured(rate, "one way, µs, each topic at 10 Hz")
        },
        legend: true,
    },
    Picture {
        sweep: "nodes",
        title: "Discovery: nodes of 10 topics each, none in common, around a hub",
        axis: "nodes",
        panels: || {
            [
                Panel::new("until each knows all of all, ms").line(|point| point.found_ms),
                Panel::new("control links of a node").line(|point| point.links),
                Panel::new("control messages for that, kB a node").line(|point| point.told_kb),
                Panel::new("afterwards, while nothing happens, octets/s a node")
                    .line(|point| point.idle_octets),
            ]
        },
        legend: false,
    },
];

fn thousands(title: &'static str) -> Panel {
    Panel::new(title).line(|point| point.rate.map(|rate| rate / 1e3))
}

fn measured(rate: Panel, times: &'static str) -> [Panel; 4] {
    [
        rate,
        Panel::new(times)
            .line(|point| point.p50_us)
            .line(|point| point.p99_us),
        Panel::new("processor time, µs a message, both sides").line(|point| point.cpu_us),
        Panel::new("peak memory of the larger process, MB").line(|point| point.peak_mb),
    ]
}

fn main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let done = match args.as_slice() {
        [file, out] => draw_all(file, out),
        _ => Err("usage: bench-plot FILE.json DIRECTORY".into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-plot: {error}");
            ExitCode::FAILURE
        }
    }
}

fn draw_all(file: &Path, out: &Path) -> Result<()> {
    let sweep = Sweep::read(file)?;
    std::fs::create_dir_all(out)?;
    for picture in &PICTURES {
        let points: Vec<&Point> = sweep.of(picture.sweep);
        if points.is_empty() {
            continue;
        }
        let path = out.join(format!("{}.svg", picture.sweep));
        draw(picture, &points, &sweep.head, &path)?;
        println!("{}", path.display());
    }
    Ok(())
}

fn draw(picture: &Picture, points: &[&Point], head: &Head, path: &Path) -> Result<()> {
    let root = SVGBackend::new(path, (960, 760)).into_drawing_area();
    root.fill(&WHITE)?;
    let root = root.titled(picture.title, ("sans-serif", 22))?;
    let (body, caption) = root.split_vertically(680);
    let panels = (picture.panels)();
    for (panel, area) in panels.iter().zip(body.split_evenly((2, 2))) {
        panel.draw(&area, picture.axis, points)?;
    }
    let style = ("sans-serif", 12).into_font().color(&BLACK.mix(0.7));
    if picture.legend {
        legend(&caption)?;
    }
    caption.draw(&Text::new(head.caption(), (16, 26), style))?;
    root.present()?;
    Ok(())
}

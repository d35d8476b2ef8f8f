//! `cargo xtask plot FILE.json`: draws what `cargo xtask bench --sweep` measured, one SVG for each thing that grows, with a panel each for
//! throughput, latency, processor time and memory.

mod panel;
mod points;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use plotters::prelude::*;

use panel::{Panel, legend};
use points::{Head, Point, Sweep};

/// Anything may go wrong; all of it is told in words.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A picture's name, title, axis, and the unit of its throughput.
struct Picture {
    sweep: &'static str,
    title: &'static str,
    axis: &'static str,
    rate: fn(&Point) -> Option<f64>,
    rate_title: &'static str,
    times: &'static str,
}

const PICTURES: [Picture; 3] = [
    Picture {
        sweep: "size",
        title: "One publisher, one subscriber: message size",
        axis: "octets a message",
        rate: |point| point.mbs,
        rate_title: "throughput, MB/s",
        times: "one way, µs, at 1 kHz or 200 MB/s",
    },
    Picture {
        sweep: "peers",
        title: "1 KiB to many subscribers, a thread each",
        axis: "subscribers",
        rate: |point| point.rate.map(|rate| rate / 1e3),
        rate_title: "all deliveries, thousands a second",
        times: "one way, µs, at 1 kHz",
    },
    Picture {
        sweep: "topics",
        title: "64 octets on many topics of one process",
        axis: "topics",
        rate: |point| point.rate.map(|rate| rate / 1e3),
        rate_title: "all messages, thousands a second",
        times: "one way, µs, each topic at 10 Hz",
    },
];

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
    let panels = [
        Panel::new(picture.rate_title).line(picture.rate),
        Panel::new(picture.times)
            .line(|point| point.p50_us)
            .line(|point| point.p99_us),
        Panel::new("processor time, µs a message, both sides").line(|point| point.cpu_us),
        Panel::new("peak memory of the larger process, MB").line(|point| point.peak_mb),
    ];
    for (panel, area) in panels.iter().zip(body.split_evenly((2, 2))) {
        panel.draw(&area, picture.axis, points)?;
    }
    let style = ("sans-serif", 12).into_font().color(&BLACK.mix(0.7));
    legend(&caption)?;
    caption.draw(&Text::new(head.caption(), (16, 26), style))?;
    root.present()?;
    Ok(())
}

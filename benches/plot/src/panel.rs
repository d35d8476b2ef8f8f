//! One panel of a picture: lines over a logarithmic axis each way, a colour for each engine, strong and pale for two figures of one.

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::Result;
use crate::points::Point;

type Figure = fn(&Point) -> Option<f64>;

/// Engines in the order of the legend, with their colours.
const ENGINES: [(&str, RGBColor); 2] = [
    ("colugo", RGBColor(0, 110, 180)),
    ("libzmq", RGBColor(210, 90, 20)),
];

/// Lines of one unit.
pub struct Panel {
    title: &'static str,
    lines: Vec<Figure>,
}

impl Panel {
    /// No lines yet.
    pub fn new(title: &'static str) -> Self {
        Self {
            title,
            lines: Vec::new(),
        }
    }

    /// The same with one figure more, of every engine.
    pub fn line(mut self, figure: Figure) -> Self {
        self.lines.push(figure);
        self
    }

    /// Draws it with `axis` below.
    pub fn draw(
        &self,
        area: &DrawingArea<SVGBackend<'_>, Shift>,
        axis: &str,
        points: &[&Point],
    ) -> Result<()> {
        let figures = self
            .lines
            .iter()
            .flat_map(|figure| points.iter().filter_map(|point| figure(point)));
        let (low, high) = bounds(figures).ok_or("nothing was measured")?;
        let (first, last) = bounds(points.iter().map(|point| point.x)).ok_or("no points")?;
        let mut chart = ChartBuilder::on(area)
            .caption(self.title, ("sans-serif", 15))
            .margin(12)
            .x_label_area_size(38)
            .y_label_area_size(58)
            .build_cartesian_2d(
                (first..last * 1.05).log_scale(),
                (low / 1.5..high * 1.5).log_scale(),
            )?;
        chart
            .configure_mesh()
            .light_line_style(WHITE.mix(0.0))
            .bold_line_style(BLACK.mix(0.12))
            .x_desc(axis)
            .y_labels(if high / low > 100.0 { 5 } else { 10 })
            .x_label_formatter(&|x| short(*x))
            .y_label_formatter(&|y| short(*y))
            .label_style(("sans-serif", 12))
            .axis_desc_style(("sans-serif", 13))
            .draw()?;
        for (engine, colour) in ENGINES {
            for (index, figure) in self.lines.iter().enumerate() {
                let mut line: Vec<(f64, f64)> = points
                    .iter()
                    .filter(|point| point.who == engine)
                    .filter_map(|point| Some((point.x, figure(point)?)))
                    .collect();
                line.sort_by(|a, b| a.0.total_cmp(&b.0));
                let colour = if index == 0 {
                    colour.to_rgba()
                } else {
                    colour.mix(0.45)
                };
                let style = colour.stroke_width(2);
                let dots = line.iter().map(|at| Circle::new(*at, 3, colour.filled()));
                chart.draw_series(dots.collect::<Vec<_>>())?;
                chart.draw_series(LineSeries::new(line, style))?;
            }
        }
        Ok(())
    }
}

/// Which colour is which engine, beside each other.
pub fn legend(area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<()> {
    let font = || ("sans-serif", 13).into_font();
    for (place, (engine, colour)) in (0..).zip(ENGINES) {
        let x = 16 + 110 * place;
        let line = [(x, 9), (x + 24, 9)];
        area.draw(&PathElement::new(line, colour.stroke_width(3)))?;
        area.draw(&Text::new(engine, (x + 32, 2), font().color(&BLACK)))?;
    }
    let x = 16 + 110 * ENGINES.len() as i32;
    let pale = "pale: p99, strong: p50";
    area.draw(&Text::new(pale, (x, 2), font().color(&BLACK.mix(0.7))))?;
    Ok(())
}

/// The smallest and the largest.
fn bounds(figures: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let positive = figures.filter(|figure| figure.is_finite() && *figure > 0.0);
    positive.fold(None, |bounds, figure| {
        let (low, high) = bounds.unwrap_or((figure, figure));
        Some((low.min(figure), high.max(figure)))
    })
}

/// With k and M, as axes have it.
fn short(figure: f64) -> String {
    let (scaled, unit) = match figure {
        f if f >= 1e6 => (f / 1e6, "M"),
        f if f >= 1e3 => (f / 1e3, "k"),
        f => (f, ""),
    };
    let digits = if scaled >= 10.0 || scaled.fract() == 0.0 {
        0
    } else {
        1
    };
    let digits = if scaled < 0.1 { 3 } else { digits };
    format!("{scaled:.digits$}{unit}")
}

//! The rows as people read them.

use crate::row::{Better, Outcome};

const HEAD: [&str; 10] = [
    "row", "unit", "ours", "theirs", "ratio", "must", "goal", "ok", "lost", "against",
];

/// The rows as a Markdown table, padded to be read as it is; and below it those that were measured with other implementations.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut lines: Vec<Vec<String>> = vec![HEAD.map(str::to_owned).to_vec()];
    lines.extend(outcomes.iter().map(cells));
    let mut text = lay_out(lines);
    if let Some(first) = outcomes.iter().find(|outcome| !outcome.peers.is_empty()) {
        let names = first.peers.iter().map(|peer| peer.name);
        let head = ["row", "unit", "ours", "theirs"].into_iter().chain(names);
        let mut lines = vec![head.map(str::to_owned).collect::<Vec<_>>()];
        let with_peers = outcomes.iter().filter(|outcome| !outcome.peers.is_empty());
        lines.extend(with_peers.map(peer_cells));
        text.push('\n');
        text.push_str(&lay_out(lines));
    }
    text
}

fn lay_out(mut lines: Vec<Vec<String>>) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|line| line.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    lines.insert(1, widths.iter().map(|width| "-".repeat(*width)).collect());
    let mut text = String::new();
    for line in lines {
        for (cell, width) in line.iter().zip(&widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
    }
    text
}

fn peer_cells(outcome: &Outcome) -> Vec<String> {
    let figure = |figure: Option<f64>| figure.map_or("–".to_owned(), short);
    let mut cells = vec![
        outcome.row.to_owned(),
        outcome.unit.to_owned(),
        figure(outcome.ours),
        figure(outcome.theirs),
    ];
    cells.extend(outcome.peers.iter().map(|peer| {
        let mut cell = figure(peer.figure);
        if peer.lost > 0 {
            cell.push_str(&format!(" (lost {})", peer.lost));
        }
        if peer.failed.is_some() {
            cell.push_str(" (failed)");
        }
        cell
    }));
    cells
}

fn cells(outcome: &Outcome) -> Vec<String> {
    let sign = if outcome.better == Better::More {
        "≥"
    } else {
        "≤"
    };
    let bound = |bound: Option<f64>| {
        bound.map_or(String::new(), |bound| format!("{sign} {}", short(bound)))
    };
    let figure = |figure: Option<f64>| figure.map_or("–".to_owned(), short);
    let ok = match outcome.ok {
        None => "",
        Some(true) => "yes",
        Some(false) => "NO",
    };
    vec![
        outcome.row.to_owned(),
        outcome.unit.to_owned(),
        figure(outcome.ours),
        figure(outcome.theirs),
        outcome.ratio.map_or(String::new(), short),
        bound(outcome.must),
        bound(outcome.goal),
        ok.to_owned(),
        outcome.lost.to_string(),
        outcome.against.clone(),
    ]
}

/// Three digits that matter.
fn short(figure: f64) -> String {
    let decimals = if figure.abs() >= 100.0 || figure.fract() == 0.0 {
        0
    } else if figure.abs() >= 10.0 {
        1
    } else if figure.abs() >= 0.1 {
        2
    } else {
        3
    };
    format!("{figure:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn figures_keep_three_digits() {
        let texts = [1234.5, 12.34, 1.234, 0.0123, 3.0].map(short);
        assert_eq!(texts, ["1234", "12.3", "1.23", "0.012", "3"]);
    }
}

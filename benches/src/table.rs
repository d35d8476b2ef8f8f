//! The rows as people read them.

use crate::row::{Better, Outcome};

const HEAD: [&str; 10] = [
    "row", "unit", "ours", "theirs", "ratio", "must", "goal", "ok", "lost", "against",
];

/// The rows as a Markdown table, padded to be read as it is.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut lines: Vec<Vec<String>> = vec![HEAD.map(str::to_owned).to_vec()];
    lines.extend(outcomes.iter().map(cells));
    let widths: Vec<usize> = (0..HEAD.len())
        .map(|column| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or(0)
        })
        .collect();
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

//! `Table`: rows of text in aligned columns, for people. Knows widths, not meanings.

use crate::payload::harmless;

/// Text in columns.
#[derive(Debug)]
pub(crate) struct Table {
    head: Vec<&'static str>,
    /// Columns whose texts end, rather than begin, at the same place.
    right: Vec<usize>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(head: &[&'static str]) -> Self {
        Self {
            head: head.to_vec(),
            right: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Aligns these columns, counted from 0, to the right: for numbers.
    pub(crate) fn right(mut self, columns: &[usize]) -> Self {
        self.right = columns.to_vec();
        self
    }

    /// Adds a row. What others have named stays on its line and acts on no terminal.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.rows.push(
            cells
                .into_iter()
                .map(|cell| harmless(&cell).replace(['\n', '\t'], " "))
                .collect(),
        );
    }

    /// The lines: the head, then the rows.
    pub(crate) fn lines(&self) -> Vec<String> {
        let width = |column: usize| {
            let cells = self
                .rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            let head = self.head.get(column).map(|head| head.chars().count());
            cells.chain(head).max().unwrap_or(0)
        };
        let widths: Vec<_> = (0..self.head.len()).map(width).collect();
        let head = self.head.iter().map(|head| (*head).to_owned()).collect();
        std::iter::once(&head)
            .chain(&self.rows)
            .map(|row| self.line(row, &widths))
            .collect()
    }

    fn line(&self, cells: &[String], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (cell, width)) in cells.iter().zip(widths).enumerate() {
            if column > 0 {
                line.push_str("  ");
            }
            let padding = " ".repeat(width.saturating_sub(cell.chars().count()));
            if self.right.contains(&column) {
                line.push_str(&padding);
                line.push_str(cell);
            } else {
                line.push_str(cell);
                line.push_str(&padding);
            }
        }
        line.truncate(line.trim_end().len());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_trailing_spaces() {
        let mut table = Table::new(&["NAME", "N", "WHO"]).right(&[1]);
        table.row(["pose".into(), "5".into(), "talker".into()]);
        table.row(["µ".into(), "12".into(), String::new()]);
        assert_eq!(
            table.lines(),
            ["NAME   N  WHO", "pose   5  talker", "µ     12"]
        );
    }
}

//! Columns for people.

use super::Page;

/// Which side a column leans on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

type Paint = fn(Page, &str) -> String;

struct Cell {
    text: String,
    paint: Option<Paint>,
}

/// A table without lines: columns two spaces apart, the last one free to be as long as it must.
pub(crate) struct Table {
    page: Page,
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table with these headings; empty headings throughout print no heading line.
    pub(crate) fn new(page: Page, columns: &[(&str, Align)]) -> Self {
        let columns = columns.iter().map(|(title, align)| ((*title).to_owned(), *align)).collect();
        Self { page, columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().map(|text| Cell { text, paint: None }).collect());
    }

    /// Adds a row of a width known only now.
    pub(crate) fn cells(&mut self, cells: Vec<String>) {
        self.rows.push(cells.into_iter().map(|text| Cell { text, paint: None }).collect());
    }

    /// Paints a cell of the last row.
    pub(crate) fn paint_last(&mut self, column: usize, paint: Paint) {
        if let Some(cell) = self.rows.last_mut().and_then(|row| row.get_mut(column)) {
            cell.paint = Some(paint);
        }
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The lines, each behind `indent` spaces, with a final newline.
    pub(crate) fn render(&self, indent: usize) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|(title, _)| title.chars().count()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.chars().count());
            }
        }
        let mut out = String::new();
        if self.columns.iter().any(|(title, _)| !title.is_empty()) {
            let cells = self
                .columns
                .iter()
                .map(|(title, _)| Cell { text: title.clone(), paint: Some(|page, text| page.dim(text)) });
            self.line(&mut out, &cells.collect::<Vec<_>>(), &widths, indent);
        }
        for row in &self.rows {
            self.line(&mut out, row, &widths, indent);
        }
        out
    }

    fn line(&self, out: &mut String, cells: &[Cell], widths: &[usize], indent: usize) {
        let mut line = " ".repeat(indent);
        for (index, ((cell, width), (_, align))) in cells.iter().zip(widths).zip(&self.columns).enumerate() {
            if index > 0 {
                line.push_str("  ");
            }
            let padding = " ".repeat(width.saturating_sub(cell.text.chars().count()));
            let text = cell.paint.map_or_else(|| cell.text.clone(), |paint| paint(self.page, &cell.text));
            match align {
                Align::Left => line.extend([text, padding]),
                Align::Right => line.extend([padding, text]),
            }
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_no_line_ends_in_spaces() {
        let page = Page::file();
        let mut table = Table::new(page, &[("name", Align::Left), ("size", Align::Right), ("note", Align::Left)]);
        table.row(["a".into(), "1000".into(), String::new()]);
        table.row(["long".into(), "7".into(), "x".into()]);
        assert_eq!(table.render(2), "  name  size  note\n  a     1000\n  long     7  x\n");
    }
}

//! How settings look.

use super::{Align, Page, Report, Table};
use crate::commands::ConfigOutcome;

impl Report for ConfigOutcome {
    const NAME: &'static str = "config";

    fn text(&self, page: Page) -> String {
        let mut table = Table::new(page, &[("", Align::Left), ("", Align::Left), ("", Align::Left)]);
        for row in &self.settings {
            let value = if row.value.is_empty() { "-" } else { &row.value };
            table.row([row.name.to_owned(), value.to_owned(), row.origin.clone().unwrap_or_default()]);
            table.paint_last(2, |page, text| page.dim(text));
        }
        table.render(0)
    }
}

//! Outcomes of several platforms together.

use super::{Page, Report};
use crate::commands::each::EachPlatform;

impl<T: Report> Report for EachPlatform<T> {
    const NAME: &'static str = "platforms";

    fn text(&self, page: Page) -> String {
        let one = |(number, one): (usize, &crate::commands::each::OfPlatform<T>)| {
            let space = if number == 0 { "" } else { "\n" };
            format!("{space}{}\n{}", page.strong(&one.platform), one.outcome.text(page))
        };
        self.platforms.iter().enumerate().map(one).collect()
    }
}

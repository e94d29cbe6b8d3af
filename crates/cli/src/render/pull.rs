//! How the explanation of a pull looks.

use std::fmt::Write as _;

use super::page::count;
use super::{Page, Report};
use crate::commands::pull::{PullDiagnosis, PullOutcome};

/// Columns in front of what is said.
const INDENT: usize = 11;

impl Report for PullOutcome {
    const NAME: &'static str = "explain-pull";

    fn text(&self, page: Page) -> String {
        let wrong = self.containers.iter().filter(|own| own.cause.is_some()).count();
        let mut out = page.strong(format!("{}/{}", self.namespace, self.name));
        if let Some(node) = &self.node {
            let platform = self.platform.as_ref().map_or_else(String::new, |platform| format!(" ({platform})"));
            let _ = write!(out, "  {}", page.dim(format!("on {node}{platform}")));
        }
        out.push('\n');
        for problem in &self.secrets {
            let _ = writeln!(out, "  {}", page.warn(page.wrap(problem, 2)));
        }
        for container in self.containers.iter().filter(|own| page.detail || own.cause.is_some()) {
            write_container(&mut out, container, page);
        }
        let _ = match (wrong, self.containers.len()) {
            (0, all) => {
                writeln!(out, "\n{}: nothing is known that keeps an image from being pulled", count(all, "container"))
            }
            (wrong, all) => writeln!(out, "\n{wrong} of {} cannot start", count(all, "container")),
        };
        out
    }
}

fn write_container(out: &mut String, own: &PullDiagnosis, page: Page) {
    let _ = writeln!(out, "\n  {}  {}", page.strong(&own.container), own.image);
    if let Some(cause) = own.cause {
        let _ = writeln!(out, "    {}", page.bad(page.wrap(&format!("{}: {}", cause.name(), cause.title()), 4)));
    }
    for (word, text) in [("said", &own.said), ("probe", &own.probe), ("fix", &own.fix)] {
        if let Some(text) = text {
            let _ = writeln!(out, "    {word:<7}{}", page.wrap(text, INDENT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::pull::PullCause;

    #[test]
    fn what_is_wrong_stands_before_who_said_so_and_what_to_do() {
        let diagnosis = PullDiagnosis {
            container: "api".into(),
            image: "registry.example.com/shop/api:1.0".into(),
            cause: Some(PullCause::Authentication),
            said: Some("401 Unauthorized".into()),
            probe: Some("access denied, asked by Secret pull".into()),
            fix: Some("put a login that may read registry.example.com/shop/api into Secret shop/pull".into()),
        };
        let outcome = PullOutcome {
            namespace: "shop".into(),
            name: "api-1".into(),
            node: Some("worker-1".into()),
            platform: Some("linux/arm64".into()),
            secrets: vec!["Secret shop/other does not exist".into()],
            containers: vec![diagnosis],
        };
        let text = outcome.text(Page::file());
        assert_eq!(
            text,
            "shop/api-1  on worker-1 (linux/arm64)\n  Secret shop/other does not exist\n\n  api  registry.example.com/shop/api:1.0\n    \
             authentication: the registry does not let this Pod in\n    said   401 Unauthorized\n    probe  access denied, asked by \
             Secret pull\n    fix    put a login that may read registry.example.com/shop/api into Secret\n           shop/pull\n\n1 of 1 \
             container cannot start\n"
        );
    }
}

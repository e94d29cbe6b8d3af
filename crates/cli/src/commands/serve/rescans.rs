//! Re-scans in the background of `assay serve`: what runs is held against a vulnerability pack when it arrives.
//!
//! One at a time, in a thread with a session of its own, so that nothing that serves waits for it. A pack that arrives meanwhile
//! is looked at afterwards, once. What it finds goes to the outbox of alerts.

use std::thread::JoinHandle;

use crate::Result;
use crate::commands::rescan::{RescanOptions, RescanOutcome, rescan};
use crate::failure::CliError;
use crate::printer::Printer;
use crate::session::Session;
use crate::settings::Settings;

/// Re-scans of one process.
pub(super) struct Rescans {
    options: RescanOptions,
    settings: Settings,
    /// Whether there is something that nobody looked at yet.
    is_due: bool,
    running: Option<JoinHandle<Result<RescanOutcome>>>,
}

impl Rescans {
    /// The first is due at once: a pack may have arrived while nobody served.
    pub(super) fn new(options: &RescanOptions, settings: &Settings) -> Self {
        Self { options: options.clone(), settings: settings.clone(), is_due: true, running: None }
    }

    /// Something is new: the pack, or that it is this replica's to look.
    pub(super) fn due(&mut self) {
        self.is_due = true;
    }

    /// Starts what is due, where this replica is the one that does, and says what came of the one before.
    pub(super) fn tend(&mut self, leads: bool) -> Option<Result<String>> {
        let ended = self.running.take_if(|running| running.is_finished()).map(|running| {
            let lost = || CliError::System {
                what: "what runs was not matched again",
                source: std::io::Error::other("the work ended without a result"),
            };
            running.join().unwrap_or_else(|_| Err(lost().into())).map(|outcome| words(&outcome))
        });
        if leads && self.is_due && self.running.is_none() {
            self.is_due = false;
            let (options, settings) = (self.options.clone(), self.settings.clone());
            self.running =
                Some(std::thread::spawn(move || rescan(&options, &Session::new(&settings, &Printer::plain()))));
        }
        ended
    }
}

fn words(outcome: &RescanOutcome) -> String {
    let opened = outcome.alerts.iter().filter(|alert| alert.event.is_some()).count();
    format!(
        "what runs was matched again: {} images, {} findings, {opened} alerts opened, {} closed",
        outcome.images,
        outcome.findings,
        outcome.resolved.len()
    )
}

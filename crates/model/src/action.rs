//! What an unmet control does.

use std::fmt;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize};

/// What an Environment does when a control is not met. Ordered from mildest to strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// The control is not evaluated.
    Off,
    /// Recorded only.
    Audit,
    /// Recorded and shown.
    Warn,
    /// Denied; an approved Exception lifts it.
    EnforceWithException,
    /// Denied; only break-glass lifts it.
    Enforce,
    /// Denied; nothing lifts it.
    EnforceAlways,
}

impl Action {
    const ALL: [Self; 6] =
        [Self::Off, Self::Audit, Self::Warn, Self::EnforceWithException, Self::Enforce, Self::EnforceAlways];

    /// Whether an unmet control denies.
    pub fn denies(self) -> bool {
        self >= Self::EnforceWithException
    }

    /// The kebab-case word as files write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Audit => "audit",
            Self::Warn => "warn",
            Self::EnforceWithException => "enforce-with-exception",
            Self::Enforce => "enforce",
            Self::EnforceAlways => "enforce-always",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl<'de> Deserialize<'de> for Action {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ActionVisitor;
        impl Visitor<'_> for ActionVisitor {
            type Value = Action;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("one of off, audit, warn, enforce-with-exception, enforce, enforce-always")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                let known = Action::ALL.into_iter().find(|action| action.name() == text);
                known.ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }

            // `off` without quotes is the boolean false in YAML 1.1, which is how kubectl reads it.
            fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
                if value {
                    return Err(E::invalid_value(serde::de::Unexpected::Bool(value), &self));
                }
                Ok(Action::Off)
            }
        }
        deserializer.deserialize_any(ActionVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_action_is_read_as_it_is_written() {
        for action in Action::ALL {
            let written = serde_json::to_string(&action).unwrap();
            assert_eq!(written, format!("\"{action}\""));
            assert_eq!(serde_json::from_str::<Action>(&written).unwrap(), action);
        }
        assert!(Action::ALL.is_sorted());
        assert_eq!(serde_json::from_str::<Action>("false").unwrap(), Action::Off);
        assert!(["true", "\"Off\"", "0", "null"].iter().all(|text| serde_json::from_str::<Action>(text).is_err()));
    }

    #[test]
    fn what_is_stricter_than_a_warning_denies() {
        let denying: Vec<Action> = Action::ALL.into_iter().filter(|action| action.denies()).collect();
        assert_eq!(denying, [Action::EnforceWithException, Action::Enforce, Action::EnforceAlways]);
    }
}

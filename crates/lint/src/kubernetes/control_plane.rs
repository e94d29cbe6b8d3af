//! The control plane and the kubelet: flags of static Pods, and KubeletConfiguration (CIS Kubernetes Benchmark 1.10,
//! sections 1.2, 1.3, 1.4, 2, 4.2).

mod api_server;
mod kubelet;
mod others;

use assay_model::Severity;
use assay_yaml::Marked;

use super::{Object, Pod, bytes};
use crate::rule::{Mark, Marks, Rule};

/// What a flag has to be.
#[derive(Clone, Copy, Debug)]
enum Wanted {
    /// There, with any value.
    Set,
    /// Not there at all.
    Unset,
    /// One of these; `""` among them: or not there.
    OneOf(&'static [&'static str]),
    /// None of these words among its values.
    Without(&'static str),
    /// This word among its values.
    With(&'static str),
    /// A number of at least this much.
    AtLeast(i64),
}

/// One flag of one program.
struct FlagRule {
    program: &'static str,
    flag: &'static str,
    wanted: Wanted,
    rule: Rule,
}

/// One field of KubeletConfiguration.
struct FieldRule {
    path: &'static [&'static str],
    wanted: Wanted,
    rule: Rule,
}

const fn flag(program: &'static str, flag: &'static str, wanted: Wanted, rule: Rule) -> FlagRule {
    FlagRule { program, flag, wanted, rule }
}

const fn rule(id: &'static str, severity: Severity, title: &'static str, why: &'static str, fix: &'static str) -> Rule {
    Rule::new(id, severity, title, why, fix)
}

const WEAK: &str = "Without it the connection can be read, or answered by somebody else";
const AUDIT: &str = "What is not recorded, or not kept, cannot be looked up after an attack";
const PROFILE: &str = "Profiles show what the program does, and cost time whoever asks";

/// Every rule about a flag.
fn flags() -> impl Iterator<Item = &'static FlagRule> {
    api_server::FLAGS.iter().chain(others::FLAGS)
}

pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    flags().map(|flag| &flag.rule).chain(kubelet::FIELDS.iter().map(|field| &field.rule))
}

impl Wanted {
    /// What is wrong with the value, if anything; `None` is no value at all.
    fn broken(self, value: Option<&str>) -> Option<String> {
        let words = |value: &str| value.split(',').map(|word| word.trim().to_owned()).collect::<Vec<_>>();
        match (self, value) {
            (Self::Unset, Some(_)) => Some("is set".to_owned()),
            (Self::OneOf(all), None) if all.contains(&"") => None,
            (Self::Set, None | Some("")) | (Self::OneOf(_), None) => Some("is not set".to_owned()),
            (Self::OneOf(all), Some(value)) => (!all.contains(&value)).then(|| format!("is {value}")),
            (Self::Without(word), Some(value)) => {
                words(value).iter().any(|own| own == word).then(|| format!("has {word}"))
            }
            (Self::With(word), value) => {
                let has = value.is_some_and(|value| words(value).iter().any(|own| own == word));
                (!has).then(|| format!("lacks {word}"))
            }
            (Self::AtLeast(least), value) => {
                let number = value.and_then(|value| value.parse::<i64>().ok());
                number.is_none_or(|number| number < least).then(|| match value {
                    Some(value) => format!("is {value}, less than {least}"),
                    None => "is not set".to_owned(),
                })
            }
            (Self::Set, Some(_)) | (Self::Unset | Self::Without(_), None) => None,
        }
    }
}

/// Flags of the programs that a Pod runs.
pub(super) fn judge_pod(pod: &Pod<'_, '_>, found: &mut Vec<Mark>) {
    for container in pod.containers() {
        let words = ["command", "args"].iter().filter_map(|key| container.node.get(key)).flat_map(Marked::items);
        let words: Vec<(&str, &Marked<'_>)> = words.filter_map(|word| Some((word.text()?, word))).collect();
        let Some(program) = words.first().map(|(word, _)| word.rsplit('/').next().unwrap_or(word)) else { continue };
        for rule in flags().filter(|rule| rule.program == program) {
            let mut value = None;
            for (index, (word, marked)) in words.iter().enumerate() {
                let Some(rest) = word.strip_prefix("--").and_then(|word| word.strip_prefix(rule.flag)) else {
                    continue;
                };
                if let Some(own) = rest.strip_prefix('=') {
                    value = Some((own, *marked));
                } else if rest.is_empty() {
                    // `--flag value`, and `--flag` alone for true.
                    let next = words.get(index + 1).filter(|(next, _)| !next.starts_with("--"));
                    value = Some((next.map_or("true", |(next, _)| *next), *marked));
                }
            }
            if let Some(broken) = rule.wanted.broken(value.map(|(text, _)| text)) {
                let place = value.map_or(container.head(), |(_, marked)| bytes(marked));
                Marks::of(&rule.rule, found).add(place, format!("--{} of {program} {broken}", rule.flag));
            }
        }
    }
}

/// Fields of KubeletConfiguration.
pub(super) fn judge_configuration(object: &Object<'_, '_>, found: &mut Vec<Mark>) {
    if object.group != "kubelet.config.k8s.io" || object.kind != "KubeletConfiguration" {
        return;
    }
    for rule in kubelet::FIELDS {
        let value = object.root.at(rule.path).filter(|value| !value.is_null());
        let text = value.map(|value| {
            let text = value.text().map(|text| text.trim_end_matches(['s', 'm', 'h']).to_owned());
            text.or_else(|| value.flag().map(|flag| flag.to_string()))
                .or_else(|| value.integer().map(|number| number.to_string()))
                .unwrap_or_default()
        });
        if let Some(broken) = rule.wanted.broken(text.as_deref()) {
            Marks::of(&rule.rule, found)
                .add(value.map_or(object.head(), bytes), format!("{} {broken}", rule.path.join(".")));
        }
    }
}

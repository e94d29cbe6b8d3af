//! Spans as JSON lines: how long each part of an answer took, from the admission request to each request to a registry.
//!
//! A line is a `TracesData` of OTLP in its JSON encoding (OpenTelemetry, "OTLP File Exporter"; field names as in
//! `opentelemetry/proto/trace/v1/trace.proto`), so that a collector reads the file as it is (`otlpjsonfile`). Nothing is
//! sent anywhere from here.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// Attributes of one span that are written.
const ATTRIBUTES_MAX: usize = 16;
/// `SPAN_KIND_INTERNAL`, `SPAN_KIND_SERVER` and `SPAN_KIND_CLIENT`.
const KINDS: [(&str, u8); 2] = [("admission", 2), ("registry", 3)];
const INTERNAL: u8 = 1;

/// Writes every span when it ends.
pub(crate) struct Spans<W> {
    out: Mutex<W>,
    random: RandomState,
}

/// What is kept of a span while it lasts.
struct Begun {
    trace: u128,
    id: u64,
    parent: Option<u64>,
    at: u128,
    attributes: Attributed,
}

#[derive(Default)]
struct Attributed(Vec<Value>);

impl Attributed {
    fn put(&mut self, field: &Field, value: Value) {
        if self.0.len() < ATTRIBUTES_MAX {
            self.0.push(json!({"key": field.name(), "value": value}));
        }
    }
}

impl Visit for Attributed {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!({"stringValue": value}));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!({"boolValue": value}));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!({"intValue": value.to_string()}));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!({"intValue": value.to_string()}));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, json!({"stringValue": format!("{value:?}")}));
    }
}

fn nanoseconds() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()
}

impl<W: Write> Spans<W> {
    /// Writes to `out`.
    pub(crate) fn new(out: W) -> Self {
        Self { out: Mutex::new(out), random: RandomState::new() }
    }

    /// A number that no other span has.
    fn unique(&self, of: &Id, part: u8) -> u64 {
        let mut hasher = self.random.build_hasher();
        hasher.write_u128(nanoseconds());
        hasher.write_u64(of.into_u64());
        hasher.write_u8(part);
        hasher.finish().max(1)
    }
}

impl<S, W> Layer<S> for Spans<W>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: Write + 'static,
{
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        let above = span.parent().and_then(|parent| {
            let extensions = parent.extensions();
            extensions.get::<Begun>().map(|begun| (begun.trace, begun.id))
        });
        let fresh = || (u128::from(self.unique(id, 0)) << 64) | u128::from(self.unique(id, 1));
        let mut attributed = Attributed::default();
        attributes.record(&mut attributed);
        span.extensions_mut().insert(Begun {
            trace: above.map_or_else(fresh, |(trace, _)| trace),
            id: self.unique(id, 2),
            parent: above.map(|(_, parent)| parent),
            at: nanoseconds(),
            attributes: attributed,
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(begun) = span.extensions_mut().get_mut::<Begun>()
        {
            values.record(&mut begun.attributes);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(begun) = span.extensions_mut().remove::<Begun>() else { return };
        let kind = KINDS.iter().find(|(name, _)| *name == span.name()).map_or(INTERNAL, |(_, kind)| *kind);
        let mut written = json!({
            "traceId": format!("{:032x}", begun.trace),
            "spanId": format!("{:016x}", begun.id),
            "name": span.name(),
            "kind": kind,
            "startTimeUnixNano": begun.at.to_string(),
            "endTimeUnixNano": nanoseconds().to_string(),
            "attributes": begun.attributes.0,
        });
        if let Some(parent) = begun.parent {
            written["parentSpanId"] = json!(format!("{parent:016x}"));
        }
        let scope = json!({"name": "assay", "version": env!("CARGO_PKG_VERSION")});
        let service = json!({"key": "service.name", "value": {"stringValue": "assay"}});
        let line = json!({"resourceSpans": [{
            "resource": {"attributes": [service]},
            "scopeSpans": [{"scope": scope, "spans": [written]}],
        }]});
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        // A disk that is full must not stop an answer.
        let _ = writeln!(out, "{line}");
        let _ = out.flush();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl Write for Page {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_span_is_one_line_that_names_its_parent_and_its_trace() {
        let page = Page::default();
        let subscriber = tracing_subscriber::registry().with(Spans::new(page.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let admission = tracing::info_span!("admission", namespace = "shop", decision = tracing::field::Empty);
            admission.in_scope(|| drop(tracing::info_span!("registry", status = 200_u16).entered()));
            admission.record("decision", "allowed");
            drop(admission);
            drop(tracing::info_span!("admission"));
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        let spans: Vec<Value> = text
            .lines()
            .map(|line| {
                serde_json::from_str::<Value>(line).unwrap()["resourceSpans"][0]["scopeSpans"][0]["spans"][0].take()
            })
            .collect();
        let [registry, admission, other] = &spans[..] else { panic!("{text}") };
        assert_eq!((&registry["name"], &registry["kind"]), (&json!("registry"), &json!(3)));
        assert_eq!(registry["parentSpanId"], admission["spanId"]);
        assert_eq!(registry["traceId"], admission["traceId"]);
        assert_ne!(other["traceId"], admission["traceId"]);
        assert!(other.get("parentSpanId").is_none());
        assert_eq!(registry["attributes"], json!([{"key": "status", "value": {"intValue": "200"}}]));
        assert_eq!(admission["attributes"][1]["value"]["stringValue"], "allowed");
        assert_eq!(admission["traceId"].as_str().unwrap().len(), 32);
    }
}

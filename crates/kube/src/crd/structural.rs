//! From a JSON Schema of `schemars` to a structural schema (Kubernetes "CustomResourceDefinition", "Specifying a structural
//! schema"): each value has a type or is passed on as it is, and no `oneOf` carries one.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

/// "Pass on whatever is written": for values of several types.
const PRESERVE: &str = "x-kubernetes-preserve-unknown-fields";
/// The formats that the API server checks, of those that the types here have.
const FORMATS: [&str; 3] = ["date-time", "int32", "int64"];
/// Keywords that pass as they are.
const KEPT: [&str; 13] = [
    "description",
    "enum",
    "maximum",
    "maxItems",
    "maxLength",
    "maxProperties",
    "minimum",
    "minItems",
    "minLength",
    "minProperties",
    "pattern",
    "required",
    "type",
];

/// The structural schema of a type.
pub(super) fn schema<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    let schema = settings.into_generator().into_root_schema_for::<T>();
    structural(schema.as_value())
}

fn structural(schema: &Value) -> Value {
    // `true` and `{}` allow anything.
    let Value::Object(schema) = schema else { return json!({PRESERVE: true}) };
    let alternatives = ["oneOf", "anyOf"].iter().find_map(|key| schema.get(*key)).and_then(Value::as_array);
    let Some(alternatives) = alternatives else { return plain(schema) };
    let alternatives: Vec<&Value> = alternatives.iter().filter(|each| each["type"] != "null").collect();
    let mut made = match alternatives.as_slice() {
        // An `Option`.
        [only] => structural(only),
        several => one_of(several),
    };
    describe(&mut made, schema.get("description"));
    made
}

/// One of several forms.
fn one_of(alternatives: &[&Value]) -> Value {
    let words: Vec<Value> = alternatives.iter().flat_map(|each| words(each)).collect();
    if words.len() >= alternatives.len() && alternatives.iter().all(|each| each["type"] == "string") {
        let described = alternatives.iter().filter_map(|each| {
            let word = each.get("const")?.as_str()?;
            Some(format!("{word}: {}", each.get("description")?.as_str()?))
        });
        let text = described.collect::<Vec<_>>().join(" ");
        let mut made = json!({"type": "string", "enum": words});
        describe(&mut made, Some(&Value::String(text)));
        return made;
    }
    if alternatives
        .iter()
        .all(|each| each["type"] == "object" && each["properties"].as_object().is_some_and(|own| own.len() == 1))
    {
        // An enum whose variants carry something: an object with one field.
        let properties: Map<String, Value> = alternatives
            .iter()
            .filter_map(|each| each["properties"].as_object()?.iter().next().map(|field| (each, field)))
            .map(|(each, (name, field))| {
                let mut field = structural(field);
                describe(&mut field, each.get("description"));
                (name.clone(), field)
            })
            .collect();
        return json!({"type": "object", "properties": properties, "minProperties": 1, "maxProperties": 1});
    }
    // A text or an object, a name or a list: the types are checked by Assay's webhook.
    json!({PRESERVE: true})
}

/// The texts that a schema allows, where it allows nothing else.
fn words(schema: &Value) -> Vec<Value> {
    match (schema.get("const"), schema.get("enum").and_then(Value::as_array)) {
        (Some(word), _) => vec![word.clone()],
        (None, Some(words)) => words.clone(),
        (None, None) => Vec::new(),
    }
}

fn plain(schema: &Map<String, Value>) -> Value {
    let mut made = Map::new();
    for key in KEPT {
        if let Some(value) = schema.get(key) {
            made.insert(key.to_owned(), value.clone());
        }
    }
    if let Some(Value::Array(types)) = schema.get("type") {
        let one = types.iter().find(|each| *each != "null").cloned().unwrap_or(Value::Null);
        made.insert("type".to_owned(), one);
    }
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        let words: Vec<Value> = words.iter().filter(|word| !word.is_null()).cloned().collect();
        made.insert("enum".to_owned(), Value::Array(words));
    }
    if let Some(format) = schema.get("format").filter(|format| FORMATS.iter().any(|known| *format == *known)) {
        made.insert("format".to_owned(), format.clone());
    } else if schema.get("format").is_some() && made.get("type").is_some_and(|own| own == "integer") {
        made.insert("format".to_owned(), json!("int64"));
    }
    if let Some(items) = schema.get("items") {
        made.insert("items".to_owned(), structural(items));
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        let own = properties.iter().map(|(name, field)| (name.clone(), structural(field)));
        made.insert("properties".to_owned(), Value::Object(own.collect()));
    }
    match schema.get("additionalProperties") {
        // `deny_unknown_fields`: the API server refuses or drops what is not listed by itself.
        None | Some(Value::Bool(false)) => {}
        // Listed fields beside others: a flattened map.
        Some(_) if made.contains_key("properties") => {
            made.insert(PRESERVE.to_owned(), json!(true));
        }
        Some(Value::Bool(true)) => {
            made.insert(PRESERVE.to_owned(), json!(true));
        }
        Some(values) => {
            made.insert("additionalProperties".to_owned(), structural(values));
        }
    }
    if !made.contains_key("type") {
        made.insert(PRESERVE.to_owned(), json!(true));
    }
    Value::Object(made)
}

/// Sets the description where there is one, on one line, without the marks of Rust's documentation. One that stands there
/// already is of the type, and comes after.
fn describe(schema: &mut Value, description: Option<&Value>) {
    let Some(text) = description.and_then(Value::as_str).filter(|text| !text.is_empty()) else { return };
    let text = match schema.get("description").and_then(Value::as_str) {
        Some(own) if own != text => format!("{text} {own}"),
        _ => text.to_owned(),
    };
    schema["description"] = Value::String(text);
}

//! What a plain YAML scalar means to `kubectl`: YAML 1.1 as go-yaml v2 reads it (`resolve.go`), since that is what
//! sigs.k8s.io/yaml turns manifests into JSON with. `yes` is true, `0777` is 511, `1e3` is a number.

use std::borrow::Cow;

use assay_case::Node;

/// The value of a plain scalar without a tag; `None` for infinities and NaN, which JSON does not have.
pub(super) fn resolve(text: Cow<'_, str>) -> Option<Node<'_>> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Node::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Node::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Node::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return None,
        _ => {}
    }
    let number = match text.as_bytes().first() {
        Some(b'.') if is_float(&text) => text.parse().ok().map(float),
        Some(b'+' | b'-' | b'0'..=b'9') => number(&text),
        _ => None,
    };
    Some(number.unwrap_or(Node::String(text)))
}

fn number(text: &str) -> Option<Node<'static>> {
    // A timestamp is a string to kubectl, and has a colon or a second hyphen, which no number has.
    let plain = text.replace('_', "");
    integer(&plain).or_else(|| is_float(&plain).then(|| plain.parse().ok().map(float)).flatten())
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: the base follows from the prefix, and a leading zero is octal.
fn integer(text: &str) -> Option<Node<'static>> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => (-1, &text[1..]),
        b'+' => (1, &text[1..]),
        _ => (1, text),
    };
    let lower = digits.to_ascii_lowercase();
    let (base, digits) = if let Some(rest) = lower.strip_prefix("0x") {
        (16, rest)
    } else if let Some(rest) = lower.strip_prefix("0b") {
        (2, rest)
    } else if let Some(rest) = lower.strip_prefix("0o") {
        (8, rest)
    } else if lower.len() > 1 && lower.starts_with('0') {
        (8, &lower[1..])
    } else {
        (10, lower.as_str())
    };
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_alphanumeric()) {
        return None;
    }
    let value = i128::from_str_radix(digits, base).ok()?.checked_mul(sign)?;
    match i64::try_from(value) {
        Ok(value) => Some(Node::Integer(value)),
        // Between i64 and u64: JSON reads it back as such a number, and so does `Node`.
        Err(_) if u64::try_from(value).is_ok() => Some(Node::Float(value as f64)),
        Err(_) => None,
    }
}

/// go-yaml's `yamlStyleFloat`: `^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?$`.
fn is_float(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.strip_prefix(['-', '+']).unwrap_or(exponent))),
        None => (unsigned, None),
    };
    let mantissa = match mantissa.split_once('.') {
        Some(("", fraction)) => digits(fraction),
        Some((whole, fraction)) => digits(whole) && (fraction.is_empty() || digits(fraction)),
        None => digits(mantissa),
    };
    mantissa && exponent.is_none_or(digits)
}

/// A float as JSON would hand it on: Go writes whole numbers without a point, so that they come back as integers.
fn float(value: f64) -> Node<'static> {
    /// 2^53: whole numbers up to here are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT { Node::Integer(value as i64) } else { Node::Float(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_kubectl_reads() {
        let string = |text: &'static str| Node::String(text.into());
        for (text, want) in [
            ("yes", Node::Bool(true)),
            ("Off", Node::Bool(false)),
            ("y", Node::Bool(true)),
            ("~", Node::Null),
            ("", Node::Null),
            ("0777", Node::Integer(511)),
            ("0o17", Node::Integer(15)),
            ("0x1F", Node::Integer(31)),
            ("0b101", Node::Integer(5)),
            ("1_000", Node::Integer(1000)),
            ("-12", Node::Integer(-12)),
            ("+5", Node::Integer(5)),
            ("0", Node::Integer(0)),
            ("08", Node::Integer(8)),
            ("1e3", Node::Integer(1000)),
            ("1.5", Node::Float(1.5)),
            (".5", Node::Float(0.5)),
            ("1.", Node::Integer(1)),
            ("18446744073709551615", Node::Float(18_446_744_073_709_551_615.0)),
            ("2026-11-21", string("2026-11-21")),
            ("2026-11-21T00:00:00Z", string("2026-11-21T00:00:00Z")),
            ("12:30:45", string("12:30:45")),
            ("1.2.3", string("1.2.3")),
            ("100m", string("100m")),
            ("1Gi", string("1Gi")),
            ("truE", string("truE")),
            ("-", string("-")),
            ("0x", string("0x")),
            ("--5", string("--5")),
            ("+-5", string("+-5")),
            ("nginx:1.27", string("nginx:1.27")),
        ] {
            assert_eq!(resolve(Cow::Borrowed(text)), Some(want), "{text}");
        }
        assert_eq!(resolve(Cow::Borrowed(".inf")), None);
    }
}

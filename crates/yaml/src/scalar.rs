//! What a plain scalar means. To `kubectl`: YAML 1.1 as go-yaml v2 reads it (`resolve.go`), since that is what
//! sigs.k8s.io/yaml turns manifests into JSON with; `yes` is true, `0777` is 511, `1e3` is a number. To others: the core
//! schema of YAML 1.2.2 (section 10.3.2), where `on` and `yes` are texts.

use std::borrow::Cow;

use crate::events::Scalar;

/// The value of a plain scalar without a tag; `None` for infinities and NaN, which JSON does not have.
pub(crate) fn resolve(text: Cow<'_, str>) -> Option<Scalar<'_>> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Scalar::Null),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Some(Scalar::Bool(true));
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Some(Scalar::Bool(false));
        }
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf"
        | "-.INF" => return None,
        _ => {}
    }
    Some(number_of(&text).unwrap_or(Scalar::String(text)))
}

/// The value of a plain scalar by the core schema.
pub(crate) fn resolve_core(text: Cow<'_, str>) -> Scalar<'_> {
    match text.as_ref() {
        "" | "~" | "null" | "Null" | "NULL" => Scalar::Null,
        "true" | "True" | "TRUE" => Scalar::Bool(true),
        "false" | "False" | "FALSE" => Scalar::Bool(false),
        // A leading zero makes no octal number there.
        word if word.len() > 1 && word.starts_with('0') && word.bytes().all(|byte| byte.is_ascii_digit()) => {
            word.parse().map(Scalar::Integer).unwrap_or(Scalar::String(text))
        }
        word if word.contains('_') => Scalar::String(text),
        word => number_of(word).unwrap_or(Scalar::String(text)),
    }
}

fn number_of(text: &str) -> Option<Scalar<'static>> {
    match text.as_bytes().first() {
        Some(b'.') if is_float(text) => text.parse().ok().map(float),
        Some(b'+' | b'-' | b'0'..=b'9') => number(text),
        _ => None,
    }
}

fn number(text: &str) -> Option<Scalar<'static>> {
    // A timestamp is a string to kubectl, and has a colon or a second hyphen, which no number has.
    let plain = text.replace('_', "");
    integer(&plain).or_else(|| is_float(&plain).then(|| plain.parse().ok().map(float)).flatten())
}

/// Go's `strconv.ParseInt(text, 0, 64)`, then `ParseUint`: the base follows from the prefix, and a leading zero is octal.
fn integer(text: &str) -> Option<Scalar<'static>> {
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
        Ok(value) => Some(Scalar::Integer(value)),
        // Between i64 and u64: JSON reads it back as such a number, and so does a JSON reader.
        Err(_) if u64::try_from(value).is_ok() => Some(Scalar::Float(value as f64)),
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
fn float(value: f64) -> Scalar<'static> {
    /// 2^53: whole numbers up to here are exact.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT { Scalar::Integer(value as i64) } else { Scalar::Float(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_mean_what_kubectl_reads() {
        let string = |text: &'static str| Scalar::String(text.into());
        for (text, want) in [
            ("yes", Scalar::Bool(true)),
            ("Off", Scalar::Bool(false)),
            ("y", Scalar::Bool(true)),
            ("~", Scalar::Null),
            ("", Scalar::Null),
            ("0777", Scalar::Integer(511)),
            ("0o17", Scalar::Integer(15)),
            ("0x1F", Scalar::Integer(31)),
            ("0b101", Scalar::Integer(5)),
            ("1_000", Scalar::Integer(1000)),
            ("-12", Scalar::Integer(-12)),
            ("+5", Scalar::Integer(5)),
            ("0", Scalar::Integer(0)),
            ("08", Scalar::Integer(8)),
            ("1e3", Scalar::Integer(1000)),
            ("1.5", Scalar::Float(1.5)),
            (".5", Scalar::Float(0.5)),
            ("1.", Scalar::Integer(1)),
            ("18446744073709551615", Scalar::Float(18_446_744_073_709_551_615.0)),
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

    #[test]
    fn the_core_schema_leaves_words_alone() {
        let string = |text: &'static str| Scalar::String(text.into());
        for (text, want) in [
            ("on", string("on")),
            ("yes", string("yes")),
            ("true", Scalar::Bool(true)),
            ("010", Scalar::Integer(10)),
            ("1_000", string("1_000")),
            ("3.10", Scalar::Float(3.1)),
            ("~", Scalar::Null),
        ] {
            assert_eq!(resolve_core(Cow::Borrowed(text)), want, "{text}");
        }
    }
}

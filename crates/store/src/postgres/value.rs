//! Values on their way to the server and back, in the five types that the store has.

use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, WrongType, to_sql_checked};

use crate::backend::{Row, Value};

/// The types of a statement's parameters, as the rows that it is run with have them. A parameter that is null in all of
/// them is left to the server.
pub(super) fn types(rows: &[Vec<Value<'_>>]) -> Vec<Type> {
    let columns = rows.first().map_or(0, Vec::len);
    let of = |column| rows.iter().filter_map(|row| row.get(column)).find_map(type_of);
    (0..columns).map(|column| of(column).unwrap_or(Type::UNKNOWN)).collect()
}

fn type_of(value: &Value<'_>) -> Option<Type> {
    match value {
        Value::Null => None,
        Value::Integer(_) => Some(Type::INT8),
        Value::Text(_) => Some(Type::TEXT),
        Value::Bytes(_) => Some(Type::BYTEA),
    }
}

/// The same values, of nobody else.
pub(super) fn owned(row: &[Value<'_>]) -> Vec<Value<'static>> {
    let owned = |value: &Value<'_>| match value {
        Value::Null => Value::Null,
        Value::Integer(value) => Value::Integer(*value),
        Value::Text(value) => Value::Text(value.clone().into_owned().into()),
        Value::Bytes(value) => Value::Bytes(value.clone().into_owned().into()),
    };
    row.iter().map(owned).collect()
}

pub(super) fn row(row: &tokio_postgres::Row) -> Result<Row, tokio_postgres::Error> {
    Ok(Row((0..row.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>()?))
}

impl ToSql for Value<'_> {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match (self, of) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Integer(value), &Type::INT8) => value.to_sql(of, out),
            (Self::Text(value), &Type::TEXT) => value.as_ref().to_sql(of, out),
            (Self::Bytes(value), &Type::BYTEA) => value.as_ref().to_sql(of, out),
            _ => Err(Box::new(WrongType::new::<Value<'_>>(of.clone()))),
        }
    }

    fn accepts(_: &Type) -> bool {
        // It depends on the value.
        true
    }

    to_sql_checked!();
}

impl<'r> FromSql<'r> for Value<'static> {
    fn from_sql(of: &Type, raw: &'r [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(match *of {
            Type::BOOL => Self::Integer(bool::from_sql(of, raw)?.into()),
            Type::INT2 => Self::Integer(i16::from_sql(of, raw)?.into()),
            Type::INT4 => Self::Integer(i32::from_sql(of, raw)?.into()),
            Type::INT8 => Self::Integer(i64::from_sql(of, raw)?),
            Type::BYTEA => Self::Bytes(Vec::from_sql(of, raw)?.into()),
            _ => Self::Text(String::from_sql(of, raw)?.into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::BOOL | Type::INT2 | Type::INT4 | Type::INT8 | Type::BYTEA)
            || <String as FromSql>::accepts(of)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_value() -> impl Strategy<Value = (Value<'static>, Type)> {
        prop_oneof![
            any::<i64>().prop_map(|value| (Value::from(value), Type::INT8)),
            ".{0,20}".prop_map(|value: String| (Value::from(value), Type::TEXT)),
            proptest::collection::vec(any::<u8>(), 0..20).prop_map(|value| (Value::Bytes(value.into()), Type::BYTEA)),
        ]
    }

    #[test]
    fn a_parameter_has_the_type_of_its_first_value() {
        let row = |first, second| vec![first, second];
        let rows = [row(Value::Null, Value::Null), row(Value::from(1_i64), Value::Null), row(Value::Null, Value::Null)];
        assert_eq!(types(&rows), [Type::INT8, Type::UNKNOWN]);
        assert!(types(&[]).is_empty());
    }

    #[test]
    fn a_value_of_another_type_than_its_column_is_not_sent() {
        let mut out = BytesMut::new();
        assert!(Value::from("1").to_sql_checked(&Type::INT8, &mut out).is_err());
        assert!(Value::from(1_i64).to_sql_checked(&Type::TEXT, &mut out).is_err());
        assert!(matches!(Value::Null.to_sql_checked(&Type::INT8, &mut out), Ok(IsNull::Yes)));
        assert!(out.is_empty());
    }

    #[test]
    fn integers_of_every_size_keep_their_sign() {
        let read = |of, raw: &[u8]| Value::from_sql(&of, raw).ok();
        assert_eq!(read(Type::INT2, &[0xff, 0xff]), Some(Value::Integer(-1)));
        assert_eq!(read(Type::INT4, &[0, 0, 1, 0]), Some(Value::Integer(256)));
        assert_eq!(read(Type::INT8, &i64::MIN.to_be_bytes()), Some(Value::Integer(i64::MIN)));
        assert_eq!(read(Type::BOOL, &[1]), Some(Value::Integer(1)));
        assert_eq!(read(Type::INT8, &[0; 9]), None);
        assert!(!<Value<'_> as FromSql>::accepts(&Type::POINT));
    }

    proptest! {
        #[test]
        fn a_value_comes_back_as_it_was_sent((value, of) in any_value()) {
            let mut out = BytesMut::new();
            value.to_sql_checked(&of, &mut out).unwrap();
            prop_assert_eq!(Value::from_sql(&of, &out).unwrap(), value);
        }

        #[test]
        fn any_bytes_are_read_without_panic(raw in proptest::collection::vec(any::<u8>(), 0..40)) {
            for of in [Type::BOOL, Type::INT2, Type::INT4, Type::INT8, Type::TEXT, Type::BYTEA] {
                let _ = Value::from_sql(&of, &raw);
            }
        }
    }
}

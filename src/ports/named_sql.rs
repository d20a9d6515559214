//! Named parameters for engines that support only numbered ones.
//!
//! The statements of the store have named parameters (`:user_id`). `SQLite` accepts them; D1 accepts only `?1`. Its
//! adapter translates each statement once, and orders the values of every call by the names found here.

use super::{DbError, DbErrorKind, Statement, Value};

/// A statement with numbered parameters, and the name of each number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedSql {
    /// The text with `?1`, `?2` … instead of names; a repeated name keeps its number.
    pub text: String,
    /// The names, in the order of their numbers.
    pub names: Vec<&'static str>,
}

impl NumberedSql {
    /// Translates a statement. String literals stay as they are; the statements of the store have no comments and
    /// no quoted identifiers.
    #[must_use]
    pub fn parse(sql: &'static str) -> Self {
        let mut text = String::with_capacity(sql.len());
        let mut names: Vec<&'static str> = Vec::new();
        for (index, part) in sql.split('\'').enumerate() {
            if index > 0 {
                text.push('\'');
            }
            // Quotes come in pairs, so every second part is the inside of a literal.
            if index % 2 == 1 {
                text.push_str(part);
                continue;
            }
            let mut pieces = part.split(':');
            text.push_str(pieces.next().unwrap_or_default());
            for piece in pieces {
                let end = piece.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(piece.len());
                let (name, rest) = piece.split_at(end);
                let known = names.iter().position(|known| *known == name);
                let number = known.unwrap_or_else(|| {
                    names.push(name);
                    names.len() - 1
                });
                text.push('?');
                text.push_str(&(number + 1).to_string());
                text.push_str(rest);
            }
        }
        Self { text, names }
    }

    /// The values of one call, in the order of the numbers.
    ///
    /// # Errors
    /// [`DbError`] if a name has no value, or a value has no name in the text. Both are bugs in the service.
    pub fn order<'a>(&self, statement: &'a Statement) -> Result<Vec<&'a Value>, DbError> {
        if statement.values.len() != self.names.len() {
            return Err(DbErrorKind::Refused("another number of values than names".to_owned()).into());
        }
        let value_of = |name: &str| {
            let found = statement.values.iter().find(|(bound, _)| *bound == name);
            found.map(|(_, value)| value).ok_or_else(|| DbErrorKind::Refused(format!("no value for :{name}")).into())
        };
        self.names.iter().map(|name| value_of(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::query;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn names_become_numbers_and_a_repeated_name_keeps_its_number() {
        let numbered = NumberedSql::parse("SELECT :now, id FROM users WHERE id = :user_id AND created_at <= :now");
        assert_eq!(numbered.text, "SELECT ?1, id FROM users WHERE id = ?2 AND created_at <= ?1");
        assert_eq!(numbered.names, ["now", "user_id"]);
    }

    #[test]
    fn a_colon_within_a_literal_is_not_a_parameter() {
        let numbered = NumberedSql::parse("SELECT 'a:b', '' WHERE type = :type");
        assert_eq!(numbered.text, "SELECT 'a:b', '' WHERE type = ?1");
        assert_eq!(numbered.names, ["type"]);
    }

    #[test]
    fn values_are_ordered_by_their_names() {
        let sql = "SELECT :a, :b, :a";
        let statement = query(sql).bind("b", 2).bind("a", 1);
        let ordered = NumberedSql::parse(sql).order(&statement);
        assert_eq!(ordered, Ok(vec![&Value::Integer(1), &Value::Integer(2)]));
    }

    #[test]
    fn a_missing_a_misspelt_and_a_superfluous_value_are_refused() {
        let sql = "SELECT :a, :b";
        let numbered = NumberedSql::parse(sql);
        let statements = [
            query(sql).bind("a", 1),
            query(sql).bind("a", 1).bind("c", 2),
            query(sql).bind("a", 1).bind("b", 2).bind("c", 3),
            query(sql).bind("a", 1).bind("a", 2),
        ];
        for statement in statements {
            assert!(
                matches!(numbered.order(&statement), Err(error) if matches!(error.kind(), DbErrorKind::Refused(_))),
                "{statement:?}"
            );
        }
    }
}

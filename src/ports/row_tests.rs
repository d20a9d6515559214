//! Rows of all shapes, as D1 and rusqlite return them.

use super::*;
use crate::ports::DbErrorKind;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    NoSuchUser,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Wrapped(i64);

#[derive(Debug, PartialEq, Deserialize)]
struct Inner {
    text: String,
    word: Option<Word>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Outer {
    id: u32,
    wrapped: Option<Wrapped>,
    absent: Option<String>,
}

fn read(json: &str) -> Result<Vec<(Outer, Inner)>, DbError> {
    let mut all = Vec::new();
    each(json, &mut |row| {
        all.push(Deserialize::deserialize(row)?);
        Ok(())
    })?;
    Ok(all)
}

#[test]
fn a_row_fits_a_type_by_the_names_of_its_columns() {
    let json = r#"[{"other":7,"word":"no_such_user","text":"a\n\"b\"","id":9,"wrapped":-1},
                   {"id":4294967295,"wrapped":null,"word":null,"text":"plain"}]"#;
    let inner = |text: &str, word| Inner { text: text.to_owned(), word };
    let first = Outer { id: 9, wrapped: Some(Wrapped(-1)), absent: None };
    let second = Outer { id: u32::MAX, wrapped: None, absent: None };
    let inner = [inner("a\n\"b\"", Some(Word::NoSuchUser)), inner("plain", None)];
    assert_eq!(read(json).unwrap(), [first, second].into_iter().zip(inner).collect::<Vec<_>>());
    assert_eq!(read("[]").unwrap(), []);
}

#[test]
fn every_other_row_is_unreadable() {
    for json in [
        r#"[{"id":1}]"#,
        r#"[{"id":-1,"text":""}]"#,
        r#"[{"id":4294967296,"text":""}]"#,
        r#"[{"id":18446744073709551615,"text":""}]"#,
        r#"[{"id":1.5,"text":""}]"#,
        r#"[{"id":"1","text":""}]"#,
        r#"[{"id":1,"text":2}]"#,
        r#"[{"id":1,"text":"","word":"other"}]"#,
        r#"[{"id":1,"text":"","word":3}]"#,
        r#"[{"id":1,"text":""}"#,
        r#"[{"id":1,"text":""}] [1]"#,
        r#"[[1,""]]"#,
        "{}",
    ] {
        assert!(matches!(read(json), Err(error) if matches!(error.kind(), DbErrorKind::Unreadable(_))), "{json}");
    }
}

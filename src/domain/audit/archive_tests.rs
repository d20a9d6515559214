//! The text of objects, byte by byte; objects that are refused; and the decisions about ages.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const KEY: &str = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const MADE: Timestamp = Timestamp::from_millis(1_800_000_000_123);

fn event(id: i64) -> ArchivedEvent {
    let created_at = 1_790_000_000_000 + id;
    let columns = format!("{{\"id\":{id},\"created_at\":{created_at},\"type\":\"signed_in\",\"object_id\":null}}");
    ArchivedEvent { id, created_at, columns, personal: (id % 2 == 1).then(|| "c2VhbGVk".to_owned()) }
}

fn object(head: &Head, events: &[ArchivedEvent]) -> (String, Entry) {
    Draft::new(head, 1, MADE, KEY, events).signed("c2lnbmF0dXJl")
}

#[test]
fn object_format_unchanged() {
    let (text, first) = object(&Head::origin(), &[event(1), event(2)]);
    let expected = [
        r#"{"format":"edge-auth-audit/1","object":1,"first":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","key":{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},"made_at":1800000000123,"events":2,"total":2}"#,
        r#"{"id":1,"created_at":1790000000001,"type":"signed_in","object_id":null,"personal":"c2VhbGVk"}"#,
        r#"{"id":2,"created_at":1790000000002,"type":"signed_in","object_id":null,"personal":null}"#,
        r#"{"signature":"c2lnbmF0dXJl"}"#,
        "",
    ];
    assert_eq!(text, expected.join("\n"));
    assert_eq!(first.head.sha256, hex(&Sha256::digest(&text)));
    assert_eq!((first.ids, first.newest_at, first.made_at), (vec![1, 2], Some(1_790_000_000_002), MADE.millis()));
    let (second, _) = object(&first.head, &[]);
    let header = format!(
        r#"{{"format":"edge-auth-audit/1","object":2,"first":1,"previous":"{}","key":{KEY},"made_at":1800000000123,"events":0,"total":2}}"#,
        first.head.sha256
    );
    assert_eq!(second.lines().next(), Some(header.as_str()));
}

#[test]
fn signed_text_format_unchanged() {
    let draft = Draft::new(&Head::origin(), 1, MADE, KEY, &[event(1)]);
    let signed = draft.to_be_signed();
    let (text, _) = draft.signed("");
    let before = text.strip_suffix("{\"signature\":\"\"}\n").unwrap();
    assert_eq!(signed, format!("edge-auth audit object\n1\n{}", hex(&Sha256::digest(before))));
}

#[test]
fn names_and_heads_format_unchanged() {
    assert_eq!(object_name(1), "audit/0000000001.ndjson");
    assert_eq!(object_name(1_234_567_890), "audit/1234567890.ndjson");
    let head = Head { object: 3, sha256: "ab".to_owned(), ..Head::origin() };
    assert_eq!(head.text("kid"), "3:ab:kid");
    // RFC 8037, appendix A.3.
    assert_eq!(thumbprint(KEY), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn personal_secret_format_unchanged() {
    assert_eq!(personal_secret("m", Some("s"), Some("a")), "m.s.a");
    assert_eq!(personal_secret("m", None, None), "m..");
    assert_eq!(personal_secret("m", None, Some("a")), "m..a");
}

fn head() -> Head {
    Head { object: 4, sha256: "ef".repeat(32), first_kept: 3, total: 10 }
}

#[test]
fn an_object_is_read_as_it_was_written() {
    for events in [vec![event(1), event(2)], Vec::new()] {
        let draft = Draft::new(&head(), 3, MADE, KEY, &events);
        let signed = draft.to_be_signed();
        let (text, entry) = draft.signed("c2lnbmF0dXJl");
        let found = read(&head(), KEY, text.as_bytes()).unwrap();
        assert_eq!((found.entry, found.to_be_signed.as_str()), (entry, signed.as_str()));
        assert_eq!(found.signature, "c2lnbmF0dXJl");
    }
}

#[test]
fn an_object_of_another_place_or_shape_is_not_read() {
    let (text, _) = Draft::new(&head(), 3, MADE, KEY, &[event(1), event(2)]).signed("c2lnbmF0dXJl");
    let is_read = |head: &Head, text: &str| read(head, KEY, text.as_bytes()).is_some();
    assert!(is_read(&head(), &text));
    let others = [
        Head { object: 3, ..head() },
        Head { sha256: "00".repeat(32), ..head() },
        Head { total: 11, ..head() },
        Head { first_kept: 4, ..head() },
    ];
    assert!(others.iter().all(|other| !is_read(other, &text)));
    assert!(read(&head(), &KEY.replace('q', "r"), text.as_bytes()).is_none());
    let damaged = [
        text.replace("edge-auth-audit/1", "edge-auth-audit/2"),
        text.replace("\"events\":2", "\"events\":1"),
        text.replace("\"first\":3", "\"first\":6"),
        text.replace("\"first\":3", "\"first\":03"),
        text.replace("\"made_at\":1", "\"made_at\":99999999991"),
        text.replace("\"made_at\":1", "\"more\":1,\"made_at\":1"),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        text.replacen("{\"id\":1", "{\"id\":\"1\"", 1),
        format!("\u{feff}{text}"),
        "{\"signature\":\"\"}\n".to_owned(),
        "\n{\"signature\":\"\"}\n".to_owned(),
        "\n".to_owned(),
        String::new(),
    ];
    for text in damaged {
        assert!(!is_read(&head(), &text), "{text}");
    }
    assert!(read(&head(), KEY, &[text.as_bytes(), &[0xff]].concat()).is_none());
}

/// Whatever is in the bucket, reading it neither panics nor confuses two texts: the signed text has the hash of all bytes
/// before the last line.
#[test]
fn a_changed_byte_changes_the_signed_text() {
    let head = Head::origin();
    let (text, _) = object(&head, &[event(1), event(2)]);
    let original = read(&head, KEY, text.as_bytes()).unwrap();
    let signed = text.len() - "{\"signature\":\"c2lnbmF0dXJl\"}\n".len();
    for index in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[index] ^= 1;
        if let Some(found) = read(&head, KEY, &bytes) {
            assert_ne!(found.entry.head.sha256, original.entry.head.sha256);
            assert_eq!(found.to_be_signed == original.to_be_signed, index >= signed, "{index}");
        }
    }
}

#[test]
fn the_cutoff_is_the_beginning_of_a_day() {
    let at = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
    for (now, days, expected) in [
        ("2026-03-01T00:00:00.000Z", 1, "2026-02-28T00:00:00.000Z"),
        ("2026-03-01T23:59:59.999Z", 1, "2026-02-28T00:00:00.000Z"),
        ("2026-03-02T00:00:00.000Z", 30, "2026-01-31T00:00:00.000Z"),
    ] {
        assert_eq!(cutoff(at(now), days), at(expected), "{now}");
    }
}

#[test]
fn retention_removes_a_beginning_of_the_objects() {
    let at = |millis: i64| Some(Timestamp::from_millis(millis));
    let cutoff = Timestamp::from_millis(100);
    for (kept, stays) in [
        (vec![], None),
        (vec![(1, at(100))], None),
        (vec![(1, at(99))], Some(2)),
        (vec![(1, at(99)), (2, at(99)), (3, at(100)), (4, at(50))], Some(3)),
        // Objects without events go with those before them, and are no reason to write another one.
        (vec![(5, None)], None),
        (vec![(5, None), (6, at(100))], None),
        (vec![(5, at(1)), (6, None)], Some(7)),
        (vec![(1, at(99)), (4, at(100))], Some(4)),
        (vec![(5, None), (6, at(1)), (7, None), (8, at(100))], Some(8)),
    ] {
        assert_eq!(first_to_stay(&kept, cutoff), stays, "{kept:?}");
    }
}

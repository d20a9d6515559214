use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const KEY: &str = r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const MADE: Timestamp = Timestamp::from_millis(1_800_000_000_123);

fn line(id: i64) -> (String, Timestamp) {
    let event = EventLine {
        id,
        created_at: 1_790_000_000_000 + id,
        event_type: "signed_in",
        reason: None,
        count: 1,
        last_at: 1_790_000_000_000 + id,
        user_id: Some(7),
        session_id: Some(9),
        actor_id: None,
        university_id: None,
        object_id: None,
        personal: Some("c2VhbGVk"),
    };
    (serde_json::to_string(&event).unwrap(), Timestamp::from_millis(event.created_at))
}

fn object(head: &Entry, lines: &[(String, Timestamp)]) -> (String, Entry) {
    Draft::new(head, 1, MADE, KEY, lines).signed("c2lnbmF0dXJl")
}

#[test]
fn object_format_unchanged() {
    let (text, first) = object(&Entry::origin(), &[line(1)]);
    let expected = [
        r#"{"format":"edge-auth-audit/1","object":1,"first":1,"previous":"0000000000000000000000000000000000000000000000000000000000000000","key":{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},"made_at":1800000000123,"events":1,"total":1}"#,
        r#"{"id":1,"created_at":1790000000001,"type":"signed_in","reason":null,"count":1,"last_at":1790000000001,"user_id":7,"session_id":9,"actor_id":null,"university_id":null,"object_id":null,"personal":"c2VhbGVk"}"#,
        r#"{"signature":"c2lnbmF0dXJl"}"#,
        "",
    ];
    assert_eq!(text, expected.join("\n"));
    assert_eq!(first.sha256, hex(&Sha256::digest(&text)));
    let (second, _) = object(&first, &[]);
    let header = format!(
        r#"{{"format":"edge-auth-audit/1","object":2,"first":1,"previous":"{}","key":{KEY},"made_at":1800000000123,"events":0,"total":1}}"#,
        first.sha256
    );
    assert_eq!(second.lines().next(), Some(header.as_str()));
}

#[test]
fn signed_text_format_unchanged() {
    let draft = Draft::new(&Entry::origin(), 1, MADE, KEY, &[line(1)]);
    let signed = draft.to_be_signed();
    let (text, _) = draft.signed("");
    let before = text.strip_suffix("{\"signature\":\"\"}\n").unwrap();
    assert_eq!(signed, format!("edge-auth audit object\n1\n{}", hex(&Sha256::digest(before))));
}

#[test]
fn names_and_heads_format_unchanged() {
    assert_eq!(object_name(1), "audit/0000000001.ndjson");
    assert_eq!(object_name(1_234_567_890), "audit/1234567890.ndjson");
    let head = Entry { object: 3, sha256: "ab".to_owned(), ..Entry::origin() };
    assert_eq!(head.head("kid"), "3:ab:kid");
    // RFC 8037, appendix A.3.
    assert_eq!(thumbprint(KEY), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn personal_fields_format_unchanged() {
    let personal = Personal { ip: Some("192.0.2.1"), user_agent: None, request_id: "r", ray: None };
    let text = r#"{"ip":"192.0.2.1","user_agent":null,"request_id":"r","ray":null}"#;
    assert_eq!(serde_json::to_string(&personal).unwrap(), text);
    assert!(!personal.is_empty());
    assert!(Personal { ip: None, request_id: "", ..personal }.is_empty());
    assert_eq!(personal_secret("m", Some("s"), Some("a")), "m.s.a");
    assert_eq!(personal_secret("m", None, None), "m..");
    assert_eq!(personal_secret("m", None, Some("a")), "m..a");
}

#[test]
fn an_object_is_read_as_it_was_written() {
    let head = Entry { object: 4, sha256: "ef".repeat(32), first_kept: 1, total: 10, ..Entry::origin() };
    for lines in [vec![line(1), line(2)], Vec::new()] {
        let draft = Draft::new(&head, 2, MADE, KEY, &lines);
        let signed = draft.to_be_signed();
        let (text, entry) = draft.signed("c2lnbmF0dXJl");
        let found = read(&head, text.as_bytes()).unwrap();
        assert_eq!((found.entry, found.to_be_signed.as_str()), (entry, signed.as_str()));
        assert_eq!(found.signature, "c2lnbmF0dXJl");
        assert_eq!(found.ids, (1..=i64::try_from(lines.len()).unwrap()).collect::<Vec<_>>());
    }
}

#[test]
fn an_object_of_another_place_or_shape_is_not_read() {
    let head = Entry { object: 4, sha256: "ef".repeat(32), first_kept: 3, total: 10, ..Entry::origin() };
    let (text, _) = Draft::new(&head, 3, MADE, KEY, &[line(1), line(2)]).signed("c2lnbmF0dXJl");
    assert!(read(&head, text.as_bytes()).is_some());
    let others = [
        Entry { object: 3, ..head.clone() },
        Entry { sha256: "00".repeat(32), ..head.clone() },
        Entry { total: 11, ..head.clone() },
        Entry { first_kept: 4, ..head.clone() },
    ];
    for other in others {
        assert!(read(&other, text.as_bytes()).is_none(), "{other:?}");
    }
    let damaged = [
        text.replace("edge-auth-audit/1", "edge-auth-audit/2"),
        text.replace("\"events\":2", "\"events\":1"),
        text.replace("\"first\":3", "\"first\":6"),
        text.trim_end().to_owned(),
        format!("{text}\n"),
        text.replacen("{\"id\":1", "{\"id\":\"1\"", 1),
        format!("\u{feff}{text}"),
        "{}\n{}\n".to_owned(),
        "\n".to_owned(),
        String::new(),
    ];
    for text in damaged {
        assert!(read(&head, text.as_bytes()).is_none(), "{text}");
    }
    assert!(read(&head, &[text.as_bytes(), &[0xff]].concat()).is_none());
}

/// Whatever is in the bucket, reading it neither panics nor confuses two texts: the signed text has the hash of all bytes
/// before the last line.
#[test]
fn a_changed_byte_changes_the_signed_text() {
    let head = Entry::origin();
    let (text, _) = object(&head, &[line(1), line(2)]);
    let original = read(&head, text.as_bytes()).unwrap();
    let signed = text.len() - "{\"signature\":\"c2lnbmF0dXJl\"}\n".len();
    for index in 0..text.len() {
        let mut bytes = text.clone().into_bytes();
        bytes[index] ^= 1;
        if let Some(found) = read(&head, &bytes) {
            assert_ne!(found.entry.sha256, original.entry.sha256);
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

//! Tests of TOTP: the vectors of both RFCs, neighbours, used steps, typed forms, and the formats.

use super::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// The secret of RFC 4226 appendix D and, for SHA-1, of RFC 6238 appendix B.
fn secret() -> TotpSecret {
    TotpSecret::from_random(*b"12345678901234567890")
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

fn code_at(seconds: i64) -> String {
    format!("{:06}", secret().code(TimeStep::at(at(seconds))))
}

#[test]
fn the_vectors_of_rfc_4226_appendix_d_hold() {
    let codes = [755_224, 287_082, 359_152, 969_429, 338_314, 254_676, 287_922, 162_583, 399_871, 520_489];
    for (step, code) in (0..).zip(codes) {
        assert_eq!(secret().code(TimeStep(step)), code, "{step}");
    }
}

#[test]
fn the_vectors_of_rfc_6238_appendix_b_hold() {
    for (seconds, code) in [
        (59, "94287082"),
        (1_111_111_109, "07081804"),
        (1_111_111_111, "14050471"),
        (1_234_567_890, "89005924"),
        (2_000_000_000, "69279037"),
        (20_000_000_000, "65353130"),
    ] {
        let now = at(seconds);
        assert_eq!(matching_step(&secret(), &code[2..], now, None), Some(TimeStep::at(now)), "{seconds}");
    }
}

#[test]
fn a_step_has_30_seconds_also_before_the_epoch() {
    for (millis, step) in [(0, 0), (29_999, 0), (30_000, 1), (-1, -1), (-30_000, -1), (-30_001, -2)] {
        assert_eq!(TimeStep::at(Timestamp::from_millis(millis)).get(), step, "{millis}");
    }
    for now in [i64::MIN, i64::MAX] {
        assert_eq!(matching_step(&secret(), "12345", Timestamp::from_millis(now), None), None);
        let _ = matching_step(&secret(), "123456", Timestamp::from_millis(now), None);
    }
}

#[test]
fn the_neighbours_of_the_current_step_match_and_no_other_step() {
    let made = 1_234_567_890;
    let step = TimeStep::at(at(made));
    for moved in [-30, 0, 29, 59] {
        assert_eq!(matching_step(&secret(), &code_at(made), at(made + moved), None), Some(step), "{moved}");
    }
    for moved in [-86_400, -60, -31, 60, 90, 86_400] {
        assert_eq!(matching_step(&secret(), &code_at(made), at(made + moved), None), None, "{moved}");
    }
}

#[test]
fn used_steps_and_those_before_do_not_match_again() {
    let now = 1_234_567_890;
    let current = TimeStep::at(at(now));
    let matching = |seconds: i64, used: i64| matching_step(&secret(), &code_at(seconds), at(now), Some(TimeStep(used)));
    assert_eq!(matching(now, current.get()), None, "replayed");
    assert_eq!(matching(now - 30, current.get()), None, "an older code after a newer one");
    assert_eq!(matching(now, current.get() + 1), None, "the clock was moved back");
    assert_eq!(matching(now, current.get() - 1), Some(current));
    assert_eq!(matching(now + 30, current.get()), Some(current.plus(1)));
    assert_eq!(matching(now - 30, i64::MIN), Some(current.plus(-1)));
}

#[test]
fn of_two_steps_with_one_code_the_latest_one_matches_so_the_code_works_once() {
    let twin = TimeStep(31_476_426);
    assert_eq!((secret().code(twin.plus(-1)), secret().code(twin)), (213_700, 213_700), "found by search");
    let (now, code) = (at(twin.get() * 30), "213700");
    assert_eq!(matching_step(&secret(), code, now, None), Some(twin));
    assert_eq!(matching_step(&secret(), code, now, Some(twin)), None);
}

#[test]
fn a_code_may_be_typed_in_groups_and_has_exactly_6_ascii_digits() {
    let now = at(1_111_111_111);
    let matches = |code: &str| matching_step(&secret(), code, now, None).is_some();
    for code in ["050471", "050 471", "050-471", " 05 04 71 ", "0-5-0-4-7-1"] {
        assert!(matches(code), "{code}");
    }
    for code in [
        "",
        "50471",
        "0050471",
        "14050471",
        "+50471",
        "05047１",
        "٠٥٠٤٧١",
        "050471\n",
        "050.471",
        "05O471",
        "-",
        "050472",
    ] {
        assert!(!matches(code), "{code}");
    }
}

#[test]
fn the_code_of_another_secret_does_not_match() {
    let other = TotpSecret::from_random([7; SECRET_BYTES]);
    assert_eq!(matching_step(&other, "050471", at(1_111_111_111), None), None);
}

#[test]
fn stored_secret_format_unchanged() {
    assert_eq!(secret().base32().expose(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
    assert_eq!(TotpSecret::from_random([0xff; SECRET_BYTES]).base32().expose(), "7".repeat(32));
}

#[test]
fn a_secret_parses_to_itself_and_no_other_text_is_one() {
    for bytes in [[0; SECRET_BYTES], [0xff; SECRET_BYTES], *b"12345678901234567890"] {
        let text = TotpSecret::from_random(bytes).base32();
        assert_eq!(TotpSecret::parse(text.expose()).unwrap().0, bytes);
    }
    let text = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    for other in [
        "",
        &text[..31],
        &text[..24],
        &format!("{text}A"),
        &format!("{text}GEZDGNBV"),
        &format!("{text}="),
        &format!(" {text}"),
        &text.to_lowercase(),
        &text.replace('G', "1"),
    ] {
        assert!(TotpSecret::parse(other).is_none(), "{other}");
    }
}

#[test]
fn otpauth_uri_format_unchanged() {
    let uri = otpauth_uri(&secret(), "Example University", "ada@example.org");
    let expected = "otpauth://totp/Example%20University:ada%40example.org?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\
                    &issuer=Example%20University&algorithm=SHA1&digits=6&period=30";
    assert_eq!(uri.expose(), expected);
}

#[test]
fn names_cannot_leave_their_place_in_the_uri() {
    let uri = otpauth_uri(&secret(), "A:B&C=D+E/F?#%\"<ü", "ö~_.-:\n\u{1f511}");
    let issuer = "A%3AB%26C%3DD%2BE%2FF%3F%23%25%22%3C%C3%BC";
    let label = format!("otpauth://totp/{issuer}:%C3%B6~_.-%3A%0A%F0%9F%94%91?secret=");
    assert!(uri.expose().starts_with(&label), "{}", uri.expose());
    assert!(uri.expose().contains(&format!("&issuer={issuer}&algorithm=")), "{}", uri.expose());
}

#[test]
fn debug_output_does_not_contain_the_secret() {
    assert_eq!(format!("{:?} {:?}", secret(), otpauth_uri(&secret(), "a", "b")), "[redacted] [redacted]");
}

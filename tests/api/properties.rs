//! Property tests: the parsers against arbitrary input.

use edge_auth::domain::account::email::Email;
use edge_auth::domain::ids::{SessionId, TokenId, UserId};
use edge_auth::domain::password::Password;
use edge_auth::domain::password::argon2id::{Cost, MAX_LANES, MAX_PASSES};
use edge_auth::domain::password::hash::PasswordHash;
use edge_auth::domain::password::stored::StoredHash;
use edge_auth::domain::password::work::HashWork;
use edge_auth::domain::request_id::RequestId;
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::SecretKeys;
use edge_auth::domain::session::authority::{Issuers, TokenAuthority};
use edge_auth::domain::session::methods::AuthMethods;
use edge_auth::domain::session::token::{TokenClaims, TokenKind};
use edge_auth::domain::time::Timestamp;
use proptest::prelude::*;

use crate::support::{SECRET, Service, normalize};

fn authority() -> TokenAuthority {
    TokenAuthority::new(&SecretKeys::only(Secret::new(SECRET)), Issuers::only("issuer"), "audience")
}

/// Either hash function, at a cost so low that hundreds of hashes are fast.
fn cheap_work() -> impl Strategy<Value = HashWork> {
    let argon2id = (1_u32..=4, 0_u32..40, 1_u32..=3)
        .prop_map(|(lanes, more, passes)| HashWork::Argon2id(Cost::new(8 * lanes + more, passes, lanes).unwrap()));
    prop_oneof![(1_u32..20).prop_map(|rounds| HashWork::Pbkdf2Sha256 { rounds }), argon2id]
}

proptest! {
    #[test]
    fn pbkdf2_matches_the_reference_crate(
        password in prop::collection::vec(any::<u8>(), 0..200), salt in prop::collection::vec(any::<u8>(), 0..200),
        rounds in 1_u32..50,
    ) {
        let expected = pbkdf2::pbkdf2_hmac_array::<sha2::Sha256, 32>(&password, &salt, rounds);
        prop_assert_eq!(edge_auth::domain::password::pbkdf2::derive(&password, &salt, rounds), expected);
    }

    #[test]
    fn a_token_verifies_if_and_only_if_it_was_signed(
        user in 1_i64..1 << 53, session in any::<[u8; 8]>(), id in any::<[u8; 16]>(), life in 1_i64..100_000,
        position in any::<prop::sample::Index>(), replacement in "[A-Za-z0-9_.=-]",
    ) {
        let now = Timestamp::from_seconds(1_800_000_000);
        let claims = TokenClaims {
            id: TokenId::from_random(id),
            user_id: UserId::new(user).unwrap(),
            session_id: SessionId::from_random(session),
            issued_at: now,
            expires_at: now.plus_seconds(life),
            auth_time: None,
            methods: AuthMethods::PASSWORD,
            bookmark: None,
        };
        let text = authority().sign(TokenKind::Refresh, &claims).unwrap().expose().to_owned();
        prop_assert_eq!(authority().verify(TokenKind::Refresh, &text, now), Ok(claims));
        let position = position.index(text.len());
        let altered = format!("{}{replacement}{}", &text[..position], &text[position + 1..]);
        prop_assert_eq!(authority().verify(TokenKind::Refresh, &altered, now).is_ok(), altered == text);
    }

    #[test]
    fn no_text_makes_the_token_parser_panic(text in "\\PC{0,200}", parts in "[A-Za-z0-9_-]{0,80}(\\.[A-Za-z0-9_-]{0,80}){0,4}") {
        for text in [text, parts] {
            prop_assert!(authority().verify(TokenKind::Access, &text, Timestamp::from_seconds(0)).is_err());
        }
    }

    #[test]
    fn an_accepted_address_is_stable_bounded_and_has_a_dotted_domain(text in "\\PC{0,20}@?\\PC{0,20}(\\.[a-z]{1,5})?") {
        if let Ok(email) = Email::parse(&text, normalize) {
            let stored = email.as_str();
            let again = Email::parse(stored, normalize);
            prop_assert_eq!(again.as_ref(), Ok(&email), "parsing is idempotent");
            prop_assert!(stored.len() <= 254 && !stored.chars().any(char::is_control));
            let (_, domain) = stored.rsplit_once('@').unwrap();
            prop_assert!(domain.contains('.') && domain.is_ascii());
        }
    }

    #[test]
    fn all_spellings_of_a_mailbox_meet(
        local in "[\\p{Latin}\\p{Greek}\\p{Devanagari}\\p{Cyrillic}\\p{Hangul}\\p{Mn}]{1,8}",
        label in "[\\p{Latin}\\p{Greek}\\p{Devanagari}\\p{Cyrillic}\\p{Hangul}]{1,8}",
    ) {
        use unicode_normalization::UnicodeNormalization as _;
        let address = format!("{local}@{label}.example");
        if let Ok(email) = Email::parse(&address, normalize) {
            prop_assert_eq!(Email::parse(email.as_str(), normalize), Ok(email.clone()), "stored: {}", email.as_str());
            let spellings = [address.nfc().collect::<String>(), address.nfd().collect(), format!(" {address}\t")];
            for spelling in spellings {
                prop_assert_eq!(Email::parse(&spelling, normalize), Ok(email.clone()), "{:?}", spelling);
            }
            let ascii = format!("{local}@{}", email.as_str().rsplit_once('@').unwrap().1.to_uppercase());
            prop_assert_eq!(Email::parse(&ascii, normalize), Ok(email));
        }
    }

    #[test]
    fn ordinary_addresses_are_accepted_in_any_case(
        local in "[a-z0-9]{1,20}([.+_-][a-z0-9]{1,10}){0,2}", domain in "[a-z0-9]{1,20}(-[a-z0-9]{1,5})?\\.[a-z]{2,10}",
    ) {
        let address = format!("{local}@{domain}");
        let lower = Email::parse(&address, normalize).unwrap();
        prop_assert_eq!(lower.as_str(), &address);
        prop_assert_eq!(Email::parse(&format!(" {} ", address.to_uppercase()), normalize), Ok(lower));
    }

    #[test]
    fn a_request_id_is_kept_exactly_if_it_matches_its_pattern(text in "\\PC{0,140}", harmless in "[A-Za-z0-9._-]{1,128}") {
        let matches = (1..=128).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        prop_assert_eq!(RequestId::parse(&text).is_some(), matches);
        let kept = RequestId::parse(&harmless);
        prop_assert_eq!(kept.as_ref().map(RequestId::as_str), Some(harmless.as_str()));
    }

    #[test]
    fn a_hash_round_trips_through_its_text_and_verifies_its_password(
        password in "\\PC{1,40}", other in "\\PC{1,40}", salt in any::<[u8; 16]>(), work in cheap_work(),
    ) {
        let presented = Password::presented(&password, normalize);
        let hash = PasswordHash::derive(&presented, &salt, work).unwrap();
        let read = PasswordHash::parse(&hash.to_phc().unwrap()).unwrap();
        prop_assert_eq!(&read, &hash);
        prop_assert_eq!(read.verify(&presented), Ok(true));
        let other = Password::presented(&other, normalize);
        prop_assert_eq!(read.verify(&other), Ok(other.as_bytes() == presented.as_bytes()));
    }

    #[test]
    fn no_text_makes_the_hash_parser_panic(
        text in "\\PC{0,100}",
        pbkdf2 in "\\$pbkdf2-sha256\\$i=[0-9]{0,12},l=[0-9]{0,3}(\\$[A-Za-z0-9/+]{0,60}){0,3}",
        argon2 in "\\$argon2id\\$v=[0-9]{0,3}\\$m=[0-9]{0,12},t=[0-9]{0,12},p=[0-9]{0,12}(\\$[A-Za-z0-9/+]{0,60}){0,3}",
    ) {
        for text in [text, pbkdf2, argon2] {
            if let Ok(hash) = PasswordHash::parse(&text) {
                prop_assert_eq!(hash.to_phc(), Ok(text));
            }
        }
    }

    #[test]
    fn no_text_makes_the_parser_of_imported_hashes_panic(
        text in "\\PC{0,200}",
        numbers in "(\\$scrypt\\$ln|\\$argon2(id|i|d)\\$v=19\\$m|\\$fbscrypt\\$v=1,n)=[0-9]{0,20},(r|t)=[0-9]{0,20},p=[0-9]{0,20}",
        beginning in "(\\$2[abxy]\\$[0-9]{2}|(pbkdf2:sha1|scrypt):[0-9]{0,20}(:[0-9]{0,3}){0,3}|\\$?pbkdf2[-_]sha256\\$[0-9]{0,20})",
        rest in "(\\$[A-Za-z0-9./+=]{0,100}){0,3}",
    ) {
        for text in [text, format!("{numbers}{rest}"), format!("{beginning}{rest}")] {
            if let Ok((stored, _)) = StoredHash::import(&text, 1_200_000) {
                let cost = StoredHash::parse(&stored).unwrap().cost();
                prop_assert!(cost <= 1_200_000);
            }
        }
    }

    #[test]
    fn a_parsed_hash_has_a_bounded_cost(
        memory_kib in 0_u32..100_000, passes in 0_u32..20, lanes in 0_u32..10, salt in "[A-Za-z0-9/+]{21}[AQgw]",
    ) {
        let text = format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${}", "A".repeat(43));
        let is_within = (8 * lanes..=65_536).contains(&memory_kib)
            && (1..=MAX_PASSES).contains(&passes)
            && (1..=MAX_LANES).contains(&lanes);
        let work = PasswordHash::parse(&text).map(|hash| hash.work());
        let expected = Cost::new(memory_kib, passes, lanes).map(HashWork::Argon2id);
        prop_assert_eq!(work.ok(), expected);
        prop_assert_eq!(expected.is_some(), is_within);
    }

    #[test]
    fn ids_parse_only_from_their_canonical_text(value in any::<i64>(), text in "[-+0-9a-fx. ]{0,20}") {
        let read = UserId::parse(&value.to_string());
        prop_assert_eq!(read.is_some(), value > 0 && value < 1 << 53);
        if let Some(id) = UserId::parse(&text) {
            prop_assert_eq!(id.to_string(), text);
        }
    }
}

/// Any bytes as a body get a reply in the envelope, never a 5xx. (`Service` checks the reply's shape.)
#[test]
fn no_request_body_causes_a_server_error() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let service = Service::new();
    let jsonish = "[\\{\\}\\[\\]\",:a-z0-9\\\\ ]{0,60}";
    let member = "\\{\"(email|password|refresh_token|full_name)\":(\"\\PC{0,20}\"|[0-9]{1,5}|null|\\[\\])(,\"\\PC{0,10}\":1)?\\}";
    let strategy = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        jsonish.prop_map(String::into_bytes),
        member.prop_map(String::into_bytes),
    ];
    proptest!(|(body in strategy)| {
        for path in ["/auth/register", "/auth/login", "/auth/refresh", "/auth/logout"] {
            let reply = runtime.block_on(service.post_text(path, body.clone()));
            prop_assert!(matches!(reply.status, 401 | 422), "{path} {body:?}: {reply:?}");
        }
    });
}

//! The numbers of the rate limits in wrangler.toml, and the bound of database calls that follows from them.

use std::collections::BTreeMap;

use edge_auth::domain::limits::{RateLimit, UserLimit, bindings};
#[cfg(feature = "campus")]
use edge_auth::http::routes::{Access, ROUTES, Route};

#[cfg(feature = "campus")]
use crate::round_trips::operations;

/// The limit and the period in seconds of each binding.
type Numbers = BTreeMap<String, (u64, i64)>;

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The list of each environment, the one at the top first. Each limiter is a line of it.
fn environments() -> Vec<Numbers> {
    let text = file("wrangler.toml");
    let lists = text.split("\nratelimits = [\n").skip(1).map(|list| list.split("\n]").next().unwrap());
    lists.map(|list| list.lines().filter(|line| line.contains('{')).map(numbers).collect()).collect()
}

fn numbers(line: &str) -> (String, (u64, i64)) {
    let after = |name: &str| line.split_once(&format!("{name} = ")).unwrap().1;
    let number = |name: &str| after(name).split([',', ' ']).next().unwrap();
    let name = after("{ name").trim_matches('"').split('"').next().unwrap();
    (name.to_owned(), (number("limit").parse().unwrap(), number("period").parse().unwrap()))
}

#[test]
fn every_environment_has_every_limiter_with_the_period_that_the_code_states() {
    let known: Vec<_> = bindings().collect();
    assert_eq!(environments().len(), 3);
    for numbers in environments() {
        let mut named: Vec<_> = numbers.keys().map(String::as_str).collect();
        let mut expected = known.clone();
        named.sort_unstable();
        expected.sort_unstable();
        assert_eq!(named, expected);
        for limit in RateLimit::ALL {
            let [narrow, wide] = limit.bindings().map(|binding| numbers[binding]);
            assert_eq!(narrow.1 * 1000, limit.period_ms(), "{limit:?}");
            assert_eq!(wide, (narrow.0 * 10, narrow.1), "a /48 has ten times the allowance: {limit:?}");
        }
        for limit in UserLimit::ALL {
            assert_eq!(numbers[limit.binding()].1 * 1000, limit.period_ms(), "{limit:?}");
        }
        let per_minute = |binding: &str| numbers[binding].0 * 60 / numbers[binding].1.unsigned_abs();
        assert!(per_minute("ADMIN_CHANGE_LIMITER") < per_minute("USER_CHANGE_LIMITER"));
        assert!(per_minute("ADMIN_READ_LIMITER") < per_minute("USER_READ_LIMITER"));
    }
}

/// The most round trips of an operation, if that is more than those of its success: the replacement of an old hash, a
/// refused refresh, a password instead of a recent sign-in, the note of a mail behind the response. The deletion of a course
/// with many enrolments is left out.
#[cfg(feature = "campus")]
const MORE: [(&str, u64); 33] = [
    ("login", 4),
    ("refresh", 3),
    ("createApiKey", 4),
    ("withdrawApiKey", 4),
    ("deleteAccount", 4),
    ("deleteAccountByPost", 4),
    ("adminDeleteUser", 4),
    ("grantRole", 4),
    ("removeRole", 3),
    ("register", 3),
    ("requestVerification", 3),
    ("requestReset", 2),
    ("requestSignInCode", 2),
    ("resetPassword", 3),
    ("changePassword", 3),
    ("changeEmail", 4),
    ("verifyEmail", 4),
    ("completeSignIn", 3),
    ("enrolTotp", 3),
    ("confirmTotp", 3),
    ("removeTotp", 4),
    ("replaceRecoveryCodes", 4),
    ("confirmFactors", 3),
    ("startPasskeyRegistration", 3),
    ("registerPasskey", 4),
    ("removePasskey", 4),
    ("adminResetFactors", 4),
    ("exchangeFederatedCode", 4),
    ("signInWithIdToken", 4),
    ("confirmFederatedSignIn", 3),
    ("unlinkIdentity", 4),
    // The batches of 500 lines.
    ("adminImportUsers", 12),
    ("requestStepUpCode", 3),
];

#[cfg(feature = "campus")]
fn round_trips(operation: &str) -> u64 {
    let stated = operations().filter(|(_, name, ..)| *name == operation).map(|(number, ..)| number);
    let more = MORE.into_iter().filter(|(name, _)| *name == operation).map(|(_, number)| number);
    stated.chain(more).max().unwrap()
}

/// The database calls of one address in a minute of the clock: all, and those without a valid credential.
#[cfg(feature = "campus")]
fn calls_per_minute(numbers: &Numbers) -> (u64, u64) {
    let of = |limit: RateLimit, trips: &dyn Fn(&Route) -> u64| -> u64 {
        let routes = ROUTES.iter().filter(|route| route.limits.network() == Some(limit));
        let (limit, period) = numbers[limit.bindings()[0]];
        routes.map(trips).max().unwrap_or(0) * limit * 60 / period.unsigned_abs()
    };
    let any = |route: &Route| round_trips(route.operation_id);
    let anonymous = |route: &Route| match route.access {
        // A key that the isolate has not verified counts at the limit of changes (`look_up_limited`).
        _ if route.limits.network() == Some(RateLimit::Service) => 0,
        // The latter work without a token, too.
        Access::Public | Access::OptionalUser => round_trips(route.operation_id),
        // A well-formed key is looked up, and any client can compute the checksum of one.
        Access::User | Access::Permit(..) | Access::Client => 1,
        Access::Operator => 0,
    };
    let sum = |trips: &dyn Fn(&Route) -> u64| RateLimit::ALL.into_iter().map(|limit| of(limit, trips)).sum();
    (sum(&any), sum(&anonymous))
}

#[cfg(feature = "campus")]
#[test]
fn the_architecture_states_how_often_one_address_can_reach_the_database() {
    let numbers = environments();
    let (all, public) = calls_per_minute(&numbers[0]);
    let stated =
        format!("at most {all} calls of D1 per address and minute, {public} of them without a valid credential");
    let text = file("ARCHITECTURE.md").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(text.contains(&stated), "ARCHITECTURE.md does not say: {stated}");
}

#[test]
fn the_readme_states_the_limits_per_address() {
    let numbers = environments();
    let text = file("README.md").split_whitespace().collect::<Vec<_>>().join(" ");
    for (name, words) in [
        ("REGISTER_LIMITER", "registrations"),
        ("LOGIN_LIMITER", "operations that take a password"),
        ("REFRESH_LIMITER", "refreshes"),
        ("SIGN_OUT_LIMITER", "sign-outs"),
        ("ACCOUNT_LIMITER", "changes or exports of the account"),
        ("GRANT_LIMITER", "changes of roles"),
        ("READY_LIMITER", "readiness checks"),
        ("CHANGE_LIMITER", "other changes"),
    ] {
        let stated = format!("{} {words}", numbers[0][name].0);
        assert!(text.contains(&stated), "README.md does not say: {stated}");
    }
}

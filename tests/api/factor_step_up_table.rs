//! A stolen access token whose sign-in is older than ten minutes, at every operation of the table of routes. Each operation
//! is listed here or must answer without a step-up, so a new route has to choose.

use std::collections::BTreeSet;

use edge_auth::domain::mail::proof::Purpose;
use edge_auth::http::routes::{Freshness, ROUTES};
use serde_json::{Value, json};

use crate::round_trips::{PEOPLE, SETTINGS, operations, prepared};
use crate::support::contract::is_built;
use crate::support::factors::{MIA, has_words};
use crate::support::identities::{FAY, with_identities};
use crate::support::mail::planted;
use crate::support::totp::{App, enrol, second_factor};
use crate::support::world::{Visitor, World, address};
use crate::support::{PASSWORD, Reply};

/// The requests that need a fresh sign-in: the operation, the caller, and a request without a password.
const FRESH: &str = r#"
enrolTotp           bob  POST /users/me/mfa/totp
removeTotp          bob  DELETE /users/me/mfa/totp
replaceRecoveryCodes bob POST /users/me/mfa/recovery-codes
confirmFactors      bob  POST /users/me/factors/confirm
startPasskeyRegistration bob POST /users/me/passkeys/options
registerPasskey     bob  POST /users/me/passkeys {"name": "Laptop", "credential": CREDENTIAL}
removePasskey       bob  DELETE /users/me/passkeys/1
createApiKey        bob  POST /users/me/api-keys {"name": "New", "permissions": ["universities:view"]}
withdrawApiKey      bob  DELETE /users/me/api-keys/1
unlinkIdentity      fay  DELETE /users/me/identities/{identity}
startFederatedSignIn fay POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in", "link": true}
startFederatedSignIn fay POST /auth/federated/acme {"native": true, "link": true}
exchangeFederatedCode fay POST /auth/federated/exchange LINK_OF_OWNER
signInWithIdToken   fay  POST /auth/federated/acme/id-token ID_TOKEN_TO_LINK
changeEmail         bob  PUT /users/me/email {"new_email": "moved@example.com"}
exportData          bob  GET /users/me/export
exportData          bob  GET /users/me/export?cursor=5
deleteAccount       bob  DELETE /users/me
deleteAccount       root DELETE /users/me
deleteAccountByPost bob  POST /users/me/delete
adminUpdateUser     root PATCH /admin/users/2 {"is_active": false}
adminUpdateUser     root PATCH /admin/users/5 {"email_verified": true}
adminDeleteUser     root DELETE /admin/users/5
adminImportUsers    root POST /admin/users/import {"email": "line@example.com"}
adminImportUsers    root POST /admin/users/import?dry_run=true {"email": "line@example.com"}
adminEndSessions    root POST /admin/users/2/logout
adminResetPassword  root POST /admin/users/5/password-reset
adminResetFactors   root DELETE /admin/users/5/mfa
adminCreateServiceAccount root POST /admin/service-accounts {"name": "New", "scopes": ["users:read"]}
adminUpdateServiceAccount root PATCH /admin/service-accounts/1 {"name": "Renamed"}
adminDeleteServiceAccount root DELETE /admin/service-accounts/1
adminCreateServiceKey root POST /admin/service-accounts/1/keys {"name": "Next"}
adminWithdrawServiceKey root DELETE /admin/service-accounts/1/keys/1
grantRole           root POST /universities/1/roles {"user_id": 5, "role": "PLATFORM_ADMIN"}
removeRole          root DELETE /universities/1/roles/2"#;

/// Requests of the same operations that need none, and of operations that `round_trips` does not have.
const OTHERS: &str = r#"
adminUpdateUser     root PATCH /admin/users/5 {"is_active": false}
adminUpdateUser     root PATCH /admin/users/5 {"is_active": true, "full_name": "Robert"}
adminEndSessions    root POST /admin/users/5/logout
adminEndSessions    root POST /admin/users/1/logout
grantRole           root POST /universities/1/roles {"user_id": 5, "role": "UNIVERSITY_ADMIN"}
removeRole          ulla DELETE /universities/1/roles/4
requestEnrolmentCode bob POST /users/me/mfa/email-code
getFactors          bob  GET /users/me/mfa
confirmTotp         bob  POST /users/me/mfa/totp/confirm {"code": "000000"}
listPasskeys        bob  GET /users/me/passkeys
renamePasskey       bob  PATCH /users/me/passkeys/1 {"name": "Other"}
completeSignIn      bob  POST /auth/mfa {"mfa_token": "x", "code": "000000"}
startPasskeySignIn  bob  POST /auth/passkey/options {}
signInWithPasskey   bob  POST /auth/passkey {"flow": "AAAA", "credential": ASSERTION}
startFederatedSignIn bob POST /auth/federated/acme {"return_url": "https://app.example.com/signed-in"}
exchangeFederatedCode bob POST /auth/federated/exchange EXCHANGE_OF_STRANGER
signInWithIdToken   bob  POST /auth/federated/acme/id-token ID_TOKEN_OF_STRANGER
listIdentities      bob  GET /users/me/identities
stepUp              bob  POST /auth/step-up {"code": "000000"}
getRelatedOrigins   bob  GET /.well-known/webauthn"#;

/// The password beside the token stands for the fresh sign-in, unless there is a second factor.
const WITH_PASSWORD: &str = r#"
changePassword      bob  PUT /users/me/password {"current_password": "WRONG", "new_password": "another correct horse"}
changePassword      bob  PUT /users/me/password {"current_password": "PASSWORD", "new_password": "another correct horse"}"#;

fn lines(text: &'static str) -> impl Iterator<Item = (&'static str, &'static str, String)> {
    let credential = json!({"id": "AAAA", "rawId": "AAAA", "type": "public-key", "response": {
        "clientDataJSON": "AAAA", "attestationObject": "AAAA", "authenticatorData": "AAAA", "signature": "AAAA",
    }})
    .to_string();
    text.lines().filter(|line| !line.is_empty() && is_built(line)).map(move |line| {
        let (operation, rest) = line.split_once(' ').unwrap();
        let (caller, request) = rest.trim_start().split_once(' ').unwrap();
        let request = request.trim_start().replace("CREDENTIAL", &credential).replace("ASSERTION", &credential);
        (operation, caller, request.replace("PASSWORD", PASSWORD))
    })
}

async fn signed_in(world: &World, name: &str, apps: &[(&str, App)]) -> String {
    let reply = world.service.login(&address(name), PASSWORD).await;
    if reply.status == 200 {
        return reply.tokens().access;
    }
    let reply = reply.expect_error(401, "AUTH_MFA_REQUIRED");
    let token = reply.body["error"]["details"]["mfa_token"].as_str().unwrap();
    let (_, app) = apps.iter().find(|(known, _)| *known == name).unwrap();
    second_factor(&world.service, token, "code", app.code(0)).await.expect(200).tokens().access
}

/// A world whose users have a second factor, or have none.
async fn world(has_factors: bool) -> (World, Vec<(&'static str, App)>) {
    let world = World::through(&PEOPLE, SETTINGS, |db| db);
    world.service.db.execute("UPDATE users SET email_verified_at = 1");
    let mut apps = Vec::new();
    for (name, _) in PEOPLE.iter().filter(|_| has_factors) {
        let access = world.service.login(&address(name), PASSWORD).await.expect(200).tokens().access;
        apps.push((*name, enrol(&world.service, &access).await.0));
    }
    world.service.db.execute("CREATE TABLE saved AS SELECT * FROM totp_secrets");
    (world, apps)
}

/// A token of a session that was opened, with all factors of the account, more than ten minutes ago.
async fn stolen<'a>(world: &'a World, name: &str, apps: &[(&str, App)]) -> Visitor<'a> {
    let access = signed_in(world, name, apps).await;
    world.service.advance(601);
    world.with_token(&access)
}

fn with_password(request: &str) -> String {
    let member = format!(r#"{{"password": "{PASSWORD}""#);
    match request.split_once(" {") {
        Some((head, rest)) => format!("{head} {member}, {rest}"),
        None => format!("{request} {member}}}"),
    }
}

#[track_caller]
fn assert_step_up(reply: Reply, methods: &Value, request: &str) {
    assert_eq!(reply.body["error"]["code"], "AUTH_STEP_UP_REQUIRED", "{request}: {reply:?}");
    let reply = reply.expect(401);
    assert_eq!(&reply.body["error"]["details"]["methods"], methods, "{request}");
    let challenge = reply.header("www-authenticate").unwrap();
    assert!(challenge.contains(r#"error="insufficient_user_authentication", max_age=600"#), "{challenge}");
}

#[tokio::test]
async fn without_a_second_factor_a_stolen_token_is_asked_for_the_password() {
    for (_, caller, request) in lines(FRESH) {
        let (world, _) = world(false).await;
        let thief = stolen(&world, caller, &[]).await;
        let request = with_identities(&world.service.db, &request);
        let before = world.dump();
        assert_step_up(thief.ask(&request).await, &json!(["password"]), &request);
        assert_eq!(world.dump(), before, "{request}");
    }
    let (world, _) = world(false).await;
    let thief = stolen(&world, "bob", &[]).await;
    let requests: Vec<_> = lines(WITH_PASSWORD).map(|(.., request)| request).collect();
    thief.ask(&requests[0]).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
    thief.ask(&requests[1]).await.expect(200);
}

/// The operations of the list that take a password beside the act. Those of the own account confirm it in their own statements.
fn with_passwords() -> impl Iterator<Item = (&'static str, String)> {
    let without =
        ["exportData", "adminImportUsers", "startFederatedSignIn", "exchangeFederatedCode", "signInWithIdToken"];
    lines(FRESH)
        .filter(move |(operation, ..)| !without.contains(operation) && !operation.starts_with("deleteAccount"))
        .map(|(_, caller, request)| (caller, with_password(&request)))
}

#[tokio::test]
async fn a_password_beside_an_act_takes_no_round_trip_of_its_own() {
    for (caller, request) in with_passwords() {
        let (world, _) = world(false).await;
        let thief = stolen(&world, caller, &[]).await;
        let reply = thief.ask(&with_identities(&world.service.db, &request)).await;
        assert_ne!(reply.body["error"]["code"], "AUTH_STEP_UP_REQUIRED", "{request}");
        assert_eq!(world.service.last_d1_calls(), 2, "{request}: {reply:?}");
    }
}

/// Also where the request is refused for another reason: that would tell the right one of many concurrent guesses.
#[tokio::test]
async fn a_password_that_does_not_hold_any_more_allows_no_act() {
    let blocked = "INSERT INTO throttles (key, failures, blocked_until)
                   SELECT 'user/' || id || '/reauthentication', 6, 9007199254740991 FROM users";
    for (caller, request) in with_passwords() {
        let world = World::overtaken_with(&PEOPLE, SETTINGS, "SELECT json_extract('{}'", blocked);
        world.service.db.execute("UPDATE users SET email_verified_at = 1");
        let thief = stolen(&world, caller, &[]).await;
        let request = with_identities(&world.service.db, &request);
        let before = world.dump();
        thief.ask(&request).await.expect_error(401, "AUTH_INVALID_CREDENTIALS");
        assert_eq!(world.service.last_d1_calls(), 3, "{request}");
        assert_eq!(world.dump(), before, "{request}");
    }
}

#[tokio::test]
async fn with_a_second_factor_the_password_is_not_enough() {
    let (world, apps) = world(true).await;
    for (_, caller, request) in lines(FRESH).chain(lines(WITH_PASSWORD)) {
        let thief = stolen(&world, caller, &apps).await;
        let request = with_identities(&world.service.db, &request);
        let before = world.dump();
        assert_step_up(thief.ask(&request).await, &json!(["totp"]), &request);
        // A request without a body has no place for a password.
        if !request.starts_with("GET") && !request.starts_with("PUT /users/me/password") {
            assert_step_up(thief.ask(&with_password(&request)).await, &json!(["totp"]), &request);
        }
        assert_eq!(world.dump(), before, "{request}");
    }
}

/// The requests of both lists are those of operations that depend on the body or on the user concerned.
#[test]
fn the_table_of_routes_says_which_operations_need_a_fresh_sign_in() {
    let operations = |text| -> BTreeSet<&str> { lines(text).map(|(operation, ..)| operation).collect() };
    let (mut needed, others) = (operations(FRESH), operations(OTHERS));
    needed.extend(operations(WITH_PASSWORD));
    for route in ROUTES {
        let expected = match (needed.contains(route.operation_id), others.contains(route.operation_id)) {
            (true, true) => Freshness::NeededForSome,
            (true, false) => Freshness::Needed,
            (false, _) => Freshness::NotNeeded,
        };
        assert_eq!(route.freshness, expected, "{}", route.operation_id);
    }
}

/// However fresh the sign-in is: the mailbox alone does not stand for a password or a second factor.
#[tokio::test]
async fn a_code_for_a_step_up_is_mailed_to_accounts_that_have_nothing_stronger() {
    let request = "POST /auth/step-up/email-code";
    for (has_factors, methods) in [(false, json!(["password"])), (true, json!(["totp"]))] {
        let (world, apps) = world(has_factors).await;
        let bob = world.with_token(&signed_in(&world, "bob", &apps).await);
        assert_step_up(bob.ask(request).await, &methods, request);
        world.service.db.execute("UPDATE users SET has_password = 0; DELETE FROM totp_secrets");
        bob.ask(request).await.expect(202);
    }
}

/// The operations behind a token of a session: all requests that are not listed as such that need a fresh sign-in.
#[tokio::test]
async fn every_other_operation_asks_for_no_step_up() {
    for has_factors in [false, true] {
        let (world, apps) = world(has_factors).await;
        let listed: BTreeSet<&str> =
            lines(FRESH).chain(lines(WITH_PASSWORD)).map(|(operation, ..)| operation).collect();
        let others = operations().map(|(_, operation, caller, request)| (operation, caller, request.to_owned()));
        // The factors of mia and the identity of fay are planted by the requests of `round_trips`; their operations are in the
        // lists here.
        let others: Vec<_> = others
            .filter(|(operation, ..)| !listed.contains(operation) || OTHERS.contains(operation))
            .filter(|(_, caller, request)| ![MIA, FAY].contains(caller) && !has_words(request))
            .filter(|(operation, ..)| *operation != "stepUp")
            .chain(lines(OTHERS))
            .collect();
        let mut done = listed;
        // It has a test of its own.
        done.insert("requestStepUpCode");
        for (operation, caller, request) in others {
            // Public operations are asked with a token, too.
            let name = if PEOPLE.iter().any(|(name, _)| *name == caller) { caller } else { "eve" };
            let thief = stolen(&world, name, &apps).await;
            world.service.db.execute("DELETE FROM totp_secrets");
            // The newest notice is that of the sign-in above.
            let request = if request.contains("NOT_ME_LINK") {
                request.replace("NOT_ME_LINK", &planted(&world.service.db, Purpose::NotMe, &address("bob")))
            } else {
                request
            };
            let (visitor, request) = prepared(&world, if caller == name { "anyone" } else { caller }, &request).await;
            let restore = "INSERT INTO totp_secrets SELECT * FROM saved WHERE user_id IN (SELECT id FROM users)";
            world.service.db.execute(restore);
            // The endpoints of OAuth refuse two credentials of one request.
            let is_anyone = (caller == name || caller == "anyone") && !request.contains("/oauth/");
            let reply = if is_anyone { thief.ask(&request).await } else { visitor.ask(&request).await };
            assert_ne!(reply.body["error"]["code"], "AUTH_STEP_UP_REQUIRED", "{caller}: {request}");
            let is_due = has_factors && reply.body["error"]["code"] == "AUTH_MFA_REQUIRED";
            let is_answered = reply.status < 400 || is_due || OTHERS.contains(operation);
            assert!(is_answered, "{caller}: {request}: {reply:?}");
            done.insert(operation);
        }
        let routes: BTreeSet<&str> = ROUTES.iter().map(|route| route.operation_id).collect();
        assert_eq!(done, routes, "a new operation chooses");
    }
}

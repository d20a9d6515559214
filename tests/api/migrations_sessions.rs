//! Migration 0005: live sessions survive it, and the previous version of the Worker still works on the new schema.

use std::sync::Arc;

use edge_auth::domain::ids::{SessionId, TokenId, UserId};
use edge_auth::domain::secret::Secret;
use edge_auth::domain::secret_keys::SecretKeys;
use edge_auth::domain::session::authority::{Issuers, TokenAuthority};
use edge_auth::domain::session::methods::AuthMethods;
use edge_auth::domain::session::token::{TokenClaims, TokenKind};

use crate::support::sqlite::{Sqlite, migrations};
use crate::support::{SECRET, START, Service};

const DAY_MS: i64 = 86_400_000;

/// The id of a token that the tests call by a letter.
fn jti(letter: char) -> String {
    letter.to_string().repeat(32)
}

/// The refresh token with this id, as every version signs it.
fn signed(session: i64, letter: char) -> String {
    let claims = TokenClaims {
        id: TokenId::parse(&jti(letter)).unwrap(),
        user_id: UserId::new(1).unwrap(),
        session_id: SessionId::new(session).unwrap(),
        issued_at: START,
        expires_at: START.plus_seconds(86_400),
        auth_time: None,
        methods: AuthMethods::PASSWORD,
        bookmark: None,
    };
    let authority =
        TokenAuthority::new(&SecretKeys::only(Secret::new(SECRET)), Issuers::only("edge-auth"), "edge-auth");
    authority.sign(TokenKind::Refresh, &claims).unwrap().expose().to_owned()
}

/// A database as the previous version left it: session 7 with the tokens a → b → c, session 8 with d alone, session 9
/// ended, and session 10 whose token has expired.
fn before() -> Sqlite {
    let db = Sqlite::empty();
    for (_, sql) in &migrations()[..4] {
        db.execute(sql);
    }
    let (now, later) = (START.millis(), START.millis() + DAY_MS);
    db.execute(&format!(
        "INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 1);
         INSERT INTO sessions (id, user_id, created_at, last_used_at, expires_at, ended_at, end_reason)
         VALUES (7, 1, 1, {now}, {later}, NULL, NULL), (8, 1, 2, 2, {later}, NULL, NULL),
                (9, 1, 3, 3, {later}, 5, 'logout'), (10, 1, 4, 4, {later}, NULL, NULL)",
    ));
    let tokens = [
        (7, 'a', "1", "'b'"),
        (7, 'b', "2", "'c'"),
        (7, 'c', "NULL", "NULL"),
        (8, 'd', "NULL", "NULL"),
        (9, 'e', "NULL", "NULL"),
    ];
    for (session, letter, revoked_at, successor) in tokens {
        let successor = successor.replace(|c: char| c.is_ascii_lowercase(), &jti(successor.chars().nth(1).unwrap()));
        db.execute(&format!(
            "INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at, revoked_at, successor_jti)
             VALUES ('{}', {session}, {now}, {later}, {revoked_at}, {successor})",
            jti(letter)
        ));
    }
    db
}

fn migrated() -> Arc<Sqlite> {
    let db = before();
    for (_, sql) in &migrations()[4..] {
        db.execute(sql);
    }
    assert!(db.rows("PRAGMA foreign_key_check").is_empty());
    assert_eq!(db.one::<String>("PRAGMA integrity_check"), "ok");
    Arc::new(db)
}

#[tokio::test]
async fn tokens_of_before_are_exchanged_and_every_client_stays_signed_in() {
    let db = migrated();
    let service = Service::on(db.clone(), db, &[]);
    for (session, letter) in [(7, 'c'), (8, 'd')] {
        let tokens = service.refresh(&signed(session, letter)).await.expect(200).tokens();
        service.me(&tokens.access).await.expect(200);
        service.refresh(&tokens.refresh).await.expect(200);
    }
    service.refresh(&signed(9, 'e')).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[tokio::test]
async fn reuse_of_tokens_of_before_is_detected() {
    for letter in ['a', 'b'] {
        let db = migrated();
        let service = Service::on(db.clone(), db, &[]);
        service.refresh(&signed(7, letter)).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        service.refresh(&signed(7, 'c')).await.expect_error(401, "AUTH_TOKEN_REVOKED");
        assert_eq!(service.logs("Refresh token reuse detected: session ended").len(), 1);
        service.refresh(&signed(8, 'd')).await.expect(200);
    }
}

/// A client whose last refresh was lost before the migration gets its successor after it.
#[tokio::test]
async fn a_retry_across_the_migration_gets_the_same_successor() {
    let db = migrated();
    let service = Service::on(db.clone(), db, &[("REFRESH_REUSE_INTERVAL_SECONDS", "10")]);
    let tokens = service.refresh(&signed(7, 'b')).await.expect(200).tokens();
    assert_eq!(tokens.refresh, signed(7, 'c'));
}

/// The rows of the view as text: token, session, and whether it was revoked.
fn tokens(db: &Sqlite) -> Vec<String> {
    let sql = "SELECT substr(jti, 1, 1) || ' ' || session_id || ' ' || revoked AS row FROM refresh_tokens ORDER BY row";
    db.rows(sql).iter().map(|row| row["row"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_view_shows_the_current_and_the_previous_tokens() {
    let db = migrated();
    assert_eq!(tokens(&db), ["b 7 1", "c 7 0", "d 8 0"]);
    let columns = "SELECT jti, user_id, expires_at, revoked, created_at FROM refresh_tokens WHERE revoked = 0";
    let rows = db.rows(columns);
    let row = &rows[0];
    assert_eq!((&row["user_id"], &row["created_at"]), (&1.into(), &START.millis().into()));
    assert_eq!(row["expires_at"], START.millis() + DAY_MS);
}

/// An operator that tidies up as on the original schema signs out no user.
#[test]
fn rows_of_the_view_are_not_mistaken_for_rows_of_a_table() {
    let db = migrated();
    db.execute("DELETE FROM refresh_tokens WHERE revoked = 1");
    assert_eq!(tokens(&db), ["b 7 1", "c 7 0", "d 8 0"]);
    let insert = format!("INSERT INTO refresh_tokens (jti, user_id, expires_at) VALUES ('{}', 1, 9)", jti('x'));
    assert!(db.try_execute(&insert).unwrap_err().contains("is a view of sessions"));
    assert!(db.try_execute("UPDATE refresh_tokens SET revoked = 1").is_err());
    assert_eq!(tokens(&db).len(), 3);
}

/// The statements of the previous version, with values in place of its parameters.
mod previous_version {
    use super::jti;

    pub fn sign_in(session: i64, letter: char) -> String {
        format!(
            "INSERT INTO sessions (id, user_id, created_at, expires_at, last_used_at, ip, user_agent)
             SELECT {session}, id, 10, 99, 10, NULL, NULL FROM users WHERE id = 1;
             INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at)
             SELECT '{}', id, 10, 50 FROM sessions WHERE id = {session};",
            jti(letter)
        )
    }

    pub fn refresh(session: i64, presented: char, successor: char, now: i64) -> String {
        let (presented, successor) = (jti(presented), jti(successor));
        format!(
            "UPDATE refresh_tokens SET revoked_at = {now}, successor_jti = '{successor}'
             WHERE jti = '{presented}' AND session_id = {session} AND revoked_at IS NULL AND expires_at > {now};
             INSERT INTO refresh_tokens (jti, session_id, created_at, expires_at)
             SELECT t.successor_jti, t.session_id, {now}, min({now} + 40, s.expires_at)
             FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
             WHERE t.jti = '{presented}' AND t.successor_jti = '{successor}';
             UPDATE sessions SET last_used_at = {now}, ip = 'x', user_agent = NULL
             WHERE id = {session}
               AND EXISTS (SELECT 1 FROM refresh_tokens WHERE jti = '{presented}' AND successor_jti = '{successor}');
             UPDATE sessions SET ended_at = {now}, end_reason = 'reuse'
             WHERE id = {session} AND user_id = 1 AND ended_at IS NULL
               AND EXISTS (
                   SELECT 1 FROM refresh_tokens AS t
                   WHERE t.jti = '{presented}' AND t.session_id = {session} AND t.successor_jti <> '{successor}'
                     AND t.revoked_at <= 9999
               );"
        )
    }

    pub fn sign_out(session: i64) -> String {
        format!("UPDATE sessions SET ended_at = 11, end_reason = 'logout' WHERE id = {session} AND ended_at IS NULL;")
    }

    pub const LIVE: &str = "
        SELECT s.id, coalesce(t.expires_at, s.expires_at) AS expires_at
        FROM sessions AS s LEFT JOIN refresh_tokens AS t ON t.session_id = s.id AND t.revoked_at IS NULL
        WHERE s.user_id = 1 AND s.ended_at IS NULL AND t.expires_at > 12 AND s.created_at = 10 ORDER BY s.id";

    pub const CLEAN_UP_TOKENS: &str = "
        DELETE FROM refresh_tokens WHERE jti IN (
            SELECT t.jti FROM refresh_tokens AS t JOIN sessions AS s ON s.id = t.session_id
            WHERE t.expires_at <= 60 OR s.ended_at IS NOT NULL OR s.expires_at <= 60
        )";
}

/// Between the migration and the deployment, and after a rollback.
#[test]
fn the_previous_version_signs_in_refreshes_detects_reuse_and_signs_out() {
    let db = migrated();
    db.execute(&previous_version::sign_in(20, '1'));
    db.execute(&previous_version::refresh(20, '1', '2', 12));
    let row = "SELECT refresh_id || refresh_expires_at || previous_refresh_id || last_used_at || ip AS row
               FROM sessions WHERE id = 20";
    assert_eq!(db.one::<String>(row), format!("{}52{}12x", jti('2'), jti('1')));
    assert_eq!(db.rows(previous_version::LIVE).len(), 1);
    // A second use of the old token ends the session.
    db.execute(&previous_version::refresh(20, '1', '3', 13));
    assert_eq!(db.one::<i64>("SELECT count(*) FROM sessions WHERE id = 20"), 0);
    db.execute(&previous_version::sign_in(21, '4'));
    db.execute(&previous_version::sign_out(21));
    assert_eq!(db.one::<i64>("SELECT count(*) FROM sessions WHERE id = 21"), 0);
    assert!(db.rows(previous_version::LIVE).is_empty());
    assert_eq!(tokens(&db), ["b 7 1", "c 7 0", "d 8 0"], "no other session is touched");
}

#[test]
fn the_clean_up_of_the_previous_version_deletes_expired_sessions_only() {
    let db = migrated();
    db.execute(&previous_version::sign_in(20, '1'));
    db.execute(previous_version::CLEAN_UP_TOKENS);
    assert_eq!(tokens(&db), ["b 7 1", "c 7 0", "d 8 0"]);
    assert_eq!(db.one::<i64>("SELECT count(*) FROM sessions"), 3, "session 10 waits for its absolute end");
}

#[tokio::test]
async fn a_session_that_the_previous_version_refreshed_goes_on() {
    let db = migrated();
    let now = START.millis();
    db.execute(&previous_version::refresh(8, 'd', 'f', now).replace("+ 40", "+ 9999999"));
    let service = Service::on(db.clone(), db, &[]);
    let tokens = service.refresh(&signed(8, 'f')).await.expect(200).tokens();
    service.me(&tokens.access).await.expect(200);
    service.refresh(&signed(8, 'd')).await.expect_error(401, "AUTH_TOKEN_REVOKED");
    service.me(&tokens.access).await.expect_error(401, "AUTH_TOKEN_REVOKED");
}

#[test]
fn the_sixth_migration_removes_throttles_of_erased_users_only() {
    let db = before();
    db.execute(
        "INSERT INTO users (id, email, password_hash, created_at, erasure_cursor) VALUES (12, 'erased:12', '', 1, 0);
         INSERT INTO throttles (key, failures, blocked_until)
         VALUES ('user/1/password', 1, 0), ('user/12/password', 1, 0), ('user/13/reauthentication', 1, 0), ('unknown/3', 1, 0)",
    );
    for (_, sql) in &migrations()[4..] {
        db.execute(sql);
    }
    let keys = db.rows("SELECT key FROM throttles ORDER BY key");
    assert_eq!(
        keys.iter().map(|row| row["key"].as_str().unwrap()).collect::<Vec<_>>(),
        ["unknown/3", "user/1/password"]
    );
}

/// Rows of the version before migration 0008, whose Worker goes on inserting after it.
const BEFORE_DRAWN_IDS: &str = "
    INSERT INTO users (email, password_hash, created_at) VALUES ('a@b.cd', 'x', 1);
    INSERT INTO audit_events (created_at, type, user_id, request_id) VALUES (1, 'signed_in', 1, 'r');
    INSERT INTO throttles (key, failures, blocked_until) VALUES ('user/1/unknown/00', 3, 0);
    INSERT INTO registration_counts (network, window_started_at, attempts) VALUES ('192.0.2.7', 1, 3);
    INSERT INTO universities (name, slug, created_at) VALUES ('U', 'u', 1);
    INSERT INTO user_university_roles (user_id, role, created_at) VALUES (1, 'PLATFORM_ADMIN', 1);";

#[test]
fn the_eighth_migration_keeps_rows_and_the_previous_worker_goes_on_inserting() {
    let db = Sqlite::empty();
    let migrations = migrations();
    migrations[..7].iter().for_each(|(_, sql)| db.execute(sql));
    db.execute(BEFORE_DRAWN_IDS);
    db.execute(&migrations[7].1);
    let unknown =
        "SELECT count(*) FROM audit_events WHERE id = 1 AND nonce IS NULL AND count IS NULL AND last_at IS NULL";
    assert_eq!(db.one::<i64>(unknown), 1);
    assert_eq!(db.one::<i64>("SELECT failures FROM throttles WHERE nonce IS NULL"), 3);
    let drawn = "INSERT INTO audit_events (id, nonce, created_at, type, user_id, request_id) VALUES (246000000000000, 7, 2, 'signed_in', 1, 's')";
    db.execute(drawn);
    db.execute("INSERT INTO audit_events (created_at, type, user_id, request_id) VALUES (3, 'signed_in', 1, 't')");
    assert_eq!(db.one::<i64>("SELECT max(id) FROM audit_events"), 246_000_000_000_001, "ids of either version grow");
    db.execute(
        "INSERT INTO throttles (key, failures, blocked_until) VALUES ('user/1/unknown/00', 1, 0)
         ON CONFLICT (key) DO UPDATE SET failures = failures + 1",
    );
    assert_eq!(db.one::<i64>("SELECT failures FROM throttles"), 4);
    let advance = "UPDATE clean_up_positions SET position = '7' WHERE walk = 'sessions' RETURNING position";
    assert_eq!(db.one::<String>(advance), "7");
    assert_eq!(db.one::<i64>("SELECT count(*) FROM clean_up_positions"), 3);
}

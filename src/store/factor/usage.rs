//! The statements that use a second factor up, in the batch that opens something with it.
//!
//! `mark` comes first, and has every guard. Its row in `used_challenges` is the condition of all statements behind it, so
//! a batch that is executed twice does the same once.

use crate::domain::factor::challenge::Challenge;
use crate::domain::factor::pending::MAX_WRONG_ANSWERS;
use crate::domain::factor::usage::FactorUse;
use crate::domain::ids::{SessionId, UserId};
use crate::domain::limits::throttle::{DAY_MS, MAX_FAILURES};
use crate::ports::{Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::factor::due::codes_hold;
use crate::store::session::liveness::session_is_live;

/// The codes of authenticator apps are refused: a wait is in force, or there were too many wrong ones in a row within a day.
macro_rules! codes_wait {
    () => {
        "EXISTS (
             SELECT 1 FROM throttles WHERE key = :throttle
             AND (blocked_until > :now OR (failures >= :max_failures AND failed_at > :now - :day))
         )"
    };
}
pub(in crate::store) use codes_wait;

/// The factor is still there, and unused. Waits after wrong codes hold up neither recovery codes nor passkeys.
macro_rules! factor_holds {
    () => {
        concat!(
            "CASE :factor
                 WHEN 'totp' THEN EXISTS (
                     SELECT 1 FROM totp_secrets
                     WHERE id = :factor_id AND user_id = :user_id AND is_confirmed = 1 AND suspended_at IS NULL
                       AND coalesce(used_step, 0) < :step
                 ) AND NOT ",
            codes_wait!(),
            " WHEN 'recovery_code' THEN EXISTS (
                     SELECT 1 FROM recovery_codes AS r WHERE r.user_id = :user_id AND instr(r.hashes, :code_hash) > 0 AND ",
            codes_hold!(),
            ")
                 ELSE EXISTS (
                     SELECT 1 FROM passkeys WHERE id = :factor_id AND user_id = :user_id AND suspended_at IS NULL
                 )
             END"
        )
    };
}

/// The challenge was not answered rightly before, and has not had too many wrong answers.
const MARK: &str = concat!(
    "INSERT INTO used_challenges (id, user_id, failures, used_at, expires_at, nonce)
     SELECT :challenge_id, id, 0, :now, :challenge_ends_at, :nonce FROM users
     WHERE id = :user_id AND erasure_cursor IS NULL AND is_active = 1
       AND (:version IS NULL OR password_version = :version) AND (:session_id IS NULL OR ",
    session_is_live!(),
    ") AND ",
    factor_holds!(),
    " ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at, nonce = excluded.nonce
     WHERE used_at IS NULL AND failures < :max_wrong"
);

/// This request has used the challenge.
macro_rules! is_marked {
    () => {
        "EXISTS (
             SELECT 1 FROM used_challenges WHERE id = :challenge_id AND nonce = :challenge_nonce AND used_at IS NOT NULL
         )"
    };
}
pub(in crate::store) use is_marked;

const USE_TOTP: &str = concat!(
    "UPDATE totp_secrets SET used_step = :step
     WHERE id = :factor_id AND user_id = :user_id AND coalesce(used_step, 0) < :step AND ",
    is_marked!()
);

const USE_RECOVERY_CODE: &str = concat!(
    "UPDATE recovery_codes SET hashes = replace(hashes, :code_hash || ' ', '')
     WHERE user_id = :user_id AND instr(hashes, :code_hash) > 0 AND ",
    is_marked!()
);

const USE_PASSKEY: &str = concat!(
    "UPDATE passkeys SET sign_count = max(sign_count, :sign_count), is_backed_up = :is_backed_up, last_used_at = :now
     WHERE id = :factor_id AND user_id = :user_id AND ",
    is_marked!()
);

const RESET_WAITS: &str = concat!(
    "UPDATE throttles SET failures = 0, recent_failures = 0, blocked_until = 0
     WHERE key = :throttle AND failures > 0 AND ",
    is_marked!()
);

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[MARK, USE_TOTP, USE_RECOVERY_CODE, USE_PASSKEY, RESET_WAITS];

/// A right second factor of a user, and the challenge that it answers.
#[derive(Clone, Copy)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Evidence<'a> {
    pub user_id: UserId,
    pub challenge: Challenge,
    pub factor: &'a FactorUse,
    /// The version of the password that was right before; absent for a factor on its own.
    pub version: Option<i64>,
    /// The session that must not have ended.
    pub session_id: Option<SessionId>,
    /// The key of the counter of wrong codes.
    pub throttle: &'a str,
}

/// Binds the values of [`is_marked`].
pub(in crate::store) fn bind_marked(statement: Statement, challenge: Challenge, request: RequestInfo<'_>) -> Statement {
    statement.bind("challenge_id", challenge.id).bind("challenge_nonce", request.stamp.nonce())
}

/// Uses the challenge, if everything still holds.
pub(in crate::store) fn mark(evidence: Evidence<'_>, request: RequestInfo<'_>) -> Statement {
    let (factor_id, step, hash) = match evidence.factor {
        FactorUse::Totp { id, step } => (Some(id.get()), Some(step.get()), None),
        FactorUse::RecoveryCode { hash } => (None, None, Some(hash.as_str())),
        FactorUse::Passkey { id, .. } => (Some(id.get()), None, None),
    };
    query(MARK)
        .bind("challenge_id", evidence.challenge.id)
        .bind("challenge_ends_at", evidence.challenge.kept_until())
        .bind("nonce", request.stamp.nonce())
        .bind("user_id", evidence.user_id)
        .bind("version", evidence.version)
        .bind("session_id", evidence.session_id)
        .bind("now", request.now)
        .bind("factor", evidence.factor.as_str())
        .bind("factor_id", factor_id)
        .bind("step", step)
        .bind("code_hash", hash)
        .bind("throttle", evidence.throttle)
        .bind("max_failures", MAX_FAILURES)
        .bind("day", DAY_MS)
        .bind("max_wrong", MAX_WRONG_ANSWERS)
}

/// Uses the factor up and resets the waits, if the challenge was used by this request.
pub(in crate::store) fn use_up(evidence: Evidence<'_>, request: RequestInfo<'_>) -> [Statement; 2] {
    let of_challenge = |sql| bind_marked(query(sql), evidence.challenge, request);
    let of_factor = |sql| of_challenge(sql).bind("user_id", evidence.user_id);
    let used = match evidence.factor {
        FactorUse::Totp { id, step } => of_factor(USE_TOTP).bind("factor_id", *id).bind("step", step.get()),
        FactorUse::RecoveryCode { hash } => of_factor(USE_RECOVERY_CODE).bind("code_hash", hash.as_str()),
        FactorUse::Passkey { id, sign_count, is_backed_up, .. } => of_factor(USE_PASSKEY)
            .bind("factor_id", *id)
            .bind("sign_count", i64::from(*sign_count))
            .bind("is_backed_up", *is_backed_up)
            .bind("now", request.now),
    };
    [used, of_challenge(RESET_WAITS).bind("throttle", evidence.throttle)]
}

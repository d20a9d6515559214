//! Makes invitations: a grant by address invites its owner, unless the address is that of a proven member.

use serde::Deserialize;

use crate::domain::account::email::Email;
use crate::domain::audit::EventType;
use crate::domain::ids::{InvitationId, MailId, UniversityId};
use crate::domain::mail::limits::Count;
use crate::domain::time::{MINUTE, Timestamp};
use crate::ports::{DbError, Rows, Statement, query};
use crate::store::Store;
use crate::store::audit::{self, RequestInfo, insert_event};
use crate::store::authz::granting::{
    self, GrantOutcome, Granting, bind_grant, department_exists, is_allowed, is_grantee,
};
use crate::store::mail::counts::{count_mail, is_below};
use crate::store::mail::outbox::{self, QueuedMail};
use crate::store::tenant::invitations::{InvitationRow, columns, delete_fulfilled};

/// Pending invitations of a university at most.
pub const MAX_PENDING: i64 = 200;

/// An invitation to be made.
#[derive(Clone, Copy)]
#[expect(missing_docs, reason = "the fields are the table's columns")]
pub struct NewInvitation<'a> {
    pub id: InvitationId,
    /// That of the request, also for a role of the platform.
    pub university_id: UniversityId,
    pub email: &'a Email,
    pub expires_at: Timestamp,
    /// The mail and its counts, in a deployment that sends mail.
    pub mail: Option<(MailId, &'a [Count; 2])>,
}

/// The outcome of a grant by address.
pub enum InvitationOutcome {
    /// The address named a member, or nothing was done.
    Direct(GrantOutcome),
    /// The owner of the address was invited, perhaps once more.
    Invited(Box<InvitationRow>, Option<QueuedMail>),
    /// The university has [`MAX_PENDING`] already.
    TooManyPending,
    /// The university, or the address, has had its mails of the day.
    TooManyMails,
}

/// The same invitation is the same row, with the inviter and the end of the latest request.
macro_rules! is_same {
    () => {
        "i.email = :email AND i.university_id = :place_id AND i.role = :role
         AND coalesce(i.department_id, 0) = coalesce(:department_id, 0)"
    };
}

/// Unless the address names a grantee: then the preceding statement has granted the role, or refused it.
const INSERT: &str = concat!(
    "INSERT INTO invitations
         (id, university_id, email, role, department_id, invited_by, mail_id, created_at, expires_at, sent_at, nonce)
     SELECT :new_id, un.id, :email, :role, :department_id, :actor_id, :mail_id, :now, :expires_at, :now, :nonce
     FROM universities AS un
     WHERE un.id = :place_id AND ",
    is_allowed!(":allowed_by"),
    " AND ",
    department_exists!(),
    " AND NOT EXISTS (SELECT 1 FROM users AS u WHERE ",
    is_grantee!(),
    ") AND (
         EXISTS (SELECT 1 FROM invitations AS i WHERE ",
    is_same!(),
    " AND i.expires_at > :now)
         OR (SELECT count(*) FROM invitations WHERE university_id = :place_id AND expires_at > :now) < :max_pending
     )
     AND (:mail_id IS NULL OR ",
    is_below!(":key_1", ":max_1", ":window", ":later"),
    " AND ",
    is_below!(":key_2", ":max_2", ":window", ":later"),
    ")
     ON CONFLICT (email, university_id, role, coalesce(department_id, 0)) DO UPDATE SET
         invited_by = excluded.invited_by, expires_at = excluded.expires_at,
         created_at = iif(expires_at <= excluded.created_at, excluded.created_at, created_at),
         mail_id = iif(sent_at <= :sent_before, excluded.mail_id, mail_id),
         sent_at = iif(sent_at <= :sent_before, excluded.sent_at, sent_at),
         nonce = excluded.nonce"
);

/// The invitation that this request made, or made again.
const SELECT_NEW: &str =
    concat!("SELECT ", columns!(), " FROM invitations AS i WHERE ", is_same!(), " AND i.nonce = :nonce");

const RECORD: &str = insert_event! {
    type: ":type", reason: "i.role", user_id: "NULL", session_id: "NULL", actor_id: ":actor_id",
    university_id: "i.university_id", object_id: "i.id",
    from: concat!("FROM invitations AS i WHERE ", is_same!(), " AND i.nonce = :invitation_nonce"),
};

/// A request within a minute after another one sends no further mail.
const QUEUE: &str = concat!(
    "INSERT INTO mails (id, kind, user_id, address, proof_id, created_at, expires_at, attempts, due_at)
     SELECT :mail_id, 'invitation', NULL, NULL, i.id, :now, i.expires_at, 1, :due_at
     FROM invitations AS i WHERE ",
    is_same!(),
    " AND i.mail_id = :mail_id
     ON CONFLICT (id) DO NOTHING"
);

const COUNT_PENDING: &str = "
    SELECT (SELECT count(*) FROM invitations WHERE university_id = :place_id AND expires_at > :now) AS count
    FROM universities WHERE id = :place_id";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[INSERT, SELECT_NEW, RECORD, QUEUE, COUNT_PENDING];

#[derive(Deserialize)]
struct PendingRow {
    count: i64,
}

/// Grants a role to a user that an id names.
///
/// # Errors
/// [`DbError`].
pub async fn grant(store: &Store, granting: Granting<'_>, request: RequestInfo<'_>) -> Result<GrantOutcome, DbError> {
    let [insert, select, record, refusal] = granting::statements(granting, request);
    let statements = [insert, select, record, refusal, delete_fulfilled(granting)];
    let [_, granted, _, refusal, _] = store.batch(statements).await?;
    granting::outcome(&granted, &refusal)
}

/// Grants the role to a member whose proven address it is, or else invites the owner of the address. Nothing in the
/// outcome tells whether the address has an account.
///
/// # Errors
/// [`DbError`].
pub async fn grant_or_invite(
    store: &Store,
    granting: Granting<'_>,
    new: NewInvitation<'_>,
    request: RequestInfo<'_>,
) -> Result<InvitationOutcome, DbError> {
    let nonce = request.stamp.nonce();
    let same = |statement: Statement| bind_same(statement, granting, new);
    let record = same(audit::insert(RECORD, request, EventType::InvitationCreated))
        .bind("invitation_nonce", nonce)
        .bind("actor_id", granting.grantor.id);
    let pending = query(COUNT_PENDING).bind("place_id", new.university_id).bind("now", request.now);
    let mut statements = Vec::from(granting::statements(granting, request));
    statements.push(insert(granting, new, request));
    statements.push(same(query(SELECT_NEW)).bind("nonce", nonce));
    statements.push(record);
    statements.push(pending);
    statements.push(delete_fulfilled(granting));
    if let Some((mail_id, counts)) = new.mail {
        let queue = same(query(QUEUE)).bind("mail_id", mail_id).bind("now", request.now);
        statements.push(queue.bind("due_at", request.now.plus_seconds(outbox::FIRST_ATTEMPT_SECONDS)));
        statements.extend(counts.iter().map(|count| count_mail(count, mail_id, request)));
        statements.push(outbox::select(mail_id));
    }
    let results = store.batch_of(statements).await?;
    let [_, granted, _, refusal, _, invited, _, pending, _, mail @ ..] = results.as_slice() else {
        return Err(DbError::lost_results());
    };
    if let Some(row) = invited.first()? {
        let mail = mail.last().map(Rows::first).transpose()?.flatten();
        return Ok(InvitationOutcome::Invited(Box::new(row), mail));
    }
    Ok(match granting::outcome(granted, refusal)? {
        GrantOutcome::NoSuchUser => match pending.first()? {
            None => InvitationOutcome::Direct(GrantOutcome::NoSuchUniversity),
            Some(PendingRow { count }) if count >= MAX_PENDING => InvitationOutcome::TooManyPending,
            Some(_) => InvitationOutcome::TooManyMails,
        },
        outcome => InvitationOutcome::Direct(outcome),
    })
}

/// Binds the values of [`is_same!`].
fn bind_same(statement: Statement, granting: Granting<'_>, new: NewInvitation<'_>) -> Statement {
    statement
        .bind("email", new.email)
        .bind("place_id", new.university_id)
        .bind("role", granting.new.role)
        .bind("department_id", granting.new.department_id)
}

fn insert(granting: Granting<'_>, new: NewInvitation<'_>, request: RequestInfo<'_>) -> Statement {
    let counts = new.mail.map(|(_, counts)| counts);
    let key = |index: usize| counts.and_then(|counts| counts.get(index)).map(|count| count.key.as_str());
    let max = |index: usize| counts.and_then(|counts| counts.get(index)).map(|count| count.max);
    let window = counts.map_or(0, |[count, _]| count.window_seconds);
    bind_grant(query(INSERT), granting)
        .bind("new_id", new.id)
        .bind("place_id", new.university_id)
        .bind("actor_id", granting.grantor.id)
        .bind("allowed_by", granting.grantor.allowed_by)
        .bind("mail_id", new.mail.map(|(id, _)| id))
        .bind("now", request.now)
        .bind("expires_at", new.expires_at)
        .bind("sent_before", request.now.plus_seconds(-MINUTE))
        .bind("max_pending", MAX_PENDING)
        .bind("nonce", request.stamp.nonce())
        .bind("key_1", key(0))
        .bind("key_2", key(1))
        .bind("max_1", max(0))
        .bind("max_2", max(1))
        .bind("window", request.now.plus_seconds(-window))
        .bind("later", Timestamp::LATEST)
}

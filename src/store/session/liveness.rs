//! The condition that a session is live. It decides about the caller, and it guards statements that run in the same batch
//! as the caller's read.

/// The session `:session_id` belongs to the user `:user_id` and has not expired. An ended session has no
/// row.
macro_rules! session_is_live {
    () => {
        "EXISTS (
             SELECT 1 FROM sessions AS s
             WHERE s.id = :session_id AND s.user_id = :user_id AND s.expires_at > :now
         )"
    };
}
pub(in crate::store) use session_is_live;

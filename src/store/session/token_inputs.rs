//! The values that an access token needs from the batch that it answers: the version of the key ring, and the roles of the user.

use serde::Deserialize;

use crate::domain::authz::RoleGrant;
use crate::ports::{DbError, Rows};
use crate::store::authz::grants;

/// The columns that [`TokenInputs::read`] reads, for the user with this id; `:max_roles` of the oldest roles. They are a part
/// of a statement that the batch has anyway: a further statement would cost 0.2 ms of CPU.
macro_rules! token_inputs {
    ($user_id:expr) => {
        concat!(
            $crate::store::keys::ring_version!(),
            " AS ring_version, (
                SELECT json_group_array(json_object(
                    'id', id, 'role', role, 'university_id', university_id, 'department_id', department_id
                ))
                FROM (SELECT * FROM user_university_roles WHERE user_id = ",
            $user_id,
            " ORDER BY id LIMIT :max_roles)
            ) AS token_roles"
        )
    };
}
pub(in crate::store) use token_inputs;

/// The inputs of an access token.
#[derive(Debug, Clone, Default)]
pub struct TokenInputs {
    /// The version of the key ring.
    pub ring_version: i64,
    /// The roles of the user, as many as were asked for.
    pub grants: Vec<RoleGrant>,
}

#[derive(Deserialize)]
struct InputsRow {
    ring_version: i64,
    token_roles: String,
}

impl TokenInputs {
    /// Reads the columns of the first row; `None` if there is no row.
    pub(in crate::store) fn read(rows: &Rows) -> Result<Option<Self>, DbError> {
        let Some(row) = rows.first::<InputsRow>()? else { return Ok(None) };
        Ok(Some(Self { ring_version: row.ring_version, grants: grants::decode_text(&row.token_roles)? }))
    }
}

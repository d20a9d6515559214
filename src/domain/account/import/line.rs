//! A line of an import, parsed. Nothing of a line is trusted: its rules are those of a registration, and more.

use std::collections::BTreeSet;

use crate::domain::account::email::Email;
use crate::domain::account::full_name::FullName;
use crate::domain::account::import::{LineRefusal, MAX_LINE_BYTES, ROLES_OF_BATCH};
use crate::domain::authz::{Reach, Role};
use crate::domain::ids::{DepartmentId, UniversityId};
use crate::domain::json::{JsonText, Object};
use crate::domain::password::stored::StoredHash;
use crate::domain::time::Timestamp;
use crate::domain::unicode::Normalize;

/// Maximum length of an external id, in code points.
pub const MAX_EXTERNAL_ID: usize = 200;
/// Maximum number of roles of a line: as many as a user can have in one university.
pub const MAX_ROLES: usize = 20;
const _: () = assert!(MAX_ROLES <= ROLES_OF_BATCH, "each line fits into a batch");

/// The conditions of the request for its lines.
#[derive(Clone, Copy)]
pub struct LineRules {
    /// Brings addresses into one spelling.
    pub normalize: Normalize,
    /// The maximum cost of a hash, in rounds of PBKDF2-SHA256 that take as long.
    pub max_hash_cost: u32,
    /// The cost of a new hash, in the same rounds.
    pub hash_cost: u32,
    /// The time of the request.
    pub now: Timestamp,
    /// The importer may give roles.
    pub gives_roles: bool,
}

/// A user to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the members")]
pub struct ImportLine {
    pub external_id: Option<String>,
    pub email: Email,
    pub is_verified: bool,
    pub full_name: Option<FullName>,
    /// The text to be stored. Without it no password signs in.
    pub password_hash: Option<String>,
    /// Verifying the hash takes longer than verifying a new one.
    pub is_costlier: bool,
    /// Absent if the system does not know.
    pub created_at: Option<Timestamp>,
    pub is_active: bool,
    pub roles: Vec<ImportedRole>,
}

/// A role of a line. The platform's role is none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are those of the members")]
pub struct ImportedRole {
    pub role: Role,
    pub university_id: UniversityId,
    pub department_id: Option<DepartmentId>,
}

/// A line that is refused, with the id by which its sender finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub struct RefusedLine {
    pub external_id: Option<String>,
    pub refusal: LineRefusal,
}

impl ImportLine {
    /// Parses a line without its line break.
    ///
    /// # Errors
    /// [`RefusedLine`] with the first rule that the line breaks.
    pub fn parse(bytes: &[u8], conditions: LineRules) -> Result<Self, RefusedLine> {
        let mut object = read(bytes).map_err(|refusal| RefusedLine { external_id: None, refusal })?;
        let external_id = external_id(&mut object).map_err(|refusal| RefusedLine { external_id: None, refusal })?;
        Self::of(&mut object, external_id.clone(), conditions).map_err(|refusal| RefusedLine { external_id, refusal })
    }

    fn of(object: &mut Object, external_id: Option<String>, conditions: LineRules) -> Result<Self, LineRefusal> {
        let email = object.text("email").ok_or(LineRefusal::Email)?;
        let email = Email::parse(&email, conditions.normalize).map_err(|_| LineRefusal::Email)?;
        let flag = |object: &mut Object, name, refusal| object.optional(name, JsonText::boolean).map_err(|_| refusal);
        let is_verified = flag(object, "email_verified", LineRefusal::EmailVerified)?;
        let is_active = flag(object, "is_active", LineRefusal::IsActive)?;
        let full_name = object.optional("full_name", JsonText::text).map_err(|_| LineRefusal::FullName)?;
        let full_name = full_name.map(|text| FullName::parse(&text)).transpose().map_err(|_| LineRefusal::FullName)?;
        let created_at = object.optional("created_at", time).map_err(|_| LineRefusal::CreatedAt)?;
        if created_at.is_some_and(|time| time > conditions.now) {
            return Err(LineRefusal::CreatedAt);
        }
        let roles = read_roles(object, conditions.gives_roles)?;
        let hash = object.optional("password_hash", JsonText::text).map_err(|_| LineRefusal::PasswordHash)?;
        if object.has_more() {
            return Err(LineRefusal::UnknownMember);
        }
        let hash = hash.map(|text| StoredHash::import(&text, conditions.max_hash_cost)).transpose();
        let (password_hash, cost) = hash.map_err(LineRefusal::Hash)?.unzip();
        Ok(Self {
            external_id,
            email,
            is_verified: is_verified.unwrap_or(false),
            full_name: full_name.flatten(),
            password_hash,
            is_costlier: cost.is_some_and(|cost| cost > conditions.hash_cost),
            created_at,
            is_active: is_active.unwrap_or(true),
            roles,
        })
    }
}

/// Reads the object. Parsers differ in which of two members of the same name they use, so neither is used.
fn read(bytes: &[u8]) -> Result<Object, LineRefusal> {
    if bytes.len() > MAX_LINE_BYTES {
        return Err(LineRefusal::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| LineRefusal::NotUtf8)?;
    match serde_json::from_str::<JsonText>(text) {
        Ok(JsonText::Object(object)) if object.has_duplicates => Err(LineRefusal::DuplicateMember),
        Ok(JsonText::Object(object)) => Ok(object),
        Ok(_) | Err(_) => Err(LineRefusal::NotJson),
    }
}

/// The id in the other system: a text that a log and a report can show. A number is refused: a text of it could differ.
fn external_id(object: &mut Object) -> Result<Option<String>, LineRefusal> {
    let id = object.optional("external_id", JsonText::text).map_err(|_| LineRefusal::ExternalId)?;
    match id {
        Some(id) if id.is_empty() || id.chars().count() > MAX_EXTERNAL_ID || id.chars().any(char::is_control) => {
            Err(LineRefusal::ExternalId)
        }
        id => Ok(id),
    }
}

/// A time since 1970.
fn time(value: JsonText) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(&value.text()?).filter(|time| time.millis() >= 0)
}

fn read_roles(object: &mut Object, gives_roles: bool) -> Result<Vec<ImportedRole>, LineRefusal> {
    let items = object.optional("roles", JsonText::items).map_err(|_| LineRefusal::Roles)?.unwrap_or_default();
    if items.len() > MAX_ROLES {
        return Err(LineRefusal::TooManyRoles);
    }
    let mut roles = BTreeSet::new();
    for item in items {
        let JsonText::Object(mut item) = item else { return Err(LineRefusal::Roles) };
        if item.has_duplicates {
            return Err(LineRefusal::DuplicateMember);
        }
        if !roles.insert(read_role(&mut item, gives_roles)?) || item.has_more() {
            return Err(LineRefusal::Roles);
        }
    }
    Ok(roles.into_iter().collect())
}

fn read_role(item: &mut Object, gives_roles: bool) -> Result<ImportedRole, LineRefusal> {
    let role = item.text("role").as_deref().and_then(Role::parse).ok_or(LineRefusal::Roles)?;
    if role.reach() == Reach::Platform || !gives_roles {
        return Err(LineRefusal::RoleNotAllowed);
    }
    let mut id = |name| item.optional(name, JsonText::integer).map_err(|_| LineRefusal::Roles);
    let university_id = id("university_id")?.and_then(UniversityId::new).ok_or(LineRefusal::Roles)?;
    let department_id = id("department_id")?.map(|id| DepartmentId::new(id).ok_or(LineRefusal::Roles)).transpose()?;
    let is_placed =
        if department_id.is_some() { role.reach().takes_department() } else { !role.reach().needs_department() };
    if is_placed { Ok(ImportedRole { role, university_id, department_id }) } else { Err(LineRefusal::Roles) }
}

//! `/users/me/export`: everything stored about a user, for the user (GDPR, article 15).

use axum::response::Response;
use serde::ser::{Error as _, Serialize, SerializeMap as _, Serializer};

use crate::domain::time::Timestamp;
use crate::http::account::users::UserBody;
use crate::http::kit::body::json;
use crate::http::kit::context::{Bearer, Configured, SignedIn};
use crate::http::kit::operation::Fetched;
use crate::http::kit::query::ExportQuery;
use crate::http::kit::refusal::Refusal;
use crate::service::account::export;
use crate::service::authz::admission::Reading;
use crate::service::authz::step_up;
use crate::service::authz::step_up::OwnAccount;
use crate::store::account::export::{ExportCursor, ExportPage, ExportRow, ExportValue};

/// The user, a list for each section, and the cursor of the next page.
struct ExportBody<'a> {
    user: UserBody<'a>,
    page: &'a ExportPage,
}

impl Serialize for ExportBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_map(Some(self.page.sections.len() + 2))?;
        body.serialize_entry("user", &self.user)?;
        for (member, rows) in &self.page.sections {
            let rows: Vec<RowBody<'_>> = rows.iter().map(RowBody).collect();
            body.serialize_entry(member, &rows)?;
        }
        body.serialize_entry("next_cursor", &self.page.next.as_ref().map(ToString::to_string))?;
        body.end()
    }
}

/// A row as an object; times are RFC 3339, and permissions and transports lists.
struct RowBody<'a>(&'a ExportRow);

impl Serialize for RowBody<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let ExportRow(columns) = self.0;
        let mut body = serializer.serialize_map(Some(columns.len()))?;
        for (name, value) in columns {
            match value {
                ExportValue::Null => body.serialize_entry(name, &())?,
                ExportValue::Integer(millis) if name.ends_with("_at") => {
                    body.serialize_entry(name, &Timestamp::from_millis(*millis).rfc3339())?;
                }
                ExportValue::Integer(integer) => body.serialize_entry(name, integer)?,
                ExportValue::Text(text) if matches!(name.as_str(), "permissions" | "transports") => {
                    let names: Vec<&str> = serde_json::from_str(text).map_err(S::Error::custom)?;
                    body.serialize_entry(name, &names)?;
                }
                ExportValue::Text(text) => body.serialize_entry(name, text)?,
            }
        }
        body.end()
    }
}

/// The caller's own account, and the place of the page.
type ExportPlan = (OwnAccount, Option<ExportCursor>);

/// The plan of an export. The page itself is read afterwards, since its statements write an event.
pub(in crate::http) fn own_account(
    (configured, Bearer(subject), ExportQuery(cursor)): (Configured, Bearer, ExportQuery),
) -> Reading<ExportPlan> {
    step_up::own_account(&configured.service(), subject).map(|own| (own, cursor))
}

pub(in crate::http) async fn export(
    configured: Configured,
    SignedIn(caller): SignedIn,
    Bearer(subject): Bearer,
    Fetched((own, cursor)): Fetched<ExportPlan>,
) -> Result<Response, Refusal> {
    let page = export::export(&configured.service(), &caller, subject, &own, cursor).await?;
    Ok(json(200, &ExportBody { user: UserBody::new(&caller.user, &caller.all_grants()), page: &page }))
}

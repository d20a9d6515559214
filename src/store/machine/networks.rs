//! The networks from which a service account names the addresses of clients. The first use from a network is an event, up to
//! a number a day: a backend with many addresses, or a thief with many, must not fill the audit log.

use crate::domain::audit::EventType;
use crate::domain::ids::ServiceAccountId;
use crate::domain::time::DAY;
use crate::ports::{DbError, query};
use crate::store::Store;
use crate::store::audit::{self, RequestInfo, insert_event};

/// Networks that are kept for each account. A further one takes the place of the oldest.
const MAX_NETWORKS: i64 = 100;
/// Events of an account in [`EVENT_WINDOW_SECONDS`].
const MAX_EVENTS: i64 = 20;
const EVENT_WINDOW_SECONDS: i64 = DAY;

/// Does nothing for a network that is known. Its event is written before, in the same batch.
const NOTE_NETWORK: &str = "
    INSERT INTO service_networks (service_account_id, network_tag, first_used_at)
    SELECT id, :network_tag, :now FROM service_accounts WHERE id = :account_id
    ON CONFLICT (service_account_id, network_tag) DO NOTHING";

const RECORD_NETWORK: &str = insert_event! {
    type: ":type", reason: "client_id", user_id: "NULL", session_id: "NULL", actor_id: "NULL", university_id: "NULL",
    object_id: "id",
    from: "FROM service_accounts
           WHERE id = :account_id AND NOT EXISTS (
               SELECT 1 FROM service_networks WHERE service_account_id = :account_id AND network_tag = :network_tag
           ) AND (
               SELECT count(*) FROM service_networks
               WHERE service_account_id = :account_id AND first_used_at > :window_cutoff
           ) < :max_events",
};

const DELETE_OLDEST: &str = "
    DELETE FROM service_networks
    WHERE service_account_id = :account_id AND network_tag IN (
        SELECT network_tag FROM service_networks
        WHERE service_account_id = :account_id ORDER BY first_used_at DESC, network_tag LIMIT -1 OFFSET :max_networks
    )";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[NOTE_NETWORK, RECORD_NETWORK, DELETE_OLDEST];

/// Notes a network of a service account.
///
/// # Errors
/// [`DbError`].
pub async fn note(
    store: &Store,
    account: ServiceAccountId,
    network_tag: &str,
    request: RequestInfo<'_>,
) -> Result<(), DbError> {
    let record = audit::insert(RECORD_NETWORK, request, EventType::ServiceNetworkUsed)
        .bind("account_id", account)
        .bind("network_tag", network_tag)
        .bind("window_cutoff", request.now.plus_seconds(-EVENT_WINDOW_SECONDS))
        .bind("max_events", MAX_EVENTS);
    let note =
        query(NOTE_NETWORK).bind("account_id", account).bind("network_tag", network_tag).bind("now", request.now);
    let delete = query(DELETE_OLDEST).bind("account_id", account).bind("max_networks", MAX_NETWORKS);
    let [_, _, _] = store.batch([record, note, delete]).await?;
    Ok(())
}

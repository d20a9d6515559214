//! The uses of flows: by the callback, and by the exchange. A mailed code is used in the same way as a flow.

use crate::domain::federation::flow::Flow;
use crate::domain::ids::ProofId;
use crate::domain::mail::proof::{CODE_SECONDS, MAX_FAILURES, Purpose};
use crate::ports::{DbError, Statement, query};
use crate::store::audit::RequestInfo;
use crate::store::platform::clean_up::{Cutoff, Order, Walk};
use crate::store::{IdRow, Store};

/// This request has redeemed the flow, perhaps by an earlier execution of its batch.
macro_rules! is_redeemed {
    () => {
        "EXISTS (SELECT 1 FROM used_flows WHERE id = :flow_id AND redeemed_by = :flow_nonce)"
    };
}
pub(in crate::store) use is_redeemed;

const NOTE_RETURN: &str = "
    INSERT INTO used_flows (id, returned_by, expires_at) VALUES (:flow_id, :flow_nonce, :ends_at)
    ON CONFLICT (id) DO NOTHING";

/// Each return removes as many rows as it may add, and one more. So the table has the rows of the last minutes, whatever
/// strangers do.
const DELETE_OUTDATED: &str = "
    DELETE FROM used_flows WHERE id IN (
        SELECT id FROM used_flows WHERE expires_at <= :now ORDER BY expires_at LIMIT 2
    )";

const SELECT_RETURN: &str = "SELECT id FROM used_flows WHERE id = :flow_id AND returned_by = :flow_nonce";

/// A registration beyond the limit of its network leaves the evidence for later.
macro_rules! is_within_limit {
    () => {
        "(:limited_network IS NULL
          OR (SELECT attempts FROM registration_counts WHERE network = :limited_network) <= :max_attempts)"
    };
}

/// An app's flow has no callback, and so no row before.
const REDEEM: &str = concat!(
    "INSERT INTO used_flows (id, redeemed_by, expires_at) SELECT :flow_id, :flow_nonce, :ends_at WHERE ",
    is_within_limit!(),
    " ON CONFLICT (id) DO UPDATE SET redeemed_by = excluded.redeemed_by WHERE redeemed_by IS NULL"
);

/// The code was mailed, and the proof of it is still valid.
macro_rules! code_holds {
    () => {
        "EXISTS (
             SELECT 1 FROM email_proofs
             WHERE id = :flow_id AND purpose = :purpose AND failures < :max_failures AND code_expires_at > :now
         )"
    };
}

/// A proof that the same request has used is gone when its batch is executed again.
const REDEEM_CODE: &str = concat!(
    "INSERT INTO used_flows (id, redeemed_by, expires_at) SELECT :flow_id, :flow_nonce, :ends_at WHERE ",
    code_holds!(),
    " AND ",
    is_within_limit!(),
    " ON CONFLICT (id) DO NOTHING"
);

const SELECT_CODE: &str = concat!("SELECT :flow_id AS id WHERE ", code_holds!());

const SELECT_REDEEMED: &str = concat!("SELECT :flow_id AS id WHERE ", is_redeemed!());

const DELETE_PROOF: &str = concat!("DELETE FROM email_proofs WHERE id = :flow_id AND ", is_redeemed!());

const DELETE_EXPIRED: &str = "
    DELETE FROM used_flows WHERE id IN (
        SELECT id FROM used_flows WHERE expires_at <= :cutoff ORDER BY expires_at LIMIT :step
    )
    AND NOT EXISTS (SELECT 1 FROM clean_up_positions WHERE walk = 'used_flows' AND nonce = :nonce)";

/// Every statement of this file, for the tests that ask the engine for its plans.
pub const STATEMENTS: &[&str] = &[
    NOTE_RETURN,
    DELETE_OUTDATED,
    SELECT_RETURN,
    REDEEM,
    REDEEM_CODE,
    SELECT_CODE,
    SELECT_REDEEMED,
    DELETE_PROOF,
    DELETE_EXPIRED,
];

/// Flows belong to clients, which need not have an account. The clean-up is for those of a day without a return.
pub static USED_FLOWS: Walk = Walk {
    table: "used_flows",
    cutoff: Cutoff::Now,
    order: Order::OldestFirst { delete: DELETE_EXPIRED },
    max_steps: 2,
};

/// The evidence of an exchange, which is good for one.
#[derive(Debug, Clone, Copy)]
pub enum Evidence {
    /// A flow whose code, or whose ID token, was presented.
    Flow(Flow),
    /// A right code that was mailed to the asserted address.
    MailedCode(ProofId),
}

impl Evidence {
    const fn id(self) -> i64 {
        match self {
            Self::Flow(flow) => flow.id.get(),
            Self::MailedCode(proof_id) => proof_id.get(),
        }
    }

    /// Binds the values of [`is_redeemed`].
    pub(in crate::store) fn bind(self, statement: Statement, request: RequestInfo<'_>) -> Statement {
        statement.bind("flow_id", self.id()).bind("flow_nonce", request.stamp.nonce())
    }

    /// The statement that redeems it.
    pub(in crate::store) fn redeem(self, request: RequestInfo<'_>) -> Statement {
        self.redeem_within(None, request)
    }

    /// The same for a registration that the batch has counted before: the network, and its maximum of attempts.
    pub(in crate::store) fn redeem_within(self, limit: Option<(&str, i64)>, request: RequestInfo<'_>) -> Statement {
        let redeem = match self {
            Self::Flow(flow) => self.bind(query(REDEEM), request).bind("ends_at", flow.kept_until()),
            Self::MailedCode(_) => {
                let ends_at = request.now.plus_seconds(CODE_SECONDS);
                bind_code(self.bind(query(REDEEM_CODE), request), request).bind("ends_at", ends_at)
            }
        };
        let redeem = redeem.bind("limited_network", limit.map(|(network, _)| network));
        redeem.bind("max_attempts", limit.map(|(_, attempts)| attempts))
    }

    /// Has a row if this request has redeemed it.
    pub(in crate::store) fn select_redeemed(self, request: RequestInfo<'_>) -> Statement {
        self.bind(query(SELECT_REDEEMED), request)
    }

    /// The statement that deletes the proof of a mailed code.
    pub(in crate::store) fn delete_proof(self, request: RequestInfo<'_>) -> Statement {
        self.bind(query(DELETE_PROOF), request)
    }
}

fn bind_code(statement: Statement, request: RequestInfo<'_>) -> Statement {
    let purpose = Purpose::Federate.as_str();
    statement.bind("purpose", purpose).bind("max_failures", MAX_FAILURES).bind("now", request.now)
}

/// Notes that the browser came back. Returns false if it did before.
///
/// # Errors
/// [`DbError`].
pub async fn note_return(store: &Store, flow: Flow, request: RequestInfo<'_>) -> Result<bool, DbError> {
    let evidence = Evidence::Flow(flow);
    let note = evidence.bind(query(NOTE_RETURN), request).bind("ends_at", flow.kept_until());
    let delete = query(DELETE_OUTDATED).bind("now", request.now);
    let [_, _, noted] = store.batch([delete, note, evidence.bind(query(SELECT_RETURN), request)]).await?;
    Ok(!noted.all::<IdRow>()?.is_empty())
}

/// Has a row if the mailed code is still good.
pub(super) fn select_code(proof_id: ProofId, request: RequestInfo<'_>) -> Statement {
    bind_code(query(SELECT_CODE).bind("flow_id", proof_id), request)
}

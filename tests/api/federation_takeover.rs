//! An identity arrives: the outcome for every account that may have its address, in a browser and in an app, and all rows of
//! the accounts behind it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::federation_accounts::{ARRIVING, OTHER, add, both, contents, judge, link_arriving};
use crate::federation_takeover_table::{FURTHER, TABLE};
use crate::support::federation::{FEDERATION, come_back, exchange, present, start, start_native};
use crate::support::provider::Person;
use crate::support::sqlite::Sqlite;
use crate::support::{Reply, Service};

/// The settings of mail, in the order of the columns.
const MODES: [&[(&str, &str)]; 3] = [
    &[("MAIL", "binding"), ("MAIL_FROM", "login@example.com")],
    &[],
    &[("MAIL", "binding"), ("MAIL_FROM", "login@example.com"), ("EMAIL_VERIFICATION", "required")],
];
/// An address for which `acme` is authoritative, and another one.
const ADDRESSES: [&str; 2] = ["ada@acme.example", "ada@example.com"];
const OTHER_ADDRESS: &str = "other@example.com";

/// One cell of the table.
#[derive(Debug, Clone, Copy)]
struct Cell<'a> {
    account: &'a str,
    owner: &'a str,
    word: &'a str,
    outcome: &'a str,
    column: usize,
}

fn cells(table: &str) -> Vec<Cell<'_>> {
    let lines = table.lines().filter(|line| !line.is_empty());
    lines
        .flat_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [account, owner, word, outcomes @ ..] = words.as_slice() else { panic!("{line}") };
            assert!(matches!(outcomes.len(), 1 | 6), "{line}");
            let outcome = |column: usize| outcomes[column % outcomes.len()];
            let cell = |column| Cell { account, owner, word, outcome: outcome(column), column };
            (0..6).map(cell).collect::<Vec<_>>()
        })
        .collect()
}

impl Cell<'_> {
    fn email(self) -> &'static str {
        ADDRESSES[self.column / 3]
    }

    fn person(self) -> Person {
        let email = if self.word == "absent" { "" } else { self.email() };
        Person { verified: self.word == "verified", ..Person::of(ARRIVING, email) }
    }

    fn service(self) -> Service {
        let service = self.empty_service();
        self.fill(&service.db);
        service
    }

    /// With the other user alone.
    fn empty_service(self) -> Service {
        let db = Arc::new(Sqlite::migrated());
        add(&db, OTHER, self.owner.strip_prefix("other_").unwrap_or_default(), OTHER_ADDRESS);
        Service::on(Arc::clone(&db), db, &[MODES[self.column % 3], &FEDERATION].concat())
    }

    fn fill(self, db: &Sqlite) {
        if self.account != "none" {
            add(db, 1, self.account, self.email());
        }
        match self.owner {
            "no" => {}
            "own" | "suspended" => link_arriving(db, 1),
            _ => link_arriving(db, OTHER),
        }
        if self.owner.contains("suspended") {
            db.execute("UPDATE identities SET suspended_at = 1 WHERE subject = 'arriving'");
        }
    }

    /// The visit of a browser: the error that it brings back, or the reply to the exchange.
    async fn by_browser(self, service: &Service) -> Result<Reply, String> {
        let started = start(service, "acme").await;
        let before = dump(service);
        let fragment = come_back(service, &started, &self.person()).await;
        assert_eq!(dump(service), before, "the callback changes no account: {self:?}");
        match fragment.split_once('=').unwrap() {
            ("code", code) => Ok(exchange(service, &started.flow, code).await),
            (_, error) => Err(error.to_owned()),
        }
    }

    async fn by_app(self, service: &Service) -> Reply {
        let (flow, nonce) = start_native(service, "acme").await;
        let id_token = service.server.providers.id_token("acme", &nonce, &self.person());
        present(service, "acme", &flow, &id_token).await
    }

    fn check_mails(self, service: &Service, found: &str, owner: i64) {
        let mails = service.mailbox.take();
        if found == "code_mailed" {
            let [mail] = mails.as_slice() else { panic!("{self:?}: {mails:?}") };
            assert_eq!((mail.to(), mail.code().len()), (self.email(), 8), "{self:?}");
        } else if owner == 0 {
            assert!(mails.is_empty(), "{self:?}: {mails:?}");
        }
        let proofs = service.db.one::<i64>("SELECT count(*) FROM email_proofs WHERE purpose = 'federate'");
        assert_eq!(proofs == 1, found == "code_mailed", "{self:?}");
    }
}

/// The users, and all that they have.
fn dump(service: &Service) -> Vec<BTreeSet<String>> {
    (1..=service.db.one("SELECT max(id) FROM users")).map(|user| contents(&service.db, user)).collect()
}

/// The cells that differ. An app's flow has no callback; whether the identity has an owner is decided alike.
async fn run(table: &str) {
    let mut differences = Vec::new();
    for cell in cells(table) {
        let ways: &[&str] = if cell.owner == "no" { &["browser", "app"] } else { &["browser"] };
        for way in ways {
            let service = cell.service();
            let before = both(&service.db);
            let reply = if *way == "app" { Ok(cell.by_app(&service).await) } else { cell.by_browser(&service).await };
            let (found, owner) = judge(&service.db, cell.email(), &before, reply);
            cell.check_mails(&service, &found, owner);
            if found != cell.outcome {
                differences.push(format!("{way}: {found} in {cell:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

/// The callback has found neither an account nor an owner of the identity.
#[tokio::test]
async fn the_exchange_decides_again() {
    for cell in [TABLE, FURTHER].into_iter().flat_map(cells).filter(|cell| cell.word == "verified") {
        let service = cell.empty_service();
        let started = start(&service, "acme").await;
        let fragment = come_back(&service, &started, &cell.person()).await;
        let code = fragment.strip_prefix("code=").unwrap_or_else(|| panic!("{fragment} in {cell:?}"));
        cell.fill(&service.db);
        let before = both(&service.db);
        let reply = exchange(&service, &started.flow, code).await;
        let (found, owner) = judge(&service.db, cell.email(), &before, Ok(reply));
        cell.check_mails(&service, &found, owner);
        assert_eq!(found, cell.outcome, "{cell:?}");
    }
}

#[tokio::test]
async fn an_identity_gets_no_account_that_is_not_its_own() {
    run(TABLE).await;
}

#[tokio::test]
async fn rarer_accounts_are_no_easier_to_get() {
    run(FURTHER).await;
}

/// Each combination has a line. An account that is not there has no identity.
#[test]
fn the_table_is_complete() {
    let found: BTreeSet<_> = cells(TABLE).into_iter().map(|cell| [cell.account, cell.owner, cell.word]).collect();
    let accounts = ["none", "unverified", "verified", "disabled", "factor", "administrator"];
    let owners = |account| ["no", "own", "other"].into_iter().filter(move |owner| (account, *owner) != ("none", "own"));
    let words = ["verified", "unverified", "absent"];
    let all = accounts
        .into_iter()
        .flat_map(|account| owners(account).flat_map(move |owner| words.map(|word| [account, owner, word])));
    assert_eq!(found, all.collect::<BTreeSet<_>>());
    assert_eq!(cells(TABLE).len(), 51 * 6);
}

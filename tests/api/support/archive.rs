//! The bucket of the audit archive in memory, with the faults of a remote one.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use edge_auth::domain::ids::hex;
use edge_auth::domain::secret::Secret;
use edge_auth::domain::time::DAY;
use edge_auth::ports::{Archive, ArchiveError, Encryption as _, PortFuture, Seal};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::crypto::{NativeCrypto, is_signed};
use super::sqlite::Sqlite;
use super::{Service, clock};

/// The way in which calls fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fault {
    #[default]
    None,
    /// No call is answered, and none is carried out.
    Down,
    /// Objects are written, and the answer is lost.
    LosesAnswers,
    /// Nothing can be deleted: a lock of the bucket.
    Locked,
}

/// Objects by their names.
#[derive(Default)]
pub struct Bucket {
    objects: Mutex<BTreeMap<String, Vec<u8>>>,
    fault: Mutex<Fault>,
}

impl Bucket {
    /// Calls fail in this way from now on.
    pub fn fail(&self, fault: Fault) {
        *self.fault.lock().unwrap() = fault;
    }

    fn fault(&self) -> Fault {
        *self.fault.lock().unwrap()
    }

    pub fn names(&self) -> Vec<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }

    pub fn text(&self, name: &str) -> String {
        String::from_utf8(self.objects.lock().unwrap()[name].clone()).unwrap()
    }

    /// Writes past the port, as another program would.
    pub fn plant(&self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.objects.lock().unwrap().insert(name.to_owned(), bytes.into());
    }

    pub fn remove(&self, name: &str) {
        self.objects.lock().unwrap().remove(name).unwrap();
    }
}

fn answer<'a, T: Send + 'a>(result: Result<T, &str>) -> PortFuture<'a, Result<T, ArchiveError>> {
    Box::pin(std::future::ready(result.map_err(|cause| ArchiveError(cause.to_owned()))))
}

impl Archive for Bucket {
    fn put_if_absent<'a>(
        &'a self,
        name: &'a str,
        text: &'a str,
        sha256: &'a str,
    ) -> PortFuture<'a, Result<bool, ArchiveError>> {
        if self.fault() == Fault::Down {
            return answer(Err("down"));
        }
        if hex(&Sha256::digest(text)) != sha256 {
            return answer(Err("another checksum"));
        }
        let mut objects = self.objects.lock().unwrap();
        let is_absent = !objects.contains_key(name);
        if is_absent {
            objects.insert(name.to_owned(), text.as_bytes().to_vec());
        }
        answer(if self.fault() == Fault::LosesAnswers { Err("no answer in time") } else { Ok(is_absent) })
    }

    fn get<'a>(&'a self, name: &'a str, max_bytes: usize) -> PortFuture<'a, Result<Option<Vec<u8>>, ArchiveError>> {
        let object = self.objects.lock().unwrap().get(name).cloned();
        answer(match (self.fault(), object) {
            (Fault::Down, _) => Err("down"),
            (_, Some(bytes)) if bytes.len() > max_bytes => Err("a large object"),
            (_, object) => Ok(object),
        })
    }

    fn delete<'a>(&'a self, name: &'a str) -> PortFuture<'a, Result<(), ArchiveError>> {
        answer(match self.fault() {
            Fault::Down => Err("down"),
            Fault::Locked => Err("locked"),
            Fault::None | Fault::LosesAnswers => {
                self.objects.lock().unwrap().remove(name);
                Ok(())
            }
        })
    }
}

/// An object, taken apart and verified.
#[derive(Debug)]
pub struct Object {
    pub header: Value,
    pub events: Vec<Value>,
    /// Of all bytes.
    pub sha256: String,
}

impl Object {
    pub fn ids(&self) -> Vec<i64> {
        self.events.iter().map(|event| event["id"].as_i64().unwrap()).collect()
    }
}

/// Verifies the objects from `first` on, as an auditor would that has only the text of the format.
pub fn verified(bucket: &Bucket) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for name in bucket.names() {
        let text = bucket.text(&name);
        let lines: Vec<&str> = text.lines().collect();
        let header: Value = serde_json::from_str(lines[0]).unwrap();
        let events: Vec<Value> =
            lines[1..lines.len() - 1].iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        let last: Value = serde_json::from_str(lines[lines.len() - 1]).unwrap();
        let number = header["object"].as_i64().unwrap();
        assert_eq!(name, format!("audit/{number:010}.ndjson"));
        let before = &text[..=text.trim_end().rfind('\n').unwrap()];
        let signed = format!("edge-auth audit object\n{number}\n{}", hex(&Sha256::digest(before)));
        assert!(is_signed(&header["key"], &signed, last["signature"].as_str().unwrap()), "{name}");
        assert_eq!(header["events"], events.len());
        let order = |event: &Value| (event["created_at"].as_i64(), event["id"].as_i64());
        assert!(events.is_sorted_by_key(order), "{name}");
        if let Some(former) = objects.last() {
            assert_eq!(header["previous"], former.sha256.as_str(), "{name}");
            assert_eq!(number, former.header["object"].as_i64().unwrap() + 1);
            assert_eq!(header["key"], former.header["key"]);
            let total = former.header["total"].as_u64().unwrap() + events.len() as u64;
            assert_eq!(header["total"], total);
        }
        objects.push(Object { header, events, sha256: hex(&Sha256::digest(&text)) });
    }
    objects
}

/// The personal fields of an archived event, decrypted by the letter of the format with `SECRET_KEY`; an error names the
/// part that is missing.
pub async fn personal(db: &Sqlite, secret_key: &str, event: &Value) -> Result<Value, String> {
    personal_text(db, secret_key, event).await.map(|text| serde_json::from_str(&text).unwrap())
}

/// The text of the personal fields.
pub async fn personal_text(db: &Sqlite, secret_key: &str, event: &Value) -> Result<String, String> {
    let key = db.rows("SELECT kid, master_key FROM audit_keys").remove(0);
    let (kid, master) = (key["kid"].as_str().unwrap(), key["master_key"].as_str().unwrap());
    let secret = Secret::new(secret_key);
    let seal = Seal { secret: &secret, purpose: "edge-auth audit master", row: kid };
    let master = NativeCrypto.decrypt(seal, master).await.map_err(|_| "master")?;
    let salt = |member: &str| match event[member].as_i64() {
        None => Ok(String::new()),
        Some(id) => {
            let salts = db.column(&format!("SELECT salt FROM audit_salts WHERE user_id = {id}"));
            salts.into_iter().next().ok_or_else(|| format!("salt of {member}"))
        }
    };
    let secret = Secret::new(format!("{}.{}.{}", master.expose(), salt("user_id")?, salt("actor_id")?));
    let seal = Seal { secret: &secret, purpose: "edge-auth audit event", row: &event["id"].to_string() };
    let text = NativeCrypto.decrypt(seal, event["personal"].as_str().ok_or("null")?).await.map_err(|_| "sealed")?;
    Ok(text.expose().to_owned())
}

/// A service with a bucket, and the bucket.
pub fn archiving(settings: &[(&str, &str)]) -> (Service, Arc<Bucket>) {
    let mut service = Service::with(settings);
    let bucket = Arc::new(Bucket::default());
    service.archive = Some(Arc::clone(&bucket) as Arc<dyn Archive>);
    (service, bucket)
}

/// Adds events of a user, one each `step_ms` from a day on, which is a number of days before now.
pub fn add_events(db: &Sqlite, (first, count): (i64, i64), user_id: &str, days_ago: i64, step_ms: i64) {
    let start = clock().plus_seconds(-days_ago * DAY).millis();
    let last = first + count - 1;
    db.execute(&format!(
        "WITH RECURSIVE ids (id) AS (SELECT {first} UNION ALL SELECT id + 1 FROM ids WHERE id < {last})
         INSERT INTO audit_events (id, created_at, type, user_id, ip, user_agent, request_id, ray)
         SELECT id, {start} + (id - {first}) * {step_ms}, 'signed_in', {user_id}, '192.0.2.' || (id % 250), 'curl \"8\"',
                'request-' || id, '230b030023ae2822-SJC'
         FROM ids"
    ));
}

/// The ids of the events in the database.
pub fn stored(db: &Sqlite) -> Vec<i64> {
    db.rows("SELECT id FROM audit_events ORDER BY id").iter().map(|row| row["id"].as_i64().unwrap()).collect()
}

//! The tables, as a list of migrations. `user_version` counts the ones that were applied.

use rusqlite::Connection;

use crate::StoreError;

/// Never edited, only appended to. Times are microseconds since 1970, UTC; digests are text as people write them.
const MIGRATIONS: &[&str] = &["
CREATE TABLE layer(digest TEXT, analyser INTEGER, body BLOB NOT NULL, PRIMARY KEY(digest, analyser));
CREATE TABLE contents(subject TEXT, analyser INTEGER, at INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY(subject, analyser));
CREATE TABLE findings(contents TEXT, pack TEXT, body BLOB NOT NULL, PRIMARY KEY(contents, pack));
CREATE TABLE evidence(subject TEXT, source TEXT, trust_root TEXT, kind TEXT NOT NULL, signer TEXT NOT NULL,
    body TEXT NOT NULL, PRIMARY KEY(subject, source, trust_root));

CREATE TABLE image(id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, first_seen INTEGER NOT NULL);
CREATE TABLE package(id INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, version TEXT NOT NULL,
    UNIQUE(name, kind, version));
CREATE TABLE image_package(package INTEGER, image INTEGER, PRIMARY KEY(package, image)) WITHOUT ROWID;
CREATE TABLE image_risk(image INTEGER PRIMARY KEY, counts TEXT NOT NULL, pack TEXT NOT NULL, matched_at INTEGER NOT NULL);
CREATE TABLE image_vulnerability(vulnerability TEXT, image INTEGER, PRIMARY KEY(vulnerability, image)) WITHOUT ROWID;
CREATE INDEX image_vulnerability_image ON image_vulnerability(image);

CREATE TABLE cluster(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, synced_at INTEGER NOT NULL);
CREATE TABLE workload(id INTEGER PRIMARY KEY, cluster INTEGER NOT NULL, namespace TEXT NOT NULL, kind TEXT NOT NULL,
    name TEXT NOT NULL, owner TEXT, environment TEXT, UNIQUE(cluster, namespace, kind, name));
CREATE TABLE pod(id INTEGER PRIMARY KEY, workload INTEGER NOT NULL, name TEXT NOT NULL, started INTEGER NOT NULL,
    UNIQUE(workload, name));
CREATE TABLE pod_container(pod INTEGER, name TEXT, role TEXT NOT NULL, requested TEXT NOT NULL, repository TEXT,
    image INTEGER, PRIMARY KEY(pod, name)) WITHOUT ROWID;
CREATE INDEX pod_container_image ON pod_container(image);
CREATE TABLE rollout(workload INTEGER, container TEXT, image INTEGER, since INTEGER, until INTEGER,
    PRIMARY KEY(workload, container, image, since)) WITHOUT ROWID;
CREATE INDEX rollout_live ON rollout(image) WHERE until IS NULL;
CREATE INDEX rollout_since ON rollout(since);

CREATE TABLE decision(id TEXT PRIMARY KEY, at INTEGER NOT NULL, namespace TEXT NOT NULL, workload TEXT NOT NULL,
    allowed INTEGER NOT NULL, dry_run INTEGER NOT NULL, body TEXT NOT NULL);
CREATE INDEX decision_at ON decision(at);
CREATE INDEX decision_workload ON decision(namespace, workload, at);
CREATE TABLE decision_image(digest TEXT, decision TEXT, PRIMARY KEY(digest, decision)) WITHOUT ROWID;
CREATE TABLE exception_use(exception TEXT, decision TEXT, at INTEGER NOT NULL, PRIMARY KEY(exception, decision)) WITHOUT ROWID;

CREATE TABLE release(name TEXT PRIMARY KEY, service TEXT NOT NULL, digest TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE ledger(number INTEGER PRIMARY KEY, previous TEXT NOT NULL, body TEXT NOT NULL, hash TEXT NOT NULL);
CREATE TABLE ledger_head(one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL, hash TEXT NOT NULL);
", "
CREATE TABLE index_member(image_index TEXT, member TEXT, PRIMARY KEY(image_index, member)) WITHOUT ROWID;
CREATE INDEX index_member_member ON index_member(member);
", "
ALTER TABLE decision RENAME TO decision_single;
CREATE TABLE decision_batch(number INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, size INTEGER NOT NULL,
    body BLOB NOT NULL);
CREATE INDEX decision_batch_last ON decision_batch(last);
CREATE TABLE decision(id BLOB PRIMARY KEY, batch INTEGER NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE decision_digest(digest BLOB, batch INTEGER, PRIMARY KEY(digest, batch)) WITHOUT ROWID;
CREATE TABLE admission(namespace TEXT, workload TEXT, digest TEXT, decision TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(namespace, workload, digest)) WITHOUT ROWID;
CREATE TABLE admitted_image(namespace TEXT, digest TEXT, decision TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY(namespace, digest)) WITHOUT ROWID;
CREATE INDEX exception_use_decision ON exception_use(decision);
INSERT INTO decision_batch SELECT rowid, at, at, length(CAST(body AS BLOB)), CAST(body AS BLOB) FROM decision_single;
INSERT INTO decision SELECT unhex(id), rowid, 0 FROM decision_single;
INSERT INTO decision_digest SELECT unhex(substr(digest, instr(digest, ':') + 1)), decision_single.rowid
    FROM decision_image JOIN decision_single ON decision_single.id = decision_image.decision;
INSERT INTO admission SELECT namespace, workload, digest, id, max(at)
    FROM decision_image JOIN decision_single ON decision_single.id = decision_image.decision
    WHERE allowed AND NOT dry_run AND workload NOT LIKE 'Pod/%' GROUP BY namespace, workload, digest;
INSERT INTO admitted_image SELECT namespace, digest, id, max(at)
    FROM decision_image JOIN decision_single ON decision_single.id = decision_image.decision
    WHERE allowed AND NOT dry_run GROUP BY namespace, digest;
DROP TABLE decision_image;
DROP TABLE decision_single;
", "
CREATE TABLE finding(cluster TEXT, id TEXT, opened INTEGER NOT NULL, closed INTEGER, body TEXT NOT NULL,
    PRIMARY KEY(cluster, id)) WITHOUT ROWID;
CREATE INDEX finding_open ON finding(cluster) WHERE closed IS NULL;
CREATE TABLE policy_change(number INTEGER PRIMARY KEY, at INTEGER NOT NULL, body TEXT NOT NULL);
"];

/// Brings a database to the newest schema, all of it or nothing.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let found: i64 = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(StoreError::NewerSchema { found, known });
    }
    for migration in MIGRATIONS.iter().skip(usize::try_from(found).unwrap_or(0)) {
        transaction.execute_batch(migration)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_of_the_first_schema_are_taken_over() {
        let mut connection = Connection::open_in_memory().unwrap();
        for migration in &MIGRATIONS[..2] {
            connection.execute_batch(migration).unwrap();
        }
        connection.pragma_update(None, "user_version", 2).unwrap();
        let digest = "ab".repeat(32);
        connection
            .execute_batch(&format!(
                "INSERT INTO decision VALUES ('00000000000000aa', 5, 'ns', 'ReplicaSet/api', 1, 0, '{{\"id\":1}}'),
                    ('00000000000000bb', 6, 'ns', 'Pod/api-1', 1, 0, '{{\"id\":2}}'),
                    ('00000000000000cc', 7, 'ns', 'ReplicaSet/api', 0, 0, '{{\"id\":3}}');
                 INSERT INTO decision_image SELECT 'sha256:{digest}', id FROM decision;"
            ))
            .unwrap();
        migrate(&mut connection).unwrap();
        let count = |query: &str| connection.query_row(query, [], |row| row.get::<_, i64>(0)).unwrap();
        assert_eq!(count("SELECT count(*) FROM decision_digest WHERE length(digest) = 32"), 3);
        assert_eq!(count("SELECT count(*) FROM admission WHERE workload = 'ReplicaSet/api' AND at = 5"), 1);
        assert_eq!(count("SELECT count(*) FROM admission"), 1);
        assert_eq!(count("SELECT at FROM admitted_image WHERE namespace = 'ns' AND decision = '00000000000000bb'"), 6);
        let body: Vec<u8> = connection
            .query_row(
                "SELECT body FROM decision JOIN decision_batch ON number = batch WHERE id = unhex('00000000000000bb')",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(body, b"{\"id\":2}");
    }
}

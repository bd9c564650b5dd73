//! Registered clients, and what users have agreed to.

use super::Fault;
use super::rows::{before, damaged, digest_of, renewal_of, renewal_word};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use stockade_core::ports::Timestamp;
use stockade_core::words::Untrusted;
use stockade_issuer::{
    CLIENTS, CONSENTS_PER_USER, ClientAuthentication, ClientId, ClientMetadata, Consent, IDLE_CLIENT, IssuerStoreError,
    RedirectUri, RegisteredClient, UNUSED_CLIENT,
};

pub(super) fn add(database: &Transaction<'_>, client: &RegisteredClient) -> Result<(), Fault> {
    let count: u32 = database.query_row("SELECT count(*) FROM clients", [], |row| row.get(0))?;
    if count >= CLIENTS {
        let room = "DELETE FROM clients WHERE id =
            (SELECT id FROM clients WHERE used IS NULL ORDER BY created, id LIMIT 1)";
        if database.execute(room, [])? == 0 {
            return Err(IssuerStoreError::Full { what: "registered clients", limit: CLIENTS }.into());
        }
    }
    let RegisteredClient { id, metadata, secret, created, used } = client;
    // No URI holds a space.
    let redirects = metadata.redirects.iter().map(RedirectUri::as_str).collect::<Vec<_>>().join(" ");
    database.execute(
        "INSERT INTO clients (id, name, redirects, authentication, renewal, secret, created, used)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            id.as_str(),
            metadata.name.as_ref().map(Untrusted::as_alleged),
            redirects,
            metadata.authentication.as_str(),
            renewal_word(metadata.renewal),
            secret.as_ref().map(|secret| secret.0),
            created.0,
            used.map(|used| used.0),
        ],
    )?;
    Ok(())
}

pub(super) fn find(database: &Connection, id: &str) -> Result<Option<RegisteredClient>, Fault> {
    let mut statement = database.prepare_cached(
        "SELECT id, name, redirects, authentication, renewal, secret, created, used FROM clients WHERE id = ?1",
    )?;
    let found = statement.query_row([id], |row| Ok(client_of(row))).optional()?;
    found.transpose()
}

fn client_of(row: &Row<'_>) -> Result<RegisteredClient, Fault> {
    const WHAT: &str = "a registered client";
    let wrong = || damaged(WHAT);
    let text = |column: usize| row.get::<_, String>(column);
    let redirects: Result<Vec<_>, _> = text(2)?.split(' ').map(RedirectUri::parse).collect();
    let secret: Option<Vec<u8>> = row.get(5)?;
    Ok(RegisteredClient {
        id: ClientId::parse(&text(0)?).ok_or_else(wrong)?,
        metadata: ClientMetadata {
            name: row.get::<_, Option<String>>(1)?.map(Untrusted::new),
            redirects: redirects.map_err(|_| wrong())?,
            authentication: ClientAuthentication::parse(&text(3)?).ok_or_else(wrong)?,
            renewal: renewal_of(&text(4)?).ok_or_else(wrong)?,
        },
        secret: secret.map(|secret| digest_of(&secret, WHAT)).transpose()?,
        created: Timestamp(row.get(6)?),
        used: row.get::<_, Option<i64>>(7)?.map(Timestamp),
    })
}

pub(super) fn is_consented(database: &Connection, consent: &Consent) -> Result<bool, Fault> {
    let Consent { user, client, redirect, resource, scopes } = consent;
    let mut statement = database.prepare_cached(
        "SELECT 1 FROM consents WHERE user = ?1 AND client = ?2 AND redirect = ?3 AND resource = ?4 AND scopes = ?5",
    )?;
    let key = params![user.as_str(), client.as_str(), redirect, resource.as_str(), scopes.to_string()];
    Ok(statement.exists(key)?)
}

pub(super) fn remember_consent(database: &Transaction<'_>, consent: &Consent, now: Timestamp) -> Result<(), Fault> {
    let Consent { user, client, redirect, resource, scopes } = consent;
    database.execute(
        "INSERT OR REPLACE INTO consents (user, client, redirect, resource, scopes, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![user.as_str(), client.as_str(), redirect, resource.as_str(), scopes.to_string(), now.0],
    )?;
    database.execute(
        "DELETE FROM consents WHERE user = ?1 AND (client, redirect, resource, scopes) IN
            (SELECT client, redirect, resource, scopes FROM consents WHERE user = ?1 ORDER BY at DESC LIMIT -1 OFFSET ?2)",
        params![user.as_str(), CONSENTS_PER_USER],
    )?;
    Ok(())
}

pub(super) fn tidy(database: &Transaction<'_>, now: Timestamp) -> Result<(), Fault> {
    database.execute(
        "DELETE FROM clients WHERE used < ?1 OR (used IS NULL AND created < ?2)",
        [before(now, IDLE_CLIENT), before(now, UNUSED_CLIENT)],
    )?;
    // An id is never given twice, so what was agreed to with a client that is gone is of no use.
    database
        .execute("DELETE FROM consents WHERE client GLOB 'stc_*' AND client NOT IN (SELECT id FROM clients)", [])?;
    Ok(())
}

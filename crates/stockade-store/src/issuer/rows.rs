//! How words stand in columns, and back: what does not read back is damage, never a default.

use rusqlite::Row;
use std::time::Duration;
use stockade_core::ports::Timestamp;
use stockade_core::words::CallerName;
use stockade_issuer::{
    ClientId, FamilyId, FamilyRecord, Grant, IssuerStoreError, KeyedDigest, RedirectUri, Renewal, Resource, Scopes,
};

use super::Fault;

/// What [`family_of`] reads.
pub(super) const FAMILY_COLUMNS: &str =
    "families.id, user, client, families.redirect, resource, scopes, renewal, created, used, families.ends";

pub(super) fn damaged(what: &'static str) -> Fault {
    Fault::Store(IssuerStoreError::Damaged { what })
}

/// A family, from [`FAMILY_COLUMNS`] that stand first.
pub(super) fn family_of(row: &Row<'_>) -> Result<FamilyRecord, Fault> {
    let text = |column: usize| row.get::<_, String>(column);
    let wrong = || damaged("a family of tokens");
    Ok(FamilyRecord {
        id: FamilyId::parse(&text(0)?).ok_or_else(wrong)?,
        grant: Grant {
            user: CallerName::parse(&text(1)?).map_err(|_| wrong())?,
            client: ClientId::parse(&text(2)?).ok_or_else(wrong)?,
            redirect: RedirectUri::parse(&text(3)?).map_err(|_| wrong())?,
            resource: Resource::parse(&text(4)?).map_err(|_| wrong())?,
            scopes: Scopes::parse(&text(5)?).ok_or_else(wrong)?,
            renewal: renewal_of(&text(6)?).ok_or_else(wrong)?,
        },
        created: Timestamp(row.get(7)?),
        used: Timestamp(row.get(8)?),
        ends: Timestamp(row.get(9)?),
    })
}

pub(super) const fn renewal_word(renewal: Renewal) -> &'static str {
    match renewal {
        Renewal::Refresh => "refresh",
        Renewal::SignInAgain => "sign-in-again",
    }
}

pub(super) fn renewal_of(word: &str) -> Option<Renewal> {
    [Renewal::Refresh, Renewal::SignInAgain].into_iter().find(|renewal| renewal_word(*renewal) == word)
}

pub(super) fn digest_of(bytes: &[u8], what: &'static str) -> Result<KeyedDigest, Fault> {
    bytes.try_into().map(KeyedDigest).map_err(|_| damaged(what))
}

/// `time` before `span`.
pub(super) fn before(time: Timestamp, span: Duration) -> i64 {
    time.0.saturating_sub(i64::try_from(span.as_nanos()).unwrap_or(i64::MAX))
}

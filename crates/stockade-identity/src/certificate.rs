//! Client certificates: whom one names, by the operator's list.
//!
//! Must never: look at the common name, match a pattern, or choose between two callers.

use crate::check::{Check, Checks, seen};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use stockade_core::identity::{Basis, CertificateName, Identity, IdentityError, PeerCertificate, Standing};
use stockade_core::ports::Timestamp;
use stockade_core::words::{Caller, CallerKind, CallerName};

/// Whose certificate this is, if it is still valid.
pub(crate) fn holder(
    certificate: &PeerCertificate,
    listed: &BTreeMap<CertificateName, CallerName>,
    now: Timestamp,
    checks: &mut Checks<'_>,
) -> Result<Identity, IdentityError> {
    is_valid(certificate, now, checks)?;
    let callers: BTreeSet<&CallerName> = certificate.names.iter().filter_map(|name| listed.get(name)).collect();
    let caller = callers.first().filter(|_| callers.len() == 1);
    checks.require(Check::Certificate, caller.is_some(), || {
        let names: Vec<String> = certificate.names.iter().map(show).collect();
        let found = format!("{} that are, by the names {}", callers.len(), names.join(", "));
        seen("names of exactly one caller in the list", found)
    })?;
    let name = caller.map(|caller| (*caller).clone()).ok_or_else(|| IdentityError::Rejected {
        check: Check::Certificate.as_str(),
        reason: "it names nobody".to_owned(),
    })?;
    let basis = Basis::Certificate { thumbprint: certificate.thumbprint, serial: certificate.serial.clone() };
    let standing = Standing {
        scopes: None,
        groups: Vec::new(),
        expires: Some(certificate.not_after),
        basis,
        certificate: Some(certificate.thumbprint),
    };
    Ok(Identity { caller: Caller::new(name, CallerKind::Certificate), standing: Arc::new(standing) })
}

/// TLS checked the dates when the connection began; connections can live longer than certificates.
pub(crate) fn is_valid(
    certificate: &PeerCertificate,
    now: Timestamp,
    checks: &mut Checks<'_>,
) -> Result<(), IdentityError> {
    checks.require(Check::Certificate, now < certificate.not_after, || {
        seen(
            "a certificate that is valid now",
            if now < certificate.not_after { "one" } else { "one that has expired" },
        )
    })
}

fn show(name: &CertificateName) -> String {
    match name {
        CertificateName::Spiffe(name) => name.clone(),
        CertificateName::Dns(name) => format!("dns:{name}"),
        CertificateName::Mail(name) => format!("mail:{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[CertificateName], expected: Result<&str, &str>) {
        let name = |text: &str| CallerName::parse(text).unwrap();
        let listed = BTreeMap::from([
            (CertificateName::Spiffe("spiffe://corp/ci".to_owned()), name("ci")),
            (CertificateName::Dns("ci.corp.test".to_owned()), name("ci")),
            (CertificateName::Dns("ops.corp.test".to_owned()), name("ops")),
        ]);
        let certificate = PeerCertificate {
            thumbprint: [1; 32],
            serial: "0a".to_owned(),
            names: names.to_vec(),
            not_after: Timestamp(100),
        };
        let found = holder(&certificate, &listed, Timestamp(99), &mut Checks::silent());
        match (&found, expected) {
            (Ok(identity), Ok(caller)) => assert_eq!(identity.caller.name.as_str(), caller),
            (Err(error), Err(reason)) => assert!(error.to_string().contains(reason), "{error}"),
            _ => panic!("{found:?}, not {expected:?}"),
        }
        let late = holder(&certificate, &listed, Timestamp(100), &mut Checks::silent());
        assert!(late.is_err_and(|error| error.to_string().contains("expired")));
    }

    #[test]
    fn a_certificate_names_one_listed_caller_or_nobody() {
        let dns = |name: &str| CertificateName::Dns(name.to_owned());
        check(&[CertificateName::Spiffe("spiffe://corp/ci".to_owned())], Ok("ci"));
        check(
            &[dns("other.test"), dns("ci.corp.test"), CertificateName::Spiffe("spiffe://corp/ci".to_owned())],
            Ok("ci"),
        );
        check(&[dns("ci.corp.test"), dns("ops.corp.test")], Err("2 that are"));
        check(&[dns("*.corp.test")], Err("0 that are"));
        check(&[CertificateName::Mail("ci.corp.test".to_owned())], Err("0 that are"));
        check(&[CertificateName::Spiffe("spiffe://corp/ci/".to_owned())], Err("0 that are"));
        check(&[], Err("0 that are"));
    }
}

//! The two forms: password and consent; and the answer that a client gets in the end.
//!
//! Must never: look at a password before the form is known to be ours; tell whether a user exists; make a code without both
//! steps.

use crate::authorize::{AskConsent, AuthorizeRequest};
use crate::event::{Happening, IssuerEvent};
use crate::form::Form;
use crate::http::{IssuerRequest, IssuerResponse};
use crate::issuer::Issuer;
use crate::pages::{self, Before, Refused};
use crate::password::{Password, PasswordHash};
use crate::pending::{Proof, Secrets, SignedIn};
use crate::store::{Begun, CodeRecord, Consent, FamilyRecord, IDLE_CLIENT, IssuerStoreError, after};
use crate::throttle::{Sender, TooOften};
use crate::words::{FamilyId, Grant, Purpose, random_256};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use stockade_core::wire::Digest;
use stockade_core::words::{CallerName, Untrusted};
use zeroize::Zeroizing;

/// How long a code lives.
pub const CODE_LIFE: Duration = Duration::from_secs(60);
/// How long the tokens of one consent can be renewed.
pub const FAMILY_LIFE: Duration = Duration::from_secs(30 * 24 * 3_600);
const _: () = assert!(FAMILY_LIFE.as_secs() < IDLE_CLIENT.as_secs(), "a client must outlive what it was given");
/// Wrong passwords for one user in [`USER_WINDOW`]; then one more each minute.
pub const USER_FAILURES: u32 = 5;
/// See [`USER_FAILURES`].
pub const USER_WINDOW: Duration = Duration::from_secs(300);
/// Wrong passwords from one sender in [`SENDER_WINDOW`]; then one more each 20 seconds.
pub const SENDER_FAILURES: u32 = 30;
/// See [`SENDER_FAILURES`].
pub const SENDER_WINDOW: Duration = Duration::from_secs(600);
/// Passwords that are computed at one time; each takes 19 MiB.
pub const COMPUTATIONS: usize = 4;

/// The fixed text for a wrong password and for a user who does not exist.
const WRONG: &str = "The user or the password is wrong.";

/// What came of a password.
enum Tried {
    Right(SignedIn),
    Wrong,
}

impl Issuer {
    /// `POST /sign-in`.
    pub(crate) fn sign_in(&self, request: &IssuerRequest) -> IssuerResponse {
        let Ok(form) = Form::parse(&request.body) else { return pages::refused(Refused::Malformed) };
        let Some(proof) = self.proof(request, &form) else { return self.over() };
        let Some(asked) = self.sign_ins().awaiting_password(&proof, self.clock().moment()) else { return self.over() };
        let name = form.value("user").unwrap_or_default();
        let sender = Sender::of(request.peer);
        let user_key = Digest::of(name.as_bytes());
        if let Err(TooOften { wait }) = self.admit_guess(sender, user_key) {
            let event = IssuerEvent::new(Happening::SignInThrottled, format!("user `{}`", for_log(name)));
            self.tell(event.to(&asked.client));
            return pages::refused(Refused::TooOften { wait });
        }
        let Some(_computing) = Computing::start(self.computing()) else {
            return pages::refused(Refused::Busy);
        };
        match self.try_password(name, form.value("password").unwrap_or_default()) {
            Err(error) => self.page_for(&error),
            Ok(Tried::Wrong) => {
                let event = IssuerEvent::new(Happening::SignInFailed, format!("user `{}`", for_log(name)));
                self.tell(event.to(&asked.client));
                self.again(&asked, &proof)
            }
            Ok(Tried::Right(user)) => {
                self.forget_guesses(sender, user_key);
                self.tell(IssuerEvent::new(Happening::SignedIn, "").by(&user.name).to(&asked.client));
                self.after_sign_in(&asked, &proof, user)
            }
        }
    }

    /// The same page again, as long as it may be tried.
    fn again(&self, asked: &AuthorizeRequest, proof: &Proof<'_>) -> IssuerResponse {
        if !self.sign_ins().fail(proof, self.clock().moment()) {
            return self.over();
        }
        let secrets =
            Secrets { id: Zeroizing::new(proof.id.to_owned()), token: Zeroizing::new(proof.token.to_owned()) };
        pages::sign_in(asked, &secrets, Some(WRONG), 403)
    }

    /// Compares a password. As long for a user who does not exist, and for a name that nobody can have.
    fn try_password(&self, name: &str, password: &str) -> Result<Tried, IssuerStoreError> {
        let user = match CallerName::parse(name) {
            Ok(name) => self.store().user(&name)?,
            Err(_) => None,
        };
        let nobody = PasswordHash::of_nobody();
        let hash = user.as_ref().map_or(&nobody, |user| &user.password);
        let is_right = Password::presented(password).is_some_and(|password| hash.is_of(&password));
        Ok(match user {
            Some(user) if is_right => Tried::Right(SignedIn { name: user.name, stamp: user.stamp }),
            _ => Tried::Wrong,
        })
    }

    /// The consent page; or the answer, where the same was agreed to before and only its receiver can read it.
    fn after_sign_in(&self, asked: &AuthorizeRequest, proof: &Proof<'_>, user: SignedIn) -> IssuerResponse {
        let before = match self.store().is_consented(&consent_of(asked, &user)) {
            Ok(true) => Before::Agreed,
            Ok(false) => Before::No,
            Err(error) => return self.page_for(&error),
        };
        let now = self.clock().moment();
        let name = user.name.clone();
        let Some(secrets) = self.sign_ins().sign_in(proof, user, self.entropy(), now) else { return self.over() };
        if before == Before::Agreed && asked.consent == AskConsent::Unless {
            let proof = Proof { token: &secrets.token, ..*proof };
            return self.conclude(&proof, Decision::AllowedBefore);
        }
        pages::consent(self.settings(), asked, &secrets, &name, before)
    }

    /// `POST /consent`.
    pub(crate) fn consent(&self, request: &IssuerRequest) -> IssuerResponse {
        let Ok(form) = Form::parse(&request.body) else { return pages::refused(Refused::Malformed) };
        let Some(proof) = self.proof(request, &form) else { return self.over() };
        match form.value("decision") {
            Some("allow") => self.conclude(&proof, Decision::Allow),
            Some("deny") => self.conclude(&proof, Decision::Deny),
            _ => pages::refused(Refused::Malformed),
        }
    }

    /// Ends the sign-in and answers the client.
    fn conclude(&self, proof: &Proof<'_>, decision: Decision) -> IssuerResponse {
        let taken = self.sign_ins().take(proof, self.clock().moment());
        let Some((asked, user)) = taken else { return self.over() };
        if decision == Decision::Deny {
            self.tell(IssuerEvent::new(Happening::Declined, "").by(&user.name).to(&asked.client));
            let to = self.answer(&asked.redirect, &[("error", "access_denied")], asked.state.as_deref());
            return pages::going_back(&asked.redirect, &to, "Nothing was allowed.");
        }
        match self.begin(&asked, &user, decision) {
            Err(error) => self.page_for(&error),
            Ok(None) => self.over(),
            Ok(Some(code)) => {
                let to = self.answer(&asked.redirect, &[("code", &code)], asked.state.as_deref());
                pages::going_back(&asked.redirect, &to, "You are signed in.")
            }
        }
    }

    /// Begins a family and gives out its code; nothing if the user has changed since they signed in.
    fn begin(
        &self,
        asked: &AuthorizeRequest,
        user: &SignedIn,
        decision: Decision,
    ) -> Result<Option<Zeroizing<String>>, IssuerStoreError> {
        let now = self.clock().wall();
        let family = FamilyRecord {
            id: FamilyId::random(self.entropy()),
            grant: Grant {
                client: asked.client.clone(),
                user: user.name.clone(),
                redirect: asked.redirect.clone(),
                resource: asked.resource.clone(),
                scopes: asked.scopes.clone(),
                renewal: asked.said.renewal,
            },
            created: now,
            used: now,
            ends: after(now, FAMILY_LIFE),
        };
        let code = random_256(self.entropy());
        let record = CodeRecord {
            digest: self.store().digest(Purpose::Code, &code),
            family: family.id.clone(),
            challenge: asked.challenge,
            redirect: asked.redirect.clone(),
            ends: after(now, CODE_LIFE),
        };
        if self.store().begin_family(&family, &record, &user.stamp)? == Begun::UserChanged {
            return Ok(None);
        }
        if decision == Decision::Allow {
            self.store().remember_consent(&consent_of(asked, user), now)?;
        }
        let how = if decision == Decision::Allow { "on the consent page" } else { "agreed before" };
        self.tell(IssuerEvent::new(Happening::Consented, how).by(&user.name).to(&asked.client).of(&family.id));
        Ok(Some(code))
    }

    /// A page for a form that belongs to no sign-in of this browser.
    fn over(&self) -> IssuerResponse {
        self.tell(IssuerEvent::new(Happening::Refused, "a form without its sign-in, cookie or token"));
        pages::refused(Refused::Over)
    }

    /// The three secrets that a form of ours comes with.
    fn proof<'f>(&self, request: &'f IssuerRequest, form: &'f Form) -> Option<Proof<'f>> {
        let cookie = request.cookie(self.cookie_name())?;
        Some(Proof { id: form.value("sign_in")?, token: form.value("form")?, cookie })
    }
}

/// What was decided about a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    Allow,
    AllowedBefore,
    Deny,
}

fn consent_of(asked: &AuthorizeRequest, user: &SignedIn) -> Consent {
    Consent {
        user: user.name.clone(),
        client: asked.client.clone(),
        redirect: asked.redirect.lasting(),
        resource: asked.resource.clone(),
        scopes: asked.scopes.clone(),
    }
}

fn for_log(text: &str) -> String {
    Untrusted::new(text).for_log()
}

/// A place among the running computations.
struct Computing<'c>(&'c AtomicUsize);

impl<'c> Computing<'c> {
    fn start(running: &'c AtomicUsize) -> Option<Self> {
        let place = Self(running);
        (running.fetch_add(1, Ordering::AcqRel) < COMPUTATIONS).then_some(place)
    }
}

impl Drop for Computing<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_passwords_are_computed_at_one_time() {
        let running = AtomicUsize::new(0);
        let all: Vec<_> = (0..COMPUTATIONS).map(|_| Computing::start(&running).unwrap()).collect();
        assert!(Computing::start(&running).is_none());
        assert_eq!(running.load(Ordering::Relaxed), COMPUTATIONS);
        drop(all);
        assert_eq!(running.load(Ordering::Relaxed), 0);
    }
}

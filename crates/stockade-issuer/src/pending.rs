//! Sign-ins that have begun: what was asked for, in which browser, and how far it has come. In memory: a restart forgets them.
//!
//! Must never: be found by less than all three of its secrets; hold more than its limits; outlive its ten minutes.

use crate::authorize::AuthorizeRequest;
use crate::throttle::Sender;
use crate::words::{UserStamp, random_256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use stockade_core::ports::{Entropy, Moment};
use stockade_core::wire::Digest;
use stockade_core::words::CallerName;
use zeroize::Zeroizing;

/// Sign-ins at one time.
pub const SIGN_INS: usize = 1_024;
/// Sign-ins of one sender at one time. One more ends the oldest of the same sender.
pub const SIGN_INS_PER_SENDER: usize = 64;
/// How long one may take.
pub const SIGN_IN_LIFE: Duration = Duration::from_secs(600);
/// Wrong passwords in one.
pub const SIGN_IN_FAILURES: u32 = 10;

/// What a form of ours brings back, and its browser beside it.
pub(crate) struct Proof<'f> {
    /// Which sign-in, from the form.
    pub(crate) id: &'f str,
    /// The form's own token (CSRF): another one for each step.
    pub(crate) token: &'f str,
    /// The browser's cookie.
    pub(crate) cookie: &'f str,
}

/// What a page of ours carries.
pub(crate) struct Secrets {
    pub(crate) id: Zeroizing<String>,
    pub(crate) token: Zeroizing<String>,
}

/// What a browser is given with its first page.
pub(crate) struct Started {
    pub(crate) secrets: Secrets,
    /// The cookie's value.
    pub(crate) cookie: Zeroizing<String>,
}

/// Having one tells you: this user has given their password in this sign-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedIn {
    pub(crate) name: CallerName,
    pub(crate) stamp: UserStamp,
}

enum Stage {
    SignIn { failures: u32 },
    Consent { user: SignedIn },
}

struct Entry {
    browser: Digest,
    token: Digest,
    sender: Sender,
    began: Moment,
    request: Arc<AuthorizeRequest>,
    stage: Stage,
}

impl Entry {
    fn lives(&self, now: Moment) -> bool {
        now.0.saturating_sub(self.began.0) < SIGN_IN_LIFE
    }
}

/// All sign-ins. Secrets are kept as digests: looking one up tells nothing by its time.
#[derive(Default)]
pub(crate) struct SignIns(HashMap<Digest, Entry>);

impl SignIns {
    /// Begins one. `cookie` is what the browser has shown: it goes on if a living sign-in has it, so that two windows of one
    /// browser do not end each other. Nothing if there is no room.
    pub(crate) fn begin(
        &mut self,
        request: Arc<AuthorizeRequest>,
        sender: Sender,
        cookie: Option<&str>,
        entropy: &dyn Entropy,
        now: Moment,
    ) -> Option<Started> {
        self.make_room(sender, now)?;
        let shown = cookie.map(|cookie| (cookie, Digest::of(cookie.as_bytes())));
        let known = shown.filter(|(_, browser)| self.0.values().any(|entry| entry.browser == *browser));
        let cookie = known.map_or_else(|| random_256(entropy), |(cookie, _)| Zeroizing::new(cookie.to_owned()));
        let secrets = Secrets { id: random_256(entropy), token: random_256(entropy) };
        let entry = Entry {
            browser: Digest::of(cookie.as_bytes()),
            token: Digest::of(secrets.token.as_bytes()),
            sender,
            began: now,
            request,
            stage: Stage::SignIn { failures: 0 },
        };
        self.0.insert(Digest::of(secrets.id.as_bytes()), entry);
        Some(Started { secrets, cookie })
    }

    fn make_room(&mut self, sender: Sender, now: Moment) -> Option<()> {
        self.0.retain(|_, entry| entry.lives(now));
        let of_sender = self.0.values().filter(|entry| entry.sender == sender).count();
        if of_sender >= SIGN_INS_PER_SENDER {
            let own = self.0.iter().filter(|(_, entry)| entry.sender == sender);
            let oldest = own.min_by_key(|(_, entry)| entry.began).map(|(id, _)| *id)?;
            self.0.remove(&oldest);
        }
        (self.0.len() < SIGN_INS).then_some(())
    }

    fn find(&mut self, proof: &Proof<'_>, now: Moment) -> Option<(Digest, &mut Entry)> {
        let id = Digest::of(proof.id.as_bytes());
        let (browser, token) = (Digest::of(proof.cookie.as_bytes()), Digest::of(proof.token.as_bytes()));
        let entry = self.0.get_mut(&id)?;
        (entry.lives(now) && entry.browser == browser && entry.token == token).then_some((id, entry))
    }

    /// What was asked for, if a password may be tried.
    pub(crate) fn awaiting_password(&mut self, proof: &Proof<'_>, now: Moment) -> Option<Arc<AuthorizeRequest>> {
        let (_, entry) = self.find(proof, now)?;
        matches!(entry.stage, Stage::SignIn { .. }).then(|| Arc::clone(&entry.request))
    }

    /// Notes a wrong password; true if another may be tried.
    pub(crate) fn fail(&mut self, proof: &Proof<'_>, now: Moment) -> bool {
        let Some((id, entry)) = self.find(proof, now) else { return false };
        let Stage::SignIn { failures } = &mut entry.stage else { return false };
        *failures = failures.saturating_add(1);
        let goes_on = *failures < SIGN_IN_FAILURES;
        if !goes_on {
            self.0.remove(&id);
        }
        goes_on
    }

    /// Notes who has signed in. The form of the next step has another token; nothing if this step is over.
    pub(crate) fn sign_in(
        &mut self,
        proof: &Proof<'_>,
        user: SignedIn,
        entropy: &dyn Entropy,
        now: Moment,
    ) -> Option<Secrets> {
        let (_, entry) = self.find(proof, now)?;
        if !matches!(entry.stage, Stage::SignIn { .. }) {
            return None;
        }
        let token = random_256(entropy);
        entry.token = Digest::of(token.as_bytes());
        entry.stage = Stage::Consent { user };
        Some(Secrets { id: Zeroizing::new(proof.id.to_owned()), token })
    }

    /// Ends a sign-in whose user is known. What is taken cannot be taken again.
    pub(crate) fn take(&mut self, proof: &Proof<'_>, now: Moment) -> Option<(Arc<AuthorizeRequest>, SignedIn)> {
        let (id, entry) = self.find(proof, now)?;
        if !matches!(entry.stage, Stage::Consent { .. }) {
            return None;
        }
        match self.0.remove(&id)? {
            Entry { request, stage: Stage::Consent { user }, .. } => Some((request, user)),
            Entry { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Never the same twice.
    struct Counting(AtomicU64);

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).to_le_bytes();
            bytes.iter_mut().zip(number.iter().cycle()).for_each(|(byte, from)| *byte = *from);
        }
    }

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn sender(number: u8) -> Sender {
        Sender::V4([192, 0, 2, number])
    }

    fn alice() -> SignedIn {
        let stamp = UserStamp::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap();
        SignedIn { name: CallerName::parse("alice").unwrap(), stamp }
    }

    fn proof(started: &Started) -> Proof<'_> {
        Proof { id: &started.secrets.id, token: &started.secrets.token, cookie: &started.cookie }
    }

    #[test]
    fn all_three_secrets_are_needed_and_the_life_is_ten_minutes() {
        let (mut sign_ins, entropy) = (SignIns::default(), Counting(AtomicU64::new(1)));
        let one = sign_ins.begin(AuthorizeRequest::sample(), sender(1), None, &entropy, at(0)).unwrap();
        let other = sign_ins.begin(AuthorizeRequest::sample(), sender(1), None, &entropy, at(0)).unwrap();
        assert!(sign_ins.awaiting_password(&proof(&one), at(599)).is_some());
        assert!(sign_ins.awaiting_password(&proof(&one), at(600)).is_none());
        let mixed = [
            Proof { id: &other.secrets.id, ..proof(&one) },
            Proof { token: &other.secrets.token, ..proof(&one) },
            Proof { cookie: &other.cookie, ..proof(&one) },
            Proof { cookie: "", ..proof(&one) },
            Proof { token: "", ..proof(&one) },
        ];
        for mixed in mixed {
            assert!(sign_ins.awaiting_password(&mixed, at(0)).is_none());
            assert!(sign_ins.sign_in(&mixed, alice(), &entropy, at(0)).is_none());
        }
        assert!(sign_ins.take(&proof(&one), at(0)).is_none(), "nobody has signed in");
        let next = sign_ins.sign_in(&proof(&one), alice(), &entropy, at(0)).unwrap();
        assert!(sign_ins.take(&proof(&one), at(0)).is_none(), "the token of the first step is over");
        assert!(sign_ins.sign_in(&proof(&one), alice(), &entropy, at(0)).is_none());
        let consent = Proof { token: &next.token, ..proof(&one) };
        assert!(sign_ins.awaiting_password(&consent, at(0)).is_none());
        assert_eq!(sign_ins.take(&consent, at(0)).unwrap().1, alice());
        assert!(sign_ins.take(&consent, at(0)).is_none(), "once");
    }

    #[test]
    fn two_windows_share_a_cookie_and_a_planted_one_is_not_taken() {
        let (mut sign_ins, entropy) = (SignIns::default(), Counting(AtomicU64::new(1)));
        let one = sign_ins.begin(AuthorizeRequest::sample(), sender(1), Some("planted"), &entropy, at(0)).unwrap();
        assert_ne!(one.cookie.as_str(), "planted");
        let two = sign_ins.begin(AuthorizeRequest::sample(), sender(1), Some(&one.cookie), &entropy, at(1)).unwrap();
        assert_eq!(one.cookie, two.cookie);
        assert!(sign_ins.awaiting_password(&proof(&one), at(1)).is_some());
        assert!(sign_ins.awaiting_password(&proof(&two), at(1)).is_some());
    }

    #[test]
    fn guessing_in_one_sign_in_has_an_end() {
        let (mut sign_ins, entropy) = (SignIns::default(), Counting(AtomicU64::new(1)));
        let one = sign_ins.begin(AuthorizeRequest::sample(), sender(1), None, &entropy, at(0)).unwrap();
        for _ in 1..SIGN_IN_FAILURES {
            assert!(sign_ins.fail(&proof(&one), at(0)));
        }
        assert!(!sign_ins.fail(&proof(&one), at(0)));
        assert!(sign_ins.awaiting_password(&proof(&one), at(0)).is_none());
    }

    #[test]
    fn one_sender_cannot_take_all_the_room_and_nobody_can_take_more_than_there_is() {
        let (mut sign_ins, entropy) = (SignIns::default(), Counting(AtomicU64::new(1)));
        let mut begin =
            |number: u8, now| sign_ins.begin(AuthorizeRequest::sample(), sender(number), None, &entropy, now);
        let other = begin(200, at(0)).unwrap();
        let first = begin(1, at(1)).unwrap();
        for number in 1..=SIGN_INS_PER_SENDER {
            begin(1, at(1 + number as u64)).unwrap();
        }
        assert!(sign_ins.awaiting_password(&proof(&first), at(70)).is_none(), "its own oldest went");
        assert!(sign_ins.awaiting_password(&proof(&other), at(70)).is_some(), "nobody else's");
        let mut begin =
            |number: u8, now| sign_ins.begin(AuthorizeRequest::sample(), sender(number), None, &entropy, now);
        let made = (0..SIGN_INS).filter(|number| begin(2 + (number / 60) as u8, at(70)).is_some()).count();
        assert_eq!(made, SIGN_INS - SIGN_INS_PER_SENDER - 1);
        assert!(begin(250, at(600)).is_some(), "the old ones have made room");
    }
}

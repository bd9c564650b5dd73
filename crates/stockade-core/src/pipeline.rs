//! The road. Read it from top to bottom: this is everything that can happen to a message.
//!
//! Must never: have a second way through. Each guard takes what only the guard before it can make.

use crate::guard::{
    Arrived, Flight, Inspected, Interim, LimitSettings, Limiter, Message, Notes, Outbound, Released, Seen, UsedStates,
    admit, authorise, consent, forward, identify, inspect, inspect_interim, no_session, read, recognise, record,
    record_event, release, release_interim, release_nothing, release_refusal, send, stands, still_stands, validate,
};
use crate::identity::{Identity, Shown};
use crate::mcp::{Frame, Id, Method, Revision};
use crate::ports::{
    AskId, Catalogue, Clock, Entropy, Identities, Outlet, Policy, Record, Route, Seals, SessionFacts, Sessions,
    Upstreams,
};
use crate::presence::Presence;
use crate::record::Outcome;
use crate::refusal::{Refusal, Refused};
use crate::ticket::Ticket;
use crate::wire::WireLimits;
use crate::words::{Caller, ServerName, SessionId, TicketId};
use bytes::Bytes;
use futures_util::future::{Abortable, Aborted};
use std::sync::Arc;
use stockade_inspect::Screen;

/// What the road needs from the world.
pub struct Ports {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Who holds which key.
    pub identities: Arc<dyn Identities>,
    /// Who may do what.
    pub policy: Arc<dyn Policy>,
    /// The record.
    pub record: Arc<dyn Record>,
    /// Live legacy sessions.
    pub sessions: Arc<dyn Sessions>,
    /// Sealing.
    pub seals: Arc<dyn Seals>,
    /// What the operator said of servers and tools.
    pub catalogue: Arc<dyn Catalogue>,
    /// The servers behind us.
    pub upstreams: Arc<dyn Upstreams>,
}

/// What the operator has set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The strict reader's limits.
    pub wire: WireLimits,
    /// The budgets of a caller.
    pub limits: LimitSettings,
    /// The oldest revision that is spoken.
    pub floor: Revision,
    /// The caller that messages without credential are taken for; only a sandbox configuration names one.
    pub anonymous: Option<Caller>,
}

/// The road, ready to carry messages.
pub struct Road {
    ports: Ports,
    settings: Settings,
    limiter: Arc<Limiter>,
    used_states: UsedStates,
    notes: Notes,
    presence: Arc<Presence>,
    boot: [u8; 16],
    screen: Screen,
}

/// A message of an upstream's that is no answer, and what is known of it.
pub struct FromServer<'m> {
    /// Whose client it is for.
    pub caller: &'m Caller,
    /// Who sent it.
    pub server: &'m ServerName,
    /// The session's or the request's revision.
    pub revision: Revision,
    /// The request that it came with, if any.
    pub outbound: Option<&'m Outbound>,
    /// Under which id the client is asked, if it is a request.
    pub ask: Option<AskId>,
}

/// What becomes of a message of an upstream's outside of any request.
pub enum Carried {
    /// It goes to the client.
    Pass(Released),
    /// It is dropped.
    Drop,
    /// It was a request that may not be made; this answers it.
    Refuse(Bytes),
}

impl Road {
    /// Builds the road.
    #[must_use]
    pub fn new(ports: Ports, settings: Settings) -> Self {
        let mut boot = [0; 16];
        ports.entropy.fill(&mut boot);
        let limiter = Arc::new(Limiter::new(settings.limits));
        let settings = Settings { wire: settings.wire.within_ceilings(), ..settings };
        Self {
            ports,
            settings,
            limiter,
            used_states: UsedStates::default(),
            notes: Notes::default(),
            presence: Arc::default(),
            boot,
            screen: Screen::default(),
        }
    }

    /// Carries one message of a client's along the road. What comes before the answer goes to `outlet`.
    pub async fn carry(&self, bytes: Bytes, seen: Seen, outlet: &mut dyn Outlet) -> Released {
        let mut ticket = self.ticket(seen.door, "request");
        let arrival = match read(&mut ticket, bytes, seen, &self.settings.wire) {
            Ok(arrival) => arrival,
            Err(unread) => return self.refuse(&mut ticket, &unread.0, unread.1.as_ref()).await,
        };
        let id = arrival.id().cloned();
        let wants_answer = arrival.wants_answer();
        if let Some(id) = &id {
            outlet.started(id, arrival.method());
        }
        match self.guarded(&mut ticket, arrival, outlet).await {
            Ok(released) => released,
            Err(refused) => {
                let released = self.refuse(&mut ticket, &refused, id.as_ref()).await;
                if wants_answer { released } else { released.unexpected() }
            }
        }
    }

    async fn guarded(
        &self,
        ticket: &mut Ticket,
        arrival: crate::guard::Arrival,
        outlet: &mut dyn Outlet,
    ) -> Result<Released, Refused> {
        let ports = &self.ports;
        let identified = identify(ticket, arrival, ports.identities.as_ref(), self.settings.anonymous.as_ref()).await?;
        let validated = validate(ticket, identified, ports.sessions.as_ref(), self.settings.floor)?;
        let is_request = matches!(validated.message(), Message::Request(_));
        let authorised =
            authorise(ticket, validated, ports.policy.as_ref(), ports.catalogue.as_ref(), ports.upstreams.as_ref())?;
        let consented = consent(ticket, authorised)?;
        let admitted = admit(&self.limiter, consented, ports.clock.as_ref())?;
        let now = ports.clock.moment();
        if !is_request {
            let recorded = record_event(ticket, admitted, ports.catalogue.as_ref(), now).await?;
            let cancels = send(recorded, self).await?;
            return Ok(release_nothing(ticket, cancels));
        }
        let recorded = record(ticket, admitted, self, now).await?;
        let (mut flight, outbound) = forward(recorded, self).await?;
        let reply = self.answer_while_standing(ticket, &mut flight, &outbound, outlet).await?;
        let opened = reply.session().cloned();
        let released = self.hand_over(ticket, &outbound, reply).await;
        if let (Some(session), Err(_)) = (opened, &released) {
            ports.sessions.forget(&session);
        }
        released
    }

    async fn hand_over(
        &self,
        ticket: &mut Ticket,
        outbound: &Outbound,
        reply: crate::guard::Reply,
    ) -> Result<Released, Refused> {
        let inspected: Inspected<_> = inspect(ticket, outbound, reply, self)?;
        release(ticket, inspected, outbound.identity(), self.ports.identities.as_ref()).await
    }

    /// Waits for the answer for as long as what proved the caller holds.
    async fn answer_while_standing(
        &self,
        ticket: &mut Ticket,
        flight: &mut Flight,
        outbound: &Outbound,
        outlet: &mut dyn Outlet,
    ) -> Result<crate::guard::Reply, Refused> {
        let (_present, registration) = self.presence.enter(outbound.identity());
        match Abortable::new(self.answer(ticket, flight, outbound, outlet), registration).await {
            Ok(answered) => answered,
            Err(Aborted) => {
                still_stands(outbound.identity(), self.ports.identities.as_ref())?;
                Err(Refused::by("identify", Refusal::Unidentified, "what proved the caller no longer held"))
            }
        }
    }

    /// Ends every request in flight whose caller was revoked, or whose credential has expired, since it began. To be called
    /// several times a second; returns how many it ended.
    pub fn end_fallen(&self) -> usize {
        self.presence.end_unless(|identity| self.stands(identity))
    }

    /// Says whether what proved a caller still holds.
    #[must_use]
    pub fn stands(&self, identity: &Identity) -> bool {
        stands(identity, self.ports.identities.as_ref()).is_ok()
    }

    /// Waits for the answer, and passes on what comes before it.
    async fn answer(
        &self,
        ticket: &mut Ticket,
        flight: &mut Flight,
        outbound: &Outbound,
        outlet: &mut dyn Outlet,
    ) -> Result<crate::guard::Reply, Refused> {
        // A subscription brings nothing before its acknowledgement (MCP 2026-07-28 `subscriptions/listen`; PA-23).
        let mut is_acknowledged = outbound.method() != Method::SubscriptionsListen;
        loop {
            match flight.next(self.clock()).await? {
                Arrived::Reply(reply) => return Ok(reply),
                Arrived::Streaming => outlet.stream(),
                Arrived::Pause(retry) => outlet.pause(retry).await,
                Arrived::Message { frame, server, ask } => {
                    let acknowledges = frame.method() == Some(Method::NotificationsSubscriptionsAcknowledged);
                    let facts = ticket.facts();
                    facts.interim = Some(facts.interim.unwrap_or(0) + 1);
                    let from = FromServer {
                        caller: outbound.caller(),
                        server: &server,
                        revision: outbound.revision(),
                        outbound: Some(outbound),
                        ask,
                    };
                    if !is_acknowledged && !acknowledges && ask.is_none() {
                        let method = frame.method_name();
                        let reason = Some("before the subscription was acknowledged");
                        // Nothing is done, so a record that cannot be written stops nothing.
                        let _ = self.event(&from, "server-message-dropped", method.as_deref(), reason).await;
                        continue;
                    }
                    match self.take_from_server(ticket, frame, &from).await {
                        Carried::Pass(released) => {
                            is_acknowledged |= acknowledges;
                            outlet.send(released).await;
                        }
                        Carried::Drop => {}
                        Carried::Refuse(refusal) => {
                            if let Some(ask) = ask {
                                flight.refuse(ask, refusal.to_vec()).await;
                            }
                        }
                    }
                }
            }
        }
    }

    /// Carries a message of an upstream's that came outside of any request.
    pub async fn carry_from_server(&self, frame: Frame, from: &FromServer<'_>) -> Carried {
        let mut ticket = self.ticket("upstream", "server-message");
        self.name_caller(&mut ticket, from);
        let carried = self.take_from_server(&mut ticket, frame, from).await;
        // What passes and what is dropped is told by events of its own where it matters; this ticket only led the way.
        ticket.forgo();
        carried
    }

    async fn take_from_server(&self, ticket: &mut Ticket, frame: Frame, from: &FromServer<'_>) -> Carried {
        let id = frame.id().cloned();
        let method = frame.method_name().map(std::borrow::Cow::into_owned);
        match inspect_interim(ticket, frame, from, self) {
            Interim::Pass(inspected) => {
                if id.is_some() && self.event(from, "server-request", method.as_deref(), None).await.is_err() {
                    return Carried::Drop;
                }
                release_interim(ticket, inspected).map_or(Carried::Drop, Carried::Pass)
            }
            Interim::Drop(reason) => {
                // Nothing is done, so a record that cannot be written stops nothing.
                let _ = self.event(from, "server-message-dropped", method.as_deref(), Some(reason)).await;
                Carried::Drop
            }
            Interim::Refuse(refused) => {
                let event = self.event(from, "server-request-refused", method.as_deref(), Some(&refused.reason));
                let ticket = event.await.unwrap_or_else(|ticket| ticket);
                Carried::Refuse(Bytes::from(refused.said.to_message(id.as_ref(), ticket)))
            }
        }
    }

    /// Notes something that an upstream did and should not have: a stray answer, a line that is no message. At most
    /// [`Self::NOTES_PER_MINUTE`] a minute for each server are written, so that a flood does not fill the record.
    pub async fn note(&self, from: &FromServer<'_>, kind: &'static str, reason: &str) {
        // Nothing is done, so a record that cannot be written stops nothing.
        let _ = self.event(from, kind, None, Some(reason)).await;
    }

    /// Entries a minute and server about what was dropped.
    pub const NOTES_PER_MINUTE: u32 = 60;

    /// One entry beside requests.
    async fn event(
        &self,
        from: &FromServer<'_>,
        kind: &'static str,
        method: Option<&str>,
        reason: Option<&str>,
    ) -> Result<TicketId, TicketId> {
        let mut ticket = self.ticket("upstream", kind);
        if reason.is_some() && !self.notes.take(from.server, self.clock().moment()) {
            ticket.forgo();
            return Ok(ticket.id());
        }
        self.name_caller(&mut ticket, from);
        let facts = ticket.facts();
        facts.method = method.map(|method| crate::words::Untrusted::new(method).for_log());
        facts.reason = reason.map(str::to_owned);
        let id = ticket.id();
        ticket.event().await.map(|_| id).map_err(|_| id)
    }

    fn name_caller(&self, ticket: &mut Ticket, from: &FromServer<'_>) {
        let facts = ticket.facts();
        facts.caller = Some(from.caller.name.to_string());
        facts.caller_kind = Some(from.caller.kind.as_str());
        facts.server = Some(from.server.to_string());
        facts.revision = Some(from.revision.as_str());
    }

    /// Opens or ends something of a legacy session that carries no message: its stream (`GET`), the session itself
    /// (`DELETE`). The credential decides, the session only says which.
    ///
    /// # Errors
    /// The released refusal.
    pub async fn carry_session(
        &self,
        kind: &'static str,
        door: &'static str,
        shown: &Shown,
        session: Option<&SessionId>,
        route: &Route,
    ) -> Result<(Identity, SessionFacts), Released> {
        let mut ticket = self.ticket(door, kind);
        let found = self.session_of(&mut ticket, shown, session, route).await;
        match found {
            Ok(found) => match ticket.event().await {
                Ok(_) => Ok(found),
                Err(error) => {
                    let refused = Refused::by("record", Refusal::Unavailable, error.to_string());
                    Err(self.refuse(&mut ticket, &refused, None).await)
                }
            },
            Err(refused) => Err(self.refuse(&mut ticket, &refused, None).await),
        }
    }

    async fn session_of(
        &self,
        ticket: &mut Ticket,
        shown: &Shown,
        session: Option<&SessionId>,
        route: &Route,
    ) -> Result<(Identity, SessionFacts), Refused> {
        let anonymous = self.settings.anonymous.as_ref();
        let identity = recognise(ticket, shown, self.ports.identities.as_ref(), anonymous).await?;
        let missing = || Refused::by("validate", Refusal::SessionMissing, "no session is named");
        let session = session.ok_or_else(missing)?;
        ticket.facts().session = Some(session.digest());
        let facts = self.ports.sessions.find(session, &identity, route).map_err(no_session)?;
        ticket.facts().revision = Some(facts.revision.as_str());
        ticket.facts().client = facts.client.clone();
        Ok((identity, facts))
    }

    /// Puts on record what a page or document beside the MCP routes was used for: metadata, sign-in. `event` is a fixed word.
    ///
    /// # Errors
    /// The released refusal when it cannot be recorded; what the page would have said must then not go out.
    pub async fn record_site(&self, door: &'static str, event: &'static str, status: u16) -> Result<(), Released> {
        let mut ticket = self.ticket(door, event);
        if status >= 400 {
            let reason = format!("answered with {status}");
            ticket.refuse(&Refused::by("site", Refusal::Forbidden, reason)).await;
            return Ok(());
        }
        match ticket.event().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let refused = Refused::by("record", Refusal::Unavailable, error.to_string());
                Err(self.refuse(&mut ticket, &refused, None).await)
            }
        }
    }

    /// Refuses what a door could not even hand over as a message: a wrong content type, an unknown path, a broken frame.
    pub async fn turn_away(&self, door: &'static str, refused: &Refused) -> Released {
        let mut ticket = self.ticket(door, "request");
        self.refuse(&mut ticket, refused, None).await
    }

    async fn refuse(&self, ticket: &mut Ticket, refused: &Refused, id: Option<&Id>) -> Released {
        if ticket.is_intended() {
            let outcome = match refused.said {
                Refusal::TimedOut => Outcome::TimedOut,
                Refusal::Cancelled => Outcome::Cancelled,
                Refusal::Withheld
                | Refusal::Unidentified
                | Refusal::PermissionDenied
                | Refusal::UnsupportedVersion { .. } => Outcome::Withheld,
                _ => Outcome::UpstreamFailed,
            };
            let reason = format!("{}: {}", refused.rule, refused.reason);
            // The caller gets a refusal whether or not the record can be written.
            let _ = ticket.close(outcome, Some(reason)).await;
        } else {
            ticket.refuse(refused).await;
        }
        let is_modern = ticket.facts().revision == Some(Revision::V2026_07_28.as_str());
        release_refusal(ticket.id(), refused, id, is_modern)
    }

    fn ticket(&self, door: &'static str, kind: &'static str) -> Ticket {
        let ports = &self.ports;
        Ticket::open(Arc::clone(&ports.clock), ports.entropy.as_ref(), Arc::clone(&ports.record), door, kind)
    }

    /// The strict reader's limits, for those who read from upstreams.
    #[must_use]
    pub const fn wire_limits(&self) -> &WireLimits {
        &self.settings.wire
    }

    /// Time.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.ports.clock.as_ref()
    }

    pub(crate) const fn floor(&self) -> Revision {
        self.settings.floor
    }

    pub(crate) fn entropy(&self) -> &dyn Entropy {
        self.ports.entropy.as_ref()
    }

    pub(crate) fn seals(&self) -> &dyn Seals {
        self.ports.seals.as_ref()
    }

    pub(crate) fn policy(&self) -> &dyn Policy {
        self.ports.policy.as_ref()
    }

    pub(crate) fn catalogue(&self) -> &dyn Catalogue {
        self.ports.catalogue.as_ref()
    }

    pub(crate) fn upstreams(&self) -> &dyn Upstreams {
        self.ports.upstreams.as_ref()
    }

    pub(crate) const fn screen(&self) -> &Screen {
        &self.screen
    }

    pub(crate) const fn used_states(&self) -> &UsedStates {
        &self.used_states
    }

    pub(crate) const fn boot(&self) -> &[u8; 16] {
        &self.boot
    }
}

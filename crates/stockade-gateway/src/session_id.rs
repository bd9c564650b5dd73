//! The ids of legacy sessions: 256 random bits, and behind them what another process needs to go on with the session.
//!
//! For: that a restart, or another replica with the same keys, takes a session over (issue "Who is calling"). The second part
//! is sealed, bound to the caller, the route and the random bits, so it opens for nobody else.
//! Must never: authorise. Whoever shows an id is recognised first, by what this very message carried.

use std::sync::Arc;
use std::time::Duration;
use stockade_core::mcp::Revision;
use stockade_core::ports::{Entropy, Route, Seals, Timestamp};
use stockade_core::wire::{Value, push_json_string};
use stockade_core::words::{Caller, SessionId};

/// Hexadecimal digits of the random part.
const RANDOM_DIGITS: usize = 64;
/// The layout of the sealed part.
const FORMAT: u8 = 1;
/// Bytes of the sealed part: format, revision, capabilities, second of minting, the process that minted it.
const PLAIN_BYTES: usize = 1 + 1 + 1 + 8 + 8;
const NANOSECONDS: i64 = 1_000_000_000;

/// What a client can do for servers, by the bits of one byte: all of a handshake that servers act upon later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Capabilities(u8);

/// The capabilities in the order of their bits: path in the object, and the JSON text of what stands for it.
const CAPABILITIES: [(&[&str], &str); 7] = [
    (&["sampling"], r#""sampling":{}"#),
    (&["sampling", "tools"], r#""tools":{}"#),
    (&["sampling", "context"], r#""context":{}"#),
    (&["elicitation"], r#""elicitation":{}"#),
    (&["elicitation", "url"], r#""url":{}"#),
    (&["roots"], r#""roots":{}"#),
    (&["roots", "listChanged"], r#""listChanged":true"#),
];

impl Capabilities {
    /// Those that the parameters of `initialize` declare.
    pub(crate) fn of(params: Option<Value<'_>>) -> Self {
        let declared = params.and_then(|params| params.get("capabilities"));
        let has = |path: &[&str]| {
            declared.and_then(|declared| declared.at(path)).is_some_and(|value| value.as_bool() != Some(false))
        };
        let bits = CAPABILITIES.iter().enumerate().filter(|(_, (path, _))| has(path)).map(|(bit, _)| 1 << bit);
        Self(bits.sum())
    }

    /// The member `capabilities` of a handshake, as JSON text.
    fn to_json(self) -> String {
        let has = |bit: usize| self.0 & (1 << bit) != 0;
        let top = [0_usize, 3, 5].into_iter().filter(|bit| has(*bit)).map(|bit| {
            let name = CAPABILITIES.get(bit).and_then(|(path, _)| path.first()).copied().unwrap_or_default();
            let inside = CAPABILITIES
                .iter()
                .enumerate()
                .filter(|(inner, (path, _))| path.len() == 2 && path.first() == Some(&name) && has(*inner));
            let inside: Vec<_> = inside.map(|(_, (_, text))| *text).collect();
            format!("\"{name}\":{{{}}}", inside.join(","))
        });
        format!("{{{}}}", top.collect::<Vec<_>>().join(","))
    }
}

/// What an id says of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Minted {
    /// The revision that was negotiated.
    pub(crate) revision: Revision,
    /// What the client can do for servers.
    pub(crate) capabilities: Capabilities,
    /// When it was minted.
    pub(crate) at: Timestamp,
    /// Which process minted it.
    pub(crate) process: [u8; 8],
}

impl Minted {
    /// The handshake that opens a server's side of the session again. The client's own name is not known any more.
    pub(crate) fn handshake(&self) -> Vec<u8> {
        let mut out = br#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"#.to_vec();
        push_json_string(&mut out, self.revision.as_str());
        out.extend_from_slice(b",\"capabilities\":");
        out.extend_from_slice(self.capabilities.to_json().as_bytes());
        out.extend_from_slice(br#","clientInfo":{"name":"stockade","version":"#);
        push_json_string(&mut out, env!("CARGO_PKG_VERSION"));
        out.extend_from_slice(b"}}}");
        out
    }

    /// True if `life` has not passed since.
    pub(crate) fn is_fresh(&self, now: Timestamp, life: Duration) -> bool {
        let life = i64::try_from(life.as_nanos()).unwrap_or(i64::MAX);
        // One from the future is another machine's, whose clock is a little ahead.
        now.0.saturating_sub(self.at.0) < life
    }
}

/// Mints and reads ids.
pub(crate) struct Mint {
    entropy: Arc<dyn Entropy>,
    seals: Arc<dyn Seals>,
    process: [u8; 8],
}

impl Mint {
    pub(crate) fn new(entropy: Arc<dyn Entropy>, seals: Arc<dyn Seals>) -> Self {
        let mut process = [0; 8];
        entropy.fill(&mut process);
        Self { entropy, seals, process }
    }

    /// An id that nobody has seen and that says nothing, for a handshake under way.
    pub(crate) fn provisional(&self) -> SessionId {
        let mut random = [0; 32];
        self.entropy.fill(&mut random);
        SessionId::from_random(random)
    }

    /// The id of a session that was opened.
    pub(crate) fn mint(
        &self,
        caller: &Caller,
        route: &Route,
        revision: Revision,
        capabilities: Capabilities,
        now: Timestamp,
    ) -> SessionId {
        let random = self.provisional();
        let mut plain = Vec::with_capacity(PLAIN_BYTES);
        let revision = Revision::ALL.iter().position(|known| *known == revision).unwrap_or_default();
        plain.extend([FORMAT, u8::try_from(revision).unwrap_or_default(), capabilities.0]);
        plain.extend((now.0.div_euclid(NANOSECONDS)).to_be_bytes());
        plain.extend(self.process);
        let sealed = self.seals.seal(&context(random.as_wire(), caller, route), &plain);
        SessionId::parse(&format!("{}{sealed}", random.as_wire())).unwrap_or(random)
    }

    /// What another process has minted for this caller and route; nothing for anything else, or for one of our own.
    pub(crate) fn read_foreign(&self, id: &SessionId, caller: &Caller, route: &Route) -> Option<Minted> {
        let (random, sealed) = id.as_wire().split_at_checked(RANDOM_DIGITS)?;
        let plain = self.seals.open(&context(random, caller, route), sealed)?;
        let (head, rest) = plain.split_first_chunk::<3>()?;
        let (at, process) = rest.split_first_chunk::<8>()?;
        let [format, revision, capabilities] = *head;
        let process: [u8; 8] = process.try_into().ok()?;
        let minted = Minted {
            revision: *Revision::ALL.get(usize::from(revision))?,
            capabilities: Capabilities(capabilities),
            at: Timestamp(i64::from_be_bytes(*at).checked_mul(NANOSECONDS)?),
            process,
        };
        (format == FORMAT && process != self.process).then_some(minted)
    }
}

fn context(random: &str, caller: &Caller, route: &Route) -> Vec<u8> {
    let route = match route {
        Route::Merged => String::new(),
        Route::One(server) => server.to_string(),
    };
    let mut context = b"session".to_vec();
    for part in [random, &caller.binding(), &route] {
        context.extend_from_slice(&(part.len() as u64).to_be_bytes());
        context.extend_from_slice(part.as_bytes());
    }
    context
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU8, Ordering};
    use stockade_core::words::{CallerKind, CallerName, ServerName};

    struct Counting(AtomicU8);

    /// Seals nothing, but binds.
    struct TestSeals;

    impl Seals for TestSeals {
        fn seal(&self, context: &[u8], plain: &[u8]) -> String {
            let hex: String = plain.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{hex}-{}", stockade_core::wire::Digest::of(context))
        }

        fn open(&self, context: &[u8], sealed: &str) -> Option<Vec<u8>> {
            let (hex, bound) = sealed.split_once('-')?;
            let plain = (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect();
            (bound == stockade_core::wire::Digest::of(context).to_string()).then_some(plain).flatten()
        }
    }

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
        }
    }

    fn mint(start: u8) -> Mint {
        Mint::new(Arc::new(Counting(AtomicU8::new(start))), Arc::new(TestSeals))
    }

    fn caller(name: &str) -> Caller {
        Caller::new(CallerName::parse(name).unwrap(), CallerKind::ApiKey)
    }

    #[test]
    fn another_process_reads_what_was_minted_for_exactly_this_caller_and_route() {
        let (one, other) = (mint(1), mint(100));
        let files = Route::One(ServerName::parse("files").unwrap());
        let capabilities = Capabilities(0b10_1001);
        let now = Timestamp(1_800_000_000 * NANOSECONDS);
        let id = one.mint(&caller("alice"), &files, Revision::V2025_06_18, capabilities, now);
        assert!(id.as_wire().len() > RANDOM_DIGITS && id.as_wire().len() <= 256);
        let minted = other.read_foreign(&id, &caller("alice"), &files).unwrap();
        assert_eq!((minted.revision, minted.capabilities, minted.at), (Revision::V2025_06_18, capabilities, now));
        assert_eq!(one.read_foreign(&id, &caller("alice"), &files), None, "our own are in the table, or have ended");
        assert_eq!(other.read_foreign(&id, &caller("bob"), &files), None);
        assert_eq!(other.read_foreign(&id, &caller("alice"), &Route::Merged), None);
        let cut = SessionId::parse(id.as_wire().split_at(RANDOM_DIGITS).0).unwrap();
        assert_eq!(other.read_foreign(&cut, &caller("alice"), &files), None);
        assert_eq!(other.read_foreign(&one.provisional(), &caller("alice"), &files), None);
        assert!(minted.is_fresh(Timestamp(now.0 + 59 * NANOSECONDS), Duration::from_secs(60)));
        assert!(!minted.is_fresh(Timestamp(now.0 + 60 * NANOSECONDS), Duration::from_secs(60)));
    }

    #[test]
    fn what_a_client_can_do_survives_as_far_as_servers_act_upon_it() {
        for (declared, kept) in [
            ("{}", "{}"),
            (r#"{"roots":{"listChanged":true},"experimental":{"x":{}}}"#, r#"{"roots":{"listChanged":true}}"#),
            (r#"{"roots":{"listChanged":false}}"#, r#"{"roots":{}}"#),
            (
                r#"{"sampling":{"tools":{}},"elicitation":{"form":{},"url":{}}}"#,
                r#"{"sampling":{"tools":{}},"elicitation":{"url":{}}}"#,
            ),
        ] {
            let text = format!(r#"{{"capabilities":{declared}}}"#);
            let limits = stockade_core::wire::WireLimits::DEFAULT;
            let document = stockade_core::wire::Document::read(bytes::Bytes::from(text), &limits).unwrap();
            assert_eq!(Capabilities::of(Some(document.root())).to_json(), kept, "{declared}");
        }
    }
}

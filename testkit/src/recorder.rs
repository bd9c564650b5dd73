//! Everything that reached an upstream, in order.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::received::Received;

#[derive(Debug, Default)]
struct Book {
    messages: Vec<Arc<Received>>,
    raw: Vec<u8>,
    opened: Vec<u64>,
    closed: Vec<(u64, Instant)>,
    starts: Vec<Value>,
}

/// Sees every byte that reaches an upstream. Clones look at the same book.
#[derive(Debug, Clone, Default)]
pub struct Recorder {
    shared: Arc<(Mutex<Book>, Condvar)>,
}

impl Recorder {
    /// All messages so far.
    #[must_use]
    pub fn messages(&self) -> Vec<Arc<Received>> {
        self.book().messages.clone()
    }

    /// How many messages came.
    #[must_use]
    pub fn count(&self) -> usize {
        self.book().messages.len()
    }

    /// The messages of one method.
    #[must_use]
    pub fn of_method(&self, method: &str) -> Vec<Arc<Received>> {
        self.messages().into_iter().filter(|message| message.method() == method).collect()
    }

    /// The `tools/call` messages for one tool.
    #[must_use]
    pub fn calls(&self, tool: &str) -> Vec<Arc<Received>> {
        self.of_method("tools/call").into_iter().filter(|message| message.name() == tool).collect()
    }

    /// Every byte in the order of arrival: request heads and bodies, or standard input, of all links together.
    #[must_use]
    pub fn raw(&self) -> Vec<u8> {
        self.book().raw.clone()
    }

    /// Did these bytes arrive anywhere?
    #[must_use]
    pub fn saw(&self, needle: impl AsRef<[u8]>) -> bool {
        let needle = needle.as_ref();
        !needle.is_empty() && self.book().raw.windows(needle.len()).any(|window| window == needle)
    }

    /// What each started child said about itself: `pid`, `arguments`, `environment`, `folder`, `descriptors`.
    #[must_use]
    pub fn starts(&self) -> Vec<Value> {
        self.book().starts.clone()
    }

    /// How many connections or children there have been.
    #[must_use]
    pub fn links(&self) -> usize {
        self.book().opened.len()
    }

    /// Which links the gateway ended, and when.
    #[must_use]
    pub fn disconnects(&self) -> Vec<(u64, Instant)> {
        self.book().closed.clone()
    }

    /// Forgets everything, so that a case starts after the warm-up.
    pub fn clear(&self) {
        *self.book() = Book::default();
    }

    /// Fails if anything at all arrived.
    #[track_caller]
    pub fn assert_nothing(&self) {
        let messages = self.messages();
        assert!(messages.is_empty(), "the upstream should have seen nothing, but saw {}", describe(&messages));
        let raw = self.raw();
        assert!(raw.is_empty(), "the upstream should have seen no byte, but saw {:?}", String::from_utf8_lossy(&raw));
    }

    /// Fails if anything arrived but handshakes, pings, lists, notifications and answers.
    #[track_caller]
    pub fn assert_no_act(&self) {
        let acts: Vec<_> = self.messages().into_iter().filter(|message| message.is_act()).collect();
        assert!(acts.is_empty(), "the upstream should have been asked for nothing, but saw {}", describe(&acts));
    }

    /// Waits until a message fits, and gives it.
    ///
    /// # Panics
    /// When none came within `limit`.
    #[track_caller]
    pub fn wait_for(&self, what: &str, limit: Duration, fits: impl Fn(&Received) -> bool) -> Arc<Received> {
        self.wait(limit, |book| book.messages.iter().find(|message| fits(message)).cloned())
            .unwrap_or_else(|| panic!("no {what} within {limit:?}; seen: {}", describe(&self.messages())))
    }

    /// Waits until the gateway ends that link. Says when, or `None` after `limit`.
    #[must_use]
    pub fn wait_for_disconnect(&self, link: u64, limit: Duration) -> Option<Instant> {
        self.wait(limit, |book| book.closed.iter().find(|(closed, _)| *closed == link).map(|(_, at)| *at))
    }

    fn wait<T>(&self, limit: Duration, found: impl Fn(&Book) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + limit;
        let mut book = self.book();
        loop {
            if let Some(value) = found(&book) {
                return Some(value);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            book = self.shared.1.wait_timeout(book, left).expect("recorder").0;
        }
    }

    pub(crate) fn note_message(&self, message: Arc<Received>) {
        self.note(|book| book.messages.push(message));
    }

    pub(crate) fn note_raw(&self, bytes: &[u8]) {
        self.note(|book| book.raw.extend_from_slice(bytes));
    }

    pub(crate) fn note_open(&self, link: u64) {
        self.note(|book| book.opened.push(link));
    }

    pub(crate) fn note_start(&self, said: Value) {
        self.note(|book| book.starts.push(said));
    }

    pub(crate) fn note_close(&self, link: u64) {
        self.note(|book| book.closed.push((link, Instant::now())));
    }

    fn note(&self, change: impl FnOnce(&mut Book)) {
        change(&mut self.book());
        self.shared.1.notify_all();
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.shared.0.lock().expect("recorder")
    }
}

fn describe(messages: &[Arc<Received>]) -> String {
    const SHOWN: usize = 20;
    let mut lines: Vec<String> = messages
        .iter()
        .take(SHOWN)
        .map(|message| String::from_utf8_lossy(&message.bytes).chars().take(200).collect())
        .collect();
    if messages.len() > SHOWN {
        lines.push(format!("… and {} more", messages.len() - SHOWN));
    }
    format!("{} message(s): {lines:#?}", messages.len())
}

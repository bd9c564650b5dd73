//! What one connection may take: time and body size. Sizes of the head are constants of the module above.

use std::time::Duration;

/// Deadlines and the last word on body size for one connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Http1Limits {
    /// From a head's first byte (for the first head: from the connection's start) to its last. Default 10 s.
    pub head_deadline: Duration,
    /// From the end of an answer to the first byte of the next request. Default 60 s.
    pub idle_deadline: Duration,
    /// From the end of a head to the end of its body. Default 30 s.
    pub body_deadline: Duration,
    /// In each such window at least `body_window_bytes` of a body must arrive. Default 5 s.
    pub body_window: Duration,
    /// See `body_window`. Default 1 KiB.
    pub body_window_bytes: usize,
    /// The longest body, announced or chunked. Default 64 MiB, a backstop: the door's own limit is smaller and
    /// answers in the protocol's words.
    pub body_limit_bytes: u64,
}

impl Default for Http1Limits {
    fn default() -> Self {
        Self {
            head_deadline: Duration::from_secs(10),
            idle_deadline: Duration::from_secs(60),
            body_deadline: Duration::from_secs(30),
            body_window: Duration::from_secs(5),
            body_window_bytes: 1024,
            body_limit_bytes: 64 * 1024 * 1024,
        }
    }
}

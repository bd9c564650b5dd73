//! Being asked to stop: SIGTERM, SIGINT, SIGHUP, or by nobody being left to hear an answer.

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::os::fd::AsFd;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// How often it is looked whether anybody still reads our output.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Turns true at the first request to stop.
///
/// # Errors
/// When the signals cannot be watched.
pub(crate) fn watch_signals() -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hang_up.recv() => {}
        }
        let _ = stop.send(true);
        // A second request ends the process at once.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(130);
    });
    Ok(stopped)
}

/// Returns when nobody can read `output` any more: a client that was killed, while what it asked for still runs. The end
/// of our input alone does not say so; `printf … | stockade wrap` waits for its answers.
pub(crate) async fn reader_gone(output: impl AsFd) {
    let mut looks = tokio::time::interval(LOOK_EVERY);
    while !is_abandoned(&output) {
        looks.tick().await;
    }
}

/// Whether the other end of a pipe or socket is closed. A file or a terminal is never abandoned.
fn is_abandoned(output: &impl AsFd) -> bool {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Errors and hang-ups are reported without being asked for (poll(2)).
    let mut polled = [PollFd::new(output, PollFlags::empty())];
    poll(&mut polled, Some(&AT_ONCE)).is_ok()
        && polled.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_output_is_abandoned_when_its_other_end_is_closed_and_not_before() {
        let (reader, writer) = std::io::pipe().unwrap();
        assert!(!is_abandoned(&writer));
        drop(reader);
        assert!(is_abandoned(&writer));
        assert!(!is_abandoned(&std::fs::File::open("/dev/null").unwrap()));
    }
}

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
/// of our input alone does not say so; `printf … | stockade wrap` waits for its answers. A file or a terminal is always
/// read.
pub(crate) async fn reader_gone(output: impl AsFd) {
    const AT_ONCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };
    let mut looks = tokio::time::interval(LOOK_EVERY);
    loop {
        looks.tick().await;
        // Errors and hang-ups are reported without being asked for (poll(2)).
        let mut polled = [PollFd::new(&output, PollFlags::empty())];
        let has_news = poll(&mut polled, Some(&AT_ONCE)).is_ok_and(|count| count > 0);
        if has_news && polled.iter().any(|fd| fd.revents().intersects(PollFlags::ERR | PollFlags::HUP)) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;

    #[tokio::test(start_paused = true)]
    async fn a_reader_is_gone_when_its_end_is_closed_and_not_before() {
        let (reader, writer) = std::io::pipe().unwrap();
        let (peer, socket) = UnixStream::pair().unwrap();
        for (reader, writer) in [(OwnedFd::from(reader), OwnedFd::from(writer)), (peer.into(), socket.into())] {
            let waiting = reader_gone(&writer);
            tokio::pin!(waiting);
            assert!(tokio::time::timeout(LOOK_EVERY * 10, &mut waiting).await.is_err());
            drop(reader);
            waiting.await;
        }
        let file = std::fs::File::open("/dev/null").unwrap();
        assert!(tokio::time::timeout(LOOK_EVERY * 10, reader_gone(&file)).await.is_err());
    }
}

//! The words between the gateway and a supervisor, over one Unix stream socket.
//!
//! **For:** telling the supervisor what to start (with the server's three descriptors), when to stop, and hearing how it went.
//!
//! **Never:** carries a byte of the server's traffic, or puts arguments and environment where `ps` shows them.
//!
//! **On the road:** beside it. Both ends are the same executable, so the form has no versions; numbers are little-endian.

use std::ffi::{OsStr, OsString};
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use tokio::net::UnixStream;

/// Largest launch (program, arguments, environment, folder) in bytes. Linux refuses more at `execve` anyway (execve(2)).
pub(crate) const LAUNCH_LIMIT_BYTES: usize = 2 * 1024 * 1024;
/// Longest grace period that an order can carry.
pub(crate) const GRACE_LIMIT: Duration = Duration::from_secs(600);
/// Most descriptors in one message: stdin, stdout, stderr.
const DESCRIPTOR_LIMIT: usize = 3;
/// Size of every message after the launch: a kind and a number.
pub(crate) const NOTE_BYTES: usize = 5;

/// What the supervisor starts: everything resolved and checked by the gateway.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug, Clone))]
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    pub(crate) working_directory: Option<PathBuf>,
}

impl Launch {
    /// The bytes of this launch, without its length; `None` if they are more than [`LAUNCH_LIMIT_BYTES`].
    pub(crate) fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        put(&mut bytes, self.program.as_os_str())?;
        // An empty folder is no folder: `LaunchSpec` refuses relative ones, so the empty text is free.
        put(&mut bytes, self.working_directory.as_deref().unwrap_or("".as_ref()).as_os_str())?;
        bytes.extend(u32::try_from(self.arguments.len()).ok()?.to_le_bytes());
        for argument in &self.arguments {
            put(&mut bytes, argument)?;
        }
        bytes.extend(u32::try_from(self.environment.len()).ok()?.to_le_bytes());
        for (name, value) in &self.environment {
            put(&mut bytes, name)?;
            put(&mut bytes, value)?;
        }
        (bytes.len() <= LAUNCH_LIMIT_BYTES).then_some(bytes)
    }

    /// Reads what [`Launch::encode`] wrote; `None` for anything else.
    pub(crate) fn decode(mut bytes: &[u8]) -> Option<Self> {
        let rest = &mut bytes;
        let program = PathBuf::from(take(rest)?);
        let folder = PathBuf::from(take(rest)?);
        let mut arguments = Vec::new();
        for _ in 0..take_count(rest)? {
            arguments.push(take(rest)?);
        }
        let mut environment = Vec::new();
        for _ in 0..take_count(rest)? {
            environment.push((take(rest)?, take(rest)?));
        }
        let working_directory = (!folder.as_os_str().is_empty()).then_some(folder);
        rest.is_empty().then_some(Self { program, arguments, environment, working_directory })
    }
}

fn put(bytes: &mut Vec<u8>, text: &OsStr) -> Option<()> {
    bytes.extend(u32::try_from(text.len()).ok()?.to_le_bytes());
    bytes.extend(text.as_bytes());
    Some(())
}

fn take(rest: &mut &[u8]) -> Option<OsString> {
    let length = usize::try_from(take_count(rest)?).ok()?;
    let (text, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(OsString::from_vec(text.to_vec()))
}

fn take_count(rest: &mut &[u8]) -> Option<u32> {
    let (number, after) = rest.split_first_chunk::<4>()?;
    *rest = after;
    Some(u32::from_le_bytes(*number))
}

/// What a supervisor says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    /// The server runs; a pidfd comes along if the kernel has them.
    Started { server: i32 },
    /// The server could not be started: an errno.
    NotStarted { errno: i32 },
    /// The server ended with this code, and no process that came from it is left.
    Exited { code: i32 },
    /// The server was ended by this signal, and no process that came from it is left.
    Killed { signal: i32 },
    /// Something that came from the server did not die of SIGKILL in time.
    Survived,
}

impl Report {
    pub(crate) fn encode(self) -> [u8; NOTE_BYTES] {
        match self {
            Self::Started { server } => note(b'R', server),
            Self::NotStarted { errno } => note(b'N', errno),
            Self::Exited { code } => note(b'E', code),
            Self::Killed { signal } => note(b'K', signal),
            Self::Survived => note(b'L', 0),
        }
    }

    pub(crate) fn decode(bytes: [u8; NOTE_BYTES]) -> io::Result<Self> {
        let [kind, number @ ..] = bytes;
        let number = i32::from_le_bytes(number);
        match kind {
            b'R' => Ok(Self::Started { server: number }),
            b'N' => Ok(Self::NotStarted { errno: number }),
            b'E' => Ok(Self::Exited { code: number }),
            b'K' => Ok(Self::Killed { signal: number }),
            b'L' => Ok(Self::Survived),
            _ => Err(io::ErrorKind::InvalidData.into()),
        }
    }
}

/// Tells the supervisor to end the server: SIGTERM, then SIGKILL after `grace`.
pub(crate) fn encode_stop(grace: Duration) -> [u8; NOTE_BYTES] {
    let milliseconds = i32::try_from(grace.min(GRACE_LIMIT).as_millis()).unwrap_or(i32::MAX);
    note(b'S', milliseconds)
}

/// Reads what [`encode_stop`] wrote.
pub(crate) fn decode_stop(bytes: [u8; NOTE_BYTES]) -> io::Result<Duration> {
    let [kind, number @ ..] = bytes;
    match (kind, u64::try_from(i32::from_le_bytes(number))) {
        (b'S', Ok(milliseconds)) => Ok(Duration::from_millis(milliseconds).min(GRACE_LIMIT)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

fn note(kind: u8, number: i32) -> [u8; NOTE_BYTES] {
    let [a, b, c, d] = number.to_le_bytes();
    [kind, a, b, c, d]
}

/// Sends `bytes` and `descriptors` together; both arrive with the first byte. Returns how many bytes went.
///
/// # Errors
/// As sendmsg(2).
pub(crate) fn send_with(socket: BorrowedFd<'_>, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<usize> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !ancillary.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    Ok(sendmsg(socket, &[IoSlice::new(bytes)], &mut ancillary, SendFlags::NOSIGNAL)?)
}

/// Receives bytes and the descriptors that came with them, which are close-on-exec from the start.
///
/// # Errors
/// As recvmsg(2).
pub(crate) fn receive_with(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTOR_LIMIT))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let received = recvmsg(socket, &mut [IoSliceMut::new(bytes)], &mut ancillary, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = Vec::new();
    for message in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            descriptors.extend(rights);
        }
    }
    Ok((received.bytes, descriptors))
}

/// Collects one note at a time. Reading can be dropped at any await and taken up again without losing a byte.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: [u8; NOTE_BYTES],
    filled: usize,
    descriptors: Vec<OwnedFd>,
}

impl Inbox {
    /// The next note and the descriptors that came with it; `None` when the other side is gone.
    ///
    /// # Errors
    /// As recvmsg(2); `UnexpectedEof` if the other side went away inside a note.
    pub(crate) async fn next(&mut self, socket: &UnixStream) -> io::Result<Option<([u8; NOTE_BYTES], Vec<OwnedFd>)>> {
        while let Some(empty) = self.bytes.get_mut(self.filled..).filter(|empty| !empty.is_empty()) {
            let (count, descriptors) =
                socket.async_io(tokio::io::Interest::READABLE, || receive_with(socket.as_fd(), empty)).await?;
            match (count, self.filled) {
                (0, 0) => return Ok(None),
                (0, _) => return Err(io::ErrorKind::UnexpectedEof.into()),
                _ => {}
            }
            self.filled += count;
            self.descriptors.extend(descriptors);
        }
        self.filled = 0;
        Ok(Some((self.bytes, std::mem::take(&mut self.descriptors))))
    }
}

#[cfg(test)]
mod tests {
    use super::{GRACE_LIMIT, Inbox, LAUNCH_LIMIT_BYTES, Launch, Report, decode_stop, encode_stop, send_with};
    use std::ffi::OsString;
    use std::os::fd::AsFd;
    use std::path::PathBuf;
    use std::time::Duration;

    fn launch() -> Launch {
        Launch {
            program: PathBuf::from("/bin/x"),
            arguments: vec!["".into(), "a b\n".into()],
            environment: vec![("A".into(), "=".into()), ("B".into(), "".into())],
            working_directory: Some(PathBuf::from("/tmp")),
        }
    }

    #[test]
    fn a_launch_arrives_as_it_was_sent() {
        let none = Launch { arguments: vec![], environment: vec![], working_directory: None, ..launch() };
        for sent in [launch(), none] {
            assert_eq!(Launch::decode(&sent.encode().unwrap()), Some(sent));
        }
    }

    #[test]
    fn a_cut_or_prolonged_launch_is_refused() {
        let whole = launch().encode().unwrap();
        for length in 0..whole.len() {
            assert_eq!(Launch::decode(&whole[..length]), None, "{length}");
        }
        assert_eq!(Launch::decode(&[whole.as_slice(), b"x"].concat()), None);
        assert_eq!(Launch::decode(&[0xff; 64]), None);
    }

    #[test]
    fn a_launch_has_a_size_limit() {
        let mut large = Launch { arguments: vec![OsString::new()], ..launch() };
        let fixed = large.encode().unwrap().len();
        large.arguments = vec!["x".repeat(LAUNCH_LIMIT_BYTES - fixed).into()];
        assert_eq!(large.encode().map(|bytes| bytes.len()), Some(LAUNCH_LIMIT_BYTES));
        large.arguments = vec!["x".repeat(LAUNCH_LIMIT_BYTES - fixed + 1).into()];
        assert_eq!(large.encode(), None);
    }

    #[test]
    fn notes_arrive_as_they_were_sent_and_others_are_refused() {
        for report in [
            Report::Started { server: 77 },
            Report::NotStarted { errno: 2 },
            Report::Exited { code: 255 },
            Report::Killed { signal: 9 },
            Report::Survived,
        ] {
            assert_eq!(Report::decode(report.encode()).unwrap(), report);
        }
        assert!(Report::decode(encode_stop(Duration::ZERO)).is_err());
        assert_eq!(decode_stop(encode_stop(Duration::from_millis(1500))).unwrap(), Duration::from_millis(1500));
        assert_eq!(decode_stop(encode_stop(Duration::MAX)).unwrap(), GRACE_LIMIT);
        assert!(decode_stop(Report::Survived.encode()).is_err());
        assert!(decode_stop([b'S', 0xff, 0xff, 0xff, 0xff]).is_err());
    }

    #[tokio::test]
    async fn a_note_in_pieces_survives_a_dropped_wait() {
        let (near, far) = tokio::net::UnixStream::pair().unwrap();
        let mut inbox = Inbox::default();
        let note = Report::Exited { code: 3 }.encode();
        send_with(far.as_fd(), &note[..2], &[far.as_fd()]).unwrap();
        assert!(tokio::time::timeout(Duration::from_millis(20), inbox.next(&near)).await.is_err());
        send_with(far.as_fd(), &note[2..], &[]).unwrap();
        let (received, descriptors) = inbox.next(&near).await.unwrap().unwrap();
        assert_eq!((received, descriptors.len()), (note, 1));
        send_with(far.as_fd(), &note[..1], &[]).unwrap();
        drop((far, descriptors));
        assert!(inbox.next(&near).await.is_err());
    }
}

//! The end of the chain, where lines are added: a whole group at once or not at all.
//!
//! Must never: leave half a line between two whole ones; go on in a segment that the disk may have lost a part of; change
//! what stands. A group that could not be written is cut off again before anything else happens.

use crate::files::{FileFacts, Files, write_all_at};
use crate::hash::LineHash;
use crate::head::{Closing, HEAD_DRAFT, HEAD_FILE, Head};
use crate::line::{Header, Row, push_header, push_row};
use crate::segment::{Place, file_name};
use crate::walk::{Position, Step, Walk};
use std::collections::HashSet;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use stockade_core::record::Phase;

/// Intents without an outcome at one time. A further intent is refused: each header lists them all, and a restart must be
/// able to close them all.
pub(crate) const OPEN_INTENTS_LIMIT: usize = 16_384;
/// Bytes that a repair reads and writes at once.
const REPAIR_BYTES: usize = 1024 * 1024;

/// A ticket's id as it stands in a line.
pub(crate) type TicketText = [u8; 26];

/// The group was not written, and nothing of it stands in the record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// There is no room; the next try may find some.
    #[error("there is no room for the record: {source}")]
    Full { source: io::Error },
    /// Something worse; the segment has to be repaired first.
    #[error("the disk failed the record: {source}")]
    Failed { source: io::Error },
    /// It failed earlier and has not been repaired yet.
    #[error("the record waits for its repair after: {reason}")]
    Waiting { reason: String },
    /// What was acknowledged is no longer there; only a person can go on.
    #[error("the record was changed by somebody else: {reason}")]
    Lost { reason: String },
}

/// Too many intents wait for their outcome.
#[derive(Debug, thiserror::Error)]
#[error("more than {OPEN_INTENTS_LIMIT} calls wait for their outcome")]
pub(crate) struct TooManyOpen;

/// The last line, and the file that it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Tip {
    pub(crate) file: Arc<File>,
    pub(crate) position: Position,
}

/// Where a record is written, and in how large pieces.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) files: Arc<dyn Files>,
    pub(crate) folder: PathBuf,
    /// A segment that has reached it is followed by a new one.
    pub(crate) segment_bytes: u64,
}

enum Soundness {
    Sound,
    /// Bytes behind the tip could not be cut off.
    Untrimmed,
    /// The disk refused something; what it has of the segments since the last good sync is in doubt.
    Suspect {
        reason: String,
    },
    Lost {
        reason: String,
    },
}

/// The writer. Whoever holds it writes.
pub(crate) struct Writer {
    home: Home,
    tip: Tip,
    open: HashSet<TicketText>,
    soundness: Soundness,
    staged: Staged,
}

/// A group that is being put together.
struct Staged {
    bytes: Vec<u8>,
    next: Position,
    opened: Vec<TicketText>,
    ended: Vec<TicketText>,
}

impl Staged {
    const fn behind(position: Position) -> Self {
        Self { bytes: Vec::new(), next: position, opened: Vec::new(), ended: Vec::new() }
    }

    fn restart(&mut self, position: Position) {
        self.bytes.clear();
        self.opened.clear();
        self.ended.clear();
        self.next = position;
    }
}

impl Writer {
    /// A writer that goes on behind `tip`, which the caller has verified.
    pub(crate) fn resume(home: Home, tip: Tip, open: HashSet<TicketText>) -> Self {
        let staged = Staged::behind(tip.position);
        Self { home, tip, open, soundness: Soundness::Sound, staged }
    }

    /// The first segment of a new record.
    pub(crate) fn begin(home: Home) -> io::Result<Self> {
        let tip = create_segment(&home, 1, 0, LineHash::GENESIS, &HashSet::new())?;
        Ok(Self::resume(home, tip, HashSet::new()))
    }

    pub(crate) const fn tip(&self) -> &Tip {
        &self.tip
    }

    /// Starts a group: the segment must be sound, and not full.
    ///
    /// # Errors
    /// When it is not; then nothing may be pushed.
    pub(crate) fn prepare(&mut self) -> Result<(), WriteError> {
        match &self.soundness {
            Soundness::Sound => {}
            Soundness::Untrimmed => self.trim()?,
            Soundness::Suspect { reason } => return Err(WriteError::Waiting { reason: reason.clone() }),
            Soundness::Lost { reason } => return Err(WriteError::Lost { reason: reason.clone() }),
        }
        self.look_after()?;
        if self.tip.position.offset >= self.home.segment_bytes {
            self.rotate()?;
        }
        self.staged.restart(self.tip.position);
        Ok(())
    }

    /// Adds one line to the group and gives its sequence number.
    ///
    /// # Errors
    /// When it is an intent and too many are open; the group stays as it was.
    pub(crate) fn push(&mut self, row: &Row<'_>) -> Result<u64, TooManyOpen> {
        let ticket: Option<TicketText> = row.ticket.and_then(|ticket| ticket.as_bytes().try_into().ok());
        match (row.phase, ticket) {
            (Phase::Intent, Some(_)) if self.open.len() + self.staged.opened.len() >= OPEN_INTENTS_LIMIT => {
                return Err(TooManyOpen);
            }
            (Phase::Intent, Some(ticket)) => self.staged.opened.push(ticket),
            (Phase::Outcome, Some(ticket)) => self.staged.ended.push(ticket),
            _ => {}
        }
        Ok(self.stage(row))
    }

    /// Adds one line that is no step of a ticket.
    pub(crate) fn push_event(&mut self, row: &Row<'_>) {
        self.stage(row);
    }

    fn stage(&mut self, row: &Row<'_>) -> u64 {
        let staged = &mut self.staged;
        let start = staged.bytes.len();
        let sequence = staged.next.sequence + 1;
        push_row(&mut staged.bytes, row, sequence, staged.next.hash);
        staged.next.hash = LineHash::of(staged.bytes.get(start..).unwrap_or_default());
        staged.bytes.push(b'\n');
        staged.next.sequence = sequence;
        staged.next.place.line += 1;
        staged.next.offset += (staged.bytes.len() - start) as u64;
        sequence
    }

    /// Writes the group: all of it or nothing.
    pub(crate) fn commit(&mut self) -> Result<(), WriteError> {
        let Tip { file, position } = &self.tip;
        if let Err(source) = write_all_at(&*self.home.files, file, &self.staged.bytes, position.offset) {
            return Err(self.take_back(source));
        }
        self.tip.position = self.staged.next;
        self.open.extend(self.staged.opened.drain(..));
        for ticket in self.staged.ended.drain(..) {
            self.open.remove(&ticket);
        }
        Ok(())
    }

    /// The disk has refused to keep something of the record; [`Self::repair`] has to come before the next group.
    pub(crate) fn suspect(&mut self, reason: &str) {
        if matches!(self.soundness, Soundness::Sound | Soundness::Untrimmed) {
            self.soundness = Soundness::Suspect { reason: reason.to_owned() };
        }
    }

    /// Whether [`Self::repair`] has something to do.
    pub(crate) const fn needs_repair(&self) -> bool {
        matches!(self.soundness, Soundness::Suspect { .. })
    }

    /// After a failure of the disk: what is behind the tip is cut off; every segment since `synced`, the last that the disk
    /// is known to have whole, is read again from the file system, must be what was written, and is handed to the disk once
    /// more, because a failed `fdatasync` may have dropped what it could not write; and a new segment is started.
    ///
    /// # Errors
    /// `Failed` when the disk refuses again; `Lost` when the file system no longer has what was acknowledged.
    pub(crate) fn repair(&mut self, synced: u64) -> Result<(), WriteError> {
        let end = self.tip.position;
        let files = Arc::clone(&self.home.files);
        let reopened = files.open(&self.path(end.place.segment)).map_err(failed)?;
        files.truncate(&reopened, end.offset).map_err(failed)?;
        let found = self.read_again(synced);
        if found != Some(end) {
            let reason = format!("records up to {} were written, but cannot be read back", end.sequence);
            self.soundness = Soundness::Lost { reason: reason.clone() };
            return Err(WriteError::Lost { reason });
        }
        for segment in synced..=end.place.segment {
            let file = files.open(&self.path(segment)).map_err(failed)?;
            rewrite_unchanged(&*files, &file).map_err(failed)?;
        }
        self.tip.file = Arc::new(reopened);
        self.soundness = Soundness::Sound;
        self.rotate()
    }

    /// Somebody may have cut or removed the segment that is being written; writing on would leave a hole, or go nowhere. From
    /// then on everything is refused until a person has looked at the folder.
    fn look_after(&mut self) -> Result<(), WriteError> {
        let facts = self.home.files.facts(&self.tip.file).map_err(failed)?;
        let reason = match facts {
            FileFacts { names: 0, .. } => "the segment in use was removed",
            FileFacts { length, .. } if length < self.tip.position.offset => "the segment in use was cut",
            _ => return Ok(()),
        };
        self.soundness = Soundness::Lost { reason: reason.to_owned() };
        Err(WriteError::Lost { reason: reason.to_owned() })
    }

    fn read_again(&self, synced: u64) -> Option<Position> {
        let segments = (synced..=self.tip.position.place.segment).collect();
        let mut walk = Walk::new(&self.home.folder, segments, None);
        loop {
            match walk.step().ok()? {
                Step::Line(_) => {}
                Step::End => return walk.position(),
                Step::Torn(_) => return None,
            }
        }
    }

    /// Cuts off what a failed write has left behind the tip.
    fn trim(&mut self) -> Result<(), WriteError> {
        let Tip { file, position } = &self.tip;
        self.home.files.truncate(file, position.offset).map_err(failed)?;
        self.soundness = Soundness::Sound;
        Ok(())
    }

    fn take_back(&mut self, source: io::Error) -> WriteError {
        self.staged.restart(self.tip.position);
        self.soundness = Soundness::Untrimmed;
        let trimmed = self.trim();
        let error = classify(source);
        match (&error, trimmed) {
            (WriteError::Full { .. }, _) => {}
            _ => self.suspect(&error.to_string()),
        }
        error
    }

    fn rotate(&mut self) -> Result<(), WriteError> {
        let result = self.home.files.sync(&self.tip.file).and_then(|()| {
            let Position { place, sequence, hash, .. } = self.tip.position;
            create_segment(&self.home, place.segment + 1, sequence, hash, &self.open)
        });
        match result.map_err(classify) {
            Ok(tip) => {
                self.tip = tip;
                Ok(())
            }
            Err(error) => {
                if !matches!(error, WriteError::Full { .. }) {
                    self.suspect(&error.to_string());
                }
                Err(error)
            }
        }
    }

    fn path(&self, segment: u64) -> PathBuf {
        self.home.folder.join(file_name(segment))
    }
}

/// Makes `head.json` say `position`, durably. The caller knows that the disk has everything up to there.
pub(crate) fn write_head(home: &Home, position: Position, closing: Closing) -> io::Result<()> {
    let Position { place, sequence, hash, .. } = position;
    let draft = home.folder.join(HEAD_DRAFT);
    match home.files.remove(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let file = home.files.create(&draft)?;
    write_all_at(&*home.files, &file, &Head { place, sequence, hash, closing }.to_json(), 0)?;
    home.files.sync(&file)?;
    home.files.rename(&draft, &home.folder.join(HEAD_FILE))?;
    home.files.sync_folder(&home.folder)
}

/// Makes segment `segment` with its header, durably, or leaves no trace of it.
fn create_segment(
    home: &Home,
    segment: u64,
    sequence: u64,
    previous: LineHash,
    open: &HashSet<TicketText>,
) -> io::Result<Tip> {
    let path = home.folder.join(file_name(segment));
    let mut line = Vec::new();
    let mut tickets = open.iter().filter_map(|ticket| std::str::from_utf8(ticket).ok());
    push_header(&mut line, Header { segment, first_sequence: sequence + 1, previous, open: &mut tickets });
    let hash = LineHash::of(&line);
    line.push(b'\n');
    let file = match home.files.create(&path) {
        // Left by a try that could not even remove it again: the lock and the tip say that nothing can stand in it.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            home.files.remove(&path)?;
            home.files.create(&path)?
        }
        other => other?,
    };
    let written = write_all_at(&*home.files, &file, &line, 0)
        .and_then(|()| home.files.sync(&file))
        .and_then(|()| home.files.sync_folder(&home.folder));
    if let Err(error) = written {
        // If this fails as well, the next try or the next start removes it.
        let _ = home.files.remove(&path);
        return Err(error);
    }
    let place = Place { segment, line: 1 };
    Ok(Tip { file: Arc::new(file), position: Position { place, offset: line.len() as u64, sequence, hash } })
}

/// Writes each byte of `file` where it stands and waits for the disk.
fn rewrite_unchanged(files: &dyn Files, file: &File) -> io::Result<()> {
    let mut buffer = vec![0; REPAIR_BYTES];
    let mut offset = 0;
    loop {
        let read = file.read_at(&mut buffer, offset)?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        write_all_at(files, file, bytes, offset)?;
        offset += read as u64;
    }
    files.sync(file)
}

/// No room is not the disk's fault, and nothing of what was written before is in doubt.
fn classify(source: io::Error) -> WriteError {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => WriteError::Full { source },
        _ => WriteError::Failed { source },
    }
}

const fn failed(source: io::Error) -> WriteError {
    WriteError::Failed { source }
}

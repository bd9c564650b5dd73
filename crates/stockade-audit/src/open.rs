//! Opening the record: after an orderly close, after kill -9, and not at all after tampering.
//!
//! Must never: cut off what `head.json` knows or what other lines follow; go on behind a bad record. The time of what it adds is
//! given by the caller, it has no clock.

use crate::files::{Files, RealFiles};
use crate::folder::{self, FolderLock, FolderProblem};
use crate::head::{Closing, Head, HeadError};
use crate::line::Row;
use crate::log::{AuditLog, Pace};
use crate::segment::{self, RawLine, ReadError, file_name};
use crate::stored::{RecordLink, StoredHeader, StoredRecord};
use crate::walk::{BadRecord, Step, Walk, WalkError, judge_list};
use crate::writer::{Home, TicketText, Tip, WriteError, Writer, write_head};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use stockade_core::ports::Timestamp;
use stockade_core::record::{Outcome, Phase};
use stockade_core::wire::Digest;

/// The least that a segment may hold before it is followed by another.
const SEGMENT_BYTES_MIN: u64 = 4096;
/// Lines of closed intents that are written at once.
const CLOSING_GROUP: usize = 256;

/// Where and how the record is kept.
#[derive(Debug, Clone)]
pub struct AuditOptions {
    /// The folder; made if it is missing, mode 0700.
    pub folder: PathBuf,
    /// Bytes after which a segment is followed by a new one; at least 4 KiB. A segment may exceed it by one group.
    pub segment_bytes: u64,
    /// The wall clock at the start, for the entries that opening adds.
    pub started: Timestamp,
}

impl AuditOptions {
    /// 64 MiB.
    pub const SEGMENT_BYTES: u64 = 64 * 1024 * 1024;

    /// The record in `folder` with segments of [`Self::SEGMENT_BYTES`].
    #[must_use]
    pub const fn new(folder: PathBuf, started: Timestamp) -> Self {
        Self { folder, segment_bytes: Self::SEGMENT_BYTES, started }
    }
}

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenReport {
    /// Records that stand in the folder now, with those that opening added.
    pub records: u64,
    /// Segments that stand in the folder now.
    pub segments: u64,
    /// The line that the last process did not finish. Nobody was told that it was written.
    pub cut: Option<Cut>,
    /// The tickets whose intent had no outcome; each now has `unknown`.
    pub closed_as_unknown: Vec<String>,
}

/// An unfinished line that was cut off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The file's name in the audit folder.
    pub file: String,
    /// Bytes from its start to the cut.
    pub offset: u64,
    /// Bytes that were cut off.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal digits.
    pub digest: String,
}

/// The record cannot be opened, so the gateway must not start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or used.
    #[error("the audit folder `{folder}` cannot be used")]
    Folder {
        /// Which folder.
        folder: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// There is something else of that name.
    #[error("`{folder}` is not a folder")]
    NotAFolder {
        /// Which one.
        folder: PathBuf,
    },
    /// Somebody else could change the record.
    #[error("the audit folder `{folder}` belongs to another user (id {owner}); choose another one or change its owner")]
    OfAnotherUser {
        /// Which folder.
        folder: PathBuf,
        /// Its owner's id.
        owner: u32,
    },
    /// Two processes would break the chain.
    #[error(
        "another process{} appends to the audit folder `{folder}`; stop it first, or use another data folder",
        holder.map(|id| format!(" (id {id})")).unwrap_or_default()
    )]
    Locked {
        /// Which folder.
        folder: PathBuf,
        /// The id of the process, if it could be read.
        holder: Option<u32>,
    },
    /// It is not as it was written.
    #[error(
        "the record is damaged: {bad}; nothing was changed. keep a copy of the folder for the investigation, then move it away to start a new record"
    )]
    Damaged {
        /// The first bad record.
        bad: BadRecord,
    },
    /// `head.json` is not usable.
    #[error("the record cannot be trusted")]
    Head {
        /// Why.
        #[source]
        cause: HeadError,
    },
    /// It could not be read.
    #[error("the record cannot be read")]
    Unreadable {
        /// Why.
        #[source]
        cause: ReadError,
    },
    /// It could not be written.
    #[error("the record cannot be written: {reason}")]
    Unwritable {
        /// What the operating system said.
        reason: String,
    },
}

impl AuditLog {
    /// Opens the record for appending and verifies its last segments, from the one that `head.json` names. What a killed
    /// process left behind is put in order: an unfinished last line is cut off, and intents without an outcome get the
    /// outcome `unknown`.
    ///
    /// # Errors
    /// When the record is not as it was written, or cannot be written, or another process has it.
    pub fn open(options: AuditOptions) -> Result<(Self, OpenReport), OpenError> {
        Self::open_with(options, Arc::new(RealFiles), Pace::PRODUCTION)
    }

    pub(crate) fn open_with(
        options: AuditOptions,
        files: Arc<dyn Files>,
        pace: Pace,
    ) -> Result<(Self, OpenReport), OpenError> {
        let AuditOptions { folder, segment_bytes, started } = options;
        let lock = take_folder(&folder)?;
        let home = Home { files, folder, segment_bytes: segment_bytes.max(SEGMENT_BYTES_MIN) };
        let found = find(&home)?;
        let mut report = OpenReport::default();
        let mut writer = match found {
            Found { tip: Some(tip), ticket_notes, cut } => {
                let mut writer = Writer::resume(home.clone(), tip, ticket_notes.keys().copied().collect());
                report.closed_as_unknown = tidy_up(&mut writer, started, &ticket_notes, cut.as_ref())?;
                report.cut = cut;
                writer
            }
            Found { cut, .. } => {
                report.cut = cut;
                Writer::begin(home.clone()).map_err(unwritable)?
            }
        };
        writer.prepare().map_err(refused)?;
        let tip = writer.tip();
        home.files.sync(&tip.file).map_err(unwritable)?;
        write_head(&home, tip.position, Closing::Open).map_err(unwritable)?;
        report.records = tip.position.sequence;
        report.segments = tip.position.place.segment;
        let log = Self::start(writer, home, pace, lock).map_err(unwritable)?;
        Ok((log, report))
    }
}

fn take_folder(folder: &Path) -> Result<FolderLock, OpenError> {
    folder::prepare(folder).and_then(|()| folder::lock(folder)).map_err(|problem| {
        let folder = folder.to_owned();
        match problem {
            FolderProblem::Io(source) => OpenError::Folder { folder, source },
            FolderProblem::NotAFolder => OpenError::NotAFolder { folder },
            FolderProblem::OfAnotherUser { owner } => OpenError::OfAnotherUser { folder, owner },
            FolderProblem::Locked { holder } => OpenError::Locked { folder, holder },
        }
    })
}

/// What the folder holds.
struct Found {
    /// The last line; nothing when there is none yet.
    tip: Option<Tip>,
    ticket_notes: HashMap<TicketText, IntentNote>,
    cut: Option<Cut>,
}

/// What the outcome of an intent repeats of it. Empty when the intent stands in an earlier segment.
#[derive(Debug, Default)]
struct IntentNote {
    door: Option<String>,
    caller: Option<String>,
    server: Option<String>,
    method: Option<String>,
    target: Option<String>,
}

/// Walks along the last segments and cuts off what was not finished.
fn find(home: &Home) -> Result<Found, OpenError> {
    let unreadable = |cause| OpenError::Unreadable { cause };
    let head = Head::read(&home.folder).map_err(|cause| OpenError::Head { cause })?;
    let mut segments = segment::list(&home.folder).map_err(unreadable)?;
    // Without a head there is at most what a first start leaves that was killed: one segment without records.
    let first = head.map_or(1, |head| segments.last().map_or(1, |last| head.place.segment.min(*last)));
    judge_list(&segments).map_err(|bad| OpenError::Damaged { bad })?;
    segments.retain(|segment| *segment >= first);
    let mut walk = Walk::new(&home.folder, segments, head);
    let mut ticket_notes = HashMap::new();
    let torn = loop {
        match walk.step() {
            Ok(Step::Line(line)) => note(&mut ticket_notes, &line),
            Ok(Step::Torn(line)) => break Some(line),
            Ok(Step::End) => break None,
            Err(WalkError::Read(cause)) => return Err(unreadable(cause)),
            Err(WalkError::Bad(bad)) => return Err(OpenError::Damaged { bad }),
        }
    };
    if head.is_none() && walk.position().is_some_and(|position| position.sequence > 0) {
        return Err(OpenError::Head { cause: HeadError::Missing });
    }
    let cut = torn.map(|line| cut_off(home, &line)).transpose()?;
    let Some(position) = walk.position() else { return Ok(Found { tip: None, ticket_notes, cut }) };
    let file = home.files.open(&home.folder.join(file_name(position.place.segment))).map_err(unwritable)?;
    Ok(Found { tip: Some(Tip { file: Arc::new(file), position }), ticket_notes, cut })
}

/// Keeps account of the intents that have no outcome yet.
fn note(notes: &mut HashMap<TicketText, IntentNote>, line: &RawLine) {
    if line.place.line == 1 {
        let Some(header) = StoredHeader::parse(&line.bytes) else { return };
        for ticket in &header.open {
            if let Ok(ticket) = ticket.as_bytes().try_into() {
                notes.entry(ticket).or_default();
            }
        }
        return;
    }
    let Some(link) = RecordLink::parse(&line.bytes) else { return };
    let Some(Ok(ticket)) = link.ticket.map(|ticket| TicketText::try_from(ticket.as_bytes())) else { return };
    if link.phase == Phase::Outcome.as_str() {
        notes.remove(&ticket);
    } else if link.phase == Phase::Intent.as_str() {
        let intent = StoredRecord::parse(&line.bytes);
        let note = intent.map(|record| IntentNote {
            door: record.door,
            caller: record.caller,
            server: record.server,
            method: record.method,
            target: record.target,
        });
        notes.insert(ticket, note.unwrap_or_default());
    }
}

/// Cuts an unfinished line off, or removes the segment whose header it was to be.
fn cut_off(home: &Home, line: &RawLine) -> Result<Cut, OpenError> {
    let file = file_name(line.place.segment);
    let path = home.folder.join(&file);
    if line.place.line == 1 {
        home.files.remove(&path).map_err(unwritable)?;
    } else {
        let open = home.files.open(&path).map_err(unwritable)?;
        home.files.truncate(&open, line.offset).map_err(unwritable)?;
        home.files.sync(&open).map_err(unwritable)?;
    }
    home.files.sync_folder(&home.folder).map_err(unwritable)?;
    let digest = Digest::of(&line.bytes).to_string();
    Ok(Cut { file, offset: line.offset, bytes: line.bytes.len() as u64, digest })
}

/// Tells the record what was cut off, and gives every open intent its outcome. Gives the tickets, in order.
fn tidy_up(
    writer: &mut Writer,
    started: Timestamp,
    notes: &HashMap<TicketText, IntentNote>,
    cut: Option<&Cut>,
) -> Result<Vec<String>, OpenError> {
    if let Some(cut) = cut {
        let reason = format!("{} bytes of an unfinished line were cut off, SHA-256 {}", cut.bytes, cut.digest);
        writer.prepare().map_err(refused)?;
        writer.push_event(&Row { reason: Some(&reason), ..Row::own(started, Phase::Event, "unfinished-line") });
        writer.commit().map_err(refused)?;
    }
    let mut open: Vec<(&str, &IntentNote)> =
        notes.iter().filter_map(|(ticket, note)| Some((std::str::from_utf8(ticket).ok()?, note))).collect();
    open.sort_unstable_by_key(|(ticket, _)| *ticket);
    for group in open.chunks(CLOSING_GROUP) {
        writer.prepare().map_err(refused)?;
        for (ticket, note) in group {
            let row = Row {
                ticket: Some(ticket),
                door: note.door.as_deref(),
                caller: note.caller.as_deref(),
                server: note.server.as_deref(),
                method: note.method.as_deref(),
                target: note.target.as_deref(),
                reason: Some("found without outcome after a restart"),
                outcome: Some(Outcome::Unknown),
                ..Row::own(started, Phase::Outcome, "request")
            };
            writer.push(&row).map_err(|error| OpenError::Unwritable { reason: error.to_string() })?;
        }
        writer.commit().map_err(refused)?;
    }
    Ok(open.into_iter().map(|(ticket, _)| ticket.to_owned()).collect())
}

fn unwritable(source: std::io::Error) -> OpenError {
    OpenError::Unwritable { reason: source.to_string() }
}

fn refused(error: WriteError) -> OpenError {
    OpenError::Unwritable { reason: error.to_string() }
}

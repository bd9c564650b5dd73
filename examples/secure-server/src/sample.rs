//! The content of the sample database, and the file that holds it.
//!
//! Must never: touch a file that is there already.

use rusqlite::{Connection, OpenFlags};
use std::fs::{DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The file in the data folder.
const FILE: &str = "sample.sqlite";
/// Only its owner may look into the folder; nobody may write to the file.
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o400;

/// The planets of the Sun and their larger moons. Diameters in kilometres, orbits in days, distances in millions of
/// kilometres, all rounded.
const CONTENT: &str = "
BEGIN;
CREATE TABLE planets (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  diameter_km INTEGER NOT NULL,
  distance_million_km REAL NOT NULL,
  orbit_days REAL NOT NULL
) STRICT;
CREATE TABLE moons (
  id INTEGER PRIMARY KEY,
  planet_id INTEGER NOT NULL REFERENCES planets (id),
  name TEXT NOT NULL UNIQUE,
  diameter_km INTEGER NOT NULL,
  discovered INTEGER
) STRICT;
INSERT INTO planets VALUES
  (1, 'Mercury', 'rock', 4879, 57.9, 88.0),
  (2, 'Venus', 'rock', 12104, 108.2, 224.7),
  (3, 'Earth', 'rock', 12756, 149.6, 365.2),
  (4, 'Mars', 'rock', 6792, 228.0, 687.0),
  (5, 'Jupiter', 'gas', 142984, 778.5, 4331.0),
  (6, 'Saturn', 'gas', 120536, 1432.0, 10747.0),
  (7, 'Uranus', 'ice', 51118, 2867.0, 30589.0),
  (8, 'Neptune', 'ice', 49528, 4515.0, 59800.0);
INSERT INTO moons (planet_id, name, diameter_km, discovered) VALUES
  (3, 'Moon', 3475, NULL),
  (4, 'Phobos', 22, 1877),
  (4, 'Deimos', 12, 1877),
  (5, 'Io', 3643, 1610),
  (5, 'Europa', 3122, 1610),
  (5, 'Ganymede', 5268, 1610),
  (5, 'Callisto', 4821, 1610),
  (6, 'Titan', 5150, 1655),
  (6, 'Rhea', 1528, 1672),
  (6, 'Iapetus', 1470, 1671),
  (6, 'Enceladus', 504, 1789),
  (7, 'Titania', 1578, 1787),
  (7, 'Oberon', 1523, 1787),
  (7, 'Miranda', 472, 1948),
  (8, 'Triton', 2707, 1846),
  (8, 'Proteus', 420, 1989);
COMMIT;
";

/// Why the sample could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// The folder or the file could not be made.
    #[error("the file system refused")]
    Files(#[source] io::Error),
    /// SQLite could not write the content.
    #[error("SQLite could not write the tables")]
    Content(#[source] rusqlite::Error),
}

/// The path of the sample in `data`, made if there is none. Several processes may do this at once.
pub(crate) fn prepare(data: &Path) -> Result<PathBuf, SampleError> {
    // Absolute, because SQLite would read a relative path that begins with `file:` as an address with options.
    let folder = std::path::absolute(data).map_err(SampleError::Files)?;
    let path = folder.join(FILE);
    if path.exists() {
        return Ok(path);
    }
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(&folder).map_err(SampleError::Files)?;
    let unfinished = folder.join(format!("{FILE}.{}", std::process::id()));
    let made = write(&unfinished).and_then(|()| publish(&unfinished, &path));
    // After success it is a second name of the published file, after a failure it is of no use.
    let _ = std::fs::remove_file(&unfinished);
    made.map(|()| path)
}

fn write(path: &Path) -> Result<(), SampleError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(SampleError::Files(error)),
        _ => {}
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(SampleError::Content)?;
    connection.execute_batch(CONTENT).map_err(SampleError::Content)?;
    connection.close().map_err(|(_, error)| SampleError::Content(error))?;
    std::fs::set_permissions(path, Permissions::from_mode(FILE_MODE)).map_err(SampleError::Files)
}

/// Gives the finished file its name, unless another process was faster: then its file stays.
fn publish(unfinished: &Path, path: &Path) -> Result<(), SampleError> {
    match std::fs::hard_link(unfinished, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(SampleError::Files(error)),
        _ => Ok(()),
    }
}

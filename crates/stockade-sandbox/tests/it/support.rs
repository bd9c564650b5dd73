//! What the tests share: folders, servers, and looking at processes from outside.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use stockade_sandbox::{Child, LaunchSpec, Launcher, base_environment};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};

pub(crate) const STAND_IN: &str = env!("CARGO_BIN_EXE_sandbox-stand-in");
/// The requirement: no descendant alive two seconds after an end (LO-06).
pub(crate) const END_LIMIT: Duration = Duration::from_secs(2);
/// Longest wait for something that a test needs before it can begin.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A server that ignores SIGTERM and the end of its input, with a child in its group and a daemon outside of it (double
/// fork, `setsid`, SIGTERM and SIGHUP ignored) that has a child of its own. Prints the process ids once all are there.
pub(crate) const STUBBORN_SERVER: &str = r#"
import os, signal, time
for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
reader, writer = os.pipe()
def stay():
    os.write(writer, b"%d\n" % os.getpid())
    while True:
        time.sleep(60)
if os.fork() == 0:
    stay()
middle = os.fork()
if middle == 0:
    os.setsid()
    if os.fork() == 0:
        os.setpgid(0, 0)
        if os.fork() == 0:
            stay()
        stay()
    os._exit(0)
os.waitpid(middle, 0)
seen = b""
while seen.count(b"\n") < 3:
    seen += os.read(reader, 100)
print(os.getpid(), *seen.decode().split(), flush=True)
while True:
    time.sleep(60)
"#;

/// A folder that goes away with its value.
pub(crate) struct Folder(pub(crate) PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("stockade-sandbox-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path.canonicalize().unwrap())
    }

    pub(crate) fn file(&self, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = self.0.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

pub(crate) fn spec(program: &str, args: &[&str]) -> LaunchSpec {
    LaunchSpec {
        program: program.into(),
        args: args.iter().map(OsString::from).collect(),
        environment: base_environment(std::env::vars_os()),
        working_directory: None,
        base_directory: PathBuf::from("/"),
    }
}

pub(crate) fn launcher() -> Launcher {
    Launcher::with_supervisor(PathBuf::from(STAND_IN))
}

pub(crate) async fn start(spec: &LaunchSpec) -> Child {
    launcher().start(spec).await.unwrap()
}

pub(crate) async fn start_python(script: &str) -> Child {
    start(&spec("python3", &["-c", script])).await
}

/// Reads the server's first line, which must be process ids.
pub(crate) async fn announced(child: &mut Child) -> Vec<u32> {
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    tokio::time::timeout(PATIENCE, output.read_line(&mut line)).await.expect("the server says nothing").unwrap();
    let ids: Vec<u32> = line.split_whitespace().map(|id| id.parse().unwrap()).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| is_alive(*id)), "{line}");
    ids
}

/// All that a server writes until it has ended.
pub(crate) async fn whole_output(spec: &LaunchSpec) -> String {
    let mut child = start(spec).await;
    let (mut output, mut complaints) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut output).await.unwrap();
    child.stderr.take().unwrap().read_to_string(&mut complaints).await.unwrap();
    let exit = child.wait().await;
    assert_eq!(exit, stockade_sandbox::Exit::Code(0), "{complaints}");
    output
}

/// A zombie is dead: nothing of it runs any more.
pub(crate) fn is_alive(id: u32) -> bool {
    stat_field(id, 0).is_some_and(|state| state != "Z" && state != "X")
}

pub(crate) fn parent_of(id: u32) -> u32 {
    stat_field(id, 1).unwrap().parse().unwrap()
}

pub(crate) fn session_of(id: u32) -> u32 {
    stat_field(id, 3).unwrap().parse().unwrap()
}

/// A field of `/proc/ID/stat`, counted from the one after the name.
fn stat_field(id: u32, index: usize) -> Option<String> {
    let stat = fs::read_to_string(Path::new("/proc").join(id.to_string()).join("stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(index).map(str::to_owned)
}

/// Waits until all are dead, and fails when that takes longer than `limit`.
#[track_caller]
pub(crate) fn assert_all_die(ids: &[u32], limit: Duration) {
    let begun = Instant::now();
    loop {
        let alive: Vec<u32> = ids.iter().copied().filter(|id| is_alive(*id)).collect();
        if alive.is_empty() {
            return;
        }
        assert!(begun.elapsed() < limit, "still alive after {limit:?}: {alive:?} of {ids:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

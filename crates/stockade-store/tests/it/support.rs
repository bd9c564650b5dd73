//! A scratch folder.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use stockade_core::ports::{Clock, Moment, PortFuture, Timestamp};
use stockade_core::words::{CallerName, Secret};
use stockade_store::{
    Act, ApiKeys, DataFolder, EnvironmentName, KeyId, KeyRing, KeyRules, NewKey, OperatorEvents, RevocationList, State,
};

/// A folder that goes when it is dropped; the data folder is inside.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let name = format!("stockade-store-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.0.join("data")
    }

    pub(crate) fn root_key(&self) -> PathBuf {
        self.data().join("keys/root.key")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.data().join("state.db")
    }

    pub(crate) fn folder(&self) -> DataFolder {
        DataFolder::beside(&self.data()).unwrap()
    }

    pub(crate) fn ring(&self) -> KeyRing {
        KeyRing::open(&self.folder()).unwrap()
    }

    pub(crate) fn state(&self) -> Arc<State> {
        State::open(&self.folder(), Arc::new(RealClock(Instant::now()))).unwrap()
    }

    /// The state by a clock that is set.
    pub(crate) fn state_by(&self, clock: &Arc<SetClock>) -> Arc<State> {
        State::open(&self.folder(), clock.clone()).unwrap()
    }

    pub(crate) fn keys(&self) -> ApiKeys {
        self.keys_of(&self.state(), rules())
    }

    pub(crate) fn keys_of(&self, state: &Arc<State>, rules: KeyRules) -> ApiKeys {
        ApiKeys::open(state, &self.ring(), rules).unwrap()
    }

    pub(crate) fn revocations(&self) -> RevocationList {
        RevocationList::open(&self.state()).unwrap()
    }

    pub(crate) fn events(&self) -> OperatorEvents {
        OperatorEvents::open(&self.state()).unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

pub(crate) fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Of the environment `production`, without a greatest age.
pub(crate) fn rules() -> KeyRules {
    KeyRules { environment: environment("production"), warn_age: None, max_age: None }
}

pub(crate) fn environment(text: &str) -> EnvironmentName {
    EnvironmentName::parse(text).unwrap()
}

pub(crate) fn name(text: &str) -> CallerName {
    CallerName::parse(text).unwrap()
}

/// Does something as `operator` at a time.
pub(crate) fn at<T>(time: i64, act: impl FnOnce(&Act<'_>) -> T) -> T {
    act(&Act { operator: &name("operator"), at: Timestamp(time), reason: None })
}

/// A key without end for `caller`.
pub(crate) fn add(keys: &ApiKeys, caller: &str, time: i64) -> (KeyId, Secret) {
    let caller = name(caller);
    at(time, |act| keys.add(NewKey { caller: &caller, scopes: None, expires: None }, act)).unwrap()
}

/// The system's clocks.
struct RealClock(Instant);

impl Clock for RealClock {
    #[expect(clippy::disallowed_methods, reason = "the tests of other processes need the clock that those have")]
    fn wall(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        Timestamp(i64::try_from(since.as_nanos()).unwrap())
    }

    fn moment(&self) -> Moment {
        Moment(self.0.elapsed())
    }

    fn sleep_until(&self, _: Moment) -> PortFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Clocks that stand still until they are set.
pub(crate) struct SetClock(Mutex<(i64, Duration)>);

impl SetClock {
    pub(crate) fn at(wall: i64) -> Arc<Self> {
        Arc::new(Self(Mutex::new((wall, Duration::ZERO))))
    }

    /// Time passes, by both clocks.
    pub(crate) fn pass(&self, time: Duration) {
        let mut clocks = self.0.lock().unwrap();
        *clocks = (clocks.0 + i64::try_from(time.as_nanos()).unwrap(), clocks.1 + time);
    }

    /// Somebody sets the wall clock; so much time passes that copies are no longer fresh.
    pub(crate) fn set(&self, wall: i64) {
        let mut clocks = self.0.lock().unwrap();
        *clocks = (wall, clocks.1 + Duration::from_millis(500));
    }
}

impl Clock for SetClock {
    fn wall(&self) -> Timestamp {
        Timestamp(self.0.lock().unwrap().0)
    }

    fn moment(&self) -> Moment {
        Moment(self.0.lock().unwrap().1)
    }

    fn sleep_until(&self, _: Moment) -> PortFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

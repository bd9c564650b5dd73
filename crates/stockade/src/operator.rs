//! The operating system's user: who operates the gateway by commands, and who calls through `stockade wrap`.
//!
//! Must never: believe the environment, which can say any name; only the system's own list names the user.

use stockade_core::words::{CallerName, NameError};

/// The largest list of users that is read: 1 MiB.
const LIST_BYTES: u64 = 1 << 20;

/// The name of the user of this process. The name is for people; that it is this user is what the system vouches for.
///
/// # Errors
/// Never, as far as can be seen: a user without a usable name is called by number.
pub(crate) fn name() -> Result<CallerName, NameError> {
    let id = rustix::process::geteuid().as_raw();
    let by_system = read_list().and_then(|text| user_name(&text, id));
    CallerName::parse(&by_system.unwrap_or_default()).or_else(|_| CallerName::parse(&format!("uid-{id}")))
}

fn read_list() -> Option<String> {
    let mut text = String::new();
    let file = std::fs::File::open("/etc/passwd").ok()?;
    std::io::Read::read_to_string(&mut std::io::Read::take(file, LIST_BYTES), &mut text).ok()?;
    Some(text)
}

/// The name of a user in the form of passwd(5).
fn user_name(passwd: &str, id: u32) -> Option<String> {
    passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid) = (fields.next()?, fields.next()?, fields.next()?);
        (uid.parse() == Ok(id)).then(|| name.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_by_the_system() {
        let passwd = "root:x:0:0:root:/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n";
        assert_eq!(user_name(passwd, 1000).as_deref(), Some("alice"));
        assert_eq!(user_name(passwd, 7), None);
        assert!(name().is_ok());
    }
}

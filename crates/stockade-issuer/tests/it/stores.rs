//! The database: what it keeps, what it refuses, and that both stores do the same.

use crate::browser::{REDIRECT, asking, code_for, redeem, signed_in};
use crate::ground::{Ground, PASSWORD, Scratch, member, name};
use crate::memory::Memory;
use std::os::unix::fs::PermissionsExt;
use stockade_core::ports::Timestamp;
use stockade_core::words::{Secret, Untrusted};
use stockade_issuer::{
    Begun, Challenge, ClientAuthentication, ClientId, ClientMetadata, CodeRecord, Consent, FAMILIES_PER_USER, FamilyId,
    FamilyRecord, Grant, IssuerStore, Password, Purpose, RedirectUri, RegisteredClient, Renewal, Resource, Scopes,
    TokenId, TokenReference, USERS, UserRecord, UserStamp, Users, UsersError,
};
use stockade_store::{DataFolder, IssuerDatabase, IssuerDatabaseError, KeyRing, OsEntropy};

fn each(check: impl Fn(&dyn IssuerStore)) {
    check(&Memory::default());
    check(&Scratch::new().database());
}

fn stamp(letter: &str) -> UserStamp {
    UserStamp::parse(&letter.repeat(22)).unwrap()
}

fn user(text: &str) -> UserRecord {
    let password = Secret::new(PASSWORD.to_owned());
    // Computed once: it is dear, and here it does not matter whose it is.
    static HASH: std::sync::OnceLock<stockade_issuer::PasswordHash> = std::sync::OnceLock::new();
    let hash = HASH.get_or_init(|| Password::choose(&password, &name("x")).unwrap().hash(&OsEntropy).unwrap());
    let at = Timestamp(1);
    UserRecord { name: name(text), password: hash.clone(), stamp: stamp("s"), created: at, changed: at }
}

fn family(number: usize, of: &str, used: i64) -> FamilyRecord {
    FamilyRecord {
        id: FamilyId::parse(&format!("{number:022}")).unwrap(),
        grant: Grant {
            client: ClientId::parse("https://app.example/client.json").unwrap(),
            user: name(of),
            redirect: RedirectUri::parse(REDIRECT).unwrap(),
            resource: Resource::parse("http://127.0.0.1:8443/mcp").unwrap(),
            scopes: Scopes::parse("b a").unwrap(),
            renewal: Renewal::Refresh,
        },
        created: Timestamp(used),
        used: Timestamp(used),
        ends: Timestamp(i64::MAX),
    }
}

fn code(store: &dyn IssuerStore, family: &FamilyRecord) -> CodeRecord {
    CodeRecord {
        digest: store.digest(Purpose::Code, family.id.as_str()),
        family: family.id.clone(),
        challenge: Challenge::from_bytes([3; 32]),
        redirect: family.grant.redirect.clone(),
        ends: Timestamp(i64::MAX),
    }
}

fn is_gone(store: &dyn IssuerStore, family: &FamilyRecord) -> bool {
    let token = TokenId::parse(&"t".repeat(22)).unwrap();
    let subject = family.grant.user.as_str();
    store.is_revoked(TokenReference { token: &token, family: &family.id, subject }).unwrap()
}

#[test]
fn what_is_kept_comes_back_as_it_was() {
    each(|store| {
        assert!(store.add_user(&user("alice")).unwrap());
        assert!(!store.add_user(&user("alice")).unwrap());
        assert!(store.add_user(&user("Alice")).unwrap(), "names are what they are");
        let names: Vec<_> = store.users().unwrap().into_iter().map(|user| user.name).collect();
        assert_eq!(names, [name("Alice"), name("alice")]);
        let found = store.user(&name("alice")).unwrap().unwrap();
        assert_eq!((found.password, found.stamp), (user("alice").password, stamp("s")));
        let client = RegisteredClient {
            id: ClientId::parse(&format!("stc_{}", "c".repeat(22))).unwrap(),
            metadata: ClientMetadata {
                name: Some(Untrusted::new("Na\u{202e}me ' \"".to_owned())),
                redirects: vec![RedirectUri::parse(REDIRECT).unwrap(), RedirectUri::parse("cursor://a/b").unwrap()],
                authentication: ClientAuthentication::SecretPost,
                renewal: Renewal::SignInAgain,
            },
            secret: Some(store.digest(Purpose::ClientSecret, "secret")),
            created: Timestamp(5),
            used: None,
        };
        store.add_client(&client).unwrap();
        let found = store.client(client.id.as_str()).unwrap().unwrap();
        assert_eq!(found.metadata, client.metadata);
        assert_eq!((found.id, found.secret, found.created, found.used), (client.id, client.secret, Timestamp(5), None));
        assert!(store.client("stc_").unwrap().is_none());
        let one = family(1, "alice", 10);
        assert_eq!(store.begin_family(&one, &code(store, &one), &stamp("s")).unwrap(), Begun::Yes);
        match store.take_code(&store.digest(Purpose::Code, one.id.as_str()), Timestamp(11)).unwrap() {
            stockade_issuer::CodeTaken::Fresh(fresh) => {
                assert_eq!(fresh.1.grant, one.grant);
                assert_eq!((fresh.0.challenge, fresh.0.family), (Challenge::from_bytes([3; 32]), one.id));
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn digests_differ_by_purpose_and_secret() {
    each(|store| {
        let digests: std::collections::HashSet<_> = Purpose::ALL
            .into_iter()
            .flat_map(|purpose| ["a", "b", ""].map(|secret| store.digest(purpose, secret)))
            .collect();
        assert_eq!(digests.len(), 12);
        assert_eq!(store.digest(Purpose::Code, "a"), store.digest(Purpose::Code, "a"));
    });
}

#[test]
fn nobody_gets_a_family_under_a_stamp_that_is_not_theirs() {
    each(|store| {
        store.add_user(&user("alice")).unwrap();
        let one = family(1, "alice", 1);
        assert_eq!(store.begin_family(&one, &code(store, &one), &stamp("t")).unwrap(), Begun::UserChanged);
        let two = family(2, "bob", 1);
        assert_eq!(store.begin_family(&two, &code(store, &two), &stamp("s")).unwrap(), Begun::UserChanged);
        assert!(is_gone(store, &one) && is_gone(store, &two));
        let taken = store.take_code(&code(store, &one).digest, Timestamp(2)).unwrap();
        assert!(matches!(taken, stockade_issuer::CodeTaken::Unknown), "{taken:?}");
    });
}

#[test]
fn one_family_too_many_ends_the_one_that_was_unused_for_the_longest() {
    each(|store| {
        store.add_user(&user("alice")).unwrap();
        store.add_user(&user("bob")).unwrap();
        let others = family(0, "bob", 0);
        store.begin_family(&others, &code(store, &others), &stamp("s")).unwrap();
        let all: Vec<_> =
            (1..=FAMILIES_PER_USER as usize + 1).map(|number| family(number, "alice", number as i64)).collect();
        for one in &all {
            store.begin_family(one, &code(store, one), &stamp("s")).unwrap();
        }
        assert!(is_gone(store, &all[0]));
        assert!(all[1..].iter().all(|one| !is_gone(store, one)) && !is_gone(store, &others));
    });
}

#[test]
fn consents_are_exact_and_bounded() {
    each(|store| {
        let consent = |scope: &str| Consent {
            user: name("alice"),
            client: ClientId::parse("https://app.example/client.json").unwrap(),
            redirect: "https://app.example/cb".to_owned(),
            resource: Resource::parse("http://127.0.0.1:8443/mcp").unwrap(),
            scopes: Scopes::parse(scope).unwrap(),
        };
        let limit = stockade_issuer::CONSENTS_PER_USER as usize;
        for number in 0..=limit {
            store.remember_consent(&consent(&format!("s{number}")), Timestamp(number as i64)).unwrap();
        }
        assert!(!store.is_consented(&consent("s0")).unwrap());
        assert!(store.is_consented(&consent("s1")).unwrap());
        let last = consent(&format!("s{limit}"));
        assert!(store.is_consented(&last).unwrap());
        for changed in [
            Consent { user: name("bob"), ..last.clone() },
            Consent { redirect: "https://app.example/cb2".to_owned(), ..last.clone() },
            Consent { resource: Resource::parse("http://127.0.0.1:8443/mcp/files").unwrap(), ..last.clone() },
            Consent { scopes: Scopes::parse("s1 s2").unwrap(), ..last.clone() },
            Consent { client: ClientId::parse("https://app.example/other.json").unwrap(), ..last.clone() },
        ] {
            assert!(!store.is_consented(&changed).unwrap(), "{changed:?}");
        }
    });
}

#[test]
fn users_have_a_limit() {
    each(|store| {
        for number in 0..USERS {
            store.add_user(&user(&format!("user-{number}"))).unwrap();
        }
        let error = store.add_user(&user("one-more")).unwrap_err();
        assert_eq!(error.to_string(), "there are 1000 users, which is the limit");
        store.remove_user(&name("user-0"), Timestamp(0)).unwrap();
        assert!(store.add_user(&user("one-more")).unwrap());
    });
}

#[test]
fn the_users_commands_say_what_is_wrong() {
    each(|store| {
        let users = Users::new(store, &OsEntropy);
        let alice = name("alice");
        let made = users.add(&alice, None, Timestamp(1)).unwrap().unwrap();
        assert_eq!(made.expose().len(), 22);
        assert!(matches!(users.add(&alice, None, Timestamp(1)), Err(UsersError::Exists { .. })));
        let short = Secret::new("short".to_owned());
        assert!(matches!(users.set_password(&alice, Some(&short), Timestamp(1)), Err(UsersError::Password { .. })));
        assert!(matches!(users.remove(&name("bob"), Timestamp(1)), Err(UsersError::Missing { .. })));
        assert!(matches!(users.set_password(&name("bob"), None, Timestamp(1)), Err(UsersError::Missing { .. })));
        users.remove(&alice, Timestamp(2)).unwrap();
        assert_eq!(users.list().unwrap(), []);
    });
}

#[test]
fn nothing_in_the_files_lets_anybody_in() {
    let ground = Ground::with_database();
    let tokens = signed_in(&ground);
    let code = code_for(&ground, &asking(&tokens.client));
    let folder = ground.folder();
    let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let databases: Vec<_> = files.iter().filter(|path| path.to_string_lossy().contains("issuer.db")).collect();
    assert!(!databases.is_empty());
    for path in databases {
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        let content = std::fs::read(path).unwrap();
        let holds = |needle: &[u8]| content.windows(needle.len()).any(|window| window == needle);
        let half = |token: &str| token.as_bytes()[token.len() - 20..].to_vec();
        assert!(!holds(&half(&tokens.refresh)) && !holds(&half(&tokens.access)) && !holds(&half(&code)));
        assert!(!holds(PASSWORD.as_bytes()));
        // The DER of every EC key in PKCS #8 begins so.
        assert!(!holds(&[0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]), "a signing key in the clear");
    }
    assert_eq!(redeem(&ground, &tokens.client, &code).status, 200, "and yet it is all there");
}

#[test]
fn everything_is_there_after_a_restart_and_nothing_under_another_root_key() {
    let scratch = Scratch::new();
    let one = family(1, "alice", 1);
    {
        let store = scratch.database();
        store.add_user(&user("alice")).unwrap();
        store.begin_family(&one, &code(&store, &one), &stamp("s")).unwrap();
        let key =
            stockade_issuer::SigningKeyRecord { id: "k".into(), pkcs8: vec![9; 40].into(), signs_from: Timestamp(1) };
        store.keep_signing_key(&key, stockade_issuer::Only::IfNone).unwrap();
    }
    let store = scratch.database();
    assert!(!is_gone(&store, &one));
    assert_eq!(store.signing_keys().unwrap()[0].pkcs8.as_slice(), [9; 40]);
    drop(store);
    std::fs::remove_file(scratch.0.join("data/keys/root.key")).unwrap();
    let store = scratch.database();
    let error = store.signing_keys().unwrap_err();
    assert!(error.to_string().contains("a signing key cannot be read"), "{error}");
    let taken = store.take_code(&store.digest(Purpose::Code, one.id.as_str()), Timestamp(2)).unwrap();
    assert!(matches!(taken, stockade_issuer::CodeTaken::Unknown), "{taken:?}");
}

#[test]
fn a_damaged_database_is_never_taken_for_an_empty_one() {
    let scratch = Scratch::new();
    drop(scratch.database());
    let path = scratch.0.join("data/issuer.db");
    let whole = std::fs::read(&path).unwrap();
    let opened = || {
        let folder = DataFolder::beside(&scratch.0.join("data")).unwrap();
        IssuerDatabase::open(&folder, &KeyRing::open(&folder).unwrap()).map(drop)
    };
    for length in [0, 1, 99, 4096, whole.len() - 4096] {
        for suffix in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(scratch.0.join(format!("data/issuer.db{suffix}")));
        }
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = opened().unwrap_err();
        assert!(
            matches!(error, IssuerDatabaseError::Damaged { .. } | IssuerDatabaseError::Database { .. }),
            "{length}: {error}"
        );
        assert!(!error.to_string().contains('/'), "{error}");
    }
    std::fs::write(&path, &whole).unwrap();
    opened().unwrap();
}

#[test]
fn two_processes_see_each_other() {
    let scratch = Scratch::new();
    let (gateway, command) = (scratch.database(), scratch.database());
    command.add_user(&user("alice")).unwrap();
    let one = family(1, "alice", 1);
    assert_eq!(gateway.begin_family(&one, &code(&gateway, &one), &stamp("s")).unwrap(), Begun::Yes);
    assert!(!is_gone(&command, &one));
    command.remove_user(&name("alice"), Timestamp(2)).unwrap();
    assert!(is_gone(&gateway, &one), "at once");
    assert!(gateway.user(&name("alice")).unwrap().is_none());
}

#[test]
fn a_registration_answers_over_the_database_too() {
    let ground = Ground::with_database();
    let answer = ground.register(&format!(r#"{{"redirect_uris":["{REDIRECT}"]}}"#));
    assert_eq!(answer.status, 201);
    assert!(ground.store.client(&member(&answer, "client_id")).unwrap().unwrap().secret.is_some());
}

/// What a process leaves that is killed is what it has given to the kernel: the files as they stand.
#[test]
fn what_was_acknowledged_survives_kill_9_at_any_moment() {
    let scratch = Scratch::new();
    let store = scratch.database();
    store.add_user(&user("alice")).unwrap();
    let mut living: Vec<FamilyRecord> = Vec::new();
    for number in 1..=40 {
        let one = family(number, "alice", 1);
        store.begin_family(&one, &code(&store, &one), &stamp("s")).unwrap();
        living.push(one);
        if number % 3 == 0 {
            store.end_family(&living.remove(0).id, Timestamp(2)).unwrap();
        }
        let left = Scratch::new();
        for place in ["data", "data/keys"] {
            std::fs::create_dir(left.0.join(place)).unwrap();
        }
        for file in ["data/keys/root.key", "data/issuer.db", "data/issuer.db-wal"] {
            std::fs::copy(scratch.0.join(file), left.0.join(file)).unwrap();
        }
        let found = left.database();
        assert!(living.iter().all(|one| !is_gone(&found, one)), "{number}");
        let ended = (1..=number).filter(|other| is_gone(&found, &family(*other, "alice", 1))).count();
        assert_eq!(ended, number / 3);
    }
}

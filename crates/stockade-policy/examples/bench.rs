//! Prints what one question costs, in nanoseconds: `cargo run --release -p stockade-policy --example bench`.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]
#![expect(clippy::unwrap_used, reason = "a bench that cannot load its policy has nothing to print")]

use std::hint::black_box;
use std::time::Instant;
use stockade_core::mcp::Revision;
use stockade_core::ports::{Action, Effect, Object, Policy as _, Question};
use stockade_core::words::{Caller, CallerKind, CallerName, ServerName};
use stockade_policy::{CallerPattern, CedarPolicy, Glob, PermitRule, Place, PolicySource, ServerPattern, Sources};

/// Entries of a long list.
const TOOLS: usize = 200;
/// Times that the list is judged.
const ROUNDS: usize = 200;

/// A team's policy: a forbid and an ask for all, and a `[[permit]]` for each of `teams` callers on a server of theirs.
fn policy(teams: usize) -> CedarPolicy {
    let text = r#"
        forbid (principal, action == Stockade::Action::"call", resource is Stockade::Tool)
            when { resource.name like "*delete*" } unless { principal.kind == Stockade::Kind::"local-user" };
        @ask("write?") permit (principal, action == Stockade::Action::"call", resource is Stockade::Tool)
            when { resource.effect == Stockade::Effect::"write" };
    "#;
    let permits = (0..teams).map(|team| PermitRule {
        place: Place { source: "bench".to_owned(), line: 1, column: 1 },
        callers: vec![CallerPattern::parse(&format!("team{team}")).unwrap()],
        servers: vec![ServerPattern::parse(&format!("server{team}")).unwrap()],
        tools: ["read_*", "list_*", "tool1*"].map(|glob| Glob::parse(glob).unwrap()).to_vec(),
        resources: vec![Glob::parse("file:///srv/*").unwrap()],
        prompts: vec![Glob::parse("*").unwrap()],
        from_server: Vec::new(),
    });
    let files = vec![PolicySource { name: "bench.cedar".to_owned(), text: text.to_owned() }];
    CedarPolicy::load(&Sources { files, permits: permits.collect(), ..Sources::default() }).unwrap()
}

fn main() {
    let names: Vec<String> = (0..TOOLS).map(|number| format!("tool{number}")).collect();
    let caller = Caller::new(CallerName::parse("team3").unwrap(), CallerKind::ApiKey);
    let server = ServerName::parse("server3").unwrap();
    let question = |name| Question {
        caller: &caller,
        action: Action::Call,
        server: &server,
        object: Object::Tool(name),
        effect: Effect::Read,
        revision: Revision::V2026_07_28,
    };
    println!("{:>8} {:>14} {:>14} {:>12}", "permits", "afresh ns", "cached ns", "load ms");
    for teams in [4, 20, 200] {
        let start = Instant::now();
        let policy = policy(teams);
        let load_ms = start.elapsed().as_secs_f64() * 1e3;
        let timed = |judge: &dyn Fn(&Question<'_>)| {
            for name in &names {
                judge(&question(name));
            }
            let start = Instant::now();
            for name in (0..ROUNDS).flat_map(|_| &names) {
                judge(&question(name));
            }
            start.elapsed().as_nanos() / u128::try_from(ROUNDS * TOOLS).unwrap_or(1)
        };
        let afresh = timed(&|question| drop(black_box(policy.rule_afresh(question))));
        let cached = timed(&|question| drop(black_box(policy.rule(question))));
        println!("{teams:>8} {afresh:>14} {cached:>14} {load_ms:>12.1}");
    }
}

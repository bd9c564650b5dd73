//! Messages made from the published schemas, right and wrong ones: our verdict is the schema's, or stricter with a reason
//! from a closed list. Never laxer.

mod generate;
mod oracle;
mod reasons;

use bytes::Bytes;
use generate::{Generator, mutate};
use oracle::{Answers, Case, Published};
use reasons::{Refusal, StricterBecause};
use serde_json::Value;
use std::collections::BTreeMap;
use stockade_core::mcp::{Frame, check_error, check_message, check_result};
use stockade_core::wire::WireLimits;

/// How many messages one run makes.
const MESSAGES: usize = 100_000;
/// Where the generator starts; another number makes other messages.
const SEED: u64 = 0x5eed_0020_2607_2800;
/// How many disagreements are shown before the test gives up.
const SHOWN: usize = 12;

/// What we say of one message.
fn our_verdict(case: &Case, message: &Value) -> Result<(), Refusal> {
    let bytes = Bytes::from(serde_json::to_vec(message).unwrap());
    let frame = Frame::read(bytes, &WireLimits::DEFAULT).map_err(Refusal::Frame)?;
    match case.answers {
        Answers::Nothing(method) => match check_message(&frame, case.revision, case.direction) {
            Ok(found) if found == method => Ok(()),
            Ok(_) => Err(Refusal::OtherMethod),
            Err(error) => Err(Refusal::Message(error)),
        },
        Answers::Request(method) => {
            check_result(&frame, method, case.revision, case.direction).map_err(Refusal::Message)
        }
        Answers::WithError => check_error(&frame, case.revision, case.direction).map_err(Refusal::Message),
    }
}

#[derive(Default)]
struct Tally {
    right: usize,
    wrong: usize,
    stricter: BTreeMap<StricterBecause, usize>,
    disagreements: Vec<String>,
}

impl Tally {
    fn count(&mut self, case: &Case, message: &Value) {
        let allowed = case.is_allowed(message);
        match (our_verdict(case, message), allowed) {
            (Ok(()), true) => self.right += 1,
            (Err(_), false) => self.wrong += 1,
            (Ok(()), false) => self.disagreements.push(format!("LAXER {}: {message}", case.name)),
            (Err(refusal), true) => match reasons::reason(&refusal, case) {
                Some(reason) => *self.stricter.entry(reason).or_default() += 1,
                None => self.disagreements.push(format!("STRICTER {} {refusal:?}: {message}", case.name)),
            },
        }
    }
}

#[test]
fn our_verdict_is_the_schemas_or_stricter_with_a_listed_reason() {
    let Some(published) = Published::read() else {
        println!("skipped: the published schemas are not beside the repository");
        return;
    };
    let cases = published.cases();
    assert!(cases.len() > 200, "the schemas give {} cases only", cases.len());
    let mut generator = Generator::new(SEED);
    let mut tally = Tally::default();
    let rich: Vec<_> = cases.iter().filter(|case| case.is_rich()).collect();
    for number in 0..MESSAGES {
        // Every second message is one of those with many members.
        let turn = number / 2;
        let case = if number % 2 == 0 { &cases[turn % cases.len()] } else { rich[turn % rich.len()] };
        let mut message = case.make(&mut generator);
        // One in three stays right; the others get one fault, some of them two.
        let faults = *generator.pick(&[0, 1, 1, 1, 2, 0]);
        for _ in 0..faults {
            mutate(&mut message, &mut generator);
        }
        tally.count(case, &message);
        if tally.disagreements.len() >= SHOWN {
            break;
        }
    }
    println!("{} cases, {MESSAGES} messages, seed {SEED:#x}", cases.len());
    println!("{:>7} accepted by both, {:>7} refused by both", tally.right, tally.wrong);
    for reason in StricterBecause::ALL {
        println!("{:>7} stricter: {reason:?}", tally.stricter.get(&reason).copied().unwrap_or(0));
    }
    assert!(tally.disagreements.is_empty(), "\n{}", tally.disagreements.join("\n"));
    assert!(tally.right > MESSAGES / 10 && tally.wrong > MESSAGES / 10, "the generator makes both kinds");
    for reason in StricterBecause::ALL {
        assert!(
            tally.stricter.contains_key(&reason),
            "{reason:?} never happened: take it out of the list or make it happen"
        );
    }
}

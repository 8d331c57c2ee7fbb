//! Explores every state of the protocol of the cached file, and shows that each rule of the protocol
//! is needed: without it, a property is violated.

mod model;
mod state;
mod step;
#[path = "../../model_steps/steps.rs"]
mod steps;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use stateright::{Checker, HasDiscoveries, Model};

use crate::model::{Answer, Cache, Mutation};
use crate::state::{Error, RUNS, Violation};
use crate::step::Step;

const THREADS: usize = 2;

/// Three runs of the same request. Their callers read only the file, as interactive clients do.
const SAME: [(u8, bool); RUNS] = [(0, true), (0, true), (0, true)];
/// Two requests with the same file. The callers of two runs read standard output.
const MIXED: [(u8, bool); RUNS] = [(0, false), (0, true), (1, false)];

const REFUSALS: &[Answer] = &[Answer::Token, Answer::Error(Error::Denied)];
const ANY: &[Answer] = &[
    Answer::Token,
    Answer::Error(Error::Denied),
    Answer::Error(Error::Unreachable),
    Answer::Error(Error::Lost),
];

/// No faults, and every request gets a token in time.
fn healthy() -> Cache {
    Cache {
        runs: SAME,
        answers: &[Answer::Token],
        faults: false,
        stops: false,
        secret_changes: false,
        one_fetch: true,
        one_refusal: false,
        mutation: None,
        made: AtomicU32::new(0),
    }
}

/// The server may refuse requests, and the secret changes.
fn refusals() -> Cache {
    let base = healthy();
    Cache { answers: REFUSALS, secret_changes: true, one_fetch: false, one_refusal: true, ..base }
}

/// Outages, slow and lost responses, killed runs and losses of power. The secret changes.
fn faults() -> Cache {
    Cache { answers: ANY, faults: true, one_refusal: false, ..refusals() }
}

/// The same faults with two requests.
fn mixed() -> Cache {
    Cache { runs: MIXED, secret_changes: false, ..faults() }
}

/// The same faults, and at each step a run may stop and continue later.
fn stops() -> Cache {
    Cache { stops: true, secret_changes: false, ..faults() }
}

type Make = fn() -> Cache;

const WORLDS: &[(&str, Make)] = &[
    ("healthy", healthy),
    ("refusals", refusals),
    ("faults", faults),
    ("mixed", mixed),
    ("stops", stops),
];

const MUTATIONS: &[(Mutation, Make, Violation)] = &[
    (Mutation::NoLock, healthy, Violation::SecondFetch),
    (Mutation::UnlinkLock, refusals, Violation::RepeatedRefusal),
    (Mutation::NoLookAgain, healthy, Violation::SecondFetch),
    (Mutation::NoLastLook, faults, Violation::TokenRefused),
    (Mutation::NoBridge, faults, Violation::TokenRefused),
    (Mutation::NoRequestInFile, mixed, Violation::ForeignToken),
    (Mutation::NoExpiry, healthy, Violation::ExpiredToken),
    (Mutation::NoRequestInFailure, mixed, Violation::TokenRefused),
    (Mutation::LostIsShared, faults, Violation::TokenRefused),
    (Mutation::OldIsShared, faults, Violation::TokenRefused),
    (Mutation::FilesAreIgnored, refusals, Violation::TokenRefused),
    (Mutation::NoteAfterOpen, refusals, Violation::TokenRefused),
    (Mutation::RememberedForever, refusals, Violation::TokenRefused),
    (Mutation::NotRemembered, refusals, Violation::RepeatedRefusal),
    (Mutation::WaitToTheEnd, faults, Violation::TokenRefused),
    (Mutation::NoDeadline, faults, Violation::LateRun),
    (Mutation::WriteInPlace, healthy, Violation::PartialDocument),
    (Mutation::NoSync, faults, Violation::PartialDocument),
    (Mutation::NoRepeatedRename, faults, Violation::TokenRefused),
];

fn main() -> ExitCode {
    let steps: Vec<&str> = Step::ALL.iter().map(|(_, name)| *name).collect();
    assert_eq!(steps, steps::STEPS, "tests/model_steps/steps.rs has the same steps");
    let (mut failed, mut made) = (false, 0);
    println!(
        "{:20} {:>12} {:>12} {:>6} {:>8}",
        "world", "states", "transitions", "depth", "seconds"
    );
    for (name, make) in WORLDS {
        let started = Instant::now();
        let checker = make().checker().threads(THREADS).spawn_bfs().join();
        println!(
            "{name:20} {:>12} {:>12} {:>6} {:>8.1}",
            checker.unique_state_count(),
            checker.state_count(),
            checker.max_depth(),
            started.elapsed().as_secs_f64()
        );
        for (violated, path) in checker.discoveries() {
            failed = true;
            println!("VIOLATED: {violated}, after:");
            path.into_actions().iter().for_each(|action| println!("  {action:?}"));
        }
        made |= checker.model().made.load(Ordering::Relaxed);
    }
    for (step, name) in Step::ALL.iter().filter(|(step, _)| made & (1 << *step as u32) == 0) {
        failed = true;
        println!("NEVER MADE: {step:?} ({name})");
    }
    println!("\n{:20} {:>12} {:>12}  violates", "mutation", "states", "steps");
    for (mutation, make, violation) in MUTATIONS {
        failed |= !is_found(*mutation, make(), violation.property());
    }
    ExitCode::from(u8::from(failed))
}

/// Whether this mutation violates `property`, before any other property.
fn is_found(mutation: Mutation, cache: Cache, property: &str) -> bool {
    let checker = Cache { mutation: Some(mutation), ..cache }.checker();
    let checker =
        checker.threads(THREADS).finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let found = checker.discoveries();
    let steps = found.get(property).map(|path| path.clone().into_actions().len());
    let (states, mutation) = (checker.unique_state_count(), format!("{mutation:?}"));
    match steps {
        Some(steps) => println!("{mutation:20} {states:>12} {steps:>12}  {property}"),
        None => println!("{mutation:20} {states:>12}  NOT FOUND: {property}"),
    }
    steps.is_some()
}

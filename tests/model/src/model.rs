//! What can happen: a run makes its next step, the server answers, time passes, or there is a fault.

use std::sync::atomic::{AtomicU32, Ordering};

use stateright::{Model, Property};

use crate::state::*;
use crate::step::Step;

/// A rule of the protocol that is omitted. The omission must violate a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// Runs do not wait for each other.
    NoLock,
    /// The lock file is removed when the lock is released.
    UnlinkLock,
    /// The file is not read again after the lock has been acquired.
    NoLookAgain,
    /// The file is not read before a failure is reported.
    NoLastLook,
    /// A token within the expiry margin is not used during an outage.
    NoBridge,
    /// The digest in the file is not compared.
    NoRequestInFile,
    /// The expiry in the file is not compared.
    NoExpiry,
    /// The digest in the failure is not compared.
    NoRequestInFailure,
    /// A lost response fails the runs that wait.
    LostIsShared,
    /// A failure that occurred before this run began to wait is shared.
    OldIsShared,
    /// The states of the files in the failure are not compared.
    FilesAreIgnored,
    /// The state of a file is noted after the file is read.
    NoteAfterOpen,
    /// A refusal is remembered without a limit.
    RememberedForever,
    /// A refusal is not remembered.
    NotRemembered,
    /// A run waits for the lock until its deadline.
    WaitToTheEnd,
    /// Neither the waits nor the watchdog end at the deadline.
    NoDeadline,
    /// The file is written in place, and not to a temporary file that is renamed.
    WriteInPlace,
    /// The file is renamed before it is on the disk.
    NoSync,
    /// A file that was removed before its rename is not written again.
    NoRepeatedRename,
}

/// The possible responses of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Token,
    Error(Error),
}

/// The cached file with three runs.
pub struct Cache {
    /// The request of each run, and whether its caller reads only the file.
    pub runs: [(u8, bool); RUNS],
    pub answers: &'static [Answer],
    /// Whether runs are killed, responses get lost, and the power fails.
    pub faults: bool,
    /// Whether one run at a time is stopped.
    pub stops: bool,
    /// Whether the secret may change once.
    pub secret_changes: bool,
    /// Whether a fetch must not begin while another one runs, or while there is a token.
    pub one_fetch: bool,
    /// Whether a refused request must not be sent again.
    pub one_refusal: bool,
    pub mutation: Option<Mutation>,
    /// The steps that were made, as bits.
    pub made: AtomicU32,
}

/// What happens next. The number is that of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Start(usize),
    Step(usize, Step),
    Answer(usize, Answer),
    /// The watchdog ends a run that was stopped until its deadline.
    Watchdog(usize),
    Kill(usize),
    Stop(usize),
    Continue(usize),
    LosePower,
    ChangeSecret,
    Tick,
}

impl Model for Cache {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State::new(self.runs)]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        if state.violated.is_some() {
            return;
        }
        // The order of these steps and of other actions has no effect, so these steps come first.
        if let Some(index) = state.runs.iter().position(|run| self.is_alone(run)) {
            let step = self.next_step(&state.runs[index], state);
            actions.extend(step.map(|step| Action::Step(index, step)));
            return;
        }
        let may_stop = state.runs.iter().all(|run| run.pace == Pace::Normal);
        for (index, run) in state.runs.iter().enumerate() {
            self.actions_of(index, run, state, actions);
            if self.stops && may_stop && run.is_running() {
                actions.push(Action::Stop(index));
            }
        }
        if self.faults && state.runs.iter().any(Run::is_running) {
            actions.push(Action::LosePower);
        }
        if self.secret_changes && state.secret == 0 {
            actions.push(Action::ChangeSecret);
        }
        if state.runs.iter().all(|run| self.may_wait(run, state)) {
            actions.push(Action::Tick);
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        match action {
            Action::Start(index) => {
                let run = &mut next.runs[index];
                run.next = Next::ReadTrusted(Read::First);
                run.remaining = TIMEOUT;
            }
            Action::Step(index, step) => {
                self.made.fetch_or(1 << step as u32, Ordering::Relaxed);
                self.step(&mut next, index);
            }
            Action::Answer(index, answer) => self.answer(&mut next, index, answer),
            Action::Watchdog(index) | Action::Kill(index) => self.end(&mut next, index),
            Action::Stop(index) => next.runs[index].pace = Pace::Stopped,
            Action::Continue(index) => next.runs[index].pace = Pace::Continued,
            Action::LosePower => self.lose_power(&mut next),
            Action::ChangeSecret => {
                next.secret += 1;
                next.refused = None;
            }
            Action::Tick => self.tick(&mut next),
        }
        // A client may read the file at any time.
        if next.file == File::Part {
            next.violated = Some(Violation::PartialDocument);
        }
        if self.mutation.is_none() {
            next.forget();
        }
        // Runs with equal states are interchangeable.
        next.runs.sort_unstable();
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        macro_rules! never {
            ($($violation:ident),+) => {
                vec![$(Property::always(Violation::$violation.property(), |_, state: &State| {
                    state.violated != Some(Violation::$violation)
                })),+]
            };
        }
        never![
            PartialDocument,
            SecondFetch,
            RepeatedRefusal,
            ForeignToken,
            ExpiredToken,
            TokenRefused,
            LateRun
        ]
    }
}

impl Cache {
    pub fn has(&self, mutation: Mutation) -> bool {
        self.mutation == Some(mutation)
    }

    fn actions_of(&self, index: usize, run: &Run, state: &State, actions: &mut Vec<Action>) {
        if !run.is_running() {
            actions.push(Action::Start(index));
            return;
        }
        if self.faults {
            actions.push(Action::Kill(index));
        }
        if run.pace == Pace::Stopped {
            actions.push(Action::Continue(index));
            return;
        }
        if run.is_late() && !self.has(Mutation::NoDeadline) {
            actions.push(Action::Watchdog(index));
        }
        let answers = self.answers.iter().filter(|answer| self.may_come(**answer, run));
        actions.extend(answers.map(|answer| Action::Answer(index, *answer)));
        actions.extend(self.next_step(run, state).map(|step| Action::Step(index, step)));
    }

    /// Whether the next step of a run changes nothing that another run can see.
    fn is_alone(&self, run: &Run) -> bool {
        let is_alone = matches!(
            run.next,
            Next::Fetch { .. } | Next::SetLen(_) | Next::WriteAll(_) | Next::SyncAll(_)
        );
        is_alone && run.pace != Pace::Stopped
    }

    /// Whether this answer may arrive now. A request takes longer than the file operations of a
    /// run.
    fn may_come(&self, answer: Answer, run: &Run) -> bool {
        let Next::Answer(Sent { late, .. }) = run.next else { return false };
        match answer {
            Answer::Token => late && run.remaining > 0,
            Answer::Error(Error::Lost) => self.faults,
            Answer::Error(_) => run.remaining > 0,
        }
    }

    /// Whether time may pass for this run, because it waits, is stopped or does not run. The file
    /// operations of a run take no time.
    fn may_wait(&self, run: &Run, state: &State) -> bool {
        match run.next {
            Next::Start => true,
            _ if run.pace == Pace::Stopped => true,
            Next::TryLock { inode, since, .. } => {
                state.is_held(inode) && !self.gives_up(run, since)
            }
            Next::Answer(Sent { late, .. }) => {
                (self.faults || !late) && (run.remaining > 0 || self.has(Mutation::NoDeadline))
            }
            _ => false,
        }
    }

    /// Whether a run stops waiting for the lock. `since` is the time that remained when it began to
    /// wait.
    pub fn gives_up(&self, run: &Run, since: u8) -> bool {
        match self.mutation {
            Some(Mutation::NoDeadline) => false,
            Some(Mutation::WaitToTheEnd) => run.remaining == 0,
            _ => run.remaining <= since / 2,
        }
    }

    fn lose_power(&self, state: &mut State) {
        for index in 0..RUNS {
            self.end(state, index);
        }
        if matches!(state.file, File::Document(Document { synced: false, .. })) {
            state.file = File::Part;
        }
        state.lock_file = LockFile::Unreadable;
    }

    fn tick(&self, state: &mut State) {
        let older = |left: &mut u8| *left = left.saturating_sub(1);
        if let File::Document(document) = &mut state.file {
            older(&mut document.left);
        }
        if let LockFile::Failure(failure) = &mut state.lock_file {
            failure.age = OLD.min(failure.age + 1);
        }
        state.refused = state.refused.map(|(secret, age)| (secret, age + 1));
        state.refused = state.refused.filter(|(_, age)| *age < REMEMBERED);
        for run in &mut state.runs {
            if run.is_running() && run.pace != Pace::Stopped && run.remaining == 0 {
                state.violated = Some(Violation::LateRun);
            }
            older(&mut run.remaining);
            older(&mut run.stale);
            match &mut run.next {
                Next::Answer(sent) => sent.late = true,
                Next::RemoveLeftovers { left }
                | Next::MakeIn { left, .. }
                | Next::WriteInPlace { left } => older(left),
                Next::WriteAll(file) | Next::SyncAll(file) | Next::Persist(file) => {
                    older(&mut file.left);
                }
                _ => {}
            }
        }
    }
}

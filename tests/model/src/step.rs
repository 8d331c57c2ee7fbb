//! The steps of a run, each named like the call in the program that makes it.

use crate::model::{Answer, Cache, Mutation};
use crate::state::*;

macro_rules! steps {
    ($($step:ident = $name:literal,)+) => {
        /// A step, with the function of the program and the call in it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Step { $($step,)+ }

        impl Step {
            pub const ALL: &[(Step, &str)] = &[$((Step::$step, $name),)+];
        }
    };
}

steps! {
    ReadTrusted = "read read_trusted",
    OpenLock = "beside open_lock",
    TryLockExclusive = "beside try_lock_exclusive",
    Remaining = "beside remaining",
    Failure = "lock failure",
    Note = "bytes note",
    Open = "bytes open",
    Fetch = "fetch_once fetch",
    SetLen = "write set_len",
    WriteFailure = "write write_all",
    RemoveLeftovers = "fetch_once remove_leftovers",
    MakeIn = "temporary make_in",
    WriteAll = "temporary write_all",
    SyncAll = "temporary sync_all",
    Persist = "rename persist",
}

impl Cache {
    /// The step that a run makes next, if it does not wait.
    pub fn next_step(&self, run: &Run, state: &State) -> Option<Step> {
        Some(match run.next {
            Next::ReadTrusted(_) => Step::ReadTrusted,
            Next::OpenLock => Step::OpenLock,
            Next::TryLock { inode, .. } if !state.is_held(inode) => Step::TryLockExclusive,
            Next::TryLock { waited: false, .. } => Step::TryLockExclusive,
            Next::TryLock { since, .. } if self.gives_up(run, since) => Step::Remaining,
            Next::ReadFailure { .. } => Step::Failure,
            Next::Note => Step::Note,
            Next::Open { .. } => Step::Open,
            Next::Fetch { .. } => Step::Fetch,
            Next::SetLen(_) => Step::SetLen,
            Next::WriteFailure(_) => Step::WriteFailure,
            Next::RemoveLeftovers { .. } => Step::RemoveLeftovers,
            Next::MakeIn { .. } => Step::MakeIn,
            Next::WriteAll(_) | Next::WriteInPlace { .. } => Step::WriteAll,
            Next::SyncAll(_) => Step::SyncAll,
            Next::Persist(_) => Step::Persist,
            Next::Start | Next::TryLock { .. } | Next::Answer(_) => return None,
        })
    }

    pub fn step(&self, state: &mut State, index: usize) {
        let run = state.runs[index];
        state.runs[index].next = match run.next {
            Next::ReadTrusted(read) => return self.read(state, index, read),
            Next::OpenLock => {
                Next::TryLock { inode: state.inode, since: run.remaining, waited: false }
            }
            Next::TryLock { inode, since, waited } => match state.is_held(inode) {
                true if waited => Next::ReadTrusted(Read::Again),
                true => Next::TryLock { inode, since, waited: true },
                false => {
                    state.runs[index].lock = Some(inode);
                    Next::ReadFailure { since, waited }
                }
            },
            Next::ReadFailure { since, waited } => {
                return self.read_failure(state, index, since, waited);
            }
            Next::Note => Next::Open { first: state.secret },
            Next::Open { first } if self.has(Mutation::NoteAfterOpen) => {
                Next::Fetch { noted: state.secret, sent: first }
            }
            Next::Open { first } => Next::Fetch { noted: first, sent: state.secret },
            Next::Fetch { noted, sent } => self.fetch(state, index, noted, sent),
            Next::SetLen(failed) => {
                state.lock_file = LockFile::Unreadable;
                Next::WriteFailure(failed)
            }
            Next::WriteFailure(Failed { noted, sent, error, in_time }) => {
                let failure = Failure { request: run.request, noted, sent, error, age: 0 };
                state.lock_file = LockFile::Failure(failure);
                return self.report(state, index, error, in_time);
            }
            Next::RemoveLeftovers { left } => {
                let others = state.runs.iter_mut().filter_map(Run::temporary);
                others.for_each(|file| file.exists = false);
                Next::MakeIn { left, repeats: REPEATS }
            }
            Next::MakeIn { left, .. } if self.has(Mutation::WriteInPlace) => {
                state.file = File::Part;
                Next::WriteInPlace { left }
            }
            Next::MakeIn { left, repeats } => {
                Next::WriteAll(Temporary { left, repeats, exists: true, synced: false })
            }
            Next::WriteAll(file) if self.has(Mutation::NoSync) => Next::Persist(file),
            Next::WriteAll(file) => Next::SyncAll(file),
            Next::SyncAll(file) => Next::Persist(Temporary { synced: true, ..file }),
            Next::WriteInPlace { left } => return self.stored(state, index, left, true),
            Next::Persist(file) => return self.persist(state, index, file),
            Next::Start | Next::Answer(_) => unreachable!("nothing to do"),
        };
    }

    /// The step of `read`, and what `obtain` and `fetch_once` do with the content.
    fn read(&self, state: &mut State, index: usize, read: Read) {
        let run = &mut state.runs[index];
        let valid = state.file.document().filter(|document| {
            (document.request == run.request || self.has(Mutation::NoRequestInFile))
                && (document.left > 0 || self.has(Mutation::NoExpiry))
        });
        let fresh = valid.filter(|it| it.left > MARGIN || self.has(Mutation::NoExpiry));
        let stale = valid.map_or(run.stale, |document| document.left);
        match (fresh, read) {
            (Some(_), Read::Again) if self.has(Mutation::NoLookAgain) => run.next = Next::Note,
            (Some(token), _) => self.succeed(state, index, token.request, token.left),
            (None, Read::First) => {
                run.stale = stale;
                run.next = match self.has(Mutation::NoLock) {
                    true => Next::Note,
                    false => Next::OpenLock,
                };
            }
            (None, Read::Again) => run.next = Next::Note,
            (None, Read::Last { error, justified }) => {
                self.bridge(state, index, stale, error, justified);
            }
        }
    }

    /// The steps of `CachedFile::lock` after it has acquired the lock.
    fn read_failure(&self, state: &mut State, index: usize, since: u8, waited: bool) {
        let run = &mut state.runs[index];
        run.next = Next::ReadTrusted(Read::Again);
        let LockFile::Failure(failure) = state.lock_file else { return };
        let Failure { request, noted, sent, error, age } = failure;
        let concerns = (request == run.request || self.has(Mutation::NoRequestInFailure))
            && (error != Error::Lost || self.has(Mutation::LostIsShared))
            && (noted == state.secret || self.has(Mutation::FilesAreIgnored));
        let is_shared = waited && (age <= since - run.remaining || self.has(Mutation::OldIsShared));
        let is_recent = error == Error::Denied
            && (age < REMEMBERED || self.has(Mutation::RememberedForever))
            && !self.has(Mutation::NotRemembered);
        if concerns && (is_shared || is_recent) {
            // The server refused the same request while this run was running, or shortly before.
            let justified = request == run.request
                && error != Error::Lost
                && sent == state.secret
                && (age <= TIMEOUT - run.remaining || error == Error::Denied && age < REMEMBERED);
            self.report(state, index, error, justified);
        }
    }

    /// Sends the request.
    fn fetch(&self, state: &mut State, index: usize, noted: u8, sent: u8) -> Next {
        let run = state.runs[index];
        let mut others = state.runs.iter();
        if self.one_fetch
            && (others.any(|other| other.is_fetching() && other.request == run.request)
                || state.file.is_fresh(run.request))
        {
            state.violated = Some(Violation::SecondFetch);
        }
        if run.lock.is_some() && state.refused.is_some_and(|(secret, _)| secret == sent) {
            state.violated = Some(Violation::RepeatedRefusal);
        }
        let in_time = run.remaining > 1 || run.pace == Pace::Continued;
        Next::Answer(Sent { noted, sent, in_time, late: false })
    }

    pub fn answer(&self, state: &mut State, index: usize, answer: Answer) {
        let run = state.runs[index];
        let Next::Answer(Sent { noted, sent, in_time, .. }) = run.next else { return };
        let error = match answer {
            Answer::Error(error) => error,
            Answer::Token => {
                state.runs[index].next = match run.lock {
                    Some(_) => Next::RemoveLeftovers { left: LIFETIME },
                    None => Next::MakeIn { left: LIFETIME, repeats: REPEATS },
                };
                return;
            }
        };
        if error == Error::Denied && self.one_refusal && run.lock.is_some() && noted == sent {
            state.refused = Some((sent, 0));
        }
        // A lost response fails only this run, and justifies a failure only if there was time for a
        // request.
        let in_time = error != Error::Lost || in_time;
        match run.lock {
            Some(_) => {
                state.runs[index].next = Next::SetLen(Failed { noted, sent, error, in_time });
            }
            None => self.report(state, index, error, in_time),
        }
    }

    fn persist(&self, state: &mut State, index: usize, file: Temporary) {
        let run = state.runs[index];
        let Temporary { left, repeats, exists, synced } = file;
        match (exists, repeats) {
            (true, _) => self.stored(state, index, left, synced),
            (false, 1..) if !self.has(Mutation::NoRepeatedRename) => {
                state.runs[index].next = Next::MakeIn { left, repeats: repeats - 1 };
            }
            (false, _) if run.needs_file && !run.is_late() => {
                state.violated = Some(Violation::TokenRefused);
            }
            // The token is printed.
            (false, _) => self.succeed(state, index, run.request, left),
        }
    }

    fn stored(&self, state: &mut State, index: usize, left: u8, synced: bool) {
        let request = state.runs[index].request;
        state.file = File::Document(Document { request, left, synced });
        self.succeed(state, index, request, left);
    }

    /// Releases the lock, reads the file for the last time and reports the failure.
    fn report(&self, state: &mut State, index: usize, error: Error, justified: bool) {
        self.release(state, index);
        match self.has(Mutation::NoLastLook) {
            true => self.bridge(state, index, state.runs[index].stale, error, justified),
            false => state.runs[index].next = Next::ReadTrusted(Read::Last { error, justified }),
        }
    }

    /// Fails, unless a valid token bridges an outage.
    fn bridge(&self, state: &mut State, index: usize, stale: u8, error: Error, justified: bool) {
        let request = state.runs[index].request;
        match stale > 0 && error != Error::Denied && !self.has(Mutation::NoBridge) {
            true => self.succeed(state, index, request, stale),
            false => self.fail(state, index, error, justified),
        }
    }

    fn fail(&self, state: &mut State, index: usize, error: Error, justified: bool) {
        let run = state.runs[index];
        let bridges = |document: Document| document.request == run.request && document.left > 0;
        let bridged = run.stale > 0 || state.file.document().is_some_and(bridges);
        let obtainable = state.file.is_fresh(run.request) || error != Error::Denied && bridged;
        if obtainable || !justified {
            state.violated = Some(Violation::TokenRefused);
        }
        self.end(state, index);
    }

    fn succeed(&self, state: &mut State, index: usize, request: u8, left: u8) {
        let run = state.runs[index];
        if request != run.request {
            state.violated = Some(Violation::ForeignToken);
        } else if left == 0 && run.pace != Pace::Continued {
            state.violated = Some(Violation::ExpiredToken);
        }
        self.release(state, index);
        self.end(state, index);
    }

    fn release(&self, state: &mut State, index: usize) {
        if state.runs[index].lock.take().is_some() && self.has(Mutation::UnlinkLock) {
            state.inode = (state.inode + 1) % 3;
            state.lock_file = LockFile::Unreadable;
        }
    }

    /// Ends a run, for any reason. The operating system releases the lock.
    pub fn end(&self, state: &mut State, index: usize) {
        let Run { request, needs_file, .. } = state.runs[index];
        state.runs[index] = Run::new(request, needs_file);
    }
}

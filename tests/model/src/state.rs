//! The state that the runs share, and the state of each run. Times are in ticks, and relative to
//! now.

/// The timeout of a run.
pub const TIMEOUT: u8 = 4;
/// The lifetime of a token.
pub const LIFETIME: u8 = 3;
/// The expiry margin: a token with no more than this time left is replaced.
pub const MARGIN: u8 = 1;
/// How long a refusal is remembered.
pub const REMEMBERED: u8 = 3;
/// The age from which a failure has no effect.
pub const OLD: u8 = 5;
/// The maximum number of times that a run repeats the rename of a file that was removed as a
/// leftover.
pub const REPEATS: u8 = 2;

/// The number of runs at the same time. Each starts again and again.
pub const RUNS: usize = 3;

/// A state of the whole system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// `PATH`.
    pub file: File,
    /// `PATH.lock`.
    pub lock_file: LockFile,
    /// The file that has the name `PATH.lock`.
    pub inode: u8,
    /// The version of the secret, which is a file.
    pub secret: u8,
    /// The secret and the age of the last refusal by the server, if the property needs it.
    pub refused: Option<(u8, u8)>,
    pub runs: [Run; RUNS],
    /// The property that this state violates.
    pub violated: Option<Violation>,
}

/// What a reader of `PATH` finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum File {
    Absent,
    /// A part of a document.
    Part,
    Document(Document),
}

impl File {
    pub fn document(self) -> Option<Document> {
        match self {
            File::Document(document) => Some(document),
            File::Absent | File::Part => None,
        }
    }

    /// Whether there is a token for this request that does not need to be replaced.
    pub fn is_fresh(self, request: u8) -> bool {
        self.document().is_some_and(|it| it.request == request && it.left > MARGIN)
    }
}

/// A token in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Document {
    pub request: u8,
    /// The time until the token expires.
    pub left: u8,
    /// Whether the content survives a loss of power.
    pub synced: bool,
}

/// The content of `PATH.lock`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LockFile {
    /// Nothing, or a part of a failure.
    Unreadable,
    Failure(Failure),
}

/// The failure of an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Failure {
    pub request: u8,
    /// The version of the secret that was noted.
    pub noted: u8,
    /// The version of the secret that was sent. It is not in the file.
    pub sent: u8,
    pub error: Error,
    pub age: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Error {
    Denied,
    Unreachable,
    /// `UNREACHABLE`, because the response got lost.
    Lost,
}

/// A run of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Run {
    pub request: u8,
    /// Whether the caller reads the token only from the file.
    pub needs_file: bool,
    pub next: Next,
    pub pace: Pace,
    /// The time until the deadline.
    pub remaining: u8,
    /// If the first read found a token that must be replaced, the time until that token expires.
    pub stale: u8,
    /// The file that the run has locked.
    pub lock: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pace {
    Normal,
    Stopped,
    /// The run was stopped earlier.
    Continued,
}

/// The next action of a run, and the data that the action needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Next {
    /// The run has not been started.
    Start,
    ReadTrusted(Read),
    OpenLock,
    /// `since` is the time that remained when the run began to wait.
    TryLock {
        inode: u8,
        since: u8,
        waited: bool,
    },
    ReadFailure {
        since: u8,
        waited: bool,
    },
    Note,
    /// `first` is the version of the secret before it is opened.
    Open {
        first: u8,
    },
    Fetch {
        noted: u8,
        sent: u8,
    },
    Answer(Sent),
    SetLen(Failed),
    WriteFailure(Failed),
    RemoveLeftovers {
        left: u8,
    },
    MakeIn {
        left: u8,
        repeats: u8,
    },
    WriteAll(Temporary),
    SyncAll(Temporary),
    Persist(Temporary),
    /// Only a mutation writes in place.
    WriteInPlace {
        left: u8,
    },
}

/// A request whose answer a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    /// The version of the secret that was noted, and the one that was sent.
    pub noted: u8,
    pub sent: u8,
    /// Whether the server had time to answer.
    pub in_time: bool,
    /// Whether time has passed since the request was sent.
    pub late: bool,
}

/// A request that failed. The fields are as in [`Sent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Failed {
    pub noted: u8,
    pub sent: u8,
    pub error: Error,
    pub in_time: bool,
}

/// The three reads of `PATH`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Read {
    First,
    /// After the lock has been acquired.
    Again,
    /// After a failure. `justified` is whether the failure is one that the run may report.
    Last {
        error: Error,
        justified: bool,
    },
}

/// A temporary file that will be renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Temporary {
    pub left: u8,
    pub repeats: u8,
    /// Whether the file still has a name.
    pub exists: bool,
    pub synced: bool,
}

/// What must not happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A reader saw a part of a document.
    PartialDocument,
    /// A fetch began although another one was in progress, or the file had a token.
    SecondFetch,
    /// A refused request was sent again while the refusal was remembered.
    RepeatedRefusal,
    /// A run used the token of another request.
    ForeignToken,
    /// A run used an expired token.
    ExpiredToken,
    /// A run failed that could have had a token.
    TokenRefused,
    /// A run was still waiting at its deadline.
    LateRun,
}

impl Violation {
    /// The property that this violation breaks.
    pub fn property(self) -> &'static str {
        match self {
            Violation::PartialDocument => "a reader sees only whole documents",
            Violation::SecondFetch => "one fetch serves all",
            Violation::RepeatedRefusal => "a refused request is not sent again",
            Violation::ForeignToken => "no run uses the token of another request",
            Violation::ExpiredToken => "no run uses an expired token",
            Violation::TokenRefused => "no run fails that could have a token",
            Violation::LateRun => "no run waits past its deadline",
        }
    }
}

impl State {
    pub fn new(runs: [(u8, bool); RUNS]) -> State {
        State {
            file: File::Absent,
            lock_file: LockFile::Unreadable,
            inode: 0,
            secret: 0,
            refused: None,
            runs: runs.map(|(request, needs_file)| Run::new(request, needs_file)),
            violated: None,
        }
    }

    /// Removes a failure that concerns no run, so that such states are equal to those without a
    /// failure.
    pub fn forget(&mut self) {
        let is_over =
            |it: &Failure| it.noted != self.secret || it.error == Error::Lost || it.age == OLD;
        if matches!(&self.lock_file, LockFile::Failure(failure) if is_over(failure)) {
            self.lock_file = LockFile::Unreadable;
        }
    }

    /// Whether another run holds this file as the lock.
    pub fn is_held(&self, inode: u8) -> bool {
        self.runs.iter().any(|run| run.lock == Some(inode))
    }
}

impl Run {
    pub fn new(request: u8, needs_file: bool) -> Run {
        Run {
            request,
            needs_file,
            next: Next::Start,
            pace: Pace::Normal,
            remaining: 0,
            stale: 0,
            lock: None,
        }
    }

    pub fn is_running(&self) -> bool {
        self.next != Next::Start
    }

    /// Whether the run was stopped until its deadline.
    pub fn is_late(&self) -> bool {
        self.pace == Pace::Continued && self.remaining == 0
    }

    /// Whether the run has sent a request and waits for the answer.
    pub fn is_fetching(&self) -> bool {
        matches!(self.next, Next::Answer(_))
    }

    pub fn temporary(&mut self) -> Option<&mut Temporary> {
        match &mut self.next {
            Next::WriteAll(file) | Next::SyncAll(file) | Next::Persist(file) => Some(file),
            _ => None,
        }
    }
}

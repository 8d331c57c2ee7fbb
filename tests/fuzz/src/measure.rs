//! The CPU time and the memory that a function uses. A function that does not return is
//! stopped, together with the whole process.

use std::alloc::{GlobalAlloc, Layout, System};
use std::fmt;
use std::process;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, Once, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The time after which a function counts as hanging, and the process is stopped.
const HANGS: Duration = Duration::from_secs(60);

/// The resources that a function used.
#[derive(Clone, Copy, Default)]
pub struct Cost {
    /// The CPU time.
    pub time: Duration,
    /// The peak of its memory, in bytes.
    pub memory: usize,
}

impl Cost {
    /// The larger time and the larger memory of two costs.
    pub fn max(self, other: Cost) -> Cost {
        Cost { time: self.time.max(other.time), memory: self.memory.max(other.memory) }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.time.as_secs_f64() * 1e3;
        write!(f, "{milliseconds:.1} ms, {:.1} MiB", self.memory as f64 / f64::from(1 << 20))
    }
}

/// Runs a function. `what` describes the function in the message if it hangs.
pub fn measure<T>(what: &str, function: impl FnOnce() -> T) -> (T, Cost) {
    static WATCHDOG: Once = Once::new();
    WATCHDOG.call_once(|| drop(thread::spawn(watch)));
    *running() = Some((what.to_owned(), Instant::now()));
    let (start, before) = (processor_time(), NOW.load(Relaxed));
    MOST.store(before, Relaxed);
    let result = function();
    let cost = Cost {
        time: processor_time().saturating_sub(start),
        memory: MOST.load(Relaxed).saturating_sub(before),
    };
    *running() = None;
    (result, cost)
}

type Running = Option<(String, Instant)>;

fn running() -> std::sync::MutexGuard<'static, Running> {
    static RUNNING: Mutex<Running> = Mutex::new(None);
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn watch() {
    loop {
        thread::sleep(Duration::from_secs(1));
        if let Some((what, start)) = &*running()
            && start.elapsed() > HANGS
        {
            eprintln!("{what}: the function does not end");
            process::exit(1);
        }
    }
}

/// The CPU time of this thread, which does not depend on other load on the machine.
fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let nanoseconds = u32::try_from(time.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(time.tv_sec).unwrap_or_default(), nanoseconds)
}

static NOW: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

#[global_allocator]
static COUNTING: Counting = Counting;

struct Counting;

// SAFETY: every call is passed on to the allocator of the system.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let now = NOW.fetch_add(layout.size(), Relaxed) + layout.size();
        MOST.fetch_max(now, Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(pointer, layout) }
    }
}

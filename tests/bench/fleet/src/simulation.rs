//! Hosts, an identity provider and the Security Token Service, in steps of milliseconds.
//!
//! Each host has one output file. All clients of the host find a valid token in it until its reported
//! expiry; the first one after that requests a token under the lock. A request takes no time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use crate::random::Random;
use crate::rules::Rules;

pub const SECOND: i64 = 1000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;

/// The lifetime of a subject token, and of an access token, in milliseconds.
const LIFE: i64 = HOUR;

/// The clients on a host that request tokens.
#[derive(Clone, Copy, PartialEq)]
pub enum Clients {
    /// One process that requests a token as soon as the cached one expires.
    Continuous,
    /// Processes that start independently, with this time between them on average.
    Processes(i64),
    /// One process that keeps an access token, and exchanges a subject token for a new one this time before
    /// it expires.
    LongRunning(i64),
    /// A process like `LongRunning`, as a client of `serve`.
    Serve(i64),
}

/// Which rules apply.
#[derive(Clone, Copy)]
pub struct Policy {
    pub spreads: bool,
    pub bridges: bool,
    pub remembers: bool,
    pub locks: bool,
}

/// The parameters of one simulation.
#[derive(Clone)]
pub struct World {
    pub hosts: usize,
    /// All hosts start within this time.
    pub burst: i64,
    /// The number of clients of a host that start together.
    pub at_once: u32,
    pub clients: Clients,
    pub policy: Policy,
    /// Every request within this time gets status 503.
    pub outage: Range<i64>,
    /// Every request within this time gets status 401.
    pub refusal: Range<i64>,
    /// The number of requests in one second above which requests get status 429, from the start of the outage
    /// on.
    pub limit: u32,
    pub end: i64,
}

#[derive(Clone, Copy, Default)]
struct Host {
    /// The expiry that the output file reports, and the real one.
    reported: i64,
    expiry: i64,
    /// The time until which no request is sent after a refusal.
    refused: i64,
    /// The time since which the clients of this host have got no token.
    failing: Option<i64>,
    has_failed: bool,
}

/// What a simulation counted: requests in each second, and failures.
pub struct Counts {
    pub idp: Vec<u32>,
    pub sts: Vec<u32>,
    pub failed_hosts: usize,
    /// The sum over all hosts of the time in which their clients got no token.
    pub without_token: i64,
}

impl Counts {
    /// The largest number of requests in one second within `time`.
    pub fn peak(requests: &[u32], time: Range<i64>) -> u32 {
        let seconds = requests.iter().skip((time.start / SECOND) as usize);
        seconds.take(((time.end - time.start) / SECOND) as usize).copied().max().unwrap_or(0)
    }
}

pub struct Simulation {
    world: World,
    rules: Rules,
    random: Random,
    hosts: Vec<Host>,
    /// Time, host, and the number of times that the request has been repeated.
    events: BinaryHeap<Reverse<(i64, usize, u32)>>,
    counts: Counts,
}

enum Response {
    Token,
    Busy,
    Refused,
}

impl Simulation {
    pub fn run(world: World) -> Counts {
        let mut random = Random::new(1);
        let seconds = (world.end / SECOND) as usize + 1;
        let (idp, sts) = (vec![0; seconds], vec![0; seconds]);
        let counts = Counts { idp, sts, failed_hosts: 0, without_token: 0 };
        let starts = if world.policy.locks { 1 } else { world.at_once };
        let mut events = BinaryHeap::new();
        for host in 0..world.hosts {
            let start = random.up_to(world.burst);
            (0..starts).for_each(|_| events.push(Reverse((start, host, 0))));
        }
        let hosts = vec![Host::default(); world.hosts];
        let rules = Rules::of_the_program();
        Simulation { world, rules, random, hosts, events, counts }.finish()
    }

    fn finish(mut self) -> Counts {
        while let Some(Reverse((now, host, repetition))) = self.events.pop() {
            if now < self.world.end {
                self.step(now, host, repetition);
            }
        }
        for host in &self.hosts {
            self.counts.failed_hosts += usize::from(host.has_failed);
            self.counts.without_token += host.failing.map_or(0, |since| self.world.end - since);
        }
        self.counts
    }

    /// Handles an event: a client of this host needs a subject token, or a request is repeated.
    fn step(&mut self, now: i64, host: usize, repetition: u32) {
        if now < self.hosts[host].reported && self.world.policy.locks {
            return self.succeed(now, host);
        }
        if now < self.hosts[host].refused {
            return self.fail(now, host);
        }
        match self.response(now) {
            Response::Token => {
                let margin = Rules::margin(self.world.policy.spreads, LIFE, &mut self.random);
                let new = &mut self.hosts[host];
                (new.reported, new.expiry) = (now + LIFE - margin, now + LIFE);
                self.succeed(now, host);
            }
            Response::Busy if repetition < self.rules.retries => {
                let pause = self.rules.pause(repetition, &mut self.random);
                self.events.push(Reverse((now + pause, host, repetition + 1)));
            }
            Response::Busy if self.world.policy.bridges && now < self.hosts[host].expiry => {
                let next = self.next_process(now);
                self.events.push(Reverse((next, host, 0)));
            }
            Response::Busy => self.fail(now, host),
            Response::Refused => {
                if self.world.policy.remembers {
                    self.hosts[host].refused = now + self.rules.remembered;
                }
                self.fail(now, host);
            }
        }
    }

    /// The response of the identity provider to one more request.
    fn response(&mut self, now: i64) -> Response {
        let requests = &mut self.counts.idp[(now / SECOND) as usize];
        *requests += 1;
        match () {
            () if self.world.outage.contains(&now) => Response::Busy,
            () if self.world.refusal.contains(&now) => Response::Refused,
            () if *requests > self.world.limit && now >= self.world.outage.start => Response::Busy,
            () => Response::Token,
        }
    }

    /// The client got a token. Schedules when this host next needs a token that is not in its file.
    fn succeed(&mut self, now: i64, host: usize) {
        let Host { reported, failing, .. } = self.hosts[host];
        self.counts.without_token += failing.map_or(0, |since| now - since);
        self.hosts[host].failing = None;
        let spreads = self.world.policy.spreads;
        let next = match self.world.clients {
            Clients::Continuous => reported,
            Clients::Processes(_) => self.next_process(reported),
            Clients::LongRunning(ahead) | Clients::Serve(ahead) => {
                self.counts.sts[(now / SECOND) as usize] += 1;
                let is_serve = matches!(self.world.clients, Clients::Serve(_));
                now + LIFE - ahead - self.rules.spread(spreads && is_serve, LIFE, &mut self.random)
            }
        };
        self.events.push(Reverse((next, host, 0)));
    }

    /// The client got no token. Schedules the next client of this host.
    fn fail(&mut self, now: i64, host: usize) {
        self.hosts[host].failing.get_or_insert(now);
        self.hosts[host].has_failed = true;
        let next = self.next_process(now);
        self.events.push(Reverse((next, host, 0)));
    }

    fn next_process(&mut self, now: i64) -> i64 {
        match self.world.clients {
            Clients::Processes(mean) => now + self.random.wait(mean),
            _ => now + SECOND,
        }
    }
}

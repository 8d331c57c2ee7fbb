//! Simulates a fleet of hosts that start in the same minute, and prints the tables of `docs/fleets.md`.

mod random;
mod rules;
mod simulation;

use simulation::{Clients, Counts, HOUR, MINUTE, Policy, SECOND, Simulation, World};

const HOSTS: usize = 100_000;

/// The policy with all rules of the program.
const PROGRAM: Policy = Policy { spreads: true, bridges: true, remembers: true, locks: true };

/// The time before the expiry at which google-auth replaces an access token.
/// <https://github.com/googleapis/google-auth-library-python/blob/main/google/auth/_helpers.py>
const AHEAD: i64 = 225 * SECOND;

/// The number of requests that the identity provider can answer in one second after the start of an outage.
const LIMIT: u32 = 500;

const DAY: i64 = 24 * HOUR;

fn main() {
    renewals();
    exchanges();
    outages();
    rules_of_a_host();
}

fn world(clients: Clients, policy: Policy, end: i64) -> World {
    World {
        hosts: HOSTS,
        burst: MINUTE,
        at_once: 1,
        clients,
        policy,
        outage: 0..0,
        refusal: 0..0,
        limit: u32::MAX,
        end,
    }
}

/// The peaks at the start, at the first renewal, and at the renewals a day later.
fn peaks(requests: &[u32]) -> [u32; 3] {
    [0..10 * MINUTE, 30 * MINUTE..95 * MINUTE, DAY..DAY + HOUR]
        .map(|time| Counts::peak(requests, time))
}

fn renewals() {
    println!(
        "| What requests tokens on each host | Margin | Start | First renewal | A day later |"
    );
    println!("|---|---|---|---|---|");
    for (name, clients) in [
        ("a process that renews at once", Clients::Continuous),
        ("a process each minute, on average", Clients::Processes(MINUTE)),
        ("one long-running client", Clients::LongRunning(AHEAD)),
        ("one long-running client of `serve`", Clients::Serve(AHEAD)),
    ] {
        for (margin, spreads) in [("fixed", false), ("random", true)] {
            let policy = Policy { spreads, ..PROGRAM };
            let counts = Simulation::run(world(clients, policy, DAY + HOUR));
            let [start, first, later] = peaks(&counts.idp).map(|peak| number(peak.into()));
            println!("| {name} | {margin} | {start} | {first} | {later} |");
        }
    }
}

/// Prints the peaks in a minute, for a tenth of the hosts.
fn exchanges() {
    println!("\n| Clients of 10,000 hosts | Start | First renewal | A day later |");
    println!("|---|---|---|---|");
    for (name, clients) in [
        ("one long-running client on each", Clients::LongRunning(AHEAD)),
        ("one long-running client of `serve` on each", Clients::Serve(AHEAD)),
    ] {
        let world = World { hosts: HOSTS / 10, ..world(clients, PROGRAM, DAY + HOUR) };
        let counts = Simulation::run(world);
        let minutes: Vec<u32> = counts.sts.chunks(60).map(|minute| minute.iter().sum()).collect();
        let peak = |from: usize, to: usize| {
            number(minutes.get(from..to).unwrap_or_default().iter().copied().max().unwrap().into())
        };
        println!("| {name} | {} | {} | {} |", peak(0, 10), peak(30, 95), peak(1440, 1500));
    }
}

fn outages() {
    println!("\n| Outage | Margin | Bridging | Peak | Hosts with failed runs | Host-minutes |");
    println!("|---|---|---|---|---|---|");
    for minutes in [0, 1, 5, 10, 30] {
        for (margin, spreads, bridges) in
            [("fixed", false, false), ("random", true, false), ("random", true, true)]
        {
            let policy = Policy { spreads, bridges, ..PROGRAM };
            // The time at which the first host renews.
            let start = if spreads { 50 } else { 55 } * MINUTE;
            let base = world(Clients::Processes(MINUTE), policy, start + 45 * MINUTE);
            let outage = start..start + minutes * MINUTE;
            let counts = Simulation::run(World { outage, limit: LIMIT, ..base });
            println!(
                "| {} | {margin} | {} | {} | {} | {} |",
                if minutes == 0 { "none".to_owned() } else { format!("{minutes} min") },
                if bridges { "yes" } else { "no" },
                number(Counts::peak(&counts.idp, start..start + 45 * MINUTE).into()),
                number(counts.failed_hosts as i64),
                number(counts.without_token / MINUTE),
            );
        }
    }
}

fn rules_of_a_host() {
    println!("\n| Rule | Situation | Without it | With it |");
    println!("|---|---|---|---|");
    let peak = |world: World| number(Counts::peak(&Simulation::run(world).idp, 0..MINUTE).into());
    let clients = Clients::Processes(SECOND);
    let together = |locks| {
        let policy = Policy { locks, ..PROGRAM };
        peak(World { at_once: 4, ..world(clients, policy, MINUTE) })
    };
    let (without, with) = (together(false), together(true));
    println!("| the lock | four clients of each host start together | {without} | {with} |");
    let refused = |remembers| {
        let policy = Policy { remembers, ..PROGRAM };
        peak(World { refusal: 0..MINUTE, ..world(clients, policy, MINUTE) })
    };
    let (without, with) = (refused(false), refused(true));
    println!("| a remembered refusal | each host tries once a second | {without} | {with} |");
}

/// Formats a number with commas.
fn number(number: i64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

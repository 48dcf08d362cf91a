//! Clients that take a lock, use it, and give it back, or forget that they did.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, EventKind, Value};

/// How long a lock lives without a sign of its holder, ms.
pub const LEASE_MS: u64 = 1_000;

/// A pause that outlives a lease, ms.
const PAUSE_MS: u64 = LEASE_MS + 100;
/// How long a holder that renews its lease holds on instead, from answer to answer, ms.
const HOLD_MS: u64 = LEASE_MS + 500;
/// Clients that share a lock.
const CLIENTS_PER_KEY: usize = 5;
/// Percent of acquisitions after which the client pauses, or holds on, for longer than its lease.
const PAUSE_PERCENT: u32 = 10;
/// Percent of operations without a lock that use a token of before.
const LATE_USE_PERCENT: u32 = 25;
/// Percent of operations with a lock that give it back.
const RELEASE_PERCENT: u32 = 50;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// How holders protect themselves from the end of their leases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// They show their token to what the lock protects.
    Token,
    /// They keep their lease alive.
    Renewal,
}

/// What a client was given: the key, and the result of its `acquire`.
type Grant = (Value, Value);

#[derive(Debug, Default)]
struct Client {
    holds: Option<Grant>,
    /// What it gave back, or lost.
    held: Option<Grant>,
    /// It does not give back what it holds before its lease would have ended without renewals.
    holds_on: bool,
    /// When it was given what it holds, and when its last operation ended, ns.
    since: u64,
    now: u64,
}

impl Client {
    fn may_release(&self) -> bool {
        !self.holds_on || self.now.saturating_sub(self.since) >= HOLD_MS * 1_000_000
    }
}

/// Takes locks, uses them, gives them back.
#[derive(Debug)]
pub struct LockGenerator {
    keys: KeyGroups,
    protection: Protection,
    clients: Vec<Client>,
    rng: ChaCha8Rng,
}

impl LockGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions, protection: Protection) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self {
            keys: KeyGroups::new(options, CLIENTS_PER_KEY),
            protection,
            clients: (0..options.concurrency).map(|_| Client::default()).collect(),
            rng,
        }
    }

    fn acquire(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        self.keys.use_key(group);
        let key = Some(Value::from(self.keys.key(group)));
        let pauses = self.rng.random_range(0..100) < PAUSE_PERCENT;
        self.clients[worker].holds_on = pauses && self.protection == Protection::Renewal;
        let value = match self.protection {
            Protection::Token if pauses => one_entry("pause-ms", Value::from(PAUSE_MS)),
            Protection::Token | Protection::Renewal => Value::Null,
        };
        Invocation { f: "acquire", key, value }
    }

    /// What a client does to show that it holds the lock.
    fn protect(&self, (key, given): Grant) -> Invocation {
        let key = Some(key);
        match self.protection {
            Protection::Token => Invocation { f: "use", key, value: given },
            Protection::Renewal => {
                let lease = given.get("lease").cloned().unwrap_or_default();
                Invocation { f: "acquire", key, value: one_entry("lease", lease) }
            }
        }
    }
}

fn one_entry(name: &str, value: Value) -> Value {
    Value::Map([(Value::from(name), value)].into())
}

impl Generator for LockGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let draw = self.rng.random_range(0..100);
        let client = &self.clients[worker];
        match (&client.holds, &client.held) {
            (Some((key, given)), _) if draw < RELEASE_PERCENT && client.may_release() => {
                Invocation { f: "release", key: Some(key.clone()), value: given.clone() }
            }
            (Some(grant), _) => self.protect(grant.clone()),
            (None, Some(grant))
                if draw < LATE_USE_PERCENT && self.protection == Protection::Token =>
            {
                self.protect(grant.clone())
            }
            (None, _) => self.acquire(worker),
        }
    }

    fn observe(&mut self, worker: usize, completion: &Event) {
        let client = &mut self.clients[worker];
        client.now = completion.time;
        match (completion.f.as_str(), completion.kind) {
            ("acquire", EventKind::Ok) => {
                let key = completion.key.clone().unwrap_or_default();
                // A renewal says nothing about the token.
                if client.holds.is_none() {
                    client.holds = Some((key, completion.value.clone()));
                    client.since = completion.time;
                }
            }
            ("use", EventKind::Ok) => {}
            _ => client.held = client.holds.take().or(client.held.take()),
        }
    }

    /// Everybody gives back what it holds, and one more acquires each lock: at the end it is free.
    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        match &self.clients[worker].holds {
            Some((key, given)) => {
                vec![Invocation { f: "release", key: Some(key.clone()), value: given.clone() }]
            }
            None => vec![self.acquire(worker)],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Process;

    fn completion(invocation: &Invocation, kind: EventKind, value: Value) -> Event {
        completion_at(0, invocation, kind, value)
    }

    fn completion_at(time: u64, invocation: &Invocation, kind: EventKind, value: Value) -> Event {
        Event {
            index: 0,
            time,
            scheduled: None,
            process: Process::Client(0),
            kind,
            f: invocation.f.into(),
            key: invocation.key.clone(),
            value,
            error: None,
            node: None,
        }
    }

    /// The functions of the operations of one client whose every operation succeeds.
    fn functions(protection: Protection) -> Vec<(&'static str, bool)> {
        let options = GeneratorOptions { concurrency: 1, keys: 1, seed: 3 };
        let mut generator = LockGenerator::new(&options, protection);
        let given: Value = r#"{"token":7,"lease-ms":1000,"lease":5}"#.parse().unwrap();
        (0..200)
            .map(|_| {
                let invocation = generator.next(0);
                let renews = invocation.f == "acquire" && invocation.value.get("lease").is_some();
                generator.observe(0, &completion(&invocation, EventKind::Ok, given.clone()));
                (invocation.f, renews)
            })
            .collect()
    }

    #[test]
    fn tokens_are_used_while_the_lock_is_held_and_after_it_was_given_back() {
        let functions = functions(Protection::Token);
        let follows = |first: &str, second: &str| {
            functions.windows(2).filter(|pair| pair[0].0 == first && pair[1].0 == second).count()
        };
        assert!(follows("acquire", "use") > 5, "{functions:?}");
        assert!(follows("use", "release") > 5, "{functions:?}");
        assert!(follows("release", "use") > 2, "{functions:?}");
        assert_eq!(follows("acquire", "acquire"), 0, "{functions:?}");
    }

    #[test]
    fn a_lease_is_renewed_by_its_holder_only() {
        let functions = functions(Protection::Renewal);
        assert!(functions.iter().all(|(f, _)| *f != "use"));
        for pair in functions.windows(2) {
            match (pair[0], pair[1]) {
                (("release", _), (f, renews)) => assert!(f == "acquire" && !renews),
                ((_, _), (f, renews)) => assert!(f == "release" || renews),
            }
        }
    }

    #[test]
    fn a_lock_that_may_be_lost_is_not_held() {
        let options = GeneratorOptions { concurrency: 1, keys: 1, seed: 3 };
        let mut generator = LockGenerator::new(&options, Protection::Renewal);
        let acquire = generator.next(0);
        let given: Value = r#"{"lease":5}"#.parse().unwrap();
        generator.observe(0, &completion(&acquire, EventKind::Ok, given.clone()));
        let renew = Invocation { value: given.clone(), ..acquire };
        generator.observe(0, &completion(&renew, EventKind::Fail, given));
        let next = generator.next(0);
        assert_eq!((next.f, next.value), ("acquire", Value::Null));
    }

    #[test]
    fn some_leases_are_held_for_longer_than_they_live_without_renewals() {
        let options = GeneratorOptions { concurrency: 1, keys: 1, seed: 3 };
        let mut generator = LockGenerator::new(&options, Protection::Renewal);
        let given: Value = r#"{"lease":5}"#.parse().unwrap();
        let mut held_ms = Vec::new();
        let mut since = 0;
        for time_ms in (0..60_000).step_by(50) {
            let invocation = generator.next(0);
            match (invocation.f, invocation.value == Value::Null) {
                ("release", _) => held_ms.push(time_ms - since),
                (_, true) => since = time_ms,
                (_, false) => {}
            }
            let time = time_ms * 1_000_000;
            let completion = completion_at(time, &invocation, EventKind::Ok, given.clone());
            generator.observe(0, &completion);
        }
        let long = held_ms.iter().filter(|&&held| held > HOLD_MS).count();
        assert!(long > 5 && long < held_ms.len() / 2, "{held_ms:?}");
    }
}

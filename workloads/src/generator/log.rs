//! Producers and consumers of logs.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::key_groups::KeyGroups;
use super::{Generator, GeneratorOptions, Invocation};
use crate::history::{Event, Value};

/// Clients that share a log.
const CLIENTS_PER_KEY: usize = 5;
/// Percent of operations that send.
const SEND_PERCENT: u32 = 50;
/// The stream of the seed that decides the mix.
const MIX_STREAM: u64 = 1;

/// Sends messages, each once, and polls.
#[derive(Debug)]
pub struct LogGenerator {
    keys: KeyGroups,
    concurrency: u64,
    rng: ChaCha8Rng,
    last_message: u64,
}

impl LogGenerator {
    /// A generator.
    pub fn new(options: &GeneratorOptions) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        rng.set_stream(MIX_STREAM);
        Self {
            keys: KeyGroups::new(options, CLIENTS_PER_KEY),
            concurrency: options.concurrency.max(1) as u64,
            rng,
            last_message: 0,
        }
    }
}

/// `[["send", log, message]]`
fn send(log: u64, message: u64) -> Invocation {
    let send = Value::from(vec![Value::from("send"), Value::from(log), Value::from(message)]);
    Invocation { f: "send", key: None, value: Value::from(vec![send]) }
}

/// `[["poll", {log: []}]]`
fn poll(log: u64) -> Invocation {
    let wanted = Value::Map([(Value::from(log.to_string()), Value::list([]))].into());
    let poll = Value::from(vec![Value::from("poll"), wanted]);
    Invocation { f: "poll", key: None, value: Value::from(vec![poll]) }
}

impl Generator for LogGenerator {
    fn next(&mut self, worker: usize) -> Invocation {
        let group = self.keys.group(worker);
        self.keys.use_key(group);
        let log = self.keys.key(group);
        if self.rng.random_range(0..100) >= SEND_PERCENT {
            return poll(log);
        }
        self.last_message += 1;
        send(log, self.last_message)
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    /// Polls of each log by as many workers as share one, so that many nodes are asked: a poll returns
    /// all that is left.
    fn final_operations(&mut self, worker: usize) -> Vec<Invocation> {
        let behind = |log: u64| {
            (worker as u64 + self.concurrency - log % self.concurrency) % self.concurrency
        };
        let mine = |log: &u64| behind(*log) < CLIENTS_PER_KEY as u64;
        self.keys.used().filter(mine).map(poll).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::key_groups::OPERATIONS_PER_KEY;
    use super::*;

    #[test]
    fn messages_never_repeat_and_all_logs_are_polled_in_the_end() {
        let options = GeneratorOptions { concurrency: 5, keys: 1, seed: 2 };
        let mut generator = LogGenerator::new(&options);
        let mut last = 0;
        for _ in 0..3 * OPERATIONS_PER_KEY {
            let invocation = generator.next(0);
            if invocation.f == "send" {
                let message = invocation.value[0][2].as_u64().unwrap();
                assert!(message > last);
                last = message;
            }
        }
        let expected = [0, 1, 2].map(|log| format!(r#"[["poll",{{"{log}":[]}}]]"#));
        for worker in 0..5 {
            let polls = generator.final_operations(worker);
            let polls: Vec<String> = polls.iter().map(|poll| poll.value.to_string()).collect();
            assert_eq!(polls, expected);
        }
    }

    #[test]
    fn each_log_is_polled_in_the_end_by_neighbouring_workers() {
        let options = GeneratorOptions { concurrency: 12, keys: 2, seed: 2 };
        let mut generator = LogGenerator::new(&options);
        let pollers = |generator: &mut LogGenerator, log: u64| -> Vec<usize> {
            let polls = |worker: &usize| generator.final_operations(*worker).contains(&poll(log));
            (0..12).filter(polls).collect()
        };
        assert_eq!(pollers(&mut generator, 0), [0, 1, 2, 3, 4]);
        assert_eq!(pollers(&mut generator, 1), [1, 2, 3, 4, 5]);
    }
}

//! How a client behaves.

use std::time::Duration;

/// How a client behaves. Start from [`ClientOptions::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOptions {
    /// Budget of one operation, with all its attempts.
    pub timeout: Duration,
    /// Budget of one attempt.
    pub attempt_timeout: Duration,
    /// Budget of connecting.
    pub connect_timeout: Duration,
    /// Attempts of one operation; 1 never repeats anything.
    pub attempts_max: u32,
    /// The pause before the second attempt; doubles with each further one.
    pub backoff_min: Duration,
    /// The longest pause between attempts.
    pub backoff_max: Duration,
    /// Go to the leader that a node names, instead of letting the nodes forward requests.
    pub follow_leader: bool,
}

impl ClientOptions {
    /// A client that rides out an election.
    pub fn new() -> ClientOptions {
        ClientOptions {
            timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_millis(2_500),
            connect_timeout: Duration::from_millis(500),
            attempts_max: 100,
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_millis(500),
            follow_leader: false,
        }
    }

    /// A client that makes one attempt within this time, for those who judge every attempt.
    pub fn single_attempt(timeout: Duration) -> ClientOptions {
        let options = ClientOptions::new();
        ClientOptions { timeout, attempt_timeout: timeout, attempts_max: 1, ..options }
    }
}

impl Default for ClientOptions {
    fn default() -> ClientOptions {
        ClientOptions::new()
    }
}

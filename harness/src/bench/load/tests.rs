//! The load against a client that needs no system.

use std::cell::Cell;

use super::*;

thread_local! {
    /// Connections and clients that this thread made.
    static MADE: Cell<(usize, usize)> = const { Cell::new((0, 0)) };
}

/// Answers after a moment; every fourth get finds nothing.
struct Fake {
    gets: usize,
}

impl LoadClient for Fake {
    async fn connect(address: SocketAddr, clients: usize) -> Result<Vec<Fake>, LoadError> {
        if address.port() == 1 {
            return Err(LoadError::Connect { address, reason: "nobody is there".to_owned() });
        }
        let (connections, made) = MADE.get();
        MADE.set((connections + 1, made + clients));
        Ok((0..clients).map(|_| Fake { gets: 0 }).collect())
    }

    async fn put(&mut self, _key: Bytes, _value: Bytes) -> Result<(), LoadError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        Ok(())
    }

    async fn get(&mut self, _key: Bytes) -> Result<Option<usize>, LoadError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.gets += 1;
        Ok((!self.gets.is_multiple_of(4)).then_some(8))
    }
}

/// Never answers.
struct Silent;

impl LoadClient for Silent {
    async fn connect(_: SocketAddr, clients: usize) -> Result<Vec<Silent>, LoadError> {
        Ok((0..clients).map(|_| Silent).collect())
    }

    async fn put(&mut self, _key: Bytes, _value: Bytes) -> Result<(), LoadError> {
        std::future::pending().await
    }

    async fn get(&mut self, _key: Bytes) -> Result<Option<usize>, LoadError> {
        std::future::pending().await
    }
}

fn plan(operation: Operation, port: u16) -> LoadPlan {
    LoadPlan {
        address: SocketAddr::from(([127, 0, 0, 1], port)),
        operation,
        clients: 5,
        clients_per_connection: 2,
        threads: 2,
        seed: 1,
        drain_limit: Duration::from_millis(50),
    }
}

fn window(length: Duration) -> Window {
    let begin = Instant::now();
    Window { begin, end: begin + length }
}

#[tokio::test]
async fn what_succeeds_in_the_window_counts() {
    let data = Arc::new(Data::new(10, 8, 1));
    let load = Load::start::<Fake>(&plan(Operation::Put, 7), &data).await.unwrap();
    let tally = load.run(window(Duration::from_millis(100))).await.unwrap();
    assert!(tally.completed > 0, "{tally:?}");
    // At the end each client may be inside an operation, which has a latency but no place.
    assert!(tally.latencies.count() - tally.completed <= 5, "{tally:?}");
    assert!(tally.latencies.quantile(0.0).unwrap() >= 900_000);
    assert_eq!((tally.errors, tally.unfinished), (0, 0));
}

#[tokio::test]
async fn nothing_counts_before_the_window() {
    let data = Arc::new(Data::new(10, 8, 1));
    let load = Load::start::<Fake>(&plan(Operation::Put, 7), &data).await.unwrap();
    let end = Instant::now() + Duration::from_millis(50);
    let tally = load.run(Window { begin: end, end }).await.unwrap();
    assert_eq!((tally.completed, tally.latencies.count()), (0, 0));
}

#[tokio::test]
async fn a_missing_key_is_an_error() {
    let data = Arc::new(Data::new(10, 8, 1));
    let load = Load::start::<Fake>(&plan(Operation::Get, 7), &data).await.unwrap();
    let tally = load.run(window(Duration::from_millis(200))).await.unwrap();
    assert!(tally.errors > 0 && tally.completed > tally.errors, "{tally:?}");
    assert_eq!(tally.first_error.as_deref(), Some("the wrong value: a key is missing"));
}

#[tokio::test]
async fn clients_share_connections_as_they_are_told() {
    let plan = LoadPlan { clients: 7, clients_per_connection: 3, ..plan(Operation::Put, 7) };
    let clients = connect::<Fake>(&plan, 7).await.unwrap();
    assert_eq!((clients.len(), MADE.get()), (7, (3, 7)));
}

#[tokio::test]
async fn nobody_there_is_an_error_and_no_wait() {
    let data = Arc::new(Data::new(10, 8, 1));
    let failure = Load::start::<Fake>(&plan(Operation::Put, 1), &data).await.err().unwrap();
    assert!(failure.to_string().contains("nobody is there"), "{failure}");
}

#[tokio::test]
async fn clients_that_hang_are_given_up_and_counted() {
    let local = LocalSet::new();
    let tally = local
        .run_until(async {
            let data = Arc::new(Data::new(10, 8, 1));
            let window = window(Duration::from_millis(10));
            drive(vec![Silent, Silent], window, &plan(Operation::Get, 7), &data, 0).await
        })
        .await;
    assert_eq!((tally.unfinished, tally.completed), (2, 0));
}

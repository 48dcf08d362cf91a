//! One suite for all four stores: what a client sees must not depend on where the data lives, nor on
//! whether it is replicated.
//!
//! ```text
//!             memory              rocksdb
//! single      single_memory       single_rocksdb
//! replicated  replicated_memory   replicated_rocksdb
//! ```
//!
//! Each test is a function of a store, and speaks to it through the public client.

mod holders;
mod keys;
mod nodes;
mod refusals;
mod several_keys;

use std::time::Duration;

use proto::client::{Client, ClientError, ErrorKind, KeyValue};
use server::Limits;
use server::config::Mode;

use self::holders::*;
use self::keys::*;
use self::nodes::*;
use self::refusals::*;
use self::several_keys::*;
use crate::cluster::{Cluster, Kind};

const PATIENCE: Duration = Duration::from_secs(20);

/// Writes a module of tests for each store.
macro_rules! conformance {
    ($($test:ident),+ $(,)?) => {
        conformance! { @store single_memory, Mode::Single, Kind::Memory, $($test),+ }
        conformance! { @store replicated_memory, Mode::Replicated, Kind::Memory, $($test),+ }
        #[cfg(feature = "rocksdb")]
        conformance! { @store single_rocksdb, Mode::Single, Kind::Rocksdb, $($test),+ }
        #[cfg(feature = "rocksdb")]
        conformance! { @store replicated_rocksdb, Mode::Replicated, Kind::Rocksdb, $($test),+ }
    };
    (@store $store:ident, $mode:expr, $kind:expr, $($test:ident),+) => {
        mod $store {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $test() {
                    super::$test(Store { mode: $mode, kind: $kind }).await;
                }
            )+
        }
    };
}

conformance! {
    keys_are_put_read_and_deleted,
    any_bytes_are_a_key_and_a_value,
    a_compare_and_set_compares_and_sets,
    appends_add_up,
    a_transaction_performs_one_of_its_lists,
    every_comparison_compares,
    a_list_of_reads_and_appends_returns_what_it_read,
    a_scan_keeps_to_its_bounds,
    a_scan_goes_from_page_to_page,
    a_session_takes_effect_once,
    concurrent_clients_lose_nothing,
    a_watch_reports_every_change_once_and_can_be_resumed,
    a_lease_ends_with_its_keys_unless_it_is_kept_alive,
    a_lock_has_one_holder_and_growing_tokens,
    what_is_over_a_limit_is_refused,
    what_does_not_exist_is_refused,
    a_node_says_what_it_is,
    members_are_what_the_mode_says,
    a_restart_keeps_what_is_on_disk_and_forgets_what_is_in_memory,
}

/// Which store.
#[derive(Debug, Clone, Copy)]
struct Store {
    mode: Mode,
    kind: Kind,
}

impl Store {
    async fn start(self) -> Cluster {
        self.start_with(Limits::STANDARD).await
    }

    async fn start_with(self, limits: Limits) -> Cluster {
        Cluster::start_mode(self.mode, self.kind, limits).await
    }

    fn keeps_data(self) -> bool {
        match self.kind {
            Kind::Memory => false,
            #[cfg(feature = "rocksdb")]
            Kind::Rocksdb => true,
        }
    }
}

/// A client of the node that has the longest way, if there are several.
fn client(cluster: &Cluster) -> Client {
    cluster.client(cluster.nodes().last().unwrap())
}

fn value(found: Option<KeyValue>) -> Option<String> {
    found.map(|found| String::from_utf8(found.value.to_vec()).unwrap())
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, ClientError>, kind: ErrorKind) -> String {
    let error = result.unwrap_err();
    assert_eq!((error.failure().kind, error.is_indefinite()), (Some(kind), false), "{error}");
    error.to_string()
}

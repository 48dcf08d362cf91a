//! Members come and go, nodes die, leaders hand over, and clients write all the time.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use proto::admin::change_members_request::Change;
use proto::admin::{AddMember, RemoveMember, ReplaceMember};
use proto::client::ReadMode;
use server::types::GroupId;
use server::{ServerConfig, SnapshotConfig};

use crate::cluster::{Cluster, Kind};
use crate::eventually::eventually;
use crate::load::{Load, Told};

/// The preset for one region.
const TICK: Duration = Duration::from_millis(50);
const ELECTION_TICKS: usize = 10;
/// The longest time without an acknowledged write. A follower campaigns one to two election timeouts
/// after it last heard of its leader; where two do so at once, the next attempt is as far away; a
/// client's pause between attempts is half a second at most. That makes 2.5 s, and a machine that is
/// busy with other tests is allowed as much again.
const GAP_MAX: Duration = Duration::from_secs(5);
/// Writes to wait for between two steps.
const SOME: u64 = 40;

fn timed(config: ServerConfig) -> ServerConfig {
    let snapshot = SnapshotConfig { entries: 300, ..SnapshotConfig::STANDARD };
    ServerConfig { tick: TICK, election_ticks: ELECTION_TICKS, snapshot, ..config }
}

/// A cluster that is written to.
struct Storm {
    cluster: Cluster,
    load: Load,
    folder: tempfile::TempDir,
}

impl Storm {
    async fn begin(nodes: u64, storage: Kind) -> Storm {
        let cluster = Cluster::start_with(nodes, storage, timed).await;
        let folder = tempfile::tempdir().unwrap();
        write_cluster_file(&cluster, &folder.path().join("cluster.toml"));
        let load = Load::start(&folder.path().join("cluster.toml"));
        let storm = Storm { cluster, load, folder };
        storm.load.goes_on(SOME).await;
        storm
    }

    fn cluster_file(&self) -> PathBuf {
        self.folder.path().join("cluster.toml")
    }

    /// Makes a change at whoever leads. A leader that goes may leave the answer open.
    async fn change(
        &mut self,
        what: &str,
        change: Change,
        is_made: impl Fn(&[(u64, String)]) -> bool,
    ) {
        self.load.mark(what);
        let cluster = &self.cluster;
        eventually(what, async || {
            let mut client = cluster.client(cluster.acting_leader().await);
            if client.change_members(0, change.clone()).await.is_ok() {
                return Some(());
            }
            let members = client.list_members(0).await.ok()?.members;
            let members: Vec<_> = members.into_iter().map(|it| (it.node, it.role)).collect();
            is_made(&members).then_some(())
        })
        .await;
        write_cluster_file(&self.cluster, &self.cluster_file());
        self.load.goes_on(SOME).await;
    }

    async fn add(&mut self, node: u64) {
        let address = self.cluster.address(node);
        let change = Change::Add(AddMember { node, address, stay_learner: false });
        self.change(&format!("node {node} is added"), change, |members| {
            members.iter().any(|(it, role)| *it == node && (role == "voter" || role == "leader"))
        })
        .await;
    }

    /// Starts a new node and adds it.
    async fn grow(&mut self, node: u64) {
        self.cluster.join(node, timed).await;
        self.add(node).await;
    }

    async fn remove(&mut self, node: u64) {
        let change = Change::Remove(RemoveMember { node });
        self.change(&format!("node {node} is removed"), change, |members| {
            members.iter().all(|(it, _)| *it != node)
        })
        .await;
    }

    /// Removes a node and stops it.
    async fn shrink(&mut self, node: u64) {
        self.remove(node).await;
        self.load.mark(format!("node {node} stops"));
        self.cluster.forget(node).await;
        write_cluster_file(&self.cluster, &self.cluster_file());
        self.load.goes_on(SOME).await;
    }

    async fn voters(&self) -> Vec<u64> {
        let mut client = self.cluster.client(self.cluster.leader().await);
        client.status().await.unwrap().voters
    }

    /// The node has applied everything that the leader has committed by now.
    async fn catches_up(&self, node: u64) {
        let status = |node| self.cluster.handle(node).status(GroupId(0));
        let committed = status(self.cluster.leader().await).unwrap().committed;
        eventually("the node catches up", async || {
            (status(node)?.applied >= committed).then_some(())
        })
        .await;
    }

    async fn end(self) -> (Cluster, Told) {
        let told = self.load.finish().await;
        let mut client = self.cluster.client(self.cluster.leader().await);
        told.is_kept(&mut client).await;
        let (gap, began) = (told.longest_gap, &told.gap_began);
        assert!(gap <= GAP_MAX, "no write was acknowledged for {gap:?}, after: {began}");
        (self.cluster, told)
    }
}

fn write_cluster_file(cluster: &Cluster, path: &std::path::Path) {
    let lines: Vec<String> =
        cluster.nodes().map(|node| format!("{node} = \"{}\"\n", cluster.address(node))).collect();
    // Never half a file.
    let new = path.with_extension("new");
    fs::write(&new, format!("[nodes]\n{}", lines.concat())).unwrap();
    fs::rename(&new, path).unwrap();
}

async fn grows_and_shrinks(storage: Kind) {
    let mut storm = Storm::begin(1, storage).await;
    for node in 2..=5 {
        storm.grow(node).await;
        assert_eq!(storm.voters().await, (1..=node).collect::<Vec<_>>());
    }
    // Leaders and followers in turn, until one is left.
    for left in (1..=4).rev() {
        let node = match left % 2 {
            0 => storm.cluster.leader().await,
            _ => storm.cluster.follower().await,
        };
        storm.shrink(node).await;
        assert_eq!(storm.voters().await.len(), left);
    }
    let (_, told) = storm.end().await;
    assert!(told.acknowledged() as u64 >= 12 * SOME);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_grows_from_1_to_5_and_shrinks_to_1_under_load() {
    grows_and_shrinks(Kind::Memory).await;
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_on_disks_grows_from_1_to_5_and_shrinks_to_1_under_load() {
    grows_and_shrinks(Kind::Rocksdb).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_nodes_are_replaced_under_load() {
    let mut storm = Storm::begin(3, Kind::Memory).await;
    // A follower dies, and another node takes its place in one step.
    let dead = storm.cluster.follower().await;
    storm.load.mark("a follower dies");
    storm.cluster.stop(dead).await;
    storm.load.goes_on(SOME).await;
    storm.cluster.join(4, timed).await;
    let address = storm.cluster.address(4);
    let replace = Change::Replace(ReplaceMember { old_node: dead, new_node: 4, address });
    storm
        .change("a dead follower is replaced", replace, |members| {
            members.iter().all(|(node, _)| *node != dead)
                && members.iter().any(|(node, role)| *node == 4 && role != "learner")
        })
        .await;
    // The leader dies, is removed, and a new node is added.
    let dead = storm.cluster.leader().await;
    storm.load.mark("the leader dies");
    storm.cluster.stop(dead).await;
    storm.load.goes_on(SOME).await;
    storm.remove(dead).await;
    storm.grow(5).await;
    let voters = storm.voters().await;
    assert!(voters.len() == 3 && voters.contains(&4) && voters.contains(&5), "{voters:?}");
    storm.catches_up(5).await;
    storm.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wiped_follower_is_added_anew_under_load() {
    let mut storm = Storm::begin(3, Kind::Memory).await;
    let follower = storm.cluster.follower().await;
    let mut client = storm.cluster.client(storm.cluster.leader().await);
    client.put("deleted meanwhile", "1").await.unwrap();
    storm.catches_up(follower).await;
    // What it had is gone with it: its storage is its memory.
    storm.remove(follower).await;
    storm.cluster.stop(follower).await;
    client.delete("deleted meanwhile").await.unwrap();
    // More than one snapshot's worth, so that the log alone cannot bring it back.
    storm.load.goes_on(700).await;
    storm.cluster.start_joining(follower, timed).await;
    storm.add(follower).await;
    storm.catches_up(follower).await;
    let metrics = storm.cluster.server(follower).metrics();
    assert!(metrics.snapshots_installed.get() >= 1);
    let mut late = storm.cluster.client(follower);
    let read = late.get_with("deleted meanwhile", ReadMode::Local).await.unwrap();
    assert_eq!((read.header.node, read.found), (follower, None));
    storm.end().await;
}

#[cfg(feature = "rocksdb")]
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_behind_the_compacted_log_catches_up_under_load() {
    let mut storm = Storm::begin(3, Kind::Rocksdb).await;
    let follower = storm.cluster.follower().await;
    let mut client = storm.cluster.client(storm.cluster.leader().await);
    client.put("deleted meanwhile", "1").await.unwrap();
    storm.catches_up(follower).await;
    storm.load.mark("a follower stops");
    storm.cluster.stop(follower).await;
    client.delete("deleted meanwhile").await.unwrap();
    let leader = storm.cluster.leader().await;
    // At least what the follower had when it stopped.
    let had = storm.cluster.handle(leader).status(GroupId(0)).unwrap().last_index;
    eventually("what it lacks is compacted", async || {
        let status = storm.cluster.handle(leader).status(GroupId(0))?;
        (status.first_index > had).then_some(())
    })
    .await;
    storm.cluster.restart_with(follower, timed).await;
    storm.catches_up(follower).await;
    let metrics = storm.cluster.server(follower).metrics();
    assert!(metrics.snapshots_installed.get() >= 1);
    let mut late = storm.cluster.client(follower);
    let read = late.get_with("deleted meanwhile", ReadMode::Local).await.unwrap();
    assert_eq!((read.header.node, read.found), (follower, None));
    storm.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaders_hand_over_under_load() {
    let mut storm = Storm::begin(3, Kind::Memory).await;
    for _ in 0..6 {
        let leader = storm.cluster.leader().await;
        let to = leader % 3 + 1;
        storm.load.mark(format!("node {leader} hands over to node {to}"));
        // It may be busy with another change, or the voter may be behind: then again.
        eventually("leadership is handed over", async || {
            let mut client = storm.cluster.client(storm.cluster.acting_leader().await);
            let new = client.transfer_leader(0, to).await.ok()?;
            (new == to).then_some(())
        })
        .await;
        storm.load.goes_on(SOME).await;
    }
    storm.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_leader_costs_one_election() {
    let mut storm = Storm::begin(5, Kind::Memory).await;
    for _ in 0..2 {
        let leader = storm.cluster.leader().await;
        storm.load.mark(format!("node {leader} dies"));
        storm.cluster.stop(leader).await;
        storm.load.goes_on(SOME).await;
    }
    storm.end().await;
}

//! Scenarios about shaped links: what real packets meet on them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use harness::node_id::NodeId;
use harness::platform::{
    Connections, Fabric, Link, LinkConditions, Measured, Platform, PlatformError, Train,
};
use nix::sched::{CloneFlags, setns};

use crate::common::witness::eventually;
use crate::scenario::{ARRIVES, SILENCE, all_links};

const SEED: u64 = 7;
const LINK: Link = (NodeId(1), NodeId(2));
const BACK: Link = (NodeId(2), NodeId(1));
/// Longer than any delay that is asked for, on a busy machine.
const TRAIN: Train = Train {
    packets: 100,
    size: 100,
    spacing: Duration::from_millis(1),
    patience: Duration::from_millis(500),
};
/// What a busy machine may add to a delay.
const LATE: Duration = Duration::from_millis(150);
const NONE: LinkConditions = LinkConditions::NONE;

/// Measures one link under some conditions and after them, while all others stay as they are.
fn under(fabric: &dyn Fabric, conditions: LinkConditions, train: Train) -> Measured {
    fabric.shape(&BTreeMap::from([(LINK, conditions)]), SEED).expect("shapes");
    let measured = fabric.measure(&[LINK], train).expect("measures").remove(0);
    let others: Vec<Link> = all_links().into_iter().filter(|&link| link != LINK).collect();
    for other in fabric.probe(&others, ARRIVES).expect("probes") {
        assert_eq!(other.arrived, other.sent, "not shaped: {other:?}");
    }
    fabric.shape(&BTreeMap::new(), SEED).expect("heals");
    let after = fabric.probe(&[LINK], ARRIVES).expect("probes").remove(0);
    assert_eq!(after.arrived, after.sent, "healed: {after:?}");
    eprintln!("measured: {conditions:?}: {measured:?}");
    measured
}

pub(crate) fn packets_meet_conditions(platform: &dyn Platform) {
    let fabric = platform.fabric();
    let delay = Duration::from_millis(40);
    let seen = under(fabric, LinkConditions { delay, ..NONE }, TRAIN);
    assert_eq!(seen.arrived, seen.sent);
    assert!(seen.delay >= Some(delay) && seen.delay < Some(delay + LATE), "{seen:?}");

    let seen = under(fabric, LinkConditions { loss: 0.3, ..NONE }, TRAIN);
    assert!((50..90).contains(&seen.arrived), "{seen:?}");

    let seen = under(fabric, LinkConditions { duplication: 0.5, ..NONE }, TRAIN);
    assert!(seen.arrived == seen.sent && (30..70).contains(&seen.duplicates), "{seen:?}");

    let seen = under(fabric, LinkConditions { reordering: 0.2, ..NONE }, TRAIN);
    assert!(seen.arrived == seen.sent && (5..40).contains(&seen.overtaken), "{seen:?}");

    // The receiver's kernel drops what does not match its checksum.
    let seen = under(fabric, LinkConditions { corruption: 0.3, ..NONE }, TRAIN);
    assert!((50..90).contains(&seen.arrived), "{seen:?}");
    assert!(fabric.carried().corrupted > 0);

    let rate = 1_000_000;
    let burst = Train { packets: 20, size: 1_000, spacing: Duration::ZERO, ..TRAIN };
    let seen = under(fabric, LinkConditions { rate: Some(rate), ..NONE }, burst);
    assert!(seen.arrived > 10, "{seen:?}");
    assert!(seen.rate > Some(rate / 4) && seen.rate < Some(rate * 4), "{seen:?}");
}

pub(crate) fn a_cut_wins_over_a_shape(platform: &dyn Platform) {
    let fabric = platform.fabric();
    let slow = LinkConditions { delay: Duration::from_millis(10), ..NONE };
    for cut_first in [true, false] {
        let cut = || fabric.cut(&BTreeSet::from([LINK])).expect("cuts");
        let shape = || {
            let shaped = BTreeMap::from([(LINK, slow), (BACK, slow)]);
            fabric.shape(&shaped, SEED).expect("shapes");
        };
        if cut_first {
            (cut(), shape())
        } else {
            (shape(), cut())
        };
        let arrived = |link: Link, patience| {
            fabric.probe(&[link], patience).expect("probes").remove(0).arrived
        };
        assert_eq!(arrived(LINK, SILENCE), 0, "cut and shaped");
        assert!(arrived(BACK, ARRIVES) > 0, "shaped only");
        fabric.heal().expect("heals");
        assert!(arrived(LINK, ARRIVES) > 0, "shaped, and not cut any more");
        fabric.shape(&BTreeMap::new(), SEED).expect("heals");
    }
}

/// Does something on a thread in the network namespace of a process.
fn inside(
    pid: i32,
    work: impl FnOnce() -> std::io::Result<TcpStream> + Send + 'static,
) -> JoinHandle<TcpStream> {
    std::thread::spawn(move || {
        let namespace = File::open(format!("/proc/{pid}/ns/net")).expect("it runs");
        setns(namespace, CloneFlags::CLONE_NEWNET).expect("it is ours");
        work().expect("connects")
    })
}

/// Opens a connection from n1 to n2, in which processes run; its ends.
fn connection(pids: [i32; 2], address: SocketAddr) -> (TcpStream, TcpStream) {
    let (ready, listens) = mpsc::channel();
    let server = inside(pids[1], move || {
        let listener = TcpListener::bind(address)?;
        ready.send(()).expect("somebody waits");
        listener.accept().map(|(stream, _)| stream)
    });
    listens.recv_timeout(ARRIVES).expect("the listener is bound");
    let client = inside(pids[0], move || TcpStream::connect_timeout(&address, ARRIVES));
    (client.join().expect("no panic"), server.join().expect("no panic"))
}

/// Sends a word and waits for it at the other end.
fn says(from: &mut TcpStream, to: &mut TcpStream, patience: Duration) -> std::io::Result<()> {
    to.set_read_timeout(Some(patience))?;
    from.write_all(b"word")?;
    to.read_exact(&mut [0; 4])
}

/// `pids` are of processes on n1 and n2.
pub(crate) fn connections_meet_conditions(
    platform: &dyn Platform,
    pids: [i32; 2],
) -> Result<(), PlatformError> {
    let fabric = platform.fabric();
    let address = platform.listen_address(LINK.1);
    let shape =
        |conditions| fabric.shape(&BTreeMap::from([(LINK, conditions), (BACK, conditions)]), SEED);

    // TCP hides lost and changed packets, and no byte is wrong.
    let (mut client, mut server) = connection(pids, address);
    shape(LinkConditions { loss: 0.2, corruption: 0.2, reordering: 0.2, ..NONE })?;
    let sent: Vec<u8> = (0..200_000_u32).map(|at| at.to_le_bytes()[0] ^ 0x5a).collect();
    let expected = sent.clone();
    let writer = std::thread::spawn(move || client.write_all(&sent).map(|()| client));
    let mut received = vec![0; expected.len()];
    server.set_read_timeout(Some(Duration::from_secs(60))).expect("a valid timeout");
    server.read_exact(&mut received).expect("all arrives in the end");
    assert!(received == expected, "bytes were changed");
    let client = writer.join().expect("no panic").expect("all was sent");
    assert!(fabric.tcp_counters(LINK.1)?.checksum_errors > 0);
    fabric.shape(&BTreeMap::new(), SEED)?;

    // Old connections stall, new ones do not; at the end the old one goes on.
    let (mut old_client, mut old_server) = (client, server);
    shape(LinkConditions { connections: Connections::New, ..NONE })?;
    assert!(says(&mut old_client, &mut old_server, SILENCE).is_err(), "the old one is dead");
    let (mut client, mut server) = connection(pids, address);
    says(&mut client, &mut server, ARRIVES).expect("the new one is not");
    eventually("a segment of the old one is dropped", || fabric.carried().forgotten > 0);
    fabric.shape(&BTreeMap::new(), SEED)?;
    old_server.set_read_timeout(Some(ARRIVES)).expect("a valid timeout");
    old_server.read_exact(&mut [0; 4]).expect("the word arrives after all");

    // Both ends of a connection are told that it is gone.
    let before = fabric.tcp_counters(LINK.0)?.resets + fabric.tcp_counters(LINK.1)?.resets;
    shape(LinkConditions { resets: 1.0, ..NONE })?;
    client.write_all(b"word").expect("the kernel takes it");
    for (stream, end) in [(&mut client, "client"), (&mut server, "server")] {
        stream.set_read_timeout(Some(ARRIVES)).expect("a valid timeout");
        let error = stream.read(&mut [0; 1]).expect_err("it is gone");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{end}: {error}");
    }
    let after = || -> Result<u64, PlatformError> {
        Ok(fabric.tcp_counters(LINK.0)?.resets + fabric.tcp_counters(LINK.1)?.resets)
    };
    eventually("both kernels have counted it", || after().is_ok_and(|now| now >= before + 2));
    fabric.shape(&BTreeMap::new(), SEED)?;
    let (mut client, mut server) = connection(pids, address);
    says(&mut client, &mut server, ARRIVES).expect("as before");
    Ok(())
}

/// Fabrics that do not carry the packets themselves say so.
pub(crate) fn shapes_are_refused(platform: &dyn Platform) {
    let fabric = platform.fabric();
    fabric.shape(&BTreeMap::new(), SEED).expect("nothing to do");
    let error = fabric.shape(&BTreeMap::from([(LINK, NONE)]), SEED).expect_err("cannot");
    assert!(matches!(error, PlatformError::Unsupported(_)), "{error}");
    assert!(error.to_string().contains("hint: --platform namespaces"), "{error}");
}

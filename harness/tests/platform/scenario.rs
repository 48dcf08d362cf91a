//! What happens inside a case's own process.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use harness::node_id::NodeId;
use harness::platform::capability::Capability;
use harness::platform::loopback::Loopback;
use harness::platform::namespaces::{EnterOptions, Namespaces, UserNamespace, enter};
use harness::platform::{
    Capabilities, Chosen, Endpoint, FabricChoice, Link, NodeCommand, Platform, PlatformChoice,
    ProcessState, choose, doctor, probe,
};

use crate::common::witness::{eventually, processes, state};
use crate::disk::DiskScenario;
use crate::runner::SKIPPED;
use crate::{links, network_faults};

mod clocks;

const NODES: u16 = 5;
/// Long enough to arrive on a busy machine.
pub(crate) const ARRIVES: Duration = Duration::from_secs(5);
/// Long enough to believe that nothing comes.
pub(crate) const SILENCE: Duration = Duration::from_millis(100);

/// One scenario: a platform, and where its logs go.
struct Scenario {
    folder: PathBuf,
    platform: Arc<dyn Platform>,
}

/// Runs it; ends the process on failure.
pub(crate) fn run(name: &str, folder: &Path) {
    let kind = name.split('_').next().unwrap_or_default();
    let fabric =
        if name.contains("iptables") { FabricChoice::Iptables } else { FabricChoice::Nftables };
    let needed: &[Capability] = match (kind, fabric) {
        ("machine", _) => &[],
        ("loopback", _) => &[Capability::Loopback],
        (_, FabricChoice::Nftables) => {
            &[Capability::Namespaces, Capability::Mounts, Capability::Network, Capability::Nftables]
        }
        (_, FabricChoice::Iptables) => {
            &[Capability::Namespaces, Capability::Mounts, Capability::Network, Capability::Iptables]
        }
    };
    let start = Instant::now();
    let capabilities = probe().expect("the machine can be probed");
    if kind == "machine" {
        eprintln!("measured: probed in {:?}", start.elapsed());
        return doctor_agrees_with_auto(&capabilities);
    }
    let fuse = if name.contains("_disk_") { &[Capability::Fuse][..] } else { &[] };
    let clocks = name.ends_with("clocks_move_alone");
    let needed = needed.iter().chain(fuse).chain(clocks.then_some(&Capability::Clocks));
    for &capability in needed {
        if let Some(reason) = capabilities.missing(capability) {
            eprintln!("{}: {}", capability.name(), reason.replace('\n', "; "));
            std::process::exit(SKIPPED);
        }
    }
    let start = Instant::now();
    let platform: Arc<dyn Platform> = if kind == "loopback" {
        let mut place = Loopback::new(NODES).expect("loopback works");
        if clocks {
            place.arrange_clocks().expect("clocks work");
        }
        Arc::new(place)
    } else {
        enter(&EnterOptions { user_namespace: UserNamespace::WhenNeeded }).expect("entered");
        let entered = start.elapsed();
        let mut place = Namespaces::new(NODES, fabric).expect("namespaces work");
        if clocks {
            place.arrange_clocks().expect("clocks work");
        }
        eprintln!("measured: entered in {entered:?}, network of {NODES} in {:?}", start.elapsed());
        Arc::new(place)
    };
    let scenario = Scenario { folder: folder.to_owned(), platform };
    let rest = name.split_once('_').map_or("", |(_, rest)| rest);
    match rest {
        "nftables_cut_and_heal" | "iptables_cut_and_heal" | "cut_and_heal" => {
            scenario.cut_and_heal();
        }
        "packets_meet_conditions" => links::packets_meet_conditions(&*scenario.platform),
        "a_cut_wins_over_a_shape" => links::a_cut_wins_over_a_shape(&*scenario.platform),
        "connections_meet_conditions" => scenario.connections_meet_conditions(),
        "shapes_are_refused" | "iptables_shapes_are_refused" => {
            links::shapes_are_refused(&*scenario.platform);
        }
        "cuts_are_seen" => network_faults::cuts_are_seen(scenario.talking(), NODES),
        "conditions_are_seen" => network_faults::conditions_are_seen(scenario.talking(), NODES),
        "conditions_are_skipped" => {
            network_faults::conditions_are_skipped(scenario.talking(), NODES);
        }
        "bytes_wait_and_arrive_in_order" => scenario.bytes_wait_and_arrive_in_order(),
        "clients_are_never_cut_off" => scenario.clients_are_never_cut_off(),
        "whole_trees_pause_and_resume" => scenario.whole_trees_pause_and_resume(),
        "whole_trees_are_killed" => scenario.whole_trees_are_killed(),
        "terminate_is_patient_then_not" => scenario.terminate_is_patient_then_not(),
        "a_death_of_its_own_is_noticed" => scenario.a_death_of_its_own_is_noticed(),
        "nodes_inherit_nothing" => scenario.nodes_inherit_nothing(),
        "clocks_move_alone" => scenario.clocks_move_alone(),
        "two_runs_do_not_collide" => scenario.two_runs_do_not_collide(),
        "disk_power_is_lost" => scenario.disk().power_is_lost(),
        "disk_trouble_comes_and_goes" => scenario.disk().trouble_comes_and_goes(),
        "disk_nobody_waits_for_ever" => scenario.disk().nobody_waits_for_ever(),
        "count_interrupts" => count_interrupts(),
        hold if hold.starts_with("hold_") => scenario.hold(),
        other => panic!("no scenario {other}"),
    }
}

/// What it says about each capability is what was found.
fn doctor_agrees_with_auto(capabilities: &Capabilities) {
    let text = doctor(capabilities);
    eprintln!("{text}");
    for capability in Capability::ALL {
        let answer = if capabilities.missing(capability).is_none() { "yes" } else { "no " };
        let line = format!("{:<20}{answer}", capability.name());
        assert!(text.contains(&line), "no line {line:?}");
    }
    let chosen = choose(PlatformChoice::Auto, FabricChoice::Nftables, capabilities);
    let (Chosen::Namespaces { why, .. } | Chosen::Loopback { why }) = chosen.expect("auto chooses");
    assert!(text.ends_with(&format!("auto: {why}\n")));
}

fn n(id: u16) -> NodeId {
    NodeId(id)
}

pub(crate) fn all_links() -> Vec<Link> {
    let nodes = || (1..=NODES).map(NodeId);
    nodes().flat_map(|a| nodes().map(move |b| (a, b))).filter(|(a, b)| a != b).collect()
}

impl Scenario {
    fn token(&self) -> String {
        self.folder.file_name().expect("it has a name").to_string_lossy().into_owned()
    }

    fn disk(&self) -> DiskScenario<'_> {
        let platform = self.platform.as_ref();
        DiskScenario { platform, folder: &self.folder, token: self.token() }
    }

    fn log(&self, node: NodeId) -> PathBuf {
        self.folder.join(format!("{node}.log"))
    }

    fn start(&self, node: NodeId, role: &str) -> i32 {
        let argv = ["/proc/self/exe", "node", role, &self.token()];
        let command = NodeCommand { argv: argv.map(Into::into).to_vec(), log: self.log(node) };
        match self.platform.process().start(node, &command).expect("starts") {
            ProcessState::Running { pid } => pid,
            other => panic!("{node} is {other:?}"),
        }
    }

    /// Starts a tree and waits until all three processes are there.
    fn start_tree(&self, node: NodeId) -> Vec<i32> {
        let before: BTreeSet<i32> = self.tree_processes().into_iter().collect();
        let ready = self.ready_count(node);
        self.start(node, "tree");
        eventually("the tree has grown", || self.ready_count(node) > ready);
        let mut pids = self.tree_processes();
        pids.retain(|pid| !before.contains(pid));
        assert_eq!(pids.len(), 3);
        pids
    }

    fn tree_processes(&self) -> Vec<i32> {
        ["tree", "leaf"].iter().flat_map(|role| processes(&self.token(), role)).collect()
    }

    fn ready_count(&self, node: NodeId) -> usize {
        let log = fs::read_to_string(self.log(node)).unwrap_or_default();
        log.lines().filter(|&line| line == "ready").count()
    }

    fn await_ready(&self, node: NodeId) -> String {
        let log = || fs::read_to_string(self.log(node)).unwrap_or_default();
        eventually("the node is ready", || log().lines().any(|line| line == "ready"));
        log()
    }

    fn cut_and_heal(&self) {
        let fabric = self.platform.fabric();
        let everywhere = all_links();
        let one_way = BTreeSet::from([(n(1), n(2))]);
        let halves: BTreeSet<Link> =
            everywhere.iter().copied().filter(|(a, b)| (a.0 <= 2) != (b.0 <= 2)).collect();
        let isolate: BTreeSet<Link> =
            everywhere.iter().copied().filter(|&(a, b)| a == n(5) || b == n(5)).collect();
        let mut dropped = fabric.dropped();
        for cut in [one_way, halves, isolate] {
            let start = Instant::now();
            fabric.cut(&cut).expect("cuts");
            let cut_took = start.elapsed();
            let (gone, open): (Vec<Link>, Vec<Link>) =
                everywhere.iter().copied().partition(|link| cut.contains(link));
            for result in fabric.probe(&open, ARRIVES).expect("probes") {
                assert_eq!(result.arrived, result.sent, "open: {result:?}, cut: {cut:?}");
            }
            for result in fabric.probe(&gone, SILENCE).expect("probes") {
                assert_eq!(result.arrived, 0, "cut: {result:?}, cut: {cut:?}");
                assert!(result.sent > 0);
            }
            if let Some(before) = dropped {
                dropped = fabric.dropped();
                let sent = u64::try_from(3 * cut.len()).expect("small");
                assert!(dropped >= Some(before + sent), "{before} then {dropped:?}");
            }
            let start = Instant::now();
            fabric.heal().expect("heals");
            let (links, healed) = (cut.len(), start.elapsed());
            eprintln!("measured: cut of {links} links in {cut_took:?}, healed in {healed:?}");
        }
        for result in fabric.probe(&everywhere, ARRIVES).expect("probes") {
            assert_eq!(result.arrived, result.sent, "healed: {result:?}");
        }
    }

    /// A connection from n1 to n2, with an echo at its end. On loopback only.
    fn echo_connection(&self) -> TcpStream {
        let address = self.platform.listen_address(n(2));
        self.start(n(2), &format!("echo-{address}"));
        let client = self.platform.address(Endpoint::Client, n(2));
        eventually("the echo listens", || TcpStream::connect(client).is_ok());
        let through = self.platform.address(Endpoint::Node(n(1)), n(2));
        TcpStream::connect(through).expect("the proxy accepts")
    }

    fn bytes_wait_and_arrive_in_order(&self) {
        let mut stream = self.echo_connection();
        let echo = |stream: &mut TcpStream, word: &[u8; 4]| {
            stream.write_all(word).expect("the proxy takes it");
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).map(|()| assert_eq!(&answer, word))
        };
        stream.set_read_timeout(Some(ARRIVES)).expect("a valid timeout");
        echo(&mut stream, b"open").expect("flows");
        for (cut, words) in
            [((n(1), n(2)), [*b"aaaa", *b"bbbb"]), ((n(2), n(1)), [*b"cccc", *b"dddd"])]
        {
            self.platform.fabric().cut(&BTreeSet::from([cut])).expect("cuts");
            stream.set_read_timeout(Some(SILENCE)).expect("a valid timeout");
            for word in words {
                stream.write_all(&word).expect("the proxy takes it");
            }
            let mut answer = [0; 8];
            let error = stream.read(&mut answer).expect_err("silence");
            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock, "a stall, not a reset");
            self.platform.fabric().heal().expect("heals");
            stream.set_read_timeout(Some(ARRIVES)).expect("a valid timeout");
            stream.read_exact(&mut answer).expect("stalled bytes arrive");
            assert_eq!(answer[..], words.concat(), "in order, nothing lost");
        }
        // A connection made during a cut is accepted, silent, and good after it.
        self.platform.fabric().cut(&BTreeSet::from([(n(1), n(2))])).expect("cuts");
        let through = self.platform.address(Endpoint::Node(n(1)), n(2));
        let mut late = TcpStream::connect(through).expect("the proxy accepts");
        late.set_read_timeout(Some(SILENCE)).expect("a valid timeout");
        late.write_all(b"late").expect("the proxy takes it");
        assert!(late.read(&mut [0; 4]).is_err(), "silence");
        self.platform.fabric().heal().expect("heals");
        late.set_read_timeout(Some(ARRIVES)).expect("a valid timeout");
        let mut answer = [0; 4];
        late.read_exact(&mut answer).expect("stalled bytes arrive");
        assert_eq!(&answer, b"late");
        // The end of a node is seen at the other end.
        self.platform.process().kill(n(2)).expect("kills");
        assert!(!matches!(late.read(&mut answer), Ok(1..)), "closed or reset");
    }

    fn connections_meet_conditions(&self) {
        let pids = [n(1), n(2)].map(|node| self.start(node, "stubborn"));
        links::connections_meet_conditions(&*self.platform, pids).expect("the fabric works");
    }

    /// The platform, with a node everywhere that talks to all others.
    fn talking(&self) -> Arc<dyn Platform> {
        for node in (1..=NODES).map(NodeId) {
            let mut addresses = vec![self.platform.listen_address(node).to_string()];
            for peer in (1..=NODES).map(NodeId).filter(|&peer| peer != node) {
                addresses.push(self.platform.address(Endpoint::Node(node), peer).to_string());
            }
            self.start(node, &format!("talk-{}", addresses.join("+")));
        }
        Arc::clone(&self.platform)
    }

    fn clients_are_never_cut_off(&self) {
        let address = self.platform.listen_address(n(2));
        self.start(n(2), &format!("echo-{address}"));
        let client = self.platform.address(Endpoint::Client, n(2));
        eventually("the echo listens", || TcpStream::connect(client).is_ok());
        let links: BTreeSet<Link> = all_links().into_iter().collect();
        self.platform.fabric().cut(&links).expect("cuts");
        let mut stream = TcpStream::connect(client).expect("a client reaches a cut-off node");
        stream.set_read_timeout(Some(ARRIVES)).expect("a valid timeout");
        stream.write_all(b"ping").expect("sends");
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).expect("answers");
    }

    fn whole_trees_pause_and_resume(&self) {
        let process = self.platform.process();
        let (first, second) = (self.start_tree(n(1)), self.start_tree(n(2)));
        for _ in 0..3 {
            let start = Instant::now();
            let paused = process.pause(n(1)).expect("pauses");
            let pause_took = start.elapsed();
            assert!(matches!(paused, ProcessState::Stopped { .. }), "{paused:?}");
            for &pid in &first {
                assert_eq!(state(pid), Some('T'), "all of n1 is stopped");
            }
            for &pid in &second {
                assert_ne!(state(pid), Some('T'), "n2 is not");
            }
            assert_eq!(process.state(n(1)), paused);
            let start = Instant::now();
            let resumed = process.resume(n(1)).expect("resumes");
            eprintln!("measured: paused in {pause_took:?}, resumed in {:?}", start.elapsed());
            assert!(matches!(resumed, ProcessState::Running { .. }), "{resumed:?}");
            for &pid in &first {
                assert_ne!(state(pid), Some('T'), "all of n1 runs");
            }
        }
        // A paused node can be killed.
        process.pause(n(1)).expect("pauses");
        process.kill(n(1)).expect("kills");
        assert_eq!(self.tree_processes().len(), second.len());
        assert!(matches!(process.pause(n(1)), Ok(ProcessState::Gone { .. })), "nothing to pause");
    }

    fn whole_trees_are_killed(&self) {
        let process = self.platform.process();
        assert_eq!(process.state(n(1)), ProcessState::Gone { status: None }, "never started");
        for _ in 0..3 {
            let others = self.start_tree(n(2));
            let pids = self.start_tree(n(1));
            let ProcessState::Running { pid } = process.state(n(1)) else { panic!("not running") };
            assert!(pids.contains(&pid), "the pid is the one that we see");
            let start = Instant::now();
            let killed = process.kill(n(1)).expect("kills");
            eprintln!("measured: killed a tree of 3 in {:?}", start.elapsed());
            assert_eq!(killed, ProcessState::Gone { status: Some(137) });
            assert_eq!(self.tree_processes().len(), others.len(), "n1 is gone, n2 is not");
            process.kill(n(2)).expect("kills");
        }
    }

    fn terminate_is_patient_then_not(&self) {
        let process = self.platform.process();
        self.start_tree(n(1));
        let gone = process.terminate(n(1), ARRIVES).expect("terminates");
        assert_eq!(gone, ProcessState::Gone { status: Some(143) });
        self.start_tree(n(1));
        process.pause(n(1)).expect("pauses");
        let gone = process.terminate(n(1), ARRIVES).expect("terminates");
        assert_eq!(gone, ProcessState::Gone { status: Some(143) }, "also when paused");
        assert_eq!(self.tree_processes().len(), 0);
        self.start(n(2), "stubborn");
        self.await_ready(n(2));
        let gone = process.terminate(n(2), SILENCE).expect("terminates");
        assert_eq!(gone, ProcessState::Gone { status: Some(137) });
    }

    fn a_death_of_its_own_is_noticed(&self) {
        let argv = ["/proc/self/exe", "node", "exit-3", &self.token()].map(Into::into).to_vec();
        let command = NodeCommand { argv, log: self.log(n(1)) };
        self.platform.process().start(n(1), &command).expect("starts");
        let gone = ProcessState::Gone { status: Some(3) };
        eventually("n1 is gone", || self.platform.process().state(n(1)) == gone);
        // Its children go with it.
        let pids = self.start_tree(n(1));
        let ProcessState::Running { pid } = self.platform.process().state(n(1)) else {
            panic!("not running")
        };
        assert_eq!(pids.len(), 3);
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
            .expect("it runs");
        let gone = ProcessState::Gone { status: Some(137) };
        eventually("n1 is gone", || self.platform.process().state(n(1)) == gone);
        assert_eq!(self.tree_processes().len(), 0);
        // What cannot start says why.
        let refused = |program: &Path| {
            let command = NodeCommand { argv: vec![program.into()], log: self.log(n(1)) };
            self.platform.process().start(n(1), &command).expect_err("cannot start").to_string()
        };
        let missing = refused(Path::new("/nonexistent/program"));
        assert!(missing.starts_with("find the program /nonexistent/program"), "{missing}");
        let no_program = self.log(n(1)).with_extension("no-program");
        fs::write(&no_program, [0; 16]).expect("writes");
        let not_executable = refused(&no_program);
        assert!(not_executable.contains("cannot be executed"), "{not_executable}");
        fs::set_permissions(&no_program, fs::Permissions::from_mode(0o755)).expect("permits");
        let not_a_program = refused(&no_program);
        assert!(not_a_program.contains("execute the program"), "{not_a_program}");
    }

    fn nodes_inherit_nothing(&self) {
        // Files of the harness, at numbers that a node could hold.
        let held: Vec<_> = (0..20).map(|_| fs::File::open("/dev/null").expect("opens")).collect();
        // SAFETY: plain calls on open descriptors.
        let leaky = unsafe { libc::dup(std::os::fd::AsRawFd::as_raw_fd(&held[19])) };
        assert!(leaky > 2);
        self.start(n(1), "facts");
        let facts = self.await_ready(n(1));
        let fact = |name: &str| {
            let line = facts.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {facts}")).trim().to_owned()
        };
        assert_eq!(fact("descriptors:"), "3", "stdin, stdout, stderr");
        assert!(fact("argv0:").ends_with("/platform-test"), "{facts}");
        // SAFETY: no arguments, cannot fail.
        let user = unsafe { libc::geteuid() };
        assert!(fact("Uid:").starts_with(&user.to_string()), "the real user: {facts}");
        if user != 0 {
            for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
                assert_eq!(fact(set), "0000000000000000", "{set}");
            }
        }
    }

    fn two_runs_do_not_collide(&self) {
        let other = Loopback::new(NODES).expect("a second run");
        for node in (1..=NODES).map(NodeId) {
            let ours = self.platform.listen_address(node);
            assert_ne!(ours.ip(), other.listen_address(node).ip());
        }
    }

    /// Starts three trees, says so, and waits for the end.
    fn hold(&self) -> ! {
        let start = Instant::now();
        for id in 1..=NODES {
            self.start(n(id), "stubborn");
        }
        eprintln!("measured: {NODES} nodes started in {:?}", start.elapsed());
        for id in 1..=NODES {
            self.platform.process().kill(n(id)).expect("kills");
        }
        for id in 1..=3 {
            self.start_tree(n(id));
        }
        eprintln!("ready");
        loop {
            std::thread::park();
        }
    }
}

/// Counts interrupts as a run does, and never ends by itself.
fn count_interrupts() -> ! {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    extern "C" fn count(_: libc::c_int) {
        COUNT.fetch_add(1, Ordering::SeqCst);
    }
    // SAFETY: the handler only changes an atomic number.
    unsafe { libc::signal(libc::SIGINT, count as extern "C" fn(libc::c_int) as usize) };
    eprintln!("ready");
    let mut printed = 0;
    loop {
        if COUNT.load(Ordering::SeqCst) > printed {
            printed += 1;
            eprintln!("interrupts: {printed}");
        }
        std::thread::park_timeout(Duration::from_millis(2));
    }
}

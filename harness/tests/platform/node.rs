//! What runs as a node.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::{Command, exit};
use std::time::Duration;

/// Plays a role. The token is only there to be found in the command line.
pub(crate) fn run(role: &str, token: &str) {
    match role {
        // Three processes: itself, a child in a session of its own, and an orphan in another.
        "tree" => {
            spawn("leaf", token);
            let parent =
                Command::new("/proc/self/exe").args(["node", "leaf-parent", token]).status();
            assert!(parent.expect("starts").success());
            eprintln!("ready");
            wait_for_ever()
        }
        "leaf-parent" => spawn("leaf", token),
        "leaf" => wait_for_ever(),
        "stubborn" => {
            // SAFETY: SIG_IGN runs no code.
            unsafe { libc::signal(libc::SIGTERM, libc::SIG_IGN) };
            eprintln!("ready");
            wait_for_ever()
        }
        "exit-3" => exit(3),
        "facts" => {
            print_facts();
            wait_for_ever()
        }
        _ => match (role.strip_prefix("echo-"), role.strip_prefix("talk-")) {
            (Some(address), _) => echo(address),
            (_, Some(addresses)) => talk(addresses),
            (None, None) => match (role.strip_prefix("writer-"), role.strip_prefix("clock-")) {
                (Some(path), _) => crate::disk::write_for_ever(path),
                (_, Some(address)) => tell_time(address),
                (None, None) => panic!("no role {role}"),
            },
        },
    }
}

fn spawn(role: &str, token: &str) {
    let mut command = Command::new("/proc/self/exe");
    command.args(["node", role, token]);
    // SAFETY: setsid is async-signal-safe.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
    // Never waited for: an orphan is the point of it.
    let _: &mut _ = Box::leak(Box::new(command.spawn().expect("starts")));
}

fn wait_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// Capabilities, user, descriptors: what a node must not inherit.
fn print_facts() {
    let status = std::fs::read_to_string("/proc/self/status").expect("/proc is mounted");
    for line in status.lines().filter(|line| line.starts_with("Cap") || line.starts_with("Uid")) {
        eprintln!("{line}");
    }
    let program = std::env::args().next().expect("argv[0]");
    eprintln!("argv0: {program}");
    // The folder itself is open while it is read.
    let open = std::fs::read_dir("/proc/self/fd").expect("/proc is mounted").count() - 1;
    eprintln!("descriptors: {open}");
    eprintln!("ready");
}

/// Answers as an echo at the first address, and keeps talking to the others, on new connections if need be.
fn talk(addresses: &str) -> ! {
    const PAUSE: Duration = Duration::from_millis(10);
    const PATIENCE: Duration = Duration::from_millis(500);
    let mut addresses = addresses.split('+');
    let own = addresses.next().expect("its own address comes first");
    for peer in addresses {
        let peer = peer.parse().expect("an address");
        std::thread::spawn(move || {
            loop {
                if let Ok(mut stream) = TcpStream::connect_timeout(&peer, PATIENCE) {
                    let patient = stream.set_read_timeout(Some(PATIENCE));
                    patient.expect("a valid timeout");
                    while stream.write_all(b"word").is_ok()
                        && stream.read_exact(&mut [0; 4]).is_ok()
                    {
                        std::thread::park_timeout(PAUSE);
                    }
                }
                std::thread::park_timeout(PAUSE);
            }
        });
    }
    echo(own)
}

/// Tells every connection what the wall clock and the monotonic one show, in nanoseconds.
fn tell_time(address: &str) -> ! {
    let listener = TcpListener::bind(address).expect("the address is free");
    for stream in listener.incoming() {
        let times = [libc::CLOCK_REALTIME, libc::CLOCK_MONOTONIC].map(time);
        // Whoever has gone away does not need it.
        let _ = writeln!(stream.expect("accepts"), "{} {}", times[0], times[1]);
    }
    unreachable!("a listener never ends")
}

/// Answers every connection with what it says.
fn echo(address: &str) -> ! {
    let listener = TcpListener::bind(address).expect("the address is free");
    for stream in listener.incoming() {
        let mut stream = stream.expect("accepts");
        std::thread::spawn(move || {
            let mut bytes = [0; 1024];
            while let Ok(length) = stream.read(&mut bytes) {
                if length == 0 || stream.write_all(&bytes[..length]).is_err() {
                    break;
                }
            }
        });
    }
    unreachable!("a listener never ends")
}

/// What a clock shows to this process, in nanoseconds.
pub(crate) fn time(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` can be written to.
    assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut time) }, 0);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

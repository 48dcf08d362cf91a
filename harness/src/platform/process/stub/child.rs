//! The stub's own side: what runs between fork and exec, and above the node for its whole life.
//!
//! Every function here may only make async-signal-safe calls: no allocation, no locks, no panics.

use std::os::fd::{AsRawFd, OwnedFd};

use super::{Isolation, StubPlan, inherited};
use crate::platform::clock::inject;

/// Kinds of answers. All but the first two name the step that failed, with its errno.
pub(super) const STARTED: i32 = 0;
const SIGNALLED: i32 = 1;
const DEATH_SIGNAL: i32 = 2;
const SESSION: i32 = 3;
const DESCRIPTORS: i32 = 4;
const NETWORK: i32 = 5;
const MOUNTS: i32 = 6;
const PROC: i32 = 7;
const HOST_NAME: i32 = 8;
const SUBREAPER: i32 = 9;
const SIGNALS: i32 = 10;
const FORK: i32 = 11;
const EXEC: i32 = 12;
const SET_CLOCK: i32 = 13;

/// What was attempted when a start failed.
pub(super) fn step_name(kind: i32) -> &'static str {
    match kind {
        DEATH_SIGNAL => "ask for a death signal",
        SESSION => "make a session",
        DESCRIPTORS => "arrange descriptors",
        NETWORK => "enter the node's network namespace",
        MOUNTS => "make mounts private",
        PROC => "mount /proc",
        HOST_NAME => "set the host name",
        SUBREAPER => "adopt orphans",
        SIGNALS => "arrange signals",
        FORK => "fork the main process",
        EXEC => "execute the program",
        SET_CLOCK => "give it a clock",
        _ => "start",
    }
}

/// Numbers of the descriptors that are kept; everything above is closed.
const ORDERS: i32 = 3;
const ANSWERS: i32 = 4;
const LOG: i32 = 5;
const SIGNAL_FD: i32 = 6;
const EXEC_READ: i32 = 7;
const EXEC_WRITE: i32 = 8;
/// Inherited by the main process, which closes it before its first instruction.
const CLOCK: i32 = 9;
/// Copies are made above this number first, so that no original is overwritten.
const HIGH: i32 = 64;

const HARNESS_GONE: i32 = 99;
const CANNOT_EXECUTE: i32 = 127;

fn errno() -> i32 {
    // SAFETY: the location of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

fn exit(code: i32) -> ! {
    // SAFETY: _exit takes no pointers and runs no code of ours.
    unsafe { libc::_exit(code) }
}

fn answer(to: i32, kind: i32, value: i32) {
    let words = [kind, value];
    // SAFETY: pointer and length describe `words`. If nobody reads, nobody cares.
    let _ = unsafe { libc::write(to, words.as_ptr().cast(), size_of_val(&words)) };
}

fn fail(to: i32, step: i32) -> ! {
    answer(to, step, errno());
    exit(CANNOT_EXECUTE)
}

/// The whole life of the stub.
pub(super) fn run(plan: &StubPlan) -> ! {
    let early = plan.answers.as_raw_fd();
    restore_default_signals();
    isolate(plan, early);
    if arrange_descriptors(plan) < 0 {
        fail(early, DESCRIPTORS);
    }
    if open_signal_fd() < 0 {
        fail(ANSWERS, SIGNALS);
    }
    let main = start_main(plan);
    serve(plan.isolation, main)
}

/// The harness's handlers write to its own descriptors, whose numbers are ours now.
fn restore_default_signals() {
    for signal in 1..=64 {
        // SAFETY: SIG_DFL runs no code; numbers that cannot be set are refused.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
}

fn isolate(plan: &StubPlan, answers: i32) {
    // SAFETY: every string is a zero-terminated literal, or has its length passed with it.
    unsafe {
        // Out of reach of the terminal's signals.
        if libc::setsid() < 0 {
            fail(answers, SESSION);
        }
        match plan.isolation {
            Isolation::Namespaces { network } => {
                if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) < 0 {
                    fail(answers, DEATH_SIGNAL);
                }
                let none = std::ptr::null();
                let private = libc::MS_REC | libc::MS_PRIVATE;
                if libc::mount(c"none".as_ptr(), c"/".as_ptr(), none, private, none.cast()) < 0 {
                    fail(answers, MOUNTS);
                }
                let proc = c"proc".as_ptr();
                let flags = libc::MS_NOSUID | libc::MS_NODEV | libc::MS_NOEXEC;
                if libc::mount(proc, c"/proc".as_ptr(), proc, flags, none.cast()) < 0 {
                    fail(answers, PROC);
                }
                if libc::setns(network, libc::CLONE_NEWNET) < 0 {
                    fail(answers, NETWORK);
                }
                let name = plan.host_name.as_bytes();
                if libc::sethostname(name.as_ptr().cast(), name.len()) < 0 {
                    fail(answers, HOST_NAME);
                }
            }
            // No death signal here: a killed stub could not clean up. The end of the pipe tells it.
            Isolation::Subreaper => {
                if libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) < 0 {
                    fail(answers, SUBREAPER);
                }
            }
        }
    }
}

/// Keeps the pipes and the log under fixed numbers, and nothing else: descriptors of the harness
/// (the ends of other nodes' pipes, above all) must not live on in a node.
fn arrange_descriptors(plan: &StubPlan) -> i32 {
    let mut high = [0; 3];
    // SAFETY: plain calls on descriptors that the plan owns; no pointers.
    unsafe {
        for (copy, original) in high.iter_mut().zip(inherited(plan)) {
            *copy = libc::fcntl(original, libc::F_DUPFD_CLOEXEC, HIGH);
            if *copy < 0 {
                return -1;
            }
        }
        let copied = |it: &OwnedFd| libc::fcntl(it.as_raw_fd(), libc::F_DUPFD_CLOEXEC, HIGH);
        let clock = plan.clock.as_ref().map(copied);
        for standard in 0..=2 {
            if libc::dup2(plan.null.as_raw_fd(), standard) < 0 {
                return -1;
            }
        }
        for (copy, number) in high.into_iter().zip([ORDERS, ANSWERS, LOG]) {
            if libc::dup3(copy, number, libc::O_CLOEXEC) < 0 {
                return -1;
            }
        }
        let Some(clock) = clock else { return close_range(LOG + 1, libc::c_uint::MAX) };
        if clock < 0 || libc::dup2(clock, CLOCK) < 0 || close_range(LOG + 1, CLOCK as u32 - 1) < 0 {
            return -1;
        }
        close_range(CLOCK + 1, libc::c_uint::MAX)
    }
}

/// The plain system call, because musl and old C libraries have no wrapper.
fn close_range(first: i32, last: libc::c_uint) -> i32 {
    // SAFETY: no pointers.
    unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) as i32 }
}

/// SIGCHLD becomes readable, so that one poll waits for everything.
fn open_signal_fd() -> i32 {
    // SAFETY: the set lives on this stack and is initialised by sigemptyset before any use.
    unsafe {
        let mut set = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        if libc::sigprocmask(libc::SIG_SETMASK, &raw const set, std::ptr::null_mut()) < 0 {
            return -1;
        }
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if fd == SIGNAL_FD { fd } else { libc::dup3(fd, SIGNAL_FD, libc::O_CLOEXEC) }
    }
}

/// Forks the main process and tells the harness once it has become the node's program.
fn start_main(plan: &StubPlan) -> i32 {
    let mut pipe = [0_i32; 2];
    // SAFETY: `pipe` has room for two descriptors. The fork is a plain one: the C library's fork
    // would take locks that a thread of the harness may have held.
    unsafe {
        if libc::pipe2(pipe.as_mut_ptr(), libc::O_CLOEXEC) < 0 || pipe != [EXEC_READ, EXEC_WRITE] {
            fail(ANSWERS, DESCRIPTORS);
        }
        let flags = libc::c_long::from(libc::SIGCHLD);
        match libc::syscall(libc::SYS_clone, flags, 0_usize, 0_usize, 0_usize, 0_usize) {
            0 => become_main(plan),
            pid if pid < 0 => fail(ANSWERS, FORK),
            pid => {
                let main = pid as i32;
                libc::close(EXEC_WRITE);
                let mut error = 0_i32;
                let size = size_of_val(&error);
                // End of file means that exec has closed the other end.
                if libc::read(EXEC_READ, (&raw mut error).cast(), size) == size as isize {
                    answer(ANSWERS, EXEC, error);
                    exit(CANNOT_EXECUTE);
                }
                libc::close(EXEC_READ);
                if plan.clock.is_some() {
                    libc::close(CLOCK);
                    if let Err(error) = inject::give_clock(main, CLOCK) {
                        answer(ANSWERS, SET_CLOCK, error);
                        libc::kill(main, libc::SIGKILL);
                        exit(CANNOT_EXECUTE);
                    }
                }
                answer(ANSWERS, STARTED, main);
                main
            }
        }
    }
}

fn become_main(plan: &StubPlan) -> ! {
    // SAFETY: plain calls; the set lives on this stack.
    let error = unsafe {
        // If the stub is killed, at least the main process goes with it.
        libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
        libc::setsid();
        let mut none = std::mem::zeroed::<libc::sigset_t>();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, std::ptr::null_mut());
        if libc::dup2(LOG, 1) < 0 || libc::dup2(LOG, 2) < 0 {
            errno()
        } else if let Some(Err(error)) = plan.clock.as_ref().map(|_| inject::trace_me()) {
            error
        } else {
            plan.image.exec()
        }
    };
    // SAFETY: pointer and length describe `error`.
    let _ = unsafe { libc::write(EXEC_WRITE, (&raw const error).cast(), size_of_val(&error)) };
    exit(CANNOT_EXECUTE)
}

/// Signals every other process of the namespace; the errno.
fn signal_all(isolation: Isolation, signal: i32) -> i32 {
    // SAFETY: no pointers. Only from pid 1 does -1 mean the node, and not all that a user runs.
    unsafe {
        match isolation {
            Isolation::Namespaces { .. } if libc::getpid() == 1 => {
                if libc::kill(-1, signal) < 0 {
                    errno()
                } else {
                    0
                }
            }
            Isolation::Namespaces { .. } | Isolation::Subreaper => libc::ENOSYS,
        }
    }
}

/// Reaps, obeys, and ends with the main process or with the harness.
fn serve(isolation: Isolation, main: i32) -> ! {
    let poll_in = |fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 };
    let mut fds = [poll_in(ORDERS), poll_in(SIGNAL_FD)];
    loop {
        if let Some(status) = reap(main) {
            end(isolation, main, status);
        }
        // SAFETY: pointer and length describe `fds`.
        let ready = unsafe { libc::poll(fds.as_mut_ptr(), 2, -1) };
        if ready <= 0 {
            continue;
        }
        drain_signals();
        if fds[0].revents == 0 {
            continue;
        }
        let mut order = 0_u8;
        // SAFETY: room for one byte is what is passed.
        match unsafe { libc::read(ORDERS, (&raw mut order).cast(), 1) } {
            1 => answer(ANSWERS, SIGNALLED, signal_all(isolation, i32::from(order))),
            _ if errno() == libc::EINTR => {}
            _ => end(isolation, main, HARNESS_GONE),
        }
    }
}

/// Collects every ended child; the status of the main process if it was among them.
fn reap(main: i32) -> Option<i32> {
    let mut ended = None;
    loop {
        let mut status = 0;
        // SAFETY: `status` is valid for writing.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        if pid <= 0 {
            return ended;
        }
        if pid == main {
            ended = Some(if libc::WIFSIGNALED(status) {
                128 + libc::WTERMSIG(status)
            } else {
                libc::WEXITSTATUS(status)
            });
        }
    }
}

fn drain_signals() {
    let mut buffer = [0_u8; 1024];
    // SAFETY: pointer and length describe `buffer`; the descriptor does not block.
    while unsafe { libc::read(SIGNAL_FD, buffer.as_mut_ptr().cast(), buffer.len()) } > 0 {}
}

/// Ends the node. Pid 1 takes its namespace with it; a subreaper has to see to it itself.
fn end(isolation: Isolation, main: i32, status: i32) -> ! {
    if isolation == Isolation::Subreaper {
        kill_children(main);
    }
    exit(status)
}

/// Kills children until there are none. Children of the killed become ours, so this ends with the
/// last descendant.
fn kill_children(main: i32) {
    const ROUNDS_MAX: usize = 1000;
    const ROUND_MILLIS: i32 = 10;
    for _ in 0..ROUNDS_MAX {
        for_each_child(main, |pid| {
            // SAFETY: no pointers. The child is not reaped yet, so the pid is still its own.
            unsafe { libc::kill(pid, libc::SIGKILL) };
        });
        reap(main);
        // SAFETY: a null status is allowed.
        let left = unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) };
        if left < 0 && errno() == libc::ECHILD {
            return;
        }
        let mut ended = libc::pollfd { fd: SIGNAL_FD, events: libc::POLLIN, revents: 0 };
        // SAFETY: one entry is passed.
        unsafe { libc::poll(&raw mut ended, 1, ROUND_MILLIS) };
        drain_signals();
    }
}

/// Calls `visit` with the pid of each child, as far as the kernel tells; else with the main group.
fn for_each_child(main: i32, visit: impl Fn(i32)) {
    let mut buffer = [0_u8; 4096];
    // SAFETY: the path is a zero-terminated literal; pointer and length describe `buffer`.
    let length = unsafe {
        let fd =
            libc::open(c"/proc/thread-self/children".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC);
        if fd < 0 {
            visit(-main);
            return;
        }
        let length = libc::read(fd, buffer.as_mut_ptr().cast(), buffer.len());
        libc::close(fd);
        length
    };
    let mut pid = 0_i32;
    // A pid cut off by the end of the buffer has no space behind it and waits for the next round.
    for &byte in buffer.iter().take(length.max(0).unsigned_abs()) {
        if byte.is_ascii_digit() {
            pid = pid.wrapping_mul(10).wrapping_add(i32::from(byte - b'0'));
        } else if pid > 0 {
            visit(pid);
            pid = 0;
        }
    }
}

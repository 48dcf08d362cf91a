//! The platforms against the real kernel, as root and as an ordinary user.
//!
//! ```text
//! cargo test ── this program (runner) ── for each case and user ── this program: scenario NAME
//!                                                                    └─ its nodes: node ROLE
//! ```
//!
//! It has its own `main` because namespaces can only be entered by a process with one thread. What
//! a machine cannot do is skipped, and said (see `common::skip`).

#[path = "../common/mod.rs"]
mod common;

mod cases;
mod disk;
mod links;
mod network_faults;
mod node;
mod runner;
mod scenario;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["scenario", name, folder] => scenario::run(name, folder.as_ref()),
        ["node", role, token] => node::run(role, token),
        flags => runner::run(flags),
    }
}

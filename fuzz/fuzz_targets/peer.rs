//! What peers send: Raft messages and offers of snapshots.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| server::transport::fuzz::peer(bytes));

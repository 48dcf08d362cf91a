//! Descriptions of snapshots, and images of states in memory.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    server::snapshot::fuzz::description(bytes);
    server::snapshot::fuzz::image(bytes);
});

//! Settings files: read, resolved, checked, and printed as they are in force.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| server::config::fuzz(text));

//! The journal of the log, with right checksums.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| server::log_store::fuzz::journal(bytes));

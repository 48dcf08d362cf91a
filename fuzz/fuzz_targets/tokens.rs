//! The file with the tokens of clients.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| server::security::tokens_fuzz(text));

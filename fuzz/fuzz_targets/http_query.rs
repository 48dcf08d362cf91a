//! Keys and parameters in URLs.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| server::api::http_fuzz::query(text));

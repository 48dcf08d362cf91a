//! What clients send over gRPC.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| server::api::grpc_fuzz::request(bytes));

//! Files of evidence: they are read or refused, and verified against a history that they know nothing
//! of.

#![no_main]

use libfuzzer_sys::fuzz_target;
use workloads::differential::arbitrary;
use workloads::evidence::{Evidence, verify};

fuzz_target!(|bytes: &[u8]| {
    // The text comes first; what is behind it makes the history.
    let mut texts = serde_json::Deserializer::from_slice(bytes).into_iter::<Evidence>();
    if let Some(Ok(evidence)) = texts.next() {
        let rest = &bytes[texts.byte_offset()..];
        let _ = verify(&evidence, &arbitrary(rest));
    }
});

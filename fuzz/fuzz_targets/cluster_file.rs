//! The file by which clients find the nodes.

#![no_main]

use std::path::Path;

use libfuzzer_sys::fuzz_target;
use proto::client::ClusterFile;

fuzz_target!(|text: &str| {
    for name in ["cluster.toml", "cluster.json"] {
        let _ = ClusterFile::parse(Path::new(name), text);
    }
});

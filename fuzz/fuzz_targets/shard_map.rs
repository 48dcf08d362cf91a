//! The shard map: decoded, and used to find the groups of keys.

#![no_main]

use libfuzzer_sys::fuzz_target;
use server::shard::{ShardMap, Shards};

fuzz_target!(|bytes: &[u8]| {
    let Ok(map) = ShardMap::decode_map(bytes) else { return };
    assert_eq!(ShardMap::decode_map(&map.encode_map()).ok(), Some(map.clone()));
    let shards = Shards::new(map).expect("a map that is read has groups");
    let group = shards.group_of(bytes);
    assert!(!shards.members(group).is_empty());
});

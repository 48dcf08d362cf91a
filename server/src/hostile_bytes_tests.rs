//! What the targets in `fuzz/` do for hours, for a moment: each decoder of bytes from outside, on
//! random bytes and on mutilated good ones.

use prost::Message as _;
use proto::kv::pipelined_request::Request;
use proto::kv::{PipelinedRequest, PutRequest, RequestContext, ScanRequest};
use protobuf::Message as _;
use raft::eraftpb;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::command::{Command, LogCommand, Put};
use crate::membership::Configuration;
use crate::shard::ShardMap;
use crate::types::NodeId;

const ROUNDS: u64 = 20_000;
const BYTES_MAX: usize = 200;

/// Gives the decoder random bytes, and the good ones with a few bytes changed, cut or doubled.
fn throw(good: &[Vec<u8>], decode: impl Fn(&[u8])) {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    for round in 0..ROUNDS {
        let mut bytes: Vec<u8> = if round % 4 == 0 || good.is_empty() {
            (0..rng.random_range(0..BYTES_MAX)).map(|_| rng.random()).collect()
        } else {
            good[rng.random_range(0..good.len())].clone()
        };
        for _ in 0..rng.random_range(0..4) {
            if bytes.is_empty() {
                break;
            }
            let at = rng.random_range(0..bytes.len());
            match rng.random_range(0..5) {
                0 => bytes.truncate(at),
                1 => bytes[at] = rng.random(),
                2 => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][rng.random_range(0..5)],
                3 => bytes.extend_from_within(at..),
                _ => bytes.insert(at, 0xff),
            }
        }
        decode(&bytes);
    }
}

fn as_text(decode: impl Fn(&str)) -> impl Fn(&[u8]) {
    move |bytes| decode(&String::from_utf8_lossy(bytes))
}

#[test]
fn commands() {
    let put = Put { key: "k".into(), value: "v".into(), lease: 3 };
    let good = LogCommand::new(7, 2, Command::Put(put)).encode_entry();
    throw(&[good], |bytes| {
        if let Ok(command) = LogCommand::decode_entry(bytes.to_vec().into()) {
            assert_eq!(LogCommand::decode_entry(command.encode_entry().into()).unwrap(), command);
        }
    });
}

#[test]
fn journals() {
    throw(&[], crate::log_store::fuzz::journal);
    // A head and a record of entries, then the same again with the greatest numbers.
    let span = [4, 0, 0, 0, 0, 24, 0, 0, 0];
    let numbers = [[0xff; 8], [0; 8], [0xff; 8]].concat();
    let head = [&[1, 3, 5, 4, 33][..], &span, &numbers].concat();
    throw(&[head.clone(), [head.clone(), head].concat()], crate::log_store::fuzz::journal);
}

#[test]
fn snapshots() {
    let configuration = Configuration::first(&[(NodeId(1), "n1:1".to_owned())].into());
    let good = configuration.encode_to_vec();
    throw(std::slice::from_ref(&good), crate::snapshot::fuzz::description);
    throw(&[vec![8, 7, 16, 1], good], crate::snapshot::fuzz::image);
}

#[test]
fn shard_maps() {
    let good = ShardMap::first(&[NodeId(1), NodeId(2)].into(), 3).encode_map();
    throw(&[good], |bytes| {
        if let Ok(map) = ShardMap::decode_map(bytes) {
            let shards = crate::shard::Shards::new(map).unwrap();
            assert!(!shards.members(shards.group_of(bytes)).is_empty());
        }
    });
}

#[test]
fn peers() {
    let mut message = eraftpb::Message { from: 2, to: 1, term: 3, ..Default::default() };
    message.set_entries(vec![eraftpb::Entry { index: 4, ..Default::default() }].into());
    throw(&[message.write_to_bytes().unwrap()], crate::transport::fuzz::peer);
}

#[test]
fn requests() {
    let context = Some(RequestContext::default());
    let put = PutRequest { context, key: "k".into(), value: "v".into(), lease: 1 };
    let scan = ScanRequest { context, limit: 3, ..ScanRequest::default() };
    let good = [Request::Put(put), Request::Scan(scan)]
        .map(|it| PipelinedRequest { id: 1, timeout_ms: 9, request: Some(it) }.encode_to_vec());
    throw(&good, crate::api::grpc_fuzz::request);
}

#[test]
fn urls() {
    let good = [&b"timeout=5s&limit=3&prefix=%00%ff"[..], b"a/b%2Fc", b"session=1&sequence=2"];
    throw(&good.map(<[u8]>::to_vec), as_text(crate::api::http_fuzz::query));
}

#[test]
fn tokens() {
    let good = b"# who\n0b6e6f9c8d0d4a53 read\n6f0c2f2f1a0e4b8f write\n".to_vec();
    throw(&[good], as_text(crate::security::tokens_fuzz));
}

#[test]
fn settings() {
    let good = crate::config::SAMPLE.replace("# ", "").into_bytes();
    let short = b"node = 1\npeers = { 1 = \"127.0.0.1:7001\" }\n[timing]\ntick = \"5ms\"".to_vec();
    throw(&[good, short], as_text(crate::config::fuzz));
}

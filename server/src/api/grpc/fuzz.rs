//! A door for the fuzzer.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use prost::Message as _;
use proto::kv::PipelinedRequest;

use crate::bug::Bugs;
use crate::config::{Limits, Mode};
use crate::resharding::ShardsView;
use crate::shard::ShardMap;
use crate::transport::Directory;
use crate::types::NodeId;

use super::operation;
use super::router::ApiConfig;

static VIEW: LazyLock<ShardsView> = LazyLock::new(|| {
    let map = ShardMap::first(&[NodeId(1)].into(), 8);
    ShardsView::new(map).expect("the map has groups")
});

static CONFIG: LazyLock<ApiConfig> = LazyLock::new(|| ApiConfig {
    node: NodeId(1),
    cluster: "fuzz".to_owned(),
    storage: "memory",
    shards: VIEW.clone(),
    mode: Mode::Replicated,
    directory: Directory::new(BTreeMap::new()),
    limits: Limits::STANDARD,
    tick: Duration::from_millis(50),
    metrics: Default::default(),
    test_hooks: false,
    bugs: Bugs::NONE,
});

/// Reads bytes as a request, and does with it all that is done before the node is asked.
pub fn request(bytes: &[u8]) {
    let Ok(PipelinedRequest { request: Some(request), .. }) = PipelinedRequest::decode(bytes)
    else {
        return;
    };
    let checked = operation::check(&request, &CONFIG.limits);
    let _ = operation::group(&request, &VIEW.get());
    let _ = operation::place(&operation::bound(request.clone()));
    let asked = operation::ask(&request, &CONFIG);
    assert!(checked.is_err() || asked.is_ok(), "{request:?} is in order, and cannot be asked");
}

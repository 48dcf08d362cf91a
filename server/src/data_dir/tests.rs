use super::*;
use crate::founders::Standing;

fn open(path: &Path, cluster: &str, node: u64) -> Result<DataDir, DataDirError> {
    DataDir::open(path, cluster, NodeId(node))
}

#[test]
fn a_fresh_directory_is_created_and_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b");
    drop(open(&path, "c", 1).unwrap());
    let first = open(&path, "c", 1).unwrap().incarnation();
    let again = open(&path, "c", 1).unwrap();
    assert!(again.log().is_dir() && again.state().is_dir());
    assert_eq!(again.incarnation(), first);
    let other = open(&directory.path().join("other"), "c", 1).unwrap();
    assert!(first != 0 && other.incarnation() != first);
}

#[test]
fn a_directory_serves_one_process_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let _held = open(directory.path(), "c", 1).unwrap();
    let second = open(directory.path(), "c", 1);
    assert!(matches!(second, Err(DataDirError::Locked { .. })), "{second:?}");
}

#[test]
fn another_node_or_cluster_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), "c", 1).unwrap());
    for (cluster, node) in [("c", 2), ("d", 1)] {
        let foreign = open(directory.path(), cluster, node);
        assert!(matches!(foreign, Err(DataDirError::Foreign { .. })), "{foreign:?}");
    }
}

#[test]
fn another_format_is_refused_even_if_its_fields_differ() {
    let directory = tempfile::tempdir().unwrap();
    for format in [DATA_FORMAT - 1, DATA_FORMAT + 1] {
        let meta = format!(r#"{{"format": {format}, "nodes": []}}"#);
        fs::write(directory.path().join("meta.json"), meta).unwrap();
        let other = open(directory.path(), "c", 1);
        assert!(matches!(other, Err(DataDirError::Format { found, .. }) if found == format));
    }
}

#[test]
fn a_directory_with_foreign_files_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("thesis.tex"), "").unwrap();
    let foreign = open(directory.path(), "c", 1);
    assert!(matches!(foreign, Err(DataDirError::NotOurs { .. })), "{foreign:?}");
}

#[test]
fn a_later_format_is_refused_by_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let later = serde_json::json!({ "format": DATA_FORMAT + 1, "nodes": [] });
    fs::write(directory.path().join("meta.json"), checked::encode_json(&later)).unwrap();
    let other = open(directory.path(), "c", 1);
    assert!(matches!(other, Err(DataDirError::Format { found, .. }) if found == DATA_FORMAT + 1));
}

/// Flips every bit of a file and cuts it everywhere; each time `read` must say that it is damaged.
#[track_caller]
fn no_damage_is_believed(file: &Path, read: impl Fn() -> Result<(), DataDirError>) {
    let good = fs::read(file).unwrap();
    read().unwrap();
    let refused = |bytes: &[u8]| {
        fs::write(file, bytes).unwrap();
        let found = read();
        assert!(matches!(found, Err(DataDirError::Damaged { .. })), "{bytes:?}: {found:?}");
    };
    for bit in 0..good.len() * 8 {
        let mut bytes = good.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        refused(&bytes);
    }
    (0..good.len()).for_each(|size| refused(&good[..size]));
}

#[test]
fn a_damaged_meta_file_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path(), "c", 1).unwrap());
    let file = directory.path().join("meta.json");
    no_damage_is_believed(&file, || open(directory.path(), "c", 1).map(drop));
}

#[test]
fn a_damaged_record_of_founders_is_an_error() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let directory = open(&path, "c", 1).unwrap();
    directory.keep_founders()(&FoundersRecord::new(Standing::Joined)).unwrap();
    no_damage_is_believed(&path.join("founders"), || directory.read_founders().map(drop));
}

#[test]
fn a_file_in_place_of_the_directory_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    fs::write(&path, "").unwrap();
    assert!(matches!(open(&path, "c", 1), Err(DataDirError::Io { .. })));
}

#[test]
fn a_record_of_founders_is_kept() {
    let parent = tempfile::tempdir().unwrap();
    let directory = open(&parent.path().join("data"), "c", 1).unwrap();
    assert_eq!(directory.read_founders().unwrap(), None);
    let mut record = FoundersRecord::new(Standing::Founder);
    record.incarnations.insert(2, u64::MAX);
    directory.keep_founders()(&record).unwrap();
    assert_eq!(directory.read_founders().unwrap(), Some(record));
}

#[test]
fn a_shard_map_is_kept_and_a_damaged_one_refused() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("data");
    let directory = open(&path, "c", 1).unwrap();
    assert_eq!(directory.read_shards().unwrap(), None);
    let map = ShardMap::first(&[NodeId(1)].into(), 3);
    directory.write_shards(&map).unwrap();
    assert_eq!(directory.read_shards().unwrap(), Some(map));
    no_damage_is_believed(&path.join("shards"), || directory.read_shards().map(drop));
    fs::write(path.join("shards"), checked::encode_bytes(b"{")).unwrap();
    let error = directory.read_shards().unwrap_err();
    assert!(matches!(error, DataDirError::Shards { .. }), "{error}");
}

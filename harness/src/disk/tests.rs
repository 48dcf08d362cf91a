//! The files of a disk against a model that keeps whole states: random operations, then the power
//! fails. No FUSE and no privileges are needed; `tests/platform` has the mounted file system.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::power::Unsynced;
use super::tree::{ROOT, Tree};
use super::undo::NameRule;

/// One change of a file in the model: what it was before is the last state.
struct Step {
    state: Vec<u8>,
    offset: usize,
    data: Vec<u8>,
}

/// States that a power loss may leave: the first is the durable one, the last is now.
#[derive(Default)]
struct Model {
    names: Vec<BTreeMap<String, u64>>,
    files: BTreeMap<u64, Vec<Step>>,
}

impl Model {
    fn now(&self) -> &BTreeMap<String, u64> {
        self.names.last().unwrap()
    }

    fn rename(&mut self, change: impl FnOnce(&mut BTreeMap<String, u64>)) {
        let mut names = self.now().clone();
        change(&mut names);
        self.names.push(names);
    }

    fn sync_names(&mut self) {
        self.names.drain(..self.names.len() - 1);
    }

    fn sync_file(&mut self, number: u64) {
        let steps = self.files.get_mut(&number).unwrap();
        steps.drain(..steps.len() - 1);
    }

    /// May this be the content after a power loss that tears writes?
    fn may_hold(&self, number: u64, content: &[u8]) -> bool {
        let steps = &self.files[&number];
        steps.iter().any(|step| step.state == content)
            || steps.windows(2).any(|pair| {
                let (before, next) = (&pair[0].state, &pair[1]);
                let borders = (1..next.data.len()).filter(|part| (next.offset + part) % 512 == 0);
                borders.into_iter().any(|part| {
                    let mut torn = before.clone();
                    overwrite(&mut torn, next.offset, &next.data[..part]);
                    torn == content
                })
            })
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(data);
}

/// What is in the backing directory.
fn contents(backing: &Path) -> BTreeMap<String, (u64, Vec<u8>)> {
    let files = std::fs::read_dir(backing.join("files")).unwrap();
    files
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            (name, (entry.metadata().unwrap().ino(), std::fs::read(entry.path()).unwrap()))
        })
        .collect()
}

fn open(tree: &mut Tree, name: &str) -> (std::sync::Arc<super::inode::Inode>, File) {
    let inode = tree.look_up(ROOT, name.as_ref()).unwrap();
    let file = inode.open().unwrap();
    (inode, file)
}

fn one_operation(tree: &mut Tree, model: &mut Model, rng: &mut ChaCha8Rng) {
    let name = format!("f{}", rng.random_range(0..5));
    let Some(&number) = model.now().get(&name) else {
        let (inode, _) = tree.create(ROOT, name.as_ref(), 0o600).unwrap();
        let number = inode.number;
        model.rename(|names| {
            let _ = names.insert(name, number);
        });
        let empty = Step { state: Vec::new(), offset: 0, data: Vec::new() };
        model.files.insert(number, vec![empty]);
        return;
    };
    let (inode, file) = open(tree, &name);
    assert_eq!(inode.number, number);
    let mut state = model.files[&number].last().unwrap().state.clone();
    match rng.random_range(0..12) {
        0..=4 => {
            let append = rng.random_bool(0.5);
            let offset = if append { state.len() } else { rng.random_range(0..3000) };
            let length = *[1, 100, 700, 2000].choose(rng).unwrap();
            let data: Vec<u8> = (0..length).map(|_| rng.random()).collect();
            tree.write(&inode, &file, offset as u64, &data).unwrap();
            overwrite(&mut state, offset, &data);
            model.files.get_mut(&number).unwrap().push(Step { state, offset, data });
        }
        5 => {
            let size = rng.random_range(0..3000);
            tree.truncate(&inode, size as u64).unwrap();
            state.resize(size, 0);
            let step = Step { state, offset: size, data: Vec::new() };
            model.files.get_mut(&number).unwrap().push(step);
        }
        6 => {
            tree.remove(ROOT, name.as_ref()).unwrap();
            model.rename(|names| {
                let _ = names.remove(&name);
            });
        }
        7 | 8 => {
            let other = format!("f{}", rng.random_range(0..5));
            // The kernel does nothing if both are one file.
            if model.now().get(&other) == Some(&number) {
                return;
            }
            tree.rename((ROOT, name.as_ref()), (ROOT, other.as_ref())).unwrap();
            model.rename(|names| {
                names.remove(&name);
                names.insert(other, number);
            });
        }
        9 => {
            let other = format!("f{}", rng.random_range(5..8));
            if !model.now().contains_key(&other) {
                tree.link(number, ROOT, other.as_ref()).unwrap();
                model.rename(|names| {
                    let _ = names.insert(other, number);
                });
            }
        }
        10 => {
            let moment = tree.now();
            tree.sync(number, moment);
            model.sync_file(number);
            model.sync_names();
        }
        _ => {
            let moment = tree.now();
            tree.sync(ROOT, moment);
            model.sync_names();
        }
    }
}

fn after_random_operations(seed: u64, unsynced: Option<u64>) {
    let folder = tempfile::tempdir().unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut tree = Tree::open(folder.path(), NameRule::Journal).unwrap();
    let mut model = Model { names: vec![BTreeMap::new()], files: BTreeMap::new() };
    for round in 0..8 {
        for _ in 0..rng.random_range(1..60) {
            one_operation(&mut tree, &mut model, &mut rng);
        }
        tree.forget_all();
        let what = format!("seed {seed}, round {round}");
        tree.lose_power(unsynced.map_or(Unsynced::Lost, Unsynced::Torn)).unwrap();
        let found = contents(folder.path());
        let names = found.iter().map(|(name, (number, _))| (name.clone(), *number)).collect();
        if unsynced.is_some() {
            assert!(model.names.contains(&names), "{what}: {names:?}");
        } else {
            assert_eq!(model.names[0], names, "{what}");
        }
        for (name, (number, content)) in &found {
            let is_right = match unsynced {
                None => model.files[number][0].state == *content,
                Some(_) => model.may_hold(*number, content),
            };
            assert!(is_right, "{what}: {name} has {} bytes", content.len());
        }
        assert!(std::fs::read_dir(folder.path().join("lost")).unwrap().next().is_none());
        let durable = |content: &Vec<u8>| Step { state: content.clone(), offset: 0, data: vec![] };
        model.files =
            found.values().map(|(number, content)| (*number, vec![durable(content)])).collect();
        model.names = vec![names];
    }
}

#[test]
fn what_was_not_synchronised_is_lost_and_nothing_else() {
    for seed in 0..60 {
        after_random_operations(seed, None);
    }
}

#[test]
fn what_survives_by_chance_is_a_prefix_torn_at_a_sector() {
    for seed in 0..60 {
        after_random_operations(seed, Some(seed));
    }
}

/// Creates `a`, writes, synchronises the file only; is it there after the power failed?
fn survives_without_its_directory(rule: NameRule) -> bool {
    let folder = tempfile::tempdir().unwrap();
    let mut tree = Tree::open(folder.path(), rule).unwrap();
    let (inode, file) = tree.create(ROOT, OsStr::new("a"), 0o600).unwrap();
    tree.write(&inode, &file, 0, b"text").unwrap();
    let moment = tree.now();
    tree.sync(inode.number, moment);
    tree.lose_power(Unsynced::Lost).unwrap();
    contents(folder.path()).contains_key("a")
}

#[test]
fn the_strict_rule_wants_the_directory_synchronised_too() {
    assert!(survives_without_its_directory(NameRule::Journal));
    assert!(!survives_without_its_directory(NameRule::Directory));
}

#[test]
fn a_late_synchronisation_covers_only_what_came_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut tree = Tree::open(folder.path(), NameRule::Journal).unwrap();
    let (inode, file) = tree.create(ROOT, OsStr::new("a"), 0o600).unwrap();
    tree.write(&inode, &file, 0, b"before ").unwrap();
    let moment = tree.now();
    tree.write(&inode, &file, 7, b"after").unwrap();
    tree.sync(inode.number, moment);
    tree.lose_power(Unsynced::Lost).unwrap();
    assert_eq!(contents(folder.path())["a"].1, b"before ");
}

#[test]
fn memory_is_limited_and_the_oldest_changes_become_durable_first() {
    let folder = tempfile::tempdir().unwrap();
    let mut tree = Tree::open(folder.path(), NameRule::Journal).unwrap();
    let (inode, file) = tree.create(ROOT, OsStr::new("a"), 0o600).unwrap();
    let block = vec![1; 1 << 20];
    tree.write(&inode, &file, 0, &block).unwrap();
    let moment = tree.now();
    tree.sync(inode.number, moment);
    for round in 2..=200_u8 {
        tree.write(&inode, &file, 0, &vec![round; 1 << 20]).unwrap();
    }
    assert!(tree.written_back > 0);
    tree.lose_power(Unsynced::Lost).unwrap();
    let survivor = contents(folder.path())["a"].1[0];
    assert!((2..200).contains(&survivor), "{survivor}");
}

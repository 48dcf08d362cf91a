//! Groups are added while clients write and read, by several coordinators at once, each of which may
//! rest for ever long between two steps; clients use maps of any age. Every answer is checked.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;
use proptest::prelude::*;

use super::fixture::*;
use crate::command::*;
use crate::shard::{MigrationStage, Placement, ShardMap, Shards, Source};
use crate::state_machine::{Query, QueryReply};
use crate::types::NodeId;

const KEYS: [&str; 14] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n"];
const CLIENTS: u64 = SESSIONS_MAX as u64;
const COORDINATORS: usize = 3;
const GROUPS_MAX: usize = 4;

/// Something happens. Numbers choose among what there is.
#[derive(Debug, Clone)]
enum Act {
    Write {
        client: u64,
        key: usize,
        map: usize,
    },
    /// An acknowledged write is sent again.
    Repeat {
        client: u64,
        write: usize,
        map: usize,
    },
    Read {
        key: usize,
        map: usize,
    },
    Begin,
    /// One coordinator takes some steps.
    Steps {
        coordinator: usize,
        count: usize,
    },
    /// A coordinator forgets what it was about to do, and looks at the map again.
    Restart {
        coordinator: usize,
    },
}

/// The first one does most of the work, so that the others fall behind it.
fn coordinator() -> impl Strategy<Value = usize> {
    prop_oneof![6 => Just(0), 1 => 1..COORDINATORS]
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let any = || any::<prop::sample::Index>().prop_map(|index| index.index(1 << 20));
    let act = prop_oneof![
        8 => (1..=CLIENTS, any(), any()).prop_map(|(client, key, map)| Act::Write { client, key, map }),
        3 => (1..=CLIENTS, any(), any())
            .prop_map(|(client, write, map)| Act::Repeat { client, write, map }),
        6 => (any(), any()).prop_map(|(key, map)| Act::Read { key, map }),
        2 => Just(Act::Begin),
        5 => (coordinator(), 1..10_usize)
            .prop_map(|(coordinator, count)| Act::Steps { coordinator, count }),
        1 => coordinator().prop_map(|coordinator| Act::Restart { coordinator }),
    ];
    prop::collection::vec(act, 1..300)
}

/// What a coordinator is about to do.
#[derive(Debug, Clone)]
enum Todo {
    Perform(u32, ShardStep),
    Freeze(Source),
    CopyKeys(u32),
    CopySessions(u32),
    Activate(Source),
    Forget(u32),
    Change(ShardMap),
}

#[derive(Debug, Default)]
struct Coordinator {
    /// The map that it looked at, with its plan for it.
    map: Option<ShardMap>,
    plan: VecDeque<Todo>,
    /// The revision of the last freezing.
    floor: u64,
}

#[derive(Debug, Default)]
struct Client {
    sequence: u64,
    /// Writes that were acknowledged: sequence number, key, command and answer.
    acknowledged: Vec<(u64, usize, Command, Outcome)>,
}

struct World {
    groups: BTreeMap<u32, Box<dyn Machine>>,
    /// All versions, oldest first.
    maps: Vec<Shards>,
    coordinators: Vec<Coordinator>,
    clients: BTreeMap<u64, Client>,
    /// What each key must hold.
    model: BTreeMap<usize, Versioned>,
    values: u64,
}

impl World {
    fn new() -> World {
        let map = ShardMap::first(&[NodeId(1)].into(), 2);
        let mut groups: BTreeMap<u32, Box<dyn Machine>> = BTreeMap::new();
        for group in 0..2 {
            let mut machine: Box<dyn Machine> = Box::new(in_memory());
            for client in 1..=CLIENTS {
                machine.run(open_session(client));
            }
            groups.insert(group, machine);
        }
        World {
            groups,
            maps: vec![Shards::new(map).unwrap()],
            coordinators: (0..COORDINATORS).map(|_| Coordinator::default()).collect(),
            clients: (1..=CLIENTS).map(|client| (client, Client::default())).collect(),
            model: BTreeMap::new(),
            values: 0,
        }
    }

    fn group(&mut self, group: u32) -> &mut dyn Machine {
        &mut **self.groups.entry(group).or_insert_with(|| Box::new(in_memory()))
    }

    fn map(&self) -> &ShardMap {
        self.maps.last().unwrap().map()
    }

    /// Where a key is, by one of the maps there were.
    fn route(&self, key: usize, map: usize) -> u32 {
        self.maps[map % self.maps.len()].group_of(KEYS[key].as_bytes()).0
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Write { client, key, map } => self.write(client, key % KEYS.len(), map),
            Act::Repeat { client, write, map } => self.repeat(client, write, map),
            Act::Read { key, map } => self.read(key % KEYS.len(), map),
            Act::Begin => self.begin(),
            Act::Steps { coordinator, count } => {
                (0..count).for_each(|_| self.step(coordinator));
            }
            Act::Restart { coordinator } => {
                self.coordinators[coordinator] = Coordinator::default();
            }
        }
    }

    fn write(&mut self, client: u64, key: usize, map: usize) {
        self.values += 1;
        let value = Bytes::from(self.values.to_string());
        let put = Put { key: bytes(KEYS[key]), value: value.clone(), lease: 0 };
        let command = Command::Put(put);
        let group = self.route(key, map);
        let state = self.clients.get_mut(&client).unwrap();
        state.sequence += 1;
        let sequence = state.sequence;
        let outcome = self.group(group).run_in(client, sequence, command.clone());
        match outcome.kind() {
            OutcomeKind::WrongGroup => {}
            OutcomeKind::Done => {
                let before = self.model.get(&key);
                assert_eq!(outcome.previous.as_ref(), before, "{} in group {group}", KEYS[key]);
                assert!(before.is_none_or(|it| it.revision < outcome.revision));
                let version = before.map_or(0, |it| it.version) + 1;
                let held = Versioned { value, revision: outcome.revision, version, lease: 0 };
                self.model.insert(key, held);
                let state = self.clients.get_mut(&client).unwrap();
                state.acknowledged.push((sequence, key, command, outcome));
            }
            other => panic!("{other:?} for {} in group {group}", KEYS[key]),
        }
    }

    /// Has no effect, which the next reads and writes would see, and no other answer than the first.
    fn repeat(&mut self, client: u64, write: usize, map: usize) {
        let acknowledged = &self.clients[&client].acknowledged;
        if acknowledged.is_empty() {
            return;
        }
        let index = write % acknowledged.len();
        let is_last = index + 1 == acknowledged.len();
        let (sequence, key, command, first) = acknowledged[index].clone();
        let is_current = sequence == self.clients[&client].sequence;
        let group = self.route(key, map);
        let outcome = self.group(group).run_in(client, sequence, command);
        match outcome.kind() {
            OutcomeKind::Done => assert_eq!(outcome, first),
            OutcomeKind::WrongGroup => {}
            OutcomeKind::StaleSequence => assert!(!(is_last && is_current)),
            other => panic!("{other:?}"),
        }
    }

    fn read(&mut self, key: usize, map: usize) {
        let group = self.route(key, map);
        match self.group(group).query(&Query::Get { key: bytes(KEYS[key]) }) {
            QueryReply::WrongGroup => {}
            QueryReply::Get(found) => {
                assert_eq!(found.as_ref(), self.model.get(&key), "{} in {group}", KEYS[key]);
            }
            other => panic!("{other:?}"),
        }
    }

    fn begin(&mut self) {
        let nodes: BTreeSet<NodeId> = [NodeId(1)].into();
        if self.map().groups.len() < GROUPS_MAX
            && let Ok(begun) = self.map().begin(&Placement::new(), &nodes, |_| String::new())
        {
            self.change(begun);
        }
    }

    /// Replaces the map by the one that follows it, if it is still the one before.
    fn change(&mut self, after: ShardMap) -> bool {
        let expected = if after.version == 2 { 0 } else { after.version - 1 };
        let map = after.encode_map().into();
        let change = ChangeMap { expected, version: after.version, map };
        let is_done = self.group(0).run(ShardStep::ChangeMap(change).into()).kind();
        if is_done == OutcomeKind::Done {
            self.maps.push(Shards::new(after).unwrap());
        }
        is_done == OutcomeKind::Done
    }

    fn ask(&mut self, group: u32, question: ShardQuestion) -> Option<ShardAnswer> {
        match self.group(group).query(&Query::Shards(ShardQuery { question: Some(question) })) {
            QueryReply::Shards(reply) => reply.answer,
            other => panic!("{other:?}"),
        }
    }

    /// One step of one coordinator.
    fn step(&mut self, coordinator: usize) {
        let mut own = std::mem::take(&mut self.coordinators[coordinator]);
        match own.plan.pop_front() {
            None => own = plan(self.map().clone()),
            Some(todo) => {
                if !self.take(&mut own, todo) {
                    own = Coordinator::default();
                }
            }
        }
        self.coordinators[coordinator] = own;
    }

    /// False if it did not fit: then the coordinator looks at the map again.
    fn take(&mut self, own: &mut Coordinator, todo: Todo) -> bool {
        let Some(migration) = own.map.as_ref().and_then(|map| map.migration.clone()) else {
            return false;
        };
        let (id, to) = (migration.id, migration.group_id().0);
        let mut run = |group, step: ShardStep| self.group(group).run(step.into());
        let is_done = |outcome: Outcome| outcome.kind() == OutcomeKind::Done;
        match todo {
            Todo::Perform(group, step) => is_done(run(group, step)),
            Todo::Freeze(source) => {
                let freeze = Freeze { migration: id, keep: source.keep };
                let outcome = run(source.group.0, ShardStep::Freeze(freeze));
                own.floor = outcome.revision;
                is_done(outcome)
            }
            Todo::Activate(source) => {
                let (segments, revision_floor) = (source.leaving, own.floor);
                let activate = Activate { migration: id, segments, revision_floor };
                is_done(run(to, ShardStep::Activate(activate)))
            }
            Todo::CopyKeys(from) => {
                let question = LeavingQuestion { migration: id, after: None };
                let answer = self.ask(from, ShardQuestion::Leaving(question));
                let Some(ShardAnswer::Leaving(page)) = answer else { return false };
                for key in page.keys {
                    let ingest = Ingest { migration: id, keys: vec![key], sessions: vec![] };
                    own.plan.push_front(Todo::Perform(to, ShardStep::Ingest(ingest)));
                }
                true
            }
            Todo::CopySessions(from) => {
                let question = SessionsQuestion { migration: id, after: 0 };
                let answer = self.ask(from, ShardQuestion::Sessions(question));
                let Some(ShardAnswer::Sessions(page)) = answer else { return false };
                let (keys, sessions) = (vec![], page.sessions);
                let ingest = Ingest { migration: id, keys, sessions };
                own.plan.push_front(Todo::Perform(to, ShardStep::Ingest(ingest)));
                true
            }
            Todo::Forget(from) => {
                let question = LeavingQuestion { migration: id, after: None };
                let answer = self.ask(from, ShardQuestion::Leaving(question));
                let Some(ShardAnswer::Leaving(page)) = answer else { return false };
                for key in page.keys {
                    let forget = Forget { migration: id, keys: vec![key.key] };
                    own.plan.push_front(Todo::Perform(from, ShardStep::Forget(forget)));
                }
                true
            }
            Todo::Change(after) => self.change(after),
        }
    }

    /// One coordinator completes what was begun; then everything is where it belongs.
    fn finish(&mut self) {
        self.coordinators[0] = Coordinator::default();
        for _ in 0..1_000 {
            if self.map().migration.is_none() {
                break;
            }
            self.step(0);
        }
        assert_eq!(self.map().migration, None, "the migration does not end");
        let newest = self.maps.len() - 1;
        let added = newest > 0;
        let mut found = 0;
        for (key, held) in self.model.clone() {
            let group = self.route(key, newest);
            let reply = self.group(group).query(&Query::Get { key: bytes(KEYS[key]) });
            assert_eq!(reply, QueryReply::Get(Some(held)), "{}", KEYS[key]);
            found += 1;
        }
        let stored: usize = self.groups.values().map(|it| it.dump().keys.len()).sum();
        assert!(!added || stored == found, "{stored} keys are stored, and there are {found}");
    }
}

fn plan(map: ShardMap) -> Coordinator {
    let mut plan = VecDeque::new();
    if let Some(migration) = &map.migration {
        let sources = map.sources().unwrap();
        match migration.stage() {
            MigrationStage::Creating => {
                let reserve = ShardStep::Reserve(Reserve { migration: migration.id });
                plan.push_back(Todo::Perform(migration.group_id().0, reserve));
                plan.push_back(Todo::Change(map.at(MigrationStage::Moving)));
            }
            MigrationStage::Moving => {
                let left = sources.into_iter().find(|it| !migration.moved.contains(&it.group.0));
                match left {
                    Some(source) => {
                        let from = source.group;
                        plan.push_back(Todo::Freeze(source.clone()));
                        plan.push_back(Todo::CopyKeys(from.0));
                        plan.push_back(Todo::CopySessions(from.0));
                        plan.push_back(Todo::Activate(source));
                        plan.push_back(Todo::Change(map.moved(from, 0)));
                    }
                    None => plan.push_back(Todo::Change(map.at(MigrationStage::Forgetting))),
                }
            }
            MigrationStage::Forgetting => {
                plan.extend(sources.iter().map(|source| Todo::Forget(source.group.0)));
                plan.push_back(Todo::Change(map.complete()));
            }
        }
    }
    Coordinator { map: Some(map), plan, floor: 0 }
}

proptest! {
    #[test]
    fn no_key_is_lost_and_none_is_served_twice(acts in acts()) {
        let mut world = World::new();
        for act in &acts {
            world.act(act);
        }
        world.finish();
    }
}

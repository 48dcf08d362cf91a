//! Collections: queues, stacks, priority queues, and sets that are asked or read as a whole.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{Request, Response, Subject, key_of, list, number_of};
use crate::history::Value;
use crate::synthetic::simulate::below;

/// Elements of a set that is read as a whole, before a fresh set takes its place.
const SET_ELEMENTS: u64 = 100;

/// Which element comes out next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::synthetic) enum Discipline {
    /// The oldest.
    Queue,
    /// The newest.
    Stack,
    /// The least.
    Priority,
}

/// Collections by key, empty at the start, of elements that are put in once.
pub(in crate::synthetic) struct Collection {
    discipline: Discipline,
    objects: Vec<VecDeque<u64>>,
    priorities: Vec<BTreeSet<u64>>,
    next: u64,
    /// Whether what is inside at the end is taken out.
    drain: bool,
}

impl Collection {
    pub(in crate::synthetic) fn new(keys: usize, discipline: Discipline, drain: bool) -> Self {
        let keys = keys.max(1);
        let (objects, priorities) = (vec![VecDeque::new(); keys], vec![BTreeSet::new(); keys]);
        Self { discipline, objects, priorities, next: 1, drain }
    }

    fn names(&self) -> (&'static str, &'static str) {
        match self.discipline {
            Discipline::Queue => ("enqueue", "dequeue"),
            Discipline::Stack => ("push", "pop"),
            Discipline::Priority => ("insert", "delete-min"),
        }
    }
}

impl Subject for Collection {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let number = below(random, self.objects.len());
        let key = key_of(number, self.objects.len());
        let (put, take) = self.names();
        if random.random_bool(0.5) {
            return Request::new(process, take, key, Value::Null);
        }
        // Elements of a priority queue come in any order: an odd multiplier permutes 32 bits.
        let element = match self.discipline {
            Discipline::Queue | Discipline::Stack => self.next,
            Discipline::Priority => self.next.wrapping_mul(2_654_435_769) & 0xffff_ffff,
        };
        self.next += 1;
        Request::new(process, put, key, Value::from(element))
    }

    fn apply(&mut self, request: &Request) -> Response {
        let number = number_of(request.key.as_ref());
        let (put, _) = self.names();
        let (object, priorities) = (&mut self.objects[number], &mut self.priorities[number]);
        if request.f == put {
            let element = request.argument.as_u64().unwrap_or(0);
            match self.discipline {
                Discipline::Queue | Discipline::Stack => object.push_back(element),
                Discipline::Priority => {
                    priorities.insert(element);
                }
            }
            return Response::Ok(request.argument.clone());
        }
        Response::Ok(Value::from(match self.discipline {
            Discipline::Queue => object.pop_front(),
            Discipline::Stack => object.pop_back(),
            Discipline::Priority => priorities.pop_first(),
        }))
    }

    fn last_request(&mut self) -> Option<Request> {
        if !self.drain {
            return None;
        }
        let number = self.objects.iter().position(|it| !it.is_empty())?;
        let key = key_of(number, self.objects.len());
        Some(Request::new(u64::MAX, "dequeue", key, Value::Null))
    }
}

/// Sets that are asked about one element at a time.
pub(in crate::synthetic) struct Sets {
    objects: Vec<BTreeSet<u64>>,
    /// Elements that were ever added, to ask about.
    added: Vec<Vec<u64>>,
    next: u64,
}

impl Sets {
    pub(in crate::synthetic) fn new(keys: usize) -> Self {
        let keys = keys.max(1);
        Self { objects: vec![BTreeSet::new(); keys], added: vec![Vec::new(); keys], next: 1 }
    }
}

impl Subject for Sets {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let number = below(random, self.objects.len());
        let key = key_of(number, self.objects.len());
        let added = &mut self.added[number];
        // Recent elements are the interesting ones.
        let recent = added.len().min(50);
        let action = if recent == 0 { 0 } else { random.random_range(0..10) };
        if action < 3 {
            added.push(self.next);
            self.next += 1;
            return Request::new(process, "add", key, Value::from(self.next - 1));
        }
        let element = added[added.len() - 1 - below(random, recent)];
        let argument = list([Value::from(element), Value::Null]);
        Request::new(process, if action < 5 { "remove" } else { "contains" }, key, argument)
    }

    fn apply(&mut self, request: &Request) -> Response {
        let object = &mut self.objects[number_of(request.key.as_ref())];
        if request.f == "add" {
            object.extend(request.argument.as_u64());
            return Response::Ok(request.argument.clone());
        }
        let element = request.argument[0].as_u64().unwrap_or(0);
        let was_there = match request.f {
            "remove" => object.remove(&element),
            _ => object.contains(&element),
        };
        Response::Ok(list([Value::from(element), Value::from(was_there)]))
    }
}

/// Sets that are read as a whole: fresh ones take the place of those that are full.
pub(in crate::synthetic) struct WholeSets {
    objects: BTreeMap<u64, BTreeSet<u64>>,
    /// For each place the set that is in it, and how many additions it was asked for.
    places: Vec<(u64, u64)>,
    next_set: u64,
    next: u64,
}

impl WholeSets {
    pub(in crate::synthetic) fn new(keys: usize) -> Self {
        let places: Vec<(u64, u64)> = (0..keys.max(1) as u64).map(|set| (set, 0)).collect();
        Self { objects: BTreeMap::new(), next_set: places.len() as u64, places, next: 1 }
    }
}

impl Subject for WholeSets {
    fn invoke(&mut self, process: u64, random: &mut ChaCha8Rng) -> Request {
        let place = below(random, self.places.len());
        let (set, added) = &mut self.places[place];
        if random.random_bool(0.5) {
            let key = Some(Value::from(*set));
            // A full set is read once more before it is left.
            if *added >= SET_ELEMENTS {
                (*set, *added) = (self.next_set, 0);
                self.next_set += 1;
            }
            return Request::new(process, "read", key, Value::Null);
        }
        *added += 1;
        self.next += 1;
        Request::new(process, "add", Some(Value::from(*set)), Value::from(self.next - 1))
    }

    fn apply(&mut self, request: &Request) -> Response {
        let set = request.key.as_ref().and_then(Value::as_u64).unwrap_or(0);
        let object = self.objects.entry(set).or_default();
        if request.f == "add" {
            object.extend(request.argument.as_u64());
            return Response::Ok(request.argument.clone());
        }
        Response::Ok(Value::list(object.iter().map(|&it| Value::from(it))))
    }
}

//! Asks for numbers that nobody else gets.

use super::{Generator, Invocation};
use crate::history::{Event, Value};

/// One request after the other.
#[derive(Debug)]
pub struct UniqueIdsGenerator;

fn generate() -> Invocation {
    Invocation { f: "generate", key: None, value: Value::Null }
}

impl Generator for UniqueIdsGenerator {
    fn next(&mut self, _worker: usize) -> Invocation {
        generate()
    }

    fn observe(&mut self, _worker: usize, _completion: &Event) {}

    fn final_operations(&mut self, _worker: usize) -> Vec<Invocation> {
        vec![generate()]
    }
}

//! The one thread that forks all nodes. A death signal follows the thread that forked, so this one
//! has to live as long as the nodes may.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::stub::StubPlan;
use crate::platform::PlatformError;

type Forked = io::Result<(i32, OwnedFd)>;

/// A way to that thread.
#[derive(Debug)]
pub(crate) struct Spawner {
    requests: SyncSender<Request>,
}

struct Request {
    plan: StubPlan,
    reply: SyncSender<Forked>,
}

impl Spawner {
    /// Starts the thread. It ends when this value is dropped, and takes the nodes with it.
    pub(crate) fn new() -> Result<Spawner, PlatformError> {
        let (requests, receiver) = sync_channel(1);
        thread::Builder::new()
            .name("node-spawner".to_owned())
            .spawn(move || serve(&receiver))
            .map_err(|error| PlatformError::os("start the thread that forks nodes", error))?;
        Ok(Spawner { requests })
    }

    /// Forks a stub there.
    pub(crate) fn fork(&self, plan: StubPlan) -> Result<(i32, OwnedFd), PlatformError> {
        let (reply, answer) = sync_channel(1);
        self.requests.send(Request { plan, reply }).expect("the spawner lives as long as self");
        let forked = answer.recv().expect("the spawner answers every request");
        forked.map_err(|error| PlatformError::os("fork a node", error))
    }
}

fn serve(requests: &Receiver<Request>) {
    for Request { plan, reply } in requests {
        // Nobody waits for the reply only if the harness is on its way out.
        let _ = reply.send(plan.fork());
    }
}

//! Leases, and locks that are held for as long as a lease lives.

use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::attempts::Repeat;
use super::error::ClientError;
use super::kv::Client;
use super::types::{Header, header};
use crate::kv::{
    ErrorKind, GrantLeaseRequest, KeepAliveRequest, LockRequest, RevokeLeaseRequest, UnlockRequest,
};

/// A lease was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// Where and when.
    pub header: Header,
    /// Its id.
    pub id: u64,
    /// It lives at least so long without a sign of life.
    pub ttl: Duration,
}

/// Who holds a lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Locked {
    /// Where and when.
    pub header: Header,
    /// Is it held by the lease that asked?
    pub acquired: bool,
    /// Greater than the token of every earlier holder; to be shown to what the lock protects.
    pub token: u64,
    /// The lease that holds the lock.
    pub holder: u64,
}

impl Client {
    /// Creates a lease.
    pub async fn grant_lease(&mut self, ttl: Duration) -> Result<Lease, ClientError> {
        let (repeat, context) = self.write_context();
        let ttl_ms = u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        let response = self.ask(repeat, GrantLeaseRequest { context, ttl_ms }).await?;
        let ttl = Duration::from_millis(response.ttl_ms);
        Ok(Lease { header: header(response.header), id: response.lease, ttl })
    }

    /// Gives a lease its whole time again, counted from when this was called; returns that time.
    pub async fn keep_alive(&mut self, lease: u64) -> Result<Duration, ClientError> {
        let context = self.read_context();
        let response = self.ask(Repeat::Read, KeepAliveRequest { context, lease }).await?;
        Ok(Duration::from_millis(response.ttl_ms))
    }

    /// Ends a lease: its keys are deleted and its locks are freed.
    pub async fn revoke_lease(&mut self, lease: u64) -> Result<Header, ClientError> {
        let (repeat, context) = self.write_context();
        let response = self.ask(repeat, RevokeLeaseRequest { context, lease }).await?;
        Ok(header(response.header))
    }

    /// Takes a lock for as long as a lease lives, or says who holds it.
    pub async fn lock(
        &mut self,
        name: impl Into<Bytes>,
        lease: u64,
    ) -> Result<Locked, ClientError> {
        let (repeat, context) = self.write_context();
        let response = self.ask(repeat, LockRequest { context, name: name.into(), lease }).await?;
        Ok(Locked {
            header: header(response.header),
            acquired: response.acquired,
            token: response.token,
            holder: response.holder,
        })
    }

    /// Gives a lock back; false if it was not held with this token any more.
    pub async fn unlock(
        &mut self,
        name: impl Into<Bytes>,
        token: u64,
    ) -> Result<bool, ClientError> {
        let (repeat, context) = self.write_context();
        let message = UnlockRequest { context, name: name.into(), token };
        Ok(self.ask(repeat, message).await?.released)
    }

    /// Keeps a lease alive from a task of its own, until the keeper is dropped. Must be called on a
    /// tokio runtime.
    pub fn keep_lease(&self, lease: &Lease) -> LeaseKeeper {
        let (ended, is_ended) = watch::channel(false);
        let (client, lease) = (self.sibling(), *lease);
        LeaseKeeper { task: tokio::spawn(keep(client, lease, ended)), is_ended }
    }
}

/// Keeps a lease alive for as long as it lives itself.
#[derive(Debug)]
pub struct LeaseKeeper {
    task: JoinHandle<()>,
    is_ended: watch::Receiver<bool>,
}

impl LeaseKeeper {
    /// Is the lease known to have ended?
    pub fn is_ended(&self) -> bool {
        *self.is_ended.borrow()
    }

    /// Returns when the lease is known to have ended.
    pub async fn ended(&mut self) {
        // An error means that the task is gone, and the lease with it.
        let _ = self.is_ended.wait_for(|ended| *ended).await;
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A sign of life whenever a third of the time has passed. Only the server knows whether the lease
/// has ended, so that failures on the way change nothing.
async fn keep(mut client: Client, lease: Lease, ended: watch::Sender<bool>) {
    loop {
        tokio::time::sleep(lease.ttl / 3).await;
        if let Err(error) = client.keep_alive(lease.id).await
            && error.failure().kind == Some(ErrorKind::LeaseNotFound)
        {
            ended.send_replace(true);
            return;
        }
    }
}

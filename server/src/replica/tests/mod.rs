//! Small groups of replicas on a perfect network, one thing at a time.

mod cluster;
mod late;
mod leases;
mod membership;
mod snapshots;
mod solo;
mod transfer;

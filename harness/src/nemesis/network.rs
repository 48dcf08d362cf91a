//! The network as several faults at once want it: each holds a claim, and the fabric gets the sum.
//!
//! ```text
//! partition ── claim: cut n1>n2 ────────┐
//! delay ────── claim: n1>n2 30 ms ──────┼──> cuts together, conditions added up ──> Fabric
//! loss ─────── claim: n1>n2 10% ────────┘
//! ```
//!
//! Invariant: what a claim wants ends with the claim, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::platform::{Fabric, Link, LinkConditions, Platform, PlatformError};

/// The network between the nodes, shared by all faults.
pub(super) struct Network {
    platform: Arc<dyn Platform>,
    claims: Mutex<Claims>,
}

#[derive(Default)]
struct Claims {
    next: u64,
    by_owner: BTreeMap<u64, Wanted>,
}

/// What one fault wants.
#[derive(Debug, Clone, Default)]
struct Wanted {
    cut: BTreeSet<Link>,
    conditions: BTreeMap<Link, LinkConditions>,
}

/// What one fault does to the network. Undone when it is dropped.
#[must_use = "what it wants ends when it is dropped"]
pub(super) struct NetworkClaim {
    network: Arc<Network>,
    owner: u64,
}

impl Network {
    /// Nobody wants anything yet.
    pub(super) fn new(platform: Arc<dyn Platform>) -> Arc<Network> {
        Arc::new(Network { platform, claims: Mutex::default() })
    }

    /// A claim that wants nothing yet.
    pub(super) fn claim(self: &Arc<Network>) -> NetworkClaim {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.next += 1;
        let owner = claims.next;
        NetworkClaim { network: Arc::clone(self), owner }
    }

    /// Changes what `owner` wants, and passes the sum on.
    fn change(
        &self,
        owner: u64,
        seed: u64,
        change: impl FnOnce(&mut Wanted),
    ) -> Result<(), PlatformError> {
        // Held until the fabric has it, so that the last change is the one in force.
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let before = (claims.cuts(), claims.conditions());
        change(claims.by_owner.entry(owner).or_default());
        if claims.by_owner[&owner].is_empty() {
            claims.by_owner.remove(&owner);
        }
        let (cuts, conditions) = (claims.cuts(), claims.conditions());
        let fabric = self.platform.fabric();
        if before.0 != cuts {
            fabric.cut(&cuts)?;
        }
        if before.1 != conditions {
            fabric.shape(&conditions, seed)?;
        }
        Ok(())
    }
}

impl Claims {
    fn cuts(&self) -> BTreeSet<Link> {
        self.by_owner.values().flat_map(|wanted| wanted.cut.iter().copied()).collect()
    }

    fn conditions(&self) -> BTreeMap<Link, LinkConditions> {
        let mut all = BTreeMap::new();
        for wanted in self.by_owner.values() {
            for (&link, &conditions) in &wanted.conditions {
                let sum = all.entry(link).or_insert(LinkConditions::NONE);
                *sum = sum.and(conditions);
            }
        }
        all
    }
}

impl Wanted {
    fn is_empty(&self) -> bool {
        self.cut.is_empty() && self.conditions.is_empty()
    }

    fn touches(&self, link: Link) -> bool {
        self.cut.contains(&link) || self.conditions.contains_key(&link)
    }
}

impl NetworkClaim {
    /// Cuts exactly these links on behalf of this claim, in place of what it cut before.
    pub(super) fn cut(&self, links: &BTreeSet<Link>) -> Result<(), PlatformError> {
        self.network.change(self.owner, 0, |wanted| wanted.cut.clone_from(links))
    }

    /// Shapes exactly these links on behalf of this claim; see [`Fabric::shape`].
    pub(super) fn shape(
        &self,
        conditions: &BTreeMap<Link, LinkConditions>,
        seed: u64,
    ) -> Result<(), PlatformError> {
        let conditions = conditions.clone();
        self.network.change(self.owner, seed, |wanted| wanted.conditions = conditions)
    }

    /// Wants nothing any more.
    pub(super) fn release(&self) -> Result<(), PlatformError> {
        self.network.change(self.owner, 0, |wanted| *wanted = Wanted::default())
    }

    /// Those of the links that no other claim touches: only there a probe tells about this one.
    pub(super) fn alone_on(&self, links: impl IntoIterator<Item = Link>) -> Vec<Link> {
        let claims = self.network.claims.lock().unwrap_or_else(PoisonError::into_inner);
        let others: Vec<&Wanted> = claims
            .by_owner
            .iter()
            .filter(|&(&owner, _)| owner != self.owner)
            .map(|(_, wanted)| wanted)
            .collect();
        let is_alone = |link: &Link| !others.iter().any(|wanted| wanted.touches(*link));
        links.into_iter().filter(is_alone).collect()
    }

    /// The fabric, to probe and to count.
    pub(super) fn fabric(&self) -> &dyn Fabric {
        self.network.platform.fabric()
    }
}

impl Drop for NetworkClaim {
    fn drop(&mut self) {
        if let Err(error) = self.release() {
            tracing::error!("the network is not as it was: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;
    use crate::node_id::NodeId;
    use crate::platform::{Endpoint, ProbeResult, ProcessControl};

    const LINK: Link = (NodeId(1), NodeId(2));
    const OTHER: Link = (NodeId(2), NodeId(3));

    /// Remembers what it was last told.
    #[derive(Default)]
    struct Told {
        cut: Mutex<BTreeSet<Link>>,
        conditions: Mutex<BTreeMap<Link, LinkConditions>>,
    }

    impl Fabric for Told {
        fn name(&self) -> &'static str {
            "told"
        }

        fn cut(&self, links: &BTreeSet<Link>) -> Result<(), PlatformError> {
            self.cut.lock().unwrap().clone_from(links);
            Ok(())
        }

        fn probe(&self, _: &[Link], _: Duration) -> Result<Vec<ProbeResult>, PlatformError> {
            Ok(Vec::new())
        }

        fn dropped(&self) -> Option<u64> {
            None
        }

        fn shape(
            &self,
            conditions: &BTreeMap<Link, LinkConditions>,
            _: u64,
        ) -> Result<(), PlatformError> {
            self.conditions.lock().unwrap().clone_from(conditions);
            Ok(())
        }
    }

    impl Platform for Arc<Told> {
        fn name(&self) -> &'static str {
            "told"
        }

        fn notes(&self) -> Vec<String> {
            Vec::new()
        }

        fn listen_address(&self, _: NodeId) -> SocketAddr {
            unreachable!("there are no nodes")
        }

        fn address(&self, _: Endpoint, _: NodeId) -> SocketAddr {
            unreachable!("there are no nodes")
        }

        fn process(&self) -> &dyn ProcessControl {
            unreachable!("there are no nodes")
        }

        fn fabric(&self) -> &dyn Fabric {
            self.as_ref()
        }
    }

    #[test]
    fn claims_add_up_and_end_apart() {
        let told = Arc::new(Told::default());
        let network = Network::new(Arc::new(Arc::clone(&told)));
        let (first, second) = (network.claim(), network.claim());
        first.cut(&BTreeSet::from([LINK])).unwrap();
        second.cut(&BTreeSet::from([LINK, OTHER])).unwrap();
        let slow = LinkConditions { delay: Duration::from_millis(5), ..LinkConditions::NONE };
        first.shape(&BTreeMap::from([(OTHER, slow)]), 1).unwrap();
        assert_eq!(*told.cut.lock().unwrap(), BTreeSet::from([LINK, OTHER]));
        assert_eq!(first.alone_on([LINK, OTHER]), vec![]);
        drop(second);
        assert_eq!(*told.cut.lock().unwrap(), BTreeSet::from([LINK]));
        assert_eq!(*told.conditions.lock().unwrap(), BTreeMap::from([(OTHER, slow)]));
        assert_eq!(first.alone_on([LINK, OTHER]), vec![LINK, OTHER]);
        first.release().unwrap();
        assert!(told.cut.lock().unwrap().is_empty() && told.conditions.lock().unwrap().is_empty());
    }
}

//! Which platform a run uses, and why.

use std::fmt;

use super::PlatformError;
use super::capability::{Capabilities, Capability};

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformChoice {
    /// Namespaces where they work, else loopback.
    Auto,
    /// Namespaces or an error.
    Namespaces,
    /// Loopback, also where namespaces would work.
    Loopback,
}

/// What cuts links on the platform `namespaces`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, clap::ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FabricChoice {
    /// One rule on the bridge and a set that is replaced atomically.
    Nftables,
    /// Rules in every node's own namespace, by the `iptables` program.
    Iptables,
}

impl fmt::Display for FabricChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FabricChoice::Nftables => "nftables",
            FabricChoice::Iptables => "iptables",
        })
    }
}

impl FabricChoice {
    fn needs(self) -> Capability {
        match self {
            FabricChoice::Nftables => Capability::Nftables,
            FabricChoice::Iptables => Capability::Iptables,
        }
    }
}

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Call [`super::namespaces::enter()`], then [`super::namespaces::Namespaces::new`].
    Namespaces {
        /// With this fabric.
        fabric: FabricChoice,
        /// One line for the log and the report.
        why: String,
    },
    /// Call [`super::loopback::Loopback::new`].
    Loopback {
        /// One line for the log and the report, with a hint if namespaces were wanted.
        why: String,
    },
}

/// Chooses by what was seen to work. Only `auto` falls back.
pub fn choose(
    platform: PlatformChoice,
    fabric: FabricChoice,
    capabilities: &Capabilities,
) -> Result<Chosen, PlatformError> {
    let needed = [Capability::Namespaces, Capability::Mounts, Capability::Network, fabric.needs()];
    let missing = needed
        .into_iter()
        .find_map(|capability| capabilities.missing(capability).map(|reason| (capability, reason)));
    match (platform, missing) {
        (PlatformChoice::Loopback, _) => {
            Ok(Chosen::Loopback { why: "platform loopback, as asked".to_owned() })
        }
        (PlatformChoice::Auto | PlatformChoice::Namespaces, None) => {
            let why = format!("platform namespaces with {fabric}: all that it needs works here");
            Ok(Chosen::Namespaces { fabric, why })
        }
        (PlatformChoice::Auto, Some((capability, reason))) => {
            let why = format!(
                "platform loopback, which is weaker: {} missing ({reason})\nhint: {}",
                capability.name(),
                capabilities.remedy(capability),
            );
            Ok(Chosen::Loopback { why })
        }
        (PlatformChoice::Namespaces, Some((capability, reason))) => {
            Err(PlatformError::Unsupported(format!(
                "platform namespaces with {fabric} cannot be had here: {} missing ({reason})\n\
                 hint: {}",
                capability.name(),
                capabilities.remedy(capability),
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Capabilities {
        Capabilities::from_failures([])
    }

    fn without(capability: Capability) -> Capabilities {
        Capabilities::from_failures([(capability, "not permitted".to_owned())])
    }

    #[test]
    fn auto_prefers_namespaces() {
        let chosen = choose(PlatformChoice::Auto, FabricChoice::Nftables, &all());
        let chosen = chosen.expect("auto never fails");
        assert!(matches!(chosen, Chosen::Namespaces { fabric: FabricChoice::Nftables, .. }));
    }

    #[test]
    fn auto_falls_back_and_says_why() {
        let capabilities = without(Capability::Namespaces);
        let chosen = choose(PlatformChoice::Auto, FabricChoice::Nftables, &capabilities);
        let Ok(Chosen::Loopback { why }) = chosen else { panic!("{chosen:?}") };
        assert!(why.contains("not permitted") && why.contains("hint: "), "{why}");
    }

    #[test]
    fn an_explicit_wish_is_never_replaced() {
        let capabilities = without(Capability::Iptables);
        let asked = |fabric| choose(PlatformChoice::Namespaces, fabric, &capabilities);
        assert!(asked(FabricChoice::Iptables).is_err());
        assert!(asked(FabricChoice::Nftables).is_ok());
    }
}

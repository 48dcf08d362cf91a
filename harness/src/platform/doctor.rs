//! The capability table as text: what works, what a missing item costs, what would enable it.

use std::fs;
use std::path::Path;

use super::capability::{Capabilities, Capability, NOT_TRIED};
use super::choice::{Chosen, FabricChoice, PlatformChoice, choose};
use super::namespaces::find_iptables;

/// The table, and what `auto` would choose.
///
/// ```text
/// namespaces          no   unshare namespaces: Operation not permitted (os error 1)
///                          costs: nodes share one network; ...
///                          enable: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0
/// ```
pub fn doctor(capabilities: &Capabilities) -> String {
    let mut text = String::new();
    for capability in Capability::ALL {
        let name = capability.name();
        match capabilities.missing(capability) {
            None => text.push_str(&format!("{name:<20}yes\n")),
            Some(NOT_TRIED) => text.push_str(&format!("{name:<20}no   {NOT_TRIED}\n")),
            Some(reason) => {
                let indent = " ".repeat(25);
                let reason = reason.replace('\n', &format!("\n{indent}"));
                text.push_str(&format!("{name:<20}no   {reason}\n"));
                text.push_str(&format!("{indent}costs: {}\n", cost(capability)));
                text.push_str(&format!("{indent}enable: {}\n", remedy(capability)));
            }
        }
    }
    let chosen = choose(PlatformChoice::Auto, FabricChoice::Nftables, capabilities);
    let why = match chosen {
        Ok(Chosen::Namespaces { why, .. } | Chosen::Loopback { why }) => why,
        Err(error) => error.to_string(),
    };
    text.push_str(&format!("\nauto: {why}\n"));
    text
}

fn cost(capability: Capability) -> &'static str {
    match capability {
        Capability::Namespaces | Capability::Mounts | Capability::Network => {
            "platform namespaces; partitions are then made by TCP proxies on loopback, which hold \
             bytes instead of dropping packets"
        }
        Capability::Nftables => {
            "the fabric nftables; --fabric iptables may work, rule by rule instead of atomically"
        }
        Capability::Iptables => "only --fabric iptables; the default fabric does not need it",
        Capability::Fuse => "the faults of disks: power-loss, disk-full and the like are skipped",
        Capability::Loopback => "platform loopback, the fallback",
        Capability::Clocks => {
            "the faults clock-jump, clock-drift and clock-strobe, which are then skipped"
        }
    }
}

/// The one line that would enable it. Read from switches of the kernel, because this is advice:
/// what works was tried.
pub(super) fn remedy(capability: Capability) -> String {
    let line = match capability {
        Capability::Namespaces | Capability::Mounts => return namespace_remedy(),
        Capability::Network => "sudo modprobe -a bridge veth",
        Capability::Nftables => "sudo modprobe nf_tables",
        Capability::Iptables if find_iptables().is_ok() => "sudo modprobe iptable_filter",
        Capability::Iptables => "install the iptables package of the distribution",
        Capability::Fuse if Path::new("/dev/fuse").exists() => {
            "run the harness as root (sudo), or sudo chmod 666 /dev/fuse"
        }
        Capability::Fuse => "sudo modprobe fuse (in a container: --device /dev/fuse)",
        Capability::Loopback => "sudo ip link set lo up",
        Capability::Clocks => return clock_remedy(),
    };
    line.to_owned()
}

fn namespace_remedy() -> String {
    let switch = |path: &str| fs::read_to_string(path).map(|text| text.trim().to_owned());
    let is = |path: &str, value: &str| switch(path).is_ok_and(|found| found == value);
    let remedy = if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
        "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    } else if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
        "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    } else if is("/proc/sys/user/max_user_namespaces", "0") {
        "sudo sysctl -w user.max_user_namespaces=15000"
    } else if in_container() {
        "start the container with --privileged, or with --cap-add SYS_ADMIN \
         --security-opt seccomp=unconfined"
    } else {
        "run the harness as root (sudo), which needs no user namespace"
    };
    remedy.to_owned()
}

fn clock_remedy() -> String {
    let remedy = if cfg!(not(target_arch = "x86_64")) {
        "run the harness on x86-64"
    } else if in_container() {
        "start the container with --cap-add SYS_PTRACE, or with --security-opt seccomp=unconfined"
    } else {
        "allow ptrace(2): sudo sysctl -w kernel.yama.ptrace_scope=1 (from 3, only after a reboot)"
    };
    remedy.to_owned()
}

fn in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|path| Path::new(path).exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_item_says_what_it_costs_and_what_would_enable_it() {
        let failures = Capability::ALL.map(|capability| (capability, "refused".to_owned()));
        let text = doctor(&Capabilities::from_failures(failures));
        for word in ["no   refused", "costs: ", "enable: "] {
            assert_eq!(text.matches(word).count(), Capability::ALL.len(), "{word}\n{text}");
        }
        assert!(text.contains("auto: platform loopback"), "{text}");
    }

    #[test]
    fn what_could_not_be_tried_has_no_advice_of_its_own() {
        let failures = [
            (Capability::Namespaces, "refused".to_owned()),
            (Capability::Nftables, NOT_TRIED.to_owned()),
        ];
        let text = doctor(&Capabilities::from_failures(failures));
        assert_eq!(text.matches("enable: ").count(), 1, "{text}");
        assert!(text.contains(NOT_TRIED), "{text}");
    }

    #[test]
    fn a_machine_that_allows_everything_has_a_short_table() {
        let text = doctor(&Capabilities::from_failures([]));
        assert_eq!(text.lines().count(), Capability::ALL.len() + 2, "{text}");
        assert!(!text.contains("enable: "), "{text}");
    }
}

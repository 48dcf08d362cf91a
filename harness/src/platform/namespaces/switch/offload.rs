//! Who fills in the checksums of a node's packets: its kernel, or nobody, as there is no wire.

use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use crate::platform::PlatformError;
use crate::platform::namespaces::topology::NODE_INTERFACE_NAME;

/// From linux/ethtool.h.
const ETHTOOL_STXCSUM: u32 = 0x17;

/// Who fills them in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksums {
    /// The kernel, before a packet leaves the node; segments are then cut to size too.
    InKernel,
    /// The interface, which need not: its packets never touch a wire.
    Offloaded,
}

/// Sets it for the node's end of its cable, through any socket of the node's namespace.
pub(super) fn set_checksums(socket: &UdpSocket, checksums: Checksums) -> Result<(), PlatformError> {
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    let data = u32::from(checksums == Checksums::Offloaded);
    let mut value = Value { command: ETHTOOL_STXCSUM, data };
    // SAFETY: an interface request is plain data.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, &from) in request.ifr_name.iter_mut().zip(NODE_INTERFACE_NAME.as_bytes()) {
        *to = from.cast_signed();
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request and the value that it points to outlive the call.
    let set = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) };
    if set < 0 {
        return Err(PlatformError::last_os("switch the checksum offload of a node"));
    }
    Ok(())
}

//! Addresses of one run: a block 127.77.x.0/24 that no other run has.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use crate::platform::PlatformError;

/// Holding this address and port holds the block.
const HOLDER: u8 = 254;
const HOLDER_PORT: u16 = 7077;

/// A block of addresses, for as long as this value lives.
#[derive(Debug)]
pub(super) struct Block {
    third: u8,
    _holder: UdpSocket,
}

impl Block {
    /// Takes a free block, the first tried one depending on the process id.
    pub(super) fn take() -> Result<Block, PlatformError> {
        let first = std::process::id().to_le_bytes()[0];
        for offset in 0..=u8::MAX {
            let third = first.wrapping_add(offset);
            let holder = Ipv4Addr::new(127, 77, third, HOLDER);
            match UdpSocket::bind((holder, HOLDER_PORT)) {
                Ok(socket) => return Ok(Block { third, _holder: socket }),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(PlatformError::os(format!("take {holder}"), error)),
            }
        }
        let all = "all 256 blocks of addresses in 127.77.0.0/16 are taken by other runs";
        Err(PlatformError::Unsupported(all.to_owned()))
    }

    /// Listens on a port chosen by the kernel.
    pub(super) fn listen(&self, host: u8) -> Result<(TcpListener, SocketAddr), PlatformError> {
        let address = Ipv4Addr::new(127, 77, self.third, host);
        TcpListener::bind((address, 0))
            .and_then(|listener| listener.local_addr().map(|local| (listener, local)))
            .map_err(|error| PlatformError::os(format!("listen on {address}"), error))
    }
}

//! The command.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::router::router;
use crate::stop::Stop;
use crate::{exit_code, output};

/// Options of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// The folder that holds runs
    #[arg(default_value = "results", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The port on 127.0.0.1; 0: any that is free
    #[arg(long, default_value_t = 8099)]
    pub port: u16,
}

/// The folder cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// There is no such folder.
    #[error("open {}: {source}\nhint: the folder of results, such as the one of --out", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The port is taken, or not allowed.
    #[error("listen on {address}: {source}\nhint: --port 0 takes any free one")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The server ended by itself.
    #[error("serve: {0}")]
    Serve(#[source] std::io::Error),
}

/// Serves until Ctrl-C. Returns the exit code.
pub async fn serve(args: ServeArgs) -> Result<i32, ServeError> {
    let folder = args.folder.clone();
    // Whole, so that what links lead to can be compared with it.
    let root = std::fs::canonicalize(&folder)
        .and_then(|root| std::fs::read_dir(&root).map(|_| root))
        .map_err(|source| ServeError::Folder { folder, source })?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let listen = |source| ServeError::Listen { address, source };
    let listener = TcpListener::bind(address).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let mut stop = Stop::listen().map_err(ServeError::Serve)?;
    output::result(&format!("http://{address}/\n"));
    axum::serve(listener, router(root, address.port()))
        .with_graceful_shutdown(async move { stop.wait().await })
        .await
        .map_err(ServeError::Serve)?;
    Ok(exit_code::VALID)
}

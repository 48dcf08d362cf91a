//! How a node shows its peers that it is one of them.

use std::sync::Arc;

use tonic::Request;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Endpoint, Error};

use crate::security::{PeerTls, Secret};

/// What a node shows its peers: a certificate, a token, both, or nothing.
#[derive(Debug, Clone, Default)]
pub struct PeerCredentials {
    tls: Option<Arc<PeerTls>>,
    authorization: Option<MetadataValue<Ascii>>,
}

impl PeerCredentials {
    /// Shows these.
    pub fn new(tls: Option<Arc<PeerTls>>, token: Option<&Secret>) -> PeerCredentials {
        let authorization = token.and_then(|token| {
            let header = [b"Bearer ", token.expose()].concat();
            let mut header = MetadataValue::try_from(header.as_slice()).ok()?;
            header.set_sensitive(true);
            Some(header)
        });
        PeerCredentials { tls, authorization }
    }

    /// The way to a peer at this address, `host:port`, for a new connection.
    pub fn endpoint(&self, address: &str) -> Result<Endpoint, Error> {
        match &self.tls {
            None => Endpoint::from_shared(format!("http://{address}")),
            Some(tls) => {
                Endpoint::from_shared(format!("https://{address}"))?.tls_config(tls.client_config())
            }
        }
    }

    /// The token, as requests carry it.
    pub fn authorization(&self) -> Option<MetadataValue<Ascii>> {
        self.authorization.clone()
    }

    /// Puts the token into a request.
    pub fn authorize<T>(&self, request: &mut Request<T>) {
        if let Some(header) = &self.authorization {
            request.metadata_mut().insert("authorization", header.clone());
        }
    }
}

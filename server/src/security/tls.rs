//! TLS from files in the PEM format.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::config::TlsFiles;

use super::reload::Reload;

/// TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read.
    #[error("read {what} {}: {source}", path.display())]
    Read {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("read {what} {}: {source}\nhint: it must be in the PEM format", path.display())]
    Pem {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: pem::Error,
    },
    /// A file without a certificate.
    #[error("read {what} {}: there is no certificate in it", path.display())]
    Empty {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// Certificate and key do not fit, or cannot be used.
    #[error("use certificate {}: {source}\nhint: is {} its key?", cert.display(), key.display())]
    Certificate {
        /// The certificate.
        cert: PathBuf,
        /// The key.
        key: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The CA's certificate cannot be used.
    #[error("use CA {}: {source}", path.display())]
    Ca {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: rustls::Error,
    },
    /// The CA's certificates cannot verify anything.
    #[error("use CA {}: {source}", path.display())]
    Verifier {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: VerifierBuilderError,
    },
}

/// The server's side: with a CA, the other side must have a certificate of it.
pub struct ServerTls {
    files: TlsFiles,
    protocols: &'static [&'static [u8]],
    acceptor: RwLock<TlsAcceptor>,
}

impl ServerTls {
    /// `protocols` are what is offered by ALPN, such as `h2`.
    pub fn load(
        files: &TlsFiles,
        protocols: &'static [&'static [u8]],
    ) -> Result<ServerTls, TlsError> {
        let acceptor = RwLock::new(acceptor(files, protocols)?);
        Ok(ServerTls { files: files.clone(), protocols, acceptor })
    }

    /// For a new connection.
    pub fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reload for ServerTls {
    type Error = TlsError;

    const WHAT: &'static str = "certificates";

    fn paths(&self) -> Vec<&Path> {
        paths(&self.files)
    }

    fn reload(&self) -> Result<(), TlsError> {
        let acceptor = acceptor(&self.files, self.protocols)?;
        *self.acceptor.write().unwrap_or_else(PoisonError::into_inner) = acceptor;
        Ok(())
    }
}

fn paths(files: &TlsFiles) -> Vec<&Path> {
    let TlsFiles { cert, key, ca } = files;
    [Some(cert), Some(key), ca.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect()
}

fn acceptor(files: &TlsFiles, protocols: &[&[u8]]) -> Result<TlsAcceptor, TlsError> {
    let certificates = certificates("certificate", &files.cert)?;
    let key = private_key(&files.key)?;
    let provider = Arc::new(ring::default_provider());
    let certificate_error =
        |source| TlsError::Certificate { cert: files.cert.clone(), key: files.key.clone(), source };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(certificate_error)?;
    let builder = match &files.ca {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            for root in self::certificates("CA", ca)? {
                let error = |source| TlsError::Ca { path: ca.clone(), source };
                roots.add(root).map_err(error)?;
            }
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            let error = |source| TlsError::Verifier { path: ca.clone(), source };
            builder.with_client_cert_verifier(verifier.map_err(error)?)
        }
    };
    let mut config = builder.with_single_cert(certificates, key).map_err(certificate_error)?;
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// The side of a node that connects to its peers.
#[derive(Debug)]
pub struct PeerTls {
    files: TlsFiles,
    config: RwLock<ClientTlsConfig>,
}

impl PeerTls {
    /// Shows this certificate, and wants one of the CA for the name or address that is dialled.
    pub fn load(files: &TlsFiles) -> Result<PeerTls, TlsError> {
        Ok(PeerTls { files: files.clone(), config: RwLock::new(client_config(files)?) })
    }

    /// For a new connection.
    pub fn client_config(&self) -> ClientTlsConfig {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Reload for PeerTls {
    type Error = TlsError;

    const WHAT: &'static str = "certificates for peers";

    fn paths(&self) -> Vec<&Path> {
        paths(&self.files)
    }

    fn reload(&self) -> Result<(), TlsError> {
        let config = client_config(&self.files)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }
}

fn client_config(files: &TlsFiles) -> Result<ClientTlsConfig, TlsError> {
    // Built once for the other direction, because tonic's own errors do not say which file is wrong,
    // and come with the first connection only.
    acceptor(files, &[])?;
    let identity = Identity::from_pem(read("certificate", &files.cert)?, read("key", &files.key)?);
    let mut config = ClientTlsConfig::new().identity(identity);
    if let Some(ca) = &files.ca {
        config = config.ca_certificate(Certificate::from_pem(read("CA", ca)?));
    }
    Ok(config)
}

fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::Read { what, path: path.to_owned(), source })
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let bytes = read(what, path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
    let found = found.map_err(|source| TlsError::Pem { what, path: path.to_owned(), source })?;
    if found.is_empty() {
        return Err(TlsError::Empty { what, path: path.to_owned() });
    }
    Ok(found)
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let bytes = read("key", path)?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|source| TlsError::Pem {
        what: "key",
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_wrong_file_is_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        fs::write(path("own.crt"), own.cert.pem()).unwrap();
        fs::write(path("own.key"), own.signing_key.serialize_pem()).unwrap();
        fs::write(path("other.key"), other.signing_key.serialize_pem()).unwrap();
        fs::write(path("garbage"), "garbage").unwrap();
        let check = |cert: &str, key: &str, ca: Option<&str>, words: &str| {
            let files = TlsFiles { cert: path(cert), key: path(key), ca: ca.map(path) };
            let error = acceptor(&files, &[]).err().unwrap().to_string();
            assert!(error.contains(words), "{error}");
        };
        check("missing", "own.key", None, "missing");
        check("garbage", "own.key", None, "no certificate");
        check("own.crt", "garbage", None, "garbage");
        check("own.crt", "other.key", None, "hint: is");
        check("own.crt", "own.key", Some("garbage"), "CA");
        let files =
            TlsFiles { cert: path("own.crt"), key: path("own.key"), ca: Some(path("own.crt")) };
        acceptor(&files, &[b"h2"]).unwrap();
        PeerTls::load(&files).unwrap();
    }
}

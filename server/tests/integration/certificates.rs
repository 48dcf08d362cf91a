//! Certificates made for a test, as files.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use server::config::TlsFiles;
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// A certificate authority.
pub(crate) struct Authority {
    name: &'static str,
    directory: PathBuf,
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new(directory: &Path, name: &'static str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        std::fs::write(directory.join(format!("{name}.ca")), &pem).unwrap();
        let issuer = Issuer::new(params, key);
        Authority { name, directory: directory.to_owned(), issuer, pem }
    }

    /// A certificate for 127.0.0.1 and its key, as PEM.
    pub(crate) fn issue(&self) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// A certificate of ours, for a server that wants certificates of `ca` from the other side.
    pub(crate) fn files(&self, ca: Option<&Authority>) -> TlsFiles {
        let path = |ending: &str| self.directory.join(format!("{}.{ending}", self.name));
        let (cert, key) = self.issue();
        std::fs::write(path("crt"), cert).unwrap();
        std::fs::write(path("key"), key).unwrap();
        let ca = ca.map(|ca| ca.directory.join(format!("{}.ca", ca.name)));
        TlsFiles { cert: path("crt"), key: path("key"), ca }
    }

    /// The other side, which trusts us, with a certificate of `identity`.
    pub(crate) fn client(&self, identity: Option<&Authority>) -> ClientTlsConfig {
        let config = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&self.pem));
        match identity {
            None => config,
            Some(authority) => {
                let (cert, key) = authority.issue();
                config.identity(Identity::from_pem(cert, key))
            }
        }
    }
}

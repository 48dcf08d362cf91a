//! Whom to speak to, and how.

use std::env;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use proto::client::{Client, ClientIdentity, ClientOptions, ClientTls, Security, Token};

use super::CtlError;
use crate::config::parse_duration;

/// Where the nodes are, if the command line does not say.
const ENDPOINTS_VARIABLE: &str = "BREAKWATER_ENDPOINTS";

/// Whom to speak to, and how.
#[derive(Debug, Clone, Args)]
pub(super) struct ConnectArgs {
    /// Nodes to speak to [default: the environment variable BREAKWATER_ENDPOINTS].
    #[arg(long, value_name = "HOST:PORT,...", value_delimiter = ',', global = true)]
    endpoints: Vec<String>,
    /// File that names the nodes, instead of --endpoints.
    #[arg(long, value_name = "FILE", conflicts_with = "endpoints", global = true)]
    cluster_file: Option<PathBuf>,
    /// How long to try, such as 5s; changes of members may take longer and have 30s by default.
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, global = true)]
    timeout: Option<Duration>,
    /// File with the bearer token.
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    /// Certificate of the authority that vouches for the nodes (PEM); turns TLS on.
    #[arg(long, value_name = "FILE", global = true)]
    ca: Option<PathBuf>,
    /// The client's own certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls-key", requires = "ca", global = true)]
    cert: Option<PathBuf>,
    /// The key of the client's certificate (PEM).
    #[arg(id = "tls-key", long = "key", value_name = "FILE", requires = "cert", global = true)]
    key: Option<PathBuf>,
}

impl ConnectArgs {
    /// A client for keys. The nodes forward its requests to where they belong.
    pub(super) fn client(&self) -> Result<Client, CtlError> {
        let timeout = self.timeout.unwrap_or(Duration::from_secs(5));
        self.with_options(ClientOptions { timeout, ..ClientOptions::new() })
    }

    /// A client for changes of the cluster, which goes to the leader itself, and waits.
    pub(super) fn operator(&self) -> Result<Client, CtlError> {
        let timeout = self.timeout.unwrap_or(Duration::from_secs(30));
        self.with_options(ClientOptions {
            timeout,
            attempt_timeout: timeout,
            follow_leader: true,
            ..ClientOptions::new()
        })
    }

    /// A client of each node, for those who want to hear them all.
    pub(super) fn clients(&self) -> Result<Vec<(String, Client)>, CtlError> {
        let timeout = self.timeout.unwrap_or(Duration::from_secs(2));
        let options =
            ClientOptions { security: self.security()?, ..ClientOptions::single_attempt(timeout) };
        let addresses = match &self.cluster_file {
            Some(path) => {
                let file = proto::client::ClusterFile::read(path).map_err(usage)?;
                file.nodes.into_values().collect()
            }
            None => self.endpoints()?,
        };
        let client = |address: String| {
            let client = Client::new(vec![address.clone()], options.clone());
            (address, client)
        };
        Ok(addresses.into_iter().map(client).collect())
    }

    fn with_options(&self, mut options: ClientOptions) -> Result<Client, CtlError> {
        options.security = self.security()?;
        match &self.cluster_file {
            Some(path) => Client::from_cluster_file(path, options).map_err(usage),
            None => Ok(Client::new(self.endpoints()?, options)),
        }
    }

    fn security(&self) -> Result<Security, CtlError> {
        let identity = match (&self.cert, &self.key) {
            (Some(certificate), Some(key)) => {
                Some(ClientIdentity { certificate: certificate.clone(), key: key.clone() })
            }
            (None, None) => None,
            _ => return Err(CtlError::Usage("--cert and --key go together".to_owned())),
        };
        let tls = self.ca.clone().map(|ca| ClientTls { ca, identity, domain: None });
        Ok(Security { tls, token: self.token_file.clone().map(Token::File) })
    }

    fn endpoints(&self) -> Result<Vec<String>, CtlError> {
        let endpoints = if self.endpoints.is_empty() {
            let variable = env::var(ENDPOINTS_VARIABLE).unwrap_or_default();
            variable.split(',').map(|it| it.trim().to_owned()).collect()
        } else {
            self.endpoints.clone()
        };
        let endpoints: Vec<String> = endpoints.into_iter().filter(|it| !it.is_empty()).collect();
        if endpoints.is_empty() {
            return Err(CtlError::Usage(format!(
                "no node to speak to\n\
                 hint: give --endpoints HOST:PORT,... or --cluster-file FILE, or set {ENDPOINTS_VARIABLE}"
            )));
        }
        for endpoint in &endpoints {
            let port = endpoint.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
            if port.is_none() {
                return Err(CtlError::Usage(format!("{endpoint:?} is not of the form HOST:PORT")));
            }
        }
        Ok(endpoints)
    }
}

fn usage(error: impl std::fmt::Display) -> CtlError {
    CtlError::Usage(error.to_string())
}

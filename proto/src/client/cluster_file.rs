//! A file that says where the nodes are, and is read again when it changes.
//!
//! ```toml
//! [nodes]
//! 1 = "10.0.0.1:7001"
//! 2 = "10.0.0.2:7001"
//!
//! [security]                 # all of it optional; paths are relative to this file
//! ca = "ca.pem"
//! certificate = "client.pem"
//! key = "client.key"
//! domain = "store.example"
//! token-file = "token"
//! ```
//!
//! A file whose name ends in `.json` holds the same as JSON.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;

use super::options::{ClientIdentity, ClientTls, Security, Token};

/// The file is looked at before an operation, but not more often than this.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A cluster file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterFileError {
    /// It cannot be read.
    #[error("read {path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is no TOML or JSON of the expected shape.
    #[error("{path}: {reason}\nhint: a cluster file has a table [nodes] with lines like 1 = \"host:port\"", path = path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// What a cluster file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterFile {
    /// Address, `host:port`, of each node by its name.
    pub nodes: BTreeMap<String, String>,
    /// How to speak to them, if the file says.
    pub security: Option<Security>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Document {
    nodes: BTreeMap<String, String>,
    security: Option<SecurityTable>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct SecurityTable {
    ca: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    domain: Option<String>,
    token_file: Option<PathBuf>,
}

impl ClusterFile {
    /// Reads a cluster file.
    pub fn read(path: &Path) -> Result<ClusterFile, ClusterFileError> {
        let text = fs::read_to_string(path)
            .map_err(|source| ClusterFileError::Read { path: path.to_owned(), source })?;
        ClusterFile::parse(path, &text)
    }

    /// The content of a cluster file. Its path says what form it has, and where the files are that
    /// it names.
    pub fn parse(path: &Path, text: &str) -> Result<ClusterFile, ClusterFileError> {
        let malformed = |reason| ClusterFileError::Malformed { path: path.to_owned(), reason };
        let is_json = path.extension().is_some_and(|extension| extension == "json");
        let document: Document = if is_json {
            serde_json::from_str(text).map_err(|error| malformed(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| malformed(error.to_string()))?
        };
        if document.nodes.is_empty() {
            return Err(malformed("there are no nodes".to_owned()));
        }
        let folder = path.parent().unwrap_or(Path::new(""));
        let security = document.security.map(|table| table.resolve(folder));
        let security = security.transpose().map_err(malformed)?;
        Ok(ClusterFile { nodes: document.nodes, security })
    }
}

impl SecurityTable {
    fn resolve(self, folder: &Path) -> Result<Security, String> {
        let identity = match (self.certificate, self.key) {
            (Some(certificate), Some(key)) => Some(ClientIdentity {
                certificate: folder.join(certificate),
                key: folder.join(key),
            }),
            (None, None) => None,
            _ => return Err("a certificate needs its key, and a key its certificate".to_owned()),
        };
        let tls = match self.ca {
            Some(ca) => Some(ClientTls { ca: folder.join(ca), identity, domain: self.domain }),
            None if identity.is_some() || self.domain.is_some() => {
                return Err("a certificate or domain without `ca` makes no TLS".to_owned());
            }
            None => None,
        };
        Ok(Security { tls, token: self.token_file.map(|path| Token::File(folder.join(path))) })
    }
}

/// A cluster file that is looked at now and then.
#[derive(Debug)]
pub(super) struct ClusterWatch {
    path: PathBuf,
    looked: Instant,
    changed: Option<SystemTime>,
    content: ClusterFile,
    interval: Duration,
}

impl ClusterWatch {
    pub(super) fn open(path: &Path) -> Result<ClusterWatch, ClusterFileError> {
        // The time is taken first: a change in between is then found by the next look.
        let changed = modified(path);
        let content = ClusterFile::read(path)?;
        let (path, looked) = (path.to_owned(), Instant::now());
        Ok(ClusterWatch { path, looked, changed, content, interval: LOOK_INTERVAL })
    }

    pub(super) fn content(&self) -> &ClusterFile {
        &self.content
    }

    /// What the file says now, if it says something else than before. A file that cannot be read
    /// for now changes nothing: it may be half written.
    pub(super) fn look(&mut self, now: Instant) -> Option<&ClusterFile> {
        if now.saturating_duration_since(self.looked) < self.interval {
            return None;
        }
        self.looked = now;
        let changed = modified(&self.path);
        if changed == self.changed {
            return None;
        }
        let content = ClusterFile::read(&self.path).ok()?;
        self.changed = changed;
        if content == self.content {
            return None;
        }
        self.content = content;
        Some(&self.content)
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|it| it.modified()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a small file");
        (folder, path)
    }

    #[test]
    fn toml_and_json_say_the_same() {
        let (folder, path) = file(
            "c.toml",
            "[nodes]\n1 = \"a:1\"\ntwo = \"b:2\"\n[security]\nca = \"ca.pem\"\ntoken-file = \"/t\"",
        );
        let toml = ClusterFile::read(&path).expect("a good file");
        assert_eq!(toml.nodes.values().collect::<Vec<_>>(), ["a:1", "b:2"]);
        let security = toml.security.clone().expect("security");
        assert_eq!(security.tls.expect("TLS").ca, folder.path().join("ca.pem"));
        assert_eq!(security.token, Some(Token::File("/t".into())));

        let json = folder.path().join("c.json");
        let text =
            r#"{"nodes":{"1":"a:1","two":"b:2"},"security":{"ca":"ca.pem","token-file":"/t"}}"#;
        fs::write(&json, text).expect("a small file");
        assert_eq!(ClusterFile::read(&json).expect("a good file"), toml);
    }

    #[test]
    fn nonsense_is_refused_with_the_files_name() {
        for text in ["", "[nodes]", "nodes = 1", "[nodes]\n1 = \"a:1\"\n[security]\nkey = \"k\""] {
            let (_folder, path) = file("c.toml", text);
            let error = ClusterFile::read(&path).expect_err("nonsense").to_string();
            assert!(error.contains("c.toml") && error.contains("hint: "), "{error}");
        }
    }

    #[test]
    fn a_change_is_seen_at_the_next_look_and_a_broken_file_changes_nothing() {
        let (_folder, path) = file("c.toml", "[nodes]\n1 = \"a:1\"");
        let mut watch = ClusterWatch::open(&path).expect("a good file");
        let later = |seconds| Instant::now() + Duration::from_secs(seconds);
        let touch = |text: &str, seconds| {
            fs::write(&path, text).expect("a small file");
            let time = SystemTime::now() + Duration::from_secs(seconds);
            fs::File::options()
                .append(true)
                .open(&path)
                .and_then(|file| file.set_modified(time))
                .expect("set the time");
        };
        assert_eq!(watch.look(later(2)), None);
        touch("[nodes]\n1 = \"b:2\"", 10);
        assert_eq!(watch.look(Instant::now()), None, "it looks once a second only");
        let seen = watch.look(later(4)).expect("a change");
        assert_eq!(seen.nodes["1"], "b:2");
        touch("[nod", 20);
        assert_eq!(watch.look(later(6)), None);
        touch("[nodes]\n1 = \"c:3\"", 30);
        assert!(watch.look(later(8)).is_some());
    }
}

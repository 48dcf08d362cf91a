//! The file of an adapter, and what it says with the names filled in.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use workloads::registry::WORKLOADS;

use crate::platform::find_program;
use crate::system::NodeContext;

/// Names that stand for something; the first one everywhere, the others only where a node is meant.
const PLACEHOLDERS: &[&str] =
    &["here", "node", "number", "ip", "port", "data", "peers", "peer-addresses", "peer-ips"];

/// A system that is known by its file only.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Adapter {
    /// Names of workloads that its program understands.
    #[serde(default)]
    pub workloads: Vec<String>,
    #[serde(default)]
    node: Node,
    /// In place of `node`: a cluster that runs already.
    pub external: Option<ExternalNodes>,
    #[serde(default)]
    client: Client,
    #[serde(default, rename = "fault")]
    faults: Vec<FaultCommand>,
    /// The folder of the file.
    #[serde(skip)]
    here: PathBuf,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Node {
    /// Program and arguments.
    start: Vec<String>,
    /// Written before the first start.
    #[serde(default)]
    files: Vec<File>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    path: String,
    text: String,
}

/// Nodes that somebody else runs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExternalNodes {
    /// Of clients, one for each node.
    pub addresses: Vec<SocketAddr>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    /// Program and arguments.
    #[serde(default)]
    run: Vec<String>,
    /// In its place: a system that the harness knows.
    protocol: Option<String>,
}

/// A fault by commands.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultCommand {
    /// In words.
    pub name: String,
    /// Program and arguments that break something; status 0 says that it is seen to be broken.
    pub install: Vec<String>,
    /// Program and arguments that undo it; status 0 says that it is seen to be undone.
    pub heal: Vec<String>,
}

/// A file that is no adapter.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// It cannot be read.
    #[error("read the adapter {path}: {source}")]
    Read {
        /// Which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// It says something else.
    #[error("{path}: {reason}\nhint: harness/ADAPTERS.md has the manual")]
    Malformed {
        /// Which file.
        path: String,
        /// With line and column.
        reason: String,
    },
}

impl Adapter {
    /// Reads a file.
    pub fn read(path: &Path) -> Result<Adapter, AdapterError> {
        let name = path.display().to_string();
        let read = |source| AdapterError::Read { path: name.clone(), source };
        let text = std::fs::read_to_string(path).map_err(read)?;
        let malformed = |reason: String| AdapterError::Malformed { path: name.clone(), reason };
        let mut adapter: Adapter =
            toml::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        adapter.check().map_err(&malformed)?;
        let whole = std::path::absolute(path).map_err(read)?;
        adapter.here = whole.parent().map(Path::to_path_buf).unwrap_or_default();
        adapter.check_client_program().map_err(malformed)?;
        let filled = adapter.faults.iter().map(|fault| FaultCommand {
            name: fault.name.clone(),
            install: fault.install.iter().map(|word| adapter.fill_here(word)).collect(),
            heal: fault.heal.iter().map(|word| adapter.fill_here(word)).collect(),
        });
        adapter.faults = filled.collect();
        Ok(adapter)
    }

    /// The error says what is wrong with it.
    fn check(&self) -> Result<(), String> {
        match &self.external {
            None if self.node.start.is_empty() => {
                return Err("`start` of [node] is missing: the program of a node".to_owned());
            }
            Some(external) if external.addresses.is_empty() => {
                return Err("external.addresses names no node".to_owned());
            }
            Some(_) if !self.node.start.is_empty() => {
                return Err("nodes are started ([node]) or there already ([external])".to_owned());
            }
            None | Some(_) => {}
        }
        match (&self.client.protocol, self.external.is_some()) {
            (None, _) if self.client.run.is_empty() => {
                return Err("`run` of [client] is missing: the client program".to_owned());
            }
            (Some(_), false) => {
                return Err("client.protocol is for [external] nodes only".to_owned());
            }
            (Some(_), true) if !self.client.run.is_empty() => {
                return Err("client.run and client.protocol are two clients".to_owned());
            }
            (Some(_), true) => {}
            (None, _) if self.workloads.is_empty() => {
                return Err(
                    "`workloads` is missing: those that the client program understands".to_owned()
                );
            }
            (None, _) => {}
        }
        let known = || WORKLOADS.iter().map(|workload| workload.name);
        if let Some(name) = self.workloads.iter().find(|name| !known().any(|it| it == *name)) {
            let known = known().collect::<Vec<_>>().join(", ");
            return Err(format!("`workloads` has {name:?}, which is none; there are {known}"));
        }
        self.check_placeholders()?;
        let is_whole = |fault: &FaultCommand| !fault.install.is_empty() && !fault.heal.is_empty();
        match self.faults.iter().find(|fault| !is_whole(fault)) {
            Some(fault) => Err(format!("the fault {:?} needs install and heal", fault.name)),
            None => Ok(()),
        }
    }

    /// A name in braces that stands for nothing is a mistake, except in the text of files, which have braces of
    /// their own.
    fn check_placeholders(&self) -> Result<(), String> {
        let paths = self.node.files.iter().map(|file| &file.path);
        let of_nodes = self.node.start.iter().chain(paths);
        let of_faults =
            self.faults.iter().flat_map(|fault| fault.install.iter().chain(&fault.heal));
        let of_clients = self.client.run.iter().chain(of_faults);
        let places = of_nodes
            .map(|word| (word, PLACEHOLDERS))
            .chain(of_clients.map(|word| (word, &PLACEHOLDERS[..1])));
        for (word, known) in places {
            if let Some(name) = names_in_braces(word).find(|name| !known.contains(name)) {
                let known = known.iter().map(|name| format!("{{{name}}}"));
                let known = known.collect::<Vec<_>>().join(", ");
                return Err(format!(
                    "{{{name}}} in {word:?} stands for nothing; there are {known}"
                ));
            }
        }
        Ok(())
    }

    /// Is there a client program to be run, as far as can be seen before?
    fn check_client_program(&self) -> Result<(), String> {
        let argv = self.client_argv();
        match argv.first() {
            Some(program) if find_program(OsStr::new(program)).is_err() => Err(format!(
                "`run` of [client]: there is no program {program} that can be executed{}",
                if program.contains('/') { "" } else { " on the PATH" }
            )),
            Some(_) | None => Ok(()),
        }
    }

    /// The system that speaks to the nodes, if no program does.
    pub fn protocol(&self) -> Option<&str> {
        self.client.protocol.as_deref()
    }

    /// Faults by commands.
    pub fn fault_commands(&self) -> &[FaultCommand] {
        &self.faults
    }

    pub(super) fn node_argv(&self, context: &NodeContext) -> Vec<String> {
        self.node.start.iter().map(|word| self.fill(word, context)).collect()
    }

    /// Paths and texts.
    pub(super) fn files(&self, context: &NodeContext) -> Vec<(String, String)> {
        let files = self.node.files.iter();
        files.map(|file| (self.fill(&file.path, context), self.fill(&file.text, context))).collect()
    }

    pub(super) fn client_argv(&self) -> Vec<String> {
        self.client.run.iter().map(|word| self.fill_here(word)).collect()
    }

    fn fill_here(&self, text: &str) -> String {
        text.replace("{here}", &self.here.display().to_string())
    }

    fn fill(&self, text: &str, context: &NodeContext) -> String {
        let joined = |name: fn(&(String, std::net::SocketAddr)) -> String| {
            let peers = context.peers.iter().map(|(node, &at)| name(&(node.to_string(), at)));
            peers.collect::<Vec<_>>().join(",")
        };
        self.fill_here(text)
            .replace("{node}", &context.node.to_string())
            .replace("{number}", &context.node.0.to_string())
            .replace("{ip}", &context.listen.ip().to_string())
            .replace("{port}", &context.listen.port().to_string())
            .replace("{data}", &context.data.display().to_string())
            .replace("{peers}", &joined(|(node, at)| format!("{node}={at}")))
            .replace("{peer-addresses}", &joined(|(_, at)| at.to_string()))
            .replace("{peer-ips}", &joined(|(_, at)| at.ip().to_string()))
    }
}

/// `ip` and `port` of `{ip}:{port}`; nothing of `${variable}`, `{}` or `{"json": 1}`.
fn names_in_braces(word: &str) -> impl Iterator<Item = &str> {
    word.match_indices('{').filter_map(|(at, _)| {
        let name = &word[at + 1..][..word[at + 1..].find('}')?];
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        (is_name && !word[..at].ends_with('$')).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node_id::NodeId;

    const FILE: &str = r#"
workloads = ["register"]
[node]
start = ["{here}/store", "{node}", "{number}", "{ip}:{port}", "{data}", "{peers}", "{peer-ips}"]
files = [{ path = "{data}/store.conf", text = "peers={peer-addresses}" }]
[client]
run = ["python3", "{here}/client.py"]
"#;

    fn read(text: &str) -> Result<Adapter, AdapterError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adapter.toml");
        std::fs::write(&path, text).unwrap();
        Adapter::read(&path)
    }

    #[test]
    fn names_are_filled_in() {
        let adapter = read(FILE).unwrap();
        let here = adapter.here.display();
        let at = |number: u16| format!("10.0.0.{number}:7001").parse().unwrap();
        let context = NodeContext {
            node: NodeId(2),
            listen: at(2),
            peers: [(NodeId(1), at(1)), (NodeId(2), at(2))].into(),
            data: "/data/n2".into(),
            log: "/log".into(),
            joins: false,
        };
        let expected = [
            &format!("{here}/store"),
            "n2",
            "2",
            "10.0.0.2:7001",
            "/data/n2",
            "n1=10.0.0.1:7001,n2=10.0.0.2:7001",
            "10.0.0.1,10.0.0.2",
        ];
        assert_eq!(adapter.node_argv(&context), expected);
        let (path, text) = &adapter.files(&context)[0];
        assert_eq!(
            (path.as_str(), text.as_str()),
            ("/data/n2/store.conf", "peers=10.0.0.1:7001,10.0.0.2:7001")
        );
        assert_eq!(adapter.client_argv(), ["python3", &format!("{here}/client.py")]);
    }

    const EXTERNAL: &str = r#"
[external]
addresses = ["10.0.0.1:2379", "10.0.0.2:2379"]
[client]
protocol = "etcd"
[[fault]]
name = "cut"
install = ["{here}/cut"]
heal = ["{here}/join"]
"#;

    #[test]
    fn a_cluster_of_somebody_else_needs_no_program() {
        let adapter = read(EXTERNAL).unwrap();
        assert_eq!(adapter.external.as_ref().unwrap().addresses.len(), 2);
        assert_eq!(adapter.protocol(), Some("etcd"));
        let fault = &adapter.fault_commands()[0];
        assert_eq!(fault.install, [format!("{}/cut", adapter.here.display())]);
        let refused = |text: String| read(&text).unwrap_err().to_string();
        assert!(refused(EXTERNAL.replace("protocol", "run")).contains("line"));
        let nobody = EXTERNAL.replace(r#"protocol = "etcd""#, "");
        assert!(refused(nobody).contains("`run` of [client] is missing"));
        let half = EXTERNAL.replace(r#"["{here}/join"]"#, "[]");
        assert!(refused(half).contains("\"cut\" needs install and heal"));
        let both = format!("{FILE}\n[external]\naddresses = ['10.0.0.1:1']");
        assert!(refused(both).contains("or there already"));
    }

    #[test]
    fn what_is_no_adapter_is_refused_with_its_place() {
        let error = read("workloads = 3").unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
        let nothing = FILE.replace(r#"["python3", "{here}/client.py"]"#, "[]");
        let refused = |text: &str| read(text).unwrap_err().to_string();
        assert!(refused(&nothing).contains("`run` of [client] is missing"));
        let misspelt = refused(&FILE.replace(r#"["register"]"#, r#"["register", "sett"]"#));
        assert!(misspelt.contains("has \"sett\", which is none; there are"), "{misspelt}");
        let nowhere = refused(&FILE.replace("python3", "no-such-program"));
        assert!(nowhere.contains("no program no-such-program"), "{nowhere}");
        let unknown = refused(&FILE.replace("{data}\", \"{peers}", "{dir}\", \"{peers}"));
        assert!(unknown.contains("{dir} in \"{dir}\" stands for nothing"), "{unknown}");
        let of_client = refused(&FILE.replace("{here}/client.py", "{ip}"));
        assert!(of_client.ends_with("there are {here}\nhint: harness/ADAPTERS.md has the manual"));
    }

    #[test]
    fn braces_of_others_are_left_alone() {
        let names = |word| names_in_braces(word).collect::<Vec<_>>();
        assert_eq!(names("{ip}:{port}"), ["ip", "port"]);
        assert_eq!(names("${home} {} {\"a\": 1} {Upper} {open"), Vec::<&str>::new());
    }
}

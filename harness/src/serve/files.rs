//! Files of runs, and of nothing else.

use std::io;
use std::path::{Component, Path, PathBuf};

/// Larger files are read with other tools.
const SIZE_MAX: u64 = 512 << 20;

/// What an address leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// A file, with its content type.
    File(PathBuf, &'static str),
    /// A folder, with what is in it; folders end with a slash.
    Folder(Vec<String>),
}

/// Why there is nothing to show.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotServed {
    /// Not there, or not for this server to show: the two look the same from outside.
    #[error("there is no such file here")]
    Missing,
    /// Too large.
    #[error("the file has more than {} MiB; open it where it lies", SIZE_MAX >> 20)]
    TooLarge,
    /// The system cannot read it.
    #[error("read it: {0}")]
    Read(#[from] io::Error),
}

/// Looks a path up below `root`, which has no links in it.
pub(super) fn find(root: &Path, path: &str) -> Result<Found, NotServed> {
    let real = resolve(root, path)?;
    let metadata = std::fs::metadata(&real)?;
    if metadata.is_dir() {
        let mut names: Vec<String> = std::fs::read_dir(&real)?
            .flatten()
            .map(|entry| {
                let name = entry.file_name().to_string_lossy().into_owned();
                if entry.path().is_dir() { format!("{name}/") } else { name }
            })
            .filter(|name| !name.starts_with('.'))
            .collect();
        names.sort();
        return Ok(Found::Folder(names));
    }
    // A pipe or a device would never end.
    if !metadata.is_file() {
        return Err(NotServed::Missing);
    }
    if metadata.len() > SIZE_MAX {
        return Err(NotServed::TooLarge);
    }
    let content = content_type(&real);
    Ok(Found::File(real, content))
}

/// The real path, if it is below `root`.
pub(super) fn resolve(root: &Path, path: &str) -> Result<PathBuf, NotServed> {
    let relative = Path::new(path.trim_matches('/'));
    let is_plain = |part: Component<'_>| match part {
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        Component::Prefix(_) | Component::RootDir | Component::CurDir | Component::ParentDir => {
            false
        }
    };
    if path.contains('\0') || !relative.components().all(is_plain) {
        return Err(NotServed::Missing);
    }
    // A link may lead out although its path does not.
    let real = std::fs::canonicalize(root.join(relative)).map_err(|_| NotServed::Missing)?;
    match real.starts_with(root) {
        true => Ok(real),
        false => Err(NotServed::Missing),
    }
}

/// Only pages that the harness wrote are markup; whatever a node wrote is text.
fn content_type(path: &Path) -> &'static str {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let is_of_node = path.components().any(|part| part.as_os_str() == "nodes");
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") if !is_of_node => "text/html; charset=utf-8",
        Some("json") => "application/json",
        Some("xml") => "application/xml",
        Some("jsonl" | "txt" | "log" | "toml") => "text/plain; charset=utf-8",
        None if name == "log" => "text/plain; charset=utf-8",
        Some(_) | None => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let outer = tempfile::tempdir().unwrap();
        let root = std::fs::canonicalize(outer.path()).unwrap().join("results");
        std::fs::create_dir_all(root.join("a/nodes/n1")).unwrap();
        std::fs::write(root.join("../secret"), "x").unwrap();
        std::fs::write(root.join("a/report.html"), "x").unwrap();
        std::fs::write(root.join("a/nodes/n1/x.html"), "x").unwrap();
        std::fs::write(root.join("a/.hidden"), "x").unwrap();
        std::os::unix::fs::symlink("../secret", root.join("out")).unwrap();
        std::os::unix::fs::symlink("a", root.join("latest")).unwrap();
        (outer, root)
    }

    #[test]
    fn no_path_leads_out() {
        let (_outer, root) = folder();
        for path in [
            "../secret",
            "a/../../secret",
            "/etc/passwd",
            "out",
            "a/.hidden",
            "a\0",
            "..",
            "a/./..",
        ] {
            assert!(matches!(find(&root, path), Err(NotServed::Missing)), "{path} was served");
        }
    }

    #[test]
    fn files_are_found_also_by_links_that_stay_inside() {
        let (_outer, root) = folder();
        let page = "text/html; charset=utf-8";
        let real = root.join("a/report.html");
        assert_eq!(find(&root, "latest/report.html").unwrap(), Found::File(real, page));
        let names = vec!["nodes/".to_owned(), "report.html".to_owned()];
        assert_eq!(find(&root, "a/").unwrap(), Found::Folder(names));
    }

    #[test]
    fn what_a_node_wrote_is_never_markup() {
        let (_outer, root) = folder();
        let found = find(&root, "a/nodes/n1/x.html").unwrap();
        assert!(matches!(found, Found::File(_, "application/octet-stream")));
    }
}

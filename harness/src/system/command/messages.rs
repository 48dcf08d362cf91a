//! What client programs write to stderr: shown line by line, each with its writer, and kept.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::unix::pipe;

use crate::output;

/// The file in the folder of the run.
pub(super) const FILE: &str = "clients.log";
/// What is longer goes on in a line of its own.
const LINE_BYTES_MAX: u64 = 8 << 10;

/// Where messages go. Shared by all programs of a run.
#[derive(Debug, Clone, Default)]
pub(super) struct Messages {
    path: Option<PathBuf>,
    /// None until there is something to keep.
    file: Arc<Mutex<Option<File>>>,
}

impl Messages {
    /// In a file that is made with the first of them, if it is to be there at all.
    pub(super) fn new(path: Option<PathBuf>) -> Messages {
        Messages { path, file: Arc::default() }
    }

    /// Takes what comes out of a pipe until it ends, on the side.
    pub(super) fn take(&self, writer: String, pipe: OwnedFd) -> io::Result<()> {
        let pipe = pipe::Receiver::from_owned_fd(pipe)?;
        tokio::spawn(self.clone().read(writer, pipe));
        Ok(())
    }

    async fn read(self, writer: String, pipe: pipe::Receiver) {
        let mut pipe = BufReader::new(pipe);
        let mut line = Vec::new();
        while let Ok(1..) = (&mut pipe).take(LINE_BYTES_MAX).read_until(b'\n', &mut line).await {
            self.show(&format!("{writer}: {}", String::from_utf8_lossy(&line).trim_end()));
            line.clear();
        }
    }

    fn show(&self, line: &str) {
        output::note(line);
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(path)) = (file.as_ref(), &self.path) {
            // Without the file they were shown at least.
            *file = OpenOptions::new().create(true).append(true).open(path).ok();
        }
        if let Some(file) = file.as_mut() {
            let _ = writeln!(file, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn each_line_is_kept_with_its_writer() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let messages = Messages::new(Some(path.clone()));
        let (mut writer, reader) = pipe::pipe().unwrap();
        let text = b"connects\nbad \xff byte\nwithout its end";
        tokio::io::AsyncWriteExt::write_all(&mut writer, text).await.unwrap();
        drop(writer);
        assert!(!path.exists());
        messages.read("client of n2 [7]".to_owned(), reader).await;
        let kept = std::fs::read_to_string(path).unwrap();
        let expected = ["connects", "bad \u{fffd} byte", "without its end"];
        assert_eq!(kept, expected.map(|line| format!("client of n2 [7]: {line}\n")).concat());
    }
}

//! Tokens of clients, and the token of the cluster.
//!
//! ```text
//! # who: what for
//! 0b6e6f9c8d0d4a53 read
//! 6f0c2f2f1a0e4b8f write
//! ```

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use subtle::{Choice, ConstantTimeEq};

use super::reload::Reload;

/// A longer token is refused; it is compared in a field of this size.
const TOKEN_BYTES_MAX: usize = 256;
/// A shorter token could be guessed.
const TOKEN_BYTES_MIN: usize = 8;
/// Tokens in a file: each is compared with each request's.
const TOKENS_MAX: usize = 256;
/// A longer file is no token file.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What a token allows; each right includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// To read keys and look at the cluster.
    Read,
    /// To change keys.
    Write,
    /// To change the cluster.
    Admin,
}

impl Right {
    /// The name in a token file.
    pub fn name(self) -> &'static str {
        match self {
            Right::Read => "read",
            Right::Write => "write",
            Right::Admin => "admin",
        }
    }

    fn from_name(name: &str) -> Option<Right> {
        [Right::Read, Right::Write, Right::Admin].into_iter().find(|right| right.name() == name)
    }
}

/// A token, in a field of fixed size so that a comparison takes the same time whatever is in it.
#[derive(Clone)]
pub struct Secret {
    bytes: [u8; TOKEN_BYTES_MAX],
    length: u64,
}

impl Secret {
    /// None for what is too long.
    pub fn new(token: &[u8]) -> Option<Secret> {
        let mut bytes = [0; TOKEN_BYTES_MAX];
        bytes.get_mut(..token.len())?.copy_from_slice(token);
        Some(Secret { bytes, length: token.len() as u64 })
    }

    /// The token in a file, without the white space around it.
    pub fn load(path: &Path) -> Result<Secret, TokenError> {
        let text = read(path)?;
        let token = text.trim();
        check_length(token).map_err(|reason| TokenError::Line {
            path: path.to_owned(),
            line: 1,
            reason,
        })?;
        let too_long = TokenError::Line { path: path.to_owned(), line: 1, reason: TOO_LONG };
        Secret::new(token.as_bytes()).ok_or(too_long)
    }

    /// Are they the same? Takes the same time whatever the answer is.
    pub fn is(&self, other: &Secret) -> bool {
        self.same(other).into()
    }

    /// As text, to be sent.
    pub fn expose(&self) -> &[u8] {
        let length = usize::try_from(self.length).unwrap_or(0);
        self.bytes.get(..length).unwrap_or(&[])
    }

    fn same(&self, other: &Secret) -> Choice {
        self.bytes.ct_eq(&other.bytes) & self.length.ct_eq(&other.length)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

const TOO_LONG: &str = "the token has more than 256 bytes";

/// Tokens cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("read tokens {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A line makes no sense. The token is never shown.
    #[error(
        "read tokens {}: line {line}: {reason}\nhint: lines look like `TOKEN ROLE`, with the roles \
         read, write and admin",
        path.display()
    )]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// There are none, or more than can be compared.
    #[error("read tokens {}: there are {found} of them, not between 1 and {TOKENS_MAX}", path.display())]
    Count {
        /// The file.
        path: PathBuf,
        /// How many there are.
        found: usize,
    },
}

/// The tokens of clients, as they stand in a file.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    table: RwLock<Arc<Vec<(Secret, Right)>>>,
}

impl Tokens {
    /// Reads the file.
    pub fn load(path: &Path) -> Result<Tokens, TokenError> {
        let table = parse(path, &read(path)?)?;
        Ok(Tokens { path: path.to_owned(), table: RwLock::new(Arc::new(table)) })
    }

    /// What a token allows; none if it is unknown. Compares with all tokens, so that the time
    /// tells nothing about which of them is near.
    pub fn right(&self, token: &Secret) -> Option<Right> {
        let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        let mut found = None;
        for (known, right) in table.iter() {
            if bool::from(known.same(token)) {
                found = Some(*right);
            }
        }
        found
    }
}

impl Reload for Tokens {
    type Error = TokenError;

    const WHAT: &'static str = "tokens";

    fn paths(&self) -> Vec<&Path> {
        vec![&self.path]
    }

    fn reload(&self) -> Result<(), TokenError> {
        let table = Arc::new(parse(&self.path, &read(&self.path)?)?);
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
        Ok(())
    }
}

fn read(path: &Path) -> Result<String, TokenError> {
    let error = |source| TokenError::Read { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(error)?;
    if metadata.len() > FILE_BYTES_MAX {
        return Err(error(std::io::Error::other("the file is longer than 1 MiB")));
    }
    std::fs::read_to_string(path).map_err(error)
}

/// A door for the fuzzer.
#[cfg(any(test, fuzzing))]
pub fn fuzz(text: &str) {
    let _ = parse(Path::new("tokens"), text);
}

fn parse(path: &Path, text: &str) -> Result<Vec<(Secret, Right)>, TokenError> {
    let mut table = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let entry = parse_line(line);
        let error = |reason| TokenError::Line { path: path.to_owned(), line: number, reason };
        table.push(entry.map_err(error)?);
    }
    if table.is_empty() || table.len() > TOKENS_MAX {
        return Err(TokenError::Count { path: path.to_owned(), found: table.len() });
    }
    Ok(table)
}

fn parse_line(line: &str) -> Result<(Secret, Right), &'static str> {
    let mut words = line.split_whitespace();
    let (Some(token), Some(role), None) = (words.next(), words.next(), words.next()) else {
        return Err("there must be two words");
    };
    check_length(token)?;
    let secret = Secret::new(token.as_bytes()).ok_or(TOO_LONG)?;
    Ok((secret, Right::from_name(role).ok_or("there is no such role")?))
}

fn check_length(token: &str) -> Result<(), &'static str> {
    if token.len() < TOKEN_BYTES_MIN {
        return Err("the token has less than 8 bytes");
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("a token has printable ASCII characters only");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn secret(token: &str) -> Secret {
        Secret::new(token.as_bytes()).unwrap()
    }

    #[test]
    fn tokens_have_their_rights_and_nothing_near_them_has_any() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        fs::write(&path, "# comment\n\nreader-token read\n  writer-token\twrite\n").unwrap();
        let tokens = Tokens::load(&path).unwrap();
        assert_eq!(tokens.right(&secret("reader-token")), Some(Right::Read));
        assert_eq!(tokens.right(&secret("writer-token")), Some(Right::Write));
        for wrong in ["", "reader-toke", "reader-token\0", "reader-tokenx", "Reader-token", "#"] {
            assert_eq!(tokens.right(&secret(wrong)), None, "{wrong:?}");
        }
        assert!(Right::Admin > Right::Write && Right::Write > Right::Read);
    }

    #[test]
    fn a_file_that_went_bad_changes_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tokens");
        fs::write(&path, "reader-token read\n").unwrap();
        let tokens = Tokens::load(&path).unwrap();
        fs::write(&path, "reader-token all\n").unwrap();
        tokens.reload().unwrap_err();
        assert_eq!(tokens.right(&secret("reader-token")), Some(Right::Read));
        fs::write(&path, "other-token admin\n").unwrap();
        tokens.reload().unwrap();
        assert_eq!(tokens.right(&secret("reader-token")), None);
        assert_eq!(tokens.right(&secret("other-token")), Some(Right::Admin));
    }

    #[test]
    fn a_wrong_line_is_named_and_its_token_is_not() {
        let check = |text: &str, words: &str| {
            let error = parse(Path::new("tokens"), text).unwrap_err().to_string();
            assert!(error.contains(words) && !error.contains("secret"), "{error}");
        };
        check("secret-token", "line 1: there must be two words");
        check("\nsecret-token write x", "line 2");
        check("secret-token owner", "no such role");
        check("secret read", "less than 8");
        check(&format!("secret{} read", "x".repeat(300)), "more than 256");
        check("secret-tok\u{e9}n read", "ASCII");
        check("# nothing", "there are 0");
        assert_eq!(format!("{:?}", secret("secret-token")), "Secret(..)");
    }

    #[test]
    fn a_clusters_token_is_the_trimmed_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("token");
        fs::write(&path, "cluster-token\n").unwrap();
        let loaded = Secret::load(&path).unwrap();
        assert!(loaded.is(&secret("cluster-token")) && !loaded.is(&secret("cluster-tokens")));
        assert_eq!(loaded.expose(), b"cluster-token");
        fs::write(&path, "short\n").unwrap();
        Secret::load(&path).unwrap_err();
    }
}

//! A node's program, arguments and environment, made ready before the fork: between fork and exec
//! nothing may be allocated.

use std::env;
use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::platform::{NodeCommand, PlatformError};

/// The running program, whatever has become of its file since.
const SELF: &str = "/proc/self/exe";

/// What execve(2) wants.
pub(crate) struct Image {
    program: CString,
    _strings: Vec<CString>,
    arguments: Vec<*const libc::c_char>,
    environment: Vec<*const libc::c_char>,
}

// SAFETY: the pointers lead into `_strings`, whose heap buffers are owned by this value, are never
// changed, and do not move with it.
unsafe impl Send for Image {}

impl Image {
    /// Finds the program on the PATH and lays out the strings.
    pub(crate) fn new(command: &NodeCommand) -> Result<Image, PlatformError> {
        let name = command.argv.first().ok_or_else(|| {
            PlatformError::Unsupported("a node's command needs at least a program".to_owned())
        })?;
        let program = find_program(name).map_err(|error| {
            PlatformError::os(format!("find the program {}", name.display()), error)
        })?;
        let mut strings = vec![c_string(&shown_name(name))?];
        for argument in &command.argv[1..] {
            strings.push(c_string(argument)?);
        }
        let argument_count = strings.len();
        for (key, value) in env::vars_os() {
            let entry = [key.as_bytes(), b"=", value.as_bytes()].concat();
            strings.push(c_string(OsStr::from_bytes(&entry))?);
        }
        let pointers = |strings: &[CString]| {
            let pointers = strings.iter().map(|string| string.as_ptr());
            pointers.chain([std::ptr::null()]).collect::<Vec<_>>()
        };
        let arguments = pointers(&strings[..argument_count]);
        let environment = pointers(&strings[argument_count..]);
        let program = c_string(program.as_os_str())?;
        Ok(Image { program, _strings: strings, arguments, environment })
    }

    /// Becomes the program; returns only if that failed. Async-signal-safe.
    pub(crate) fn exec(&self) -> i32 {
        // SAFETY: all three are zero-terminated: a string, and two arrays of pointers to strings
        // that `self` owns.
        unsafe {
            libc::execve(self.program.as_ptr(), self.arguments.as_ptr(), self.environment.as_ptr());
            *libc::__errno_location()
        }
    }
}

/// What `ps` shows: the path of the harness rather than `/proc/self/exe`.
fn shown_name(name: &OsStr) -> OsString {
    if name == SELF {
        env::current_exe().map_or_else(|_| name.to_owned(), PathBuf::into_os_string)
    } else {
        name.to_owned()
    }
}

/// The file to execute for a name: a path as it is, if it can be executed, or what the PATH has.
pub(crate) fn find_program(name: &OsStr) -> io::Result<PathBuf> {
    if name.as_bytes().contains(&b'/') {
        let path = PathBuf::from(name);
        return match path.metadata()? {
            _ if name == SELF || is_executable(&path) => Ok(path),
            _ => Err(io::Error::new(io::ErrorKind::PermissionDenied, "it cannot be executed")),
        };
    }
    let missing = || io::Error::new(io::ErrorKind::NotFound, "there is none on the PATH");
    find_on_path(name).ok_or_else(missing)
}

/// The first executable file of this name on the PATH, or in the usual places of administrators'
/// programs, which are not on the PATH of an ordinary user.
pub(crate) fn find_on_path(name: &OsStr) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let usual = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path).chain(usual).map(|folder| folder.join(name)).find(|p| is_executable(p))
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

fn c_string(text: &OsStr) -> Result<CString, PlatformError> {
    CString::new(text.as_bytes())
        .map_err(|error| PlatformError::os(format!("pass {}", text.display()), error.into()))
}

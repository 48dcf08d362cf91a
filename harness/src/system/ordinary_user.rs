//! For programs that refuse to run as root, or behave otherwise there.

use std::ffi::OsString;

/// The same command under a user id that is not 0, in a user namespace of its own; files keep their
/// owner. Works for root and for an ordinary user.
pub(super) fn as_ordinary_user(command: Vec<OsString>) -> Vec<OsString> {
    ["unshare", "--user", "--map-user=1000", "--map-group=1000", "--"]
        .into_iter()
        .map(OsString::from)
        .chain(command)
        .collect()
}

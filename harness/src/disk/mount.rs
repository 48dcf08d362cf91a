//! Mounting without a helper program, and letting go at once.

use std::fs::File;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use fuser::{BackgroundSession, Config, Session, SessionACL};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{getegid, geteuid};

use super::file_system::FileSystem;
use super::state::Shared;
use crate::platform::PlatformError;

const DEVICE: &str = "/dev/fuse";
/// Both threads of a file system end at once when the kernel has let go of it, unless the machine has
/// no time for them.
const END_TIMEOUT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// A mounted file system with the threads that serve it.
pub(super) struct Mounted {
    target: PathBuf,
    shared: std::sync::Arc<Shared>,
    session: BackgroundSession,
    late: JoinHandle<()>,
}

impl Mounted {
    /// Mounts on an empty directory. Only in a mount namespace of our own.
    pub(super) fn new(
        target: &Path,
        shared: std::sync::Arc<Shared>,
    ) -> Result<Mounted, PlatformError> {
        let device = mount_device(target)?;
        serve(target, device, shared).map_err(|error| {
            // Left mounted, and served by nobody, it would be in the way of the next attempt.
            let _ = detach(target);
            PlatformError::os(format!("mount a disk on {}", target.display()), error)
        })
    }

    /// Does the kernel get answers? If not, whoever uses the disk is told that it is not connected.
    pub(super) fn is_served(&self) -> bool {
        !self.session.guard.is_finished()
    }

    /// Why nobody serves it any more. Afterwards it is not mounted.
    pub(super) fn give_up(self) -> String {
        let detached = detach(&self.target);
        self.shared.end();
        let why = match self.session.guard.join() {
            Ok(Ok(())) => "its session ended without an error".to_owned(),
            Ok(Err(error)) => format!("its session ended: {error}"),
            Err(_) => "its session panicked".to_owned(),
        };
        match detached {
            Ok(()) => why,
            Err(error) => format!("{why}; {error}"),
        }
    }

    /// The kernel lets go: every request that is open fails, nothing is cached any more.
    pub(super) fn unmount(self) -> Result<(), PlatformError> {
        detach(&self.target)?;
        self.shared.end();
        let deadline = Instant::now() + END_TIMEOUT;
        while !(self.session.guard.is_finished() && self.late.is_finished()) {
            if Instant::now() >= deadline {
                let what = format!("wait for the file system on {}", self.target.display());
                return Err(PlatformError::timeout(what, END_TIMEOUT));
            }
            std::thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

/// Starts the threads that answer the kernel.
fn serve(
    target: &Path,
    device: OwnedFd,
    shared: std::sync::Arc<Shared>,
) -> std::io::Result<Mounted> {
    let files = FileSystem(shared.clone());
    let session = Session::from_fd(files, device, SessionACL::All, Config::default())?.spawn()?;
    let for_late = shared.clone();
    let late = std::thread::Builder::new()
        .name("late-syncs".to_owned())
        .spawn(move || for_late.answer_late())?;
    Ok(Mounted { target: target.to_owned(), shared, session, late })
}

/// Force aborts the connection, also where a node's namespace has a copy of the mount.
fn detach(target: &Path) -> Result<(), PlatformError> {
    umount2(target, MntFlags::MNT_FORCE | MntFlags::MNT_DETACH)
        .map_err(|errno| PlatformError::os(format!("unmount {}", target.display()), errno.into()))
}

/// Mounts and returns the descriptor that requests come from.
fn mount_device(target: &Path) -> Result<OwnedFd, PlatformError> {
    let device = File::options()
        .read(true)
        .write(true)
        .open(DEVICE)
        .map_err(|error| PlatformError::os(format!("open {DEVICE}"), error))?;
    let options = format!(
        "fd={},rootmode=40000,user_id={},group_id={},default_permissions",
        device.as_raw_fd(),
        geteuid(),
        getegid()
    );
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("breakwater"), target, Some("fuse"), flags, Some(options.as_str())).map_err(
        |errno| PlatformError::os(format!("mount FUSE on {}", target.display()), errno.into()),
    )?;
    Ok(device.into())
}

/// Can a file system in user space be mounted here? To be tried in namespaces that are thrown away.
pub(crate) fn try_fuse() -> Result<(), PlatformError> {
    // A tmpfs by then, see `namespaces::enter::furnish`.
    let target = Path::new("/run/fuse");
    std::fs::create_dir_all(target)
        .map_err(|error| PlatformError::os(format!("create {}", target.display()), error))?;
    mount_device(target).map(drop)
}

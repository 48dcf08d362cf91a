//! The page that sets a clock, and the file in memory that it is shared through.

use std::ffi::c_void;
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::{ClockSetting, SetClock, image, real_time};
use crate::platform::PlatformError;

/// Bytes of a page, and at most of the image.
pub(super) const PAGE: usize = 4096;

/// The page as `image.s` reads it.
#[repr(C)]
#[derive(Debug)]
struct Shared {
    sequence: AtomicU32,
    since: AtomicI64,
    offset: AtomicI64,
    drift: AtomicI64,
    half_period: AtomicU64,
    swing: AtomicI64,
}

/// One clock: a page, with the image behind it in the same file.
#[derive(Debug)]
pub(crate) struct ClockPage {
    file: File,
    shared: NonNull<Shared>,
    /// Taken by whoever writes; what the page says, in a form that can be read back.
    current: Mutex<SetClock>,
}

// SAFETY: the mapping is owned by this value and holds atomics only.
unsafe impl Send for ClockPage {}
// SAFETY: as above; writers take the mutex.
unsafe impl Sync for ClockPage {}

impl ClockPage {
    /// A true clock.
    ///
    /// # Errors
    /// There is no image for this processor, or the kernel has no memory for a file.
    pub(crate) fn new() -> Result<ClockPage, PlatformError> {
        let os = |what: &'static str| move |source| PlatformError::os(what, source);
        let image = image::bytes()?;
        let file: File = memfd_create(c"breakwater-clock", MFdFlags::MFD_CLOEXEC)
            .map_err(|errno| PlatformError::os("make a file in memory", errno.into()))?
            .into();
        file.set_len(2 * PAGE as u64).map_err(os("make room for a clock"))?;
        file.write_all_at(image, PAGE as u64).map_err(os("write the image of a clock"))?;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: a new mapping, at an address of the kernel's choice, of a file that is long enough.
        let mapped = unsafe {
            let (here, fd) = (std::ptr::null_mut(), file.as_raw_fd());
            libc::mmap(here, PAGE, access, libc::MAP_SHARED, fd, 0)
        };
        if mapped == libc::MAP_FAILED {
            return Err(PlatformError::last_os("map the page of a clock"));
        }
        let shared = NonNull::new(mapped.cast()).expect("mmap never returns null unless asked");
        let current = Mutex::new(SetClock { setting: ClockSetting::TRUE, since: real_time() });
        Ok(ClockPage { file, shared, current })
    }

    /// The file: a page, and the image.
    pub(crate) fn file(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }

    /// Changes what it shows. Readers wait for the few stores that this takes.
    pub(crate) fn set(&self, setting: ClockSetting) -> SetClock {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: mapped and aligned for as long as self lives; the kernel has filled it with zeros,
        // which are valid.
        let shared = unsafe { self.shared.as_ref() };
        let strobe = setting.strobe.filter(|strobe| strobe.half_period > 0);
        shared.sequence.fetch_add(1, Ordering::SeqCst);
        let since = real_time();
        shared.since.store(since, Ordering::SeqCst);
        shared.offset.store(setting.offset, Ordering::SeqCst);
        shared.drift.store(setting.drift_fixed_point(), Ordering::SeqCst);
        let half_period = strobe.map_or(0, |strobe| strobe.half_period);
        shared.half_period.store(half_period, Ordering::SeqCst);
        shared.swing.store(strobe.map_or(0, |strobe| strobe.swing), Ordering::SeqCst);
        shared.sequence.fetch_add(1, Ordering::SeqCst);
        *current = SetClock { setting, since };
        *current
    }

    /// What was set last.
    pub(crate) fn current(&self) -> SetClock {
        *self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ClockPage {
    fn drop(&mut self) {
        // SAFETY: this mapping is ours, and nothing refers to it any more.
        unsafe { libc::munmap(self.shared.as_ptr().cast::<c_void>(), PAGE) };
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;
    use crate::platform::clock::Strobe;

    const SECOND: i64 = 1_000_000_000;

    /// Page and image, mapped as a node has them.
    struct Mapped(*mut c_void);

    impl Mapped {
        fn new(page: &ClockPage) -> Mapped {
            let fd = page.file().as_raw_fd();
            // SAFETY: the second mapping replaces the first page of the first one.
            unsafe {
                let access = libc::PROT_READ | libc::PROT_EXEC;
                let none = std::ptr::null_mut();
                let base = libc::mmap(none, 2 * PAGE, access, libc::MAP_PRIVATE, fd, 0);
                assert_ne!(base, libc::MAP_FAILED);
                let flags = libc::MAP_SHARED | libc::MAP_FIXED;
                let shared = libc::mmap(base, PAGE, libc::PROT_READ, flags, fd, 0);
                assert_eq!(shared, base);
                Mapped(base)
            }
        }

        /// The function of this number in the table of symbols.
        fn function(&self, number: usize) -> *const c_void {
            let image = image::bytes().expect("this is x86-64");
            // The table of symbols follows two program headers and a hash table of 28 bytes.
            let symbols = (64 + 2 * 56 + 28_usize).next_multiple_of(8);
            let value = &image[symbols + number * 24 + 8..][..8];
            let offset = u64::from_le_bytes(value.try_into().expect("eight bytes"));
            // SAFETY: the offset is within the image.
            unsafe { self.0.byte_add(PAGE + usize::try_from(offset).expect("small")) }
        }

        /// How far a clock is ahead of the real one (nanoseconds).
        fn ahead(&self, clock: i32) -> i64 {
            // SAFETY: the symbol is this function.
            let clock_gettime: extern "C" fn(i32, *mut libc::timespec) -> i32 =
                unsafe { std::mem::transmute(self.function(1)) };
            let mut shown = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            let mut real = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            assert_eq!(clock_gettime(clock, &raw mut shown), 0);
            // SAFETY: `real` can be written to.
            assert_eq!(unsafe { libc::clock_gettime(clock, &raw mut real) }, 0);
            assert!((0..SECOND).contains(&shown.tv_nsec), "{}", shown.tv_nsec);
            (shown.tv_sec - real.tv_sec) * SECOND + shown.tv_nsec - real.tv_nsec
        }
    }

    impl Drop for Mapped {
        fn drop(&mut self) {
            // SAFETY: nobody calls into it any more.
            unsafe { libc::munmap(self.0, 2 * PAGE) };
        }
    }

    /// Within the time that a busy machine may take between two calls.
    #[track_caller]
    fn check(found: i64, expected: i64) {
        assert!((found - expected).abs() < SECOND / 4, "{found} instead of {expected}");
    }

    #[test]
    fn the_wall_clock_moves_by_what_was_set_and_the_others_do_not() {
        let page = ClockPage::new().expect("a clock can be made");
        let mapped = Mapped::new(&page);
        for offset in [0, 90 * SECOND + 1, -3 * 3600 * SECOND - 1, 0] {
            page.set(ClockSetting { offset, ..ClockSetting::TRUE });
            for clock in [libc::CLOCK_REALTIME, libc::CLOCK_REALTIME_COARSE, libc::CLOCK_TAI] {
                check(mapped.ahead(clock), offset);
            }
            for clock in [libc::CLOCK_MONOTONIC, libc::CLOCK_BOOTTIME] {
                check(mapped.ahead(clock), 0);
            }
        }
    }

    type GetTimeOfDay = extern "C" fn(*mut libc::timeval, *mut [i32; 2]) -> i32;
    type Time = extern "C" fn(*mut i64) -> i64;

    #[test]
    fn the_older_functions_move_with_it() {
        let page = ClockPage::new().expect("a clock can be made");
        let mapped = Mapped::new(&page);
        page.set(ClockSetting { offset: -1000 * SECOND, ..ClockSetting::TRUE });
        // SAFETY: the symbols are these functions.
        let (gettimeofday, time) = unsafe {
            (
                std::mem::transmute::<*const libc::c_void, GetTimeOfDay>(mapped.function(2)),
                std::mem::transmute::<*const libc::c_void, Time>(mapped.function(3)),
            )
        };
        let mut value = libc::timeval { tv_sec: 0, tv_usec: 0 };
        let mut zone = [7, 7];
        assert_eq!(gettimeofday(&raw mut value, &raw mut zone), 0);
        assert_eq!(zone, [0, 0]);
        check(value.tv_sec * SECOND + value.tv_usec * 1000 - real_time(), -1000 * SECOND);
        let mut stored = 0;
        assert_eq!(time(&raw mut stored), stored);
        assert!((stored + 1000 - real_time() / SECOND).abs() <= 1);
        assert_eq!(gettimeofday(std::ptr::null_mut(), std::ptr::null_mut()), 0);
        assert!(time(std::ptr::null_mut()) >= stored);
    }

    #[test]
    fn a_drift_adds_up() {
        let page = ClockPage::new().expect("a clock can be made");
        let mapped = Mapped::new(&page);
        for drift_ppm in [-500_000, 1_000_000] {
            let set = page.set(ClockSetting { drift_ppm, ..ClockSetting::TRUE });
            loop {
                let elapsed = real_time() - set.since;
                let offset = set.setting.offsets(elapsed)[0];
                check(mapped.ahead(libc::CLOCK_REALTIME), offset);
                if elapsed > SECOND {
                    assert!(offset.abs() > SECOND / 4, "a drift that can be told from none");
                    break;
                }
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn a_strobe_shows_both_offsets_and_nothing_else() {
        let page = ClockPage::new().expect("a clock can be made");
        let mapped = Mapped::new(&page);
        let strobe = Some(Strobe { swing: 60 * SECOND, half_period: 1_000_000 });
        let set = page.set(ClockSetting { offset: -60 * SECOND, strobe, ..ClockSetting::TRUE });
        let mut seen = [0, 0];
        while seen.iter().any(|&count| count < 10) {
            assert!(real_time() - set.since < 20 * SECOND, "both appear: {seen:?}");
            let ahead = mapped.ahead(libc::CLOCK_REALTIME);
            let swung = usize::from(ahead > -30 * SECOND);
            check(ahead, set.setting.offsets(0)[swung]);
            seen[swung] += 1;
        }
    }
}

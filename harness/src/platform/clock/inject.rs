//! Puts a clock into a process that its parent traces.
//!
//! ```text
//! child: trace_me(), exec ── stopped at its first instruction ──> parent: give_clock(), and it runs on
//! ```
//!
//! Called between fork and exec, and in the stub: async-signal-safe calls only, no allocation.

/// Asks to be traced by the parent: the next exec stops this process.
///
/// # Errors
/// The errno.
pub(crate) fn trace_me() -> Result<(), i32> {
    // SAFETY: this request takes no pointers.
    check(unsafe { libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) }).map(drop)
}

/// Gives the clock behind `descriptor` (of the child) to a child that stops at its exec, and lets it run.
///
/// # Errors
/// The errno. The child may be stopped then, and is good for nothing but to be killed.
pub(crate) fn give_clock(child: i32, descriptor: i32) -> Result<(), i32> {
    await_stop(child)?;
    arch::map_clock(child, descriptor).and_then(|image| arch::replace_vdso(child, image))?;
    // SAFETY: this request takes no pointers that are used.
    check(unsafe { libc::ptrace(libc::PTRACE_DETACH, child, 0, 0) }).map(drop)
}

/// Maps the clock behind `descriptor` into a child that stops, and looks whether the image is there.
///
/// # Errors
/// The errno.
pub(crate) fn try_map(child: i32, descriptor: i32) -> Result<(), i32> {
    await_stop(child)?;
    let image = arch::map_clock(child, descriptor)?;
    let magic = u64::from_ne_bytes([0x7f, b'E', b'L', b'F', 2, 1, 1, 0]);
    if arch::peek(child, image)? == magic { Ok(()) } else { Err(libc::EIO) }
}

fn await_stop(child: i32) -> Result<(), i32> {
    let mut status = 0;
    // SAFETY: `status` can be written to.
    check(unsafe { libc::waitpid(child, &raw mut status, 0) }.into())?;
    if libc::WIFSTOPPED(status) { Ok(()) } else { Err(libc::ECHILD) }
}

fn check(result: libc::c_long) -> Result<libc::c_long, i32> {
    // SAFETY: the location of this thread's errno is always valid.
    if result < 0 { Err(unsafe { *libc::__errno_location() }) } else { Ok(result) }
}

#[cfg(target_arch = "x86_64")]
mod arch {
    use std::ffi::c_void;

    use super::super::page::PAGE;
    use super::{await_stop, check};

    /// `syscall`, in the order of bytes.
    const SYSCALL: u64 = 0x050f;
    const AT_NULL: u64 = 0;
    const AT_SYSINFO_EHDR: u64 = 33;
    /// Far more words than are on any stack at exec: arguments and environment have 6 MiB at most.
    const WORDS_MAX: usize = 1 << 20;

    /// The page, shared, and the image behind it; the address of the image. Closes the descriptor.
    pub(super) fn map_clock(child: i32, descriptor: i32) -> Result<u64, i32> {
        let (page, fd) = (PAGE as u64, descriptor as u64);
        let flag = |flag: libc::c_int| flag as u64;
        let code = flag(libc::PROT_READ | libc::PROT_EXEC);
        let private = flag(libc::MAP_PRIVATE);
        let base = call(child, libc::SYS_mmap, [0, 2 * page, code, private, fd, 0])?;
        let (read, fixed) = (flag(libc::PROT_READ), flag(libc::MAP_SHARED | libc::MAP_FIXED));
        call(child, libc::SYS_mmap, [base, page, read, fixed, fd, 0])?;
        call(child, libc::SYS_close, [fd, 0, 0, 0, 0, 0])?;
        Ok(base + page)
    }

    /// Tells the program, which has not run yet, that the vDSO is at `image`.
    ///
    /// Its stack: count and addresses of arguments, 0, addresses of the environment, 0, and pairs.
    pub(super) fn replace_vdso(child: i32, image: u64) -> Result<(), i32> {
        let stack = registers(child)?.rsp;
        let mut at = stack + 8 * (peek(child, stack)? + 2);
        let mut words = 0;
        while peek(child, at)? != 0 && words < WORDS_MAX {
            at += 8;
            words += 1;
        }
        at += 8;
        while words < WORDS_MAX {
            match peek(child, at)? {
                AT_NULL => break,
                AT_SYSINFO_EHDR => return poke(child, at + 8, image),
                _ => at += 16,
            }
            words += 1;
        }
        // A kernel without a vDSO: the program makes system calls.
        Err(libc::ENOENT)
    }

    /// Lets the stopped child make one system call, and puts everything back.
    fn call(child: i32, number: libc::c_long, arguments: [u64; 6]) -> Result<u64, i32> {
        let before = registers(child)?;
        let instruction = peek(child, before.rip)?;
        poke(child, before.rip, (instruction & !0xffff) | SYSCALL)?;
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        let rax = number as u64;
        let orig_rax = u64::MAX;
        let calling =
            libc::user_regs_struct { rax, orig_rax, rdi, rsi, rdx, r10, r8, r9, ..before };
        set_registers(child, &calling)?;
        // SAFETY: this request takes no pointers that are used.
        check(unsafe { libc::ptrace(libc::PTRACE_SINGLESTEP, child, 0, 0) })?;
        await_stop(child)?;
        let result = registers(child)?.rax.cast_signed();
        poke(child, before.rip, instruction)?;
        set_registers(child, &before)?;
        // The kernel's own convention: -4095 to -1 are errors.
        if (-4095..0).contains(&result) {
            return Err(i32::try_from(-result).unwrap_or(libc::EIO));
        }
        Ok(result.cast_unsigned())
    }

    fn registers(child: i32) -> Result<libc::user_regs_struct, i32> {
        // SAFETY: a struct of numbers, which the kernel fills.
        unsafe {
            let mut registers = std::mem::zeroed::<libc::user_regs_struct>();
            check(libc::ptrace(libc::PTRACE_GETREGS, child, 0, &raw mut registers))?;
            Ok(registers)
        }
    }

    fn set_registers(child: i32, registers: &libc::user_regs_struct) -> Result<(), i32> {
        // SAFETY: the kernel reads the struct.
        let set = unsafe { libc::ptrace(libc::PTRACE_SETREGS, child, 0, &raw const *registers) };
        check(set).map(drop)
    }

    /// A word of the child's memory.
    pub(super) fn peek(child: i32, address: u64) -> Result<u64, i32> {
        // SAFETY: the address is of the child, and not touched here. A word of ones is told from a
        // failure by the errno.
        unsafe {
            *libc::__errno_location() = 0;
            let word = libc::ptrace(libc::PTRACE_PEEKDATA, child, address as *mut c_void, 0_usize);
            match *libc::__errno_location() {
                0 => Ok(word.cast_unsigned()),
                errno => Err(errno),
            }
        }
    }

    fn poke(child: i32, address: u64, word: u64) -> Result<(), i32> {
        // SAFETY: the address is of the child, and not touched here.
        let poked =
            unsafe { libc::ptrace(libc::PTRACE_POKEDATA, child, address as *mut c_void, word) };
        check(poked).map(drop)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod arch {
    pub(super) fn map_clock(_child: i32, _descriptor: i32) -> Result<u64, i32> {
        Err(libc::ENOSYS)
    }

    pub(super) fn replace_vdso(_child: i32, _image: u64) -> Result<(), i32> {
        Err(libc::ENOSYS)
    }

    pub(super) fn peek(_child: i32, _address: u64) -> Result<u64, i32> {
        Err(libc::ENOSYS)
    }
}

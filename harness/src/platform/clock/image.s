# A vDSO whose wall clock is set by the page before it.
#
# One segment: an ELF header, two program headers, the tables that C libraries and Go look symbols
# up in, and three functions. Nothing is relocated: every address is an offset from the image.
# Only the wall clock is changed, after the kernel was asked by a system call; functions that are
# missing here (clock_getres, getcpu) are system calls to whoever wants them.
#
# The page before the image, as page.rs writes it (offsets in bytes):
#    0  u32  sequence number, odd while the rest changes
#    8  i64  real time of the setting (nanoseconds since 1970)
#   16  i64  offset (nanoseconds)
#   24  i64  drift (2^-32 nanoseconds for each nanosecond since the setting)
#   32  u64  half a period of the strobe (nanoseconds); 0 for none
#   40  i64  what the strobe adds in every second half (nanoseconds)

    .pushsection .rodata.breakwater_clock, "a", @progbits
    .balign 16
    .globl breakwater_clock_image
    .hidden breakwater_clock_image
    .globl breakwater_clock_image_end
    .hidden breakwater_clock_image_end
breakwater_clock_image:
.Lclock_image:
    # ELF header: 64 bits, little-endian, System V, shared object, x86-64.
    .byte 0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0
    .short 3, 62
    .long 1
    .quad 0
    .quad .Lclock_segments - .Lclock_image
    .quad 0
    .long 0
    .short 64, 56, 2, 64, 0, 0

.Lclock_segments:
    # PT_LOAD, readable and executable.
    .long 1, 5
    .quad 0, 0, 0
    .quad .Lclock_end - .Lclock_image, .Lclock_end - .Lclock_image, 4096
    # PT_DYNAMIC, readable: a loader that sees no write permission leaves the table as it is.
    .long 2, 4
    .quad .Lclock_dynamic - .Lclock_image, .Lclock_dynamic - .Lclock_image
    .quad .Lclock_dynamic - .Lclock_image
    .quad .Lclock_dynamic_end - .Lclock_dynamic, .Lclock_dynamic_end - .Lclock_dynamic, 8

    # DT_HASH with one bucket: a chain through all symbols.
.Lclock_hash:
    .long 1, 4
    .long 1
    .long 0, 2, 3, 0

    .balign 8
.Lclock_symbols:
    .quad 0, 0, 0
    # Name, global function of default visibility, any section, value, size.
    .long .Lclock_name_1 - .Lclock_names
    .byte 0x12, 0
    .short 1
    .quad .Lclock_gettime - .Lclock_image, .Lclock_gettimeofday - .Lclock_gettime
    .long .Lclock_name_2 - .Lclock_names
    .byte 0x12, 0
    .short 1
    .quad .Lclock_gettimeofday - .Lclock_image, .Lclock_time - .Lclock_gettimeofday
    .long .Lclock_name_3 - .Lclock_names
    .byte 0x12, 0
    .short 1
    .quad .Lclock_time - .Lclock_image, .Lclock_shown - .Lclock_time

.Lclock_names:
    .byte 0
.Lclock_name_1:
    .asciz "__vdso_clock_gettime"
.Lclock_name_2:
    .asciz "__vdso_gettimeofday"
.Lclock_name_3:
    .asciz "__vdso_time"
.Lclock_object:
    .asciz "linux-vdso.so.1"
.Lclock_version:
    .asciz "LINUX_2.6"
.Lclock_names_end:

    .balign 2
.Lclock_versions:
    .short 0, 2, 2, 2

    .balign 8
.Lclock_definitions:
    # The object itself, then the version; each with the ELF hash of its name.
    .short 1, 1, 1, 1
    .long 0x0deebfa1, 20, 28
    .long .Lclock_object - .Lclock_names, 0
    .short 1, 0, 2, 1
    .long 0x03ae75f6, 20, 0
    .long .Lclock_version - .Lclock_names, 0

    .balign 8
.Lclock_dynamic:
    .quad 4, .Lclock_hash - .Lclock_image
    .quad 5, .Lclock_names - .Lclock_image
    .quad 6, .Lclock_symbols - .Lclock_image
    .quad 10, .Lclock_names_end - .Lclock_names
    .quad 11, 24
    .quad 14, .Lclock_object - .Lclock_names
    .quad 0x6ffffff0, .Lclock_versions - .Lclock_image
    .quad 0x6ffffffc, .Lclock_definitions - .Lclock_image
    .quad 0x6ffffffd, 2
    .quad 0, 0
.Lclock_dynamic_end:

    # int clock_gettime(clockid_t edi, struct timespec *rsi)
    .balign 16
.Lclock_gettime:
    mov eax, 228
    syscall
    test eax, eax
    jnz 2f
    # CLOCK_REALTIME, and those that run with it: _COARSE, _ALARM, CLOCK_TAI.
    test edi, edi
    jz 7f
    cmp edi, 5
    je 7f
    cmp edi, 8
    je 7f
    cmp edi, 11
    jne 2f
7:
    imul rax, qword ptr [rsi], 1000000000
    add rax, qword ptr [rsi + 8]
    call .Lclock_shown
    mov qword ptr [rsi], rax
    mov qword ptr [rsi + 8], rdx
    xor eax, eax
2:
    ret

    # int gettimeofday(struct timeval *rdi, struct timezone *rsi)
    .balign 16
.Lclock_gettimeofday:
    test rsi, rsi
    jz 7f
    mov qword ptr [rsi], 0
7:
    test rdi, rdi
    jz 2f
    push rdi
    sub rsp, 16
    mov rsi, rsp
    xor edi, edi
    call .Lclock_gettime
    mov rax, qword ptr [rsp + 8]
    xor edx, edx
    mov ecx, 1000
    div rcx
    mov rcx, qword ptr [rsp]
    add rsp, 16
    pop rdi
    mov qword ptr [rdi], rcx
    mov qword ptr [rdi + 8], rax
2:
    xor eax, eax
    ret

    # time_t time(time_t *rdi)
    .balign 16
.Lclock_time:
    push rdi
    sub rsp, 16
    mov rsi, rsp
    xor edi, edi
    call .Lclock_gettime
    mov rax, qword ptr [rsp]
    add rsp, 16
    pop rdi
    test rdi, rdi
    jz 7f
    mov qword ptr [rdi], rax
7:
    ret

    # Nanoseconds of real time in rax; what is shown, in rax (seconds) and rdx (nanoseconds).
    # Changes rcx, rdi, r8 to r11, as any function may.
    .balign 16
.Lclock_shown:
    mov r8, rax
    lea r9, [rip + .Lclock_image - 4096]
3:
    mov r10d, dword ptr [r9]
    test r10d, 1
    jnz 5f
    mov rax, r8
    sub rax, qword ptr [r9 + 8]
    mov rcx, rax
    imul qword ptr [r9 + 24]
    shrd rax, rdx, 32
    lea r11, [r8 + rax]
    add r11, qword ptr [r9 + 16]
    # Read once, because a zero that appears in between must not be divided by.
    mov rdi, qword ptr [r9 + 32]
    test rdi, rdi
    jz 4f
    mov rax, rcx
    xor edx, edx
    div rdi
    test al, 1
    jz 4f
    add r11, qword ptr [r9 + 40]
4:
    cmp r10d, dword ptr [r9]
    jne 3b
    mov rax, r11
    cqo
    mov ecx, 1000000000
    idiv rcx
    test rdx, rdx
    jns 6f
    # Towards the past, so that nanoseconds are never negative.
    add rdx, rcx
    dec rax
6:
    ret
5:
    pause
    jmp 3b
.Lclock_end:
breakwater_clock_image_end:
    .popsection

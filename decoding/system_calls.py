"""Forbids a process every system call that decoding does not need (Linux seccomp), for the rest of its life.

What remains: memory, threads, time, and reading and writing what is already open. Anything else answers EPERM:
no file, socket, program, other process. Written by hand because libseccomp is no Python wheel and is not in slim images.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys

# name: number on x86-64, on ARM64
CALLS = {
    "read": (0, 63),
    "write": (1, 64),
    "writev": (20, 66),
    "close": (3, 57),
    "fstat": (5, 80),
    "lseek": (8, 62),
    "poll": (7, 73),  # ppoll on ARM64
    "mmap": (9, 222),
    "mprotect": (10, 226),
    "munmap": (11, 215),
    "mremap": (25, 216),
    "madvise": (28, 233),
    "brk": (12, 214),
    "rt_sigaction": (13, 134),
    "rt_sigprocmask": (14, 135),
    "rt_sigreturn": (15, 139),
    "futex": (202, 98),
    "sched_yield": (24, 124),
    "sched_getaffinity": (204, 123),
    "set_robust_list": (273, 99),
    "rseq": (334, 293),
    "gettid": (186, 178),
    "getpid": (39, 172),
    "clock_gettime": (228, 113),
    "clock_nanosleep": (230, 115),
    "getrandom": (318, 278),
    "exit": (60, 93),
    "exit_group": (231, 94),
}
CLONE, CLONE3 = (56, 220), (435, 435)
CLONE_THREAD = 0x10000
ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above, AUDIT_ARCH

ALLOW, REFUSE, KILL = 0x7FFF0000, 0x00050000, 0x80000000  # SECCOMP_RET_*
LOAD, IS_EQUAL, HAS_BIT, RETURN = 0x20, 0x15, 0x45, 0x06  # BPF
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
SET_NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2  # prctl


def restrict() -> None:
    """Restrict this thread and what it starts; does nothing where there is no such filter (macOS, other processors)."""
    known = ARCHITECTURES.get(platform.machine())
    if sys.platform != "linux" or known is None:
        return
    column, architecture = known
    # BPF instructions (man 2 seccomp); a jump says how many to skip if true, if false.
    program = b"".join(
        [
            _instruction(LOAD, ARCHITECTURE),
            _instruction(IS_EQUAL, architecture, 1, 0),
            _instruction(RETURN, KILL),
            _instruction(LOAD, NUMBER),
            *(
                step
                for numbers in CALLS.values()
                for step in (_instruction(IS_EQUAL, numbers[column], 0, 1), _instruction(RETURN, ALLOW))
            ),
            _instruction(IS_EQUAL, CLONE3[column], 0, 1),
            _instruction(RETURN, REFUSE | errno.ENOSYS),  # its flags lie in memory; glibc then takes `clone`
            _instruction(IS_EQUAL, CLONE[column], 0, 3),
            _instruction(LOAD, FIRST_ARGUMENT),
            _instruction(HAS_BIT, CLONE_THREAD, 0, 1),
            _instruction(RETURN, ALLOW),
            _instruction(RETURN, REFUSE | errno.EPERM),
        ]
    )
    code = ctypes.create_string_buffer(program)
    filtering = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in ((SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0), (SET_SECCOMP, FILTER, filtering, 0, 0)):
        if libc.prctl(*arguments):
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _instruction(code: int, operand: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, operand)

#!/usr/bin/env python3
"""Makes a running process call the kernel, and prints what it got: what would its sandbox say?

    inject_syscall.py PID NUMBER [ARGUMENT ...]

It needs root. Exit status 77: not on this machine, or not allowed to trace.
"""
import ctypes
import os
import platform
import signal
import sys
import time

NAMES = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax rip cs eflags rsp ss fs_base gs_base "
         "ds es fs gs").split()
GETREGS, SETREGS, SINGLESTEP, DETACH, SEIZE, INTERRUPT = 12, 13, 9, 17, 0x4206, 0x4207
SYSCALL = b"\x0f\x05"


class Registers(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ulong) for name in NAMES]


libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
libc.ptrace.restype = ctypes.c_long


def ptrace(request, pid, data=None):
    if libc.ptrace(request, pid, None, data) == -1:
        raise OSError(ctypes.get_errno(), "ptrace")


def waits_in_a_call(pid, registers):
    with open("/proc/%d/mem" % pid, "rb", buffering=0) as memory:
        memory.seek(registers.rip - len(SYSCALL))
        return memory.read(len(SYSCALL)) == SYSCALL


def call(pid, number, arguments):
    """The result of the call, or None when the process was busy with something else."""
    saved, registers = Registers(), Registers()
    ptrace(INTERRUPT, pid)
    os.waitpid(pid, 0x40000000)  # __WALL
    ptrace(GETREGS, pid, ctypes.addressof(saved))
    if not waits_in_a_call(pid, saved):
        return None
    ctypes.memmove(ctypes.addressof(registers), ctypes.addressof(saved), ctypes.sizeof(saved))
    registers.rax, registers.rip, registers.orig_rax = number, saved.rip - len(SYSCALL), 2 ** 64 - 1
    for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), arguments):
        setattr(registers, name, value % 2 ** 64)
    ptrace(SETREGS, pid, ctypes.addressof(registers))
    ptrace(SINGLESTEP, pid)
    _, status = os.waitpid(pid, 0x40000000)
    assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTRAP, hex(status)
    ptrace(GETREGS, pid, ctypes.addressof(registers))
    # The wait that we broke into ends as by a signal: every loop of ours goes on after EINTR.
    saved.rax, saved.orig_rax = 2 ** 64 - 4, 2 ** 64 - 1
    ptrace(SETREGS, pid, ctypes.addressof(saved))
    return ctypes.c_long(registers.rax).value


def main():
    if platform.machine() != "x86_64":
        return 77
    pid, number, arguments = int(sys.argv[1]), int(sys.argv[2]), [int(text, 0) for text in sys.argv[3:]]
    for _ in range(50):
        try:
            ptrace(SEIZE, pid)
        except PermissionError:
            return 77
        try:
            result = call(pid, number, arguments)
        finally:
            ptrace(DETACH, pid)
        if result is not None:
            print(result)
            return 0
        time.sleep(0.02)
    return 1


if __name__ == "__main__":
    sys.exit(main())

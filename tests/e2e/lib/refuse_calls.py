#!/usr/bin/env python3
"""Runs a program on a kernel that doesn't know some system calls (ENOSYS), as an older one would.

    refuse_calls.py NUMBER[,NUMBER...] PROGRAM [ARGUMENT ...]
"""
import ctypes
import errno
import os
import struct
import sys

NO_NEW_PRIVS, SET_SECCOMP, FILTER = 38, 22, 2
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.ENOSYS


def program_of(numbers):
    lines = [(LOAD, 0, 0, 0)]
    lines += [(JUMP_IF_EQUAL, len(numbers) - i, 0, number) for i, number in enumerate(numbers)]
    lines += [(RETURN, 0, 0, ALLOW), (RETURN, 0, 0, REFUSE)]
    return b"".join(struct.pack("HBBI", *line) for line in lines), len(lines)


class Filter(ctypes.Structure):
    _fields_ = [("lines", ctypes.c_ushort), ("code", ctypes.c_void_p)]


code, lines = program_of([int(number) for number in sys.argv[1].split(",")])
kept = ctypes.create_string_buffer(code, len(code))
libc = ctypes.CDLL(None, use_errno=True)
libc.prctl.argtypes = [ctypes.c_int] + [ctypes.c_ulong] * 4
assert libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0) == 0
assert libc.prctl(SET_SECCOMP, FILTER, ctypes.addressof(Filter(lines, ctypes.addressof(kept))), 0, 0) == 0, ctypes.get_errno()
os.execv(sys.argv[2], sys.argv[2:])

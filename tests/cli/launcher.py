#!/usr/bin/env python3
"""Start a program as careless launchers do.   usage: launcher.py MODE COMMAND…

hasty  print its lines until it is gone, and lose what is still in the pipe then
unread   give it a pipe of one page and never read it; say how long it took, and its exit status
late   the same, but read once it has run for 4 s, and print what came
eager  a pipe that refuses what does not fit at once (O_NONBLOCK), read slowly
"""

import fcntl
import os
import subprocess
import sys
import time

PAGE = 4096


def hasty(command):
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        while process.poll() is None:
            sys.stdout.buffer.write(process.stdout.readline())
        return process.returncode


def small_pipe():
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, PAGE)
    return reader, writer


def start(command, writer):
    process = subprocess.Popen(command, stdout=writer, stderr=writer)
    os.close(writer)
    return process


def unread(command):
    reader, writer = small_pipe()
    began = time.monotonic()
    status = start(command, writer).wait()
    print(f"{time.monotonic() - began:.1f} s, status {status}, {len(os.read(reader, PAGE))} bytes")
    return 0


def late(command):
    reader, writer = small_pipe()
    process = start(command, writer)
    time.sleep(4)
    with open(reader, "rb") as pipe:
        sys.stdout.buffer.write(pipe.read())
    return process.wait()


def eager(command):
    reader, writer = small_pipe()
    fcntl.fcntl(writer, fcntl.F_SETFL, os.O_NONBLOCK)
    process = start(command, writer)
    while text := os.read(reader, 256):
        sys.stdout.buffer.write(text)
        time.sleep(0.02)
    return process.wait()


sys.exit({"hasty": hasty, "unread": unread, "late": late, "eager": eager}[sys.argv[1]](sys.argv[2:]))

"""Run a command on a pseudo terminal of COLUMNS columns; print the lines that are on its screen at the end.

terminal.py COLUMNS COMMAND…   Follows what the program uses: text, carriage return, newline, "erase to the end of the line".
Ends with the command's status; with 99 when a line was wider than the screen, so that the terminal had to wrap it.
"""

import fcntl
import os
import pty
import re
import struct
import sys
import termios


def run(columns, command):
    """(bytes that the command wrote, its wait status)"""
    pid, master = pty.fork()
    if pid == 0:
        fcntl.ioctl(1, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.execvp(command[0], command)
    written = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # Linux: the other end was closed
            break
        if not piece:
            break
        written += piece
    return written, os.waitpid(pid, 0)[1]


def screen(text, columns):
    """(lines, did a redrawn line wrap)"""
    lines, column, wrapped = [""], 0, False
    for token in re.findall(r"\r|\n|\x1b\[K|[^\r\n\x1b]+", text):
        if token == "\r":
            column = 0
        elif token == "\n":
            lines.append("")
            column = 0
        elif token == "\x1b[K":
            lines[-1] = lines[-1][:column]
            wrapped = wrapped or column >= columns
        else:
            lines[-1] = lines[-1][:column] + token + lines[-1][column + len(token) :]
            column += len(token)
    return lines, wrapped


def main():
    columns = int(sys.argv[1])
    written, status = run(columns, sys.argv[2:])
    lines, wrapped = screen(written.decode(), columns)
    print("\n".join(lines))
    return 99 if wrapped else os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())

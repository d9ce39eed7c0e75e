"""A bad network on the loopback interface: what is written to it arrives SECONDS later, and of 100 connections LOSS are cut in the middle.

usage: lossy.py LISTEN_PORT TO_PORT SECONDS LOSS     ends with TERM. The same connections are cut in each run.
"""

import random
import socket
import sys
import threading
import time

port, to, seconds, loss = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
choice = random.Random(1)


def pass_on(source, target, is_cut):
    """One direction. What came at one moment goes on together, later; a cut connection ends before its answer or request is whole."""
    try:
        while True:
            data = source.recv(1 << 16)
            time.sleep(seconds / 2) # half on the way there, half on the way back
            if not data or is_cut:
                break
            target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


server = socket.create_server(("127.0.0.1", port))
while True:
    client, _ = server.accept()
    try:
        beyond = socket.create_connection(("127.0.0.1", to))
    except OSError:
        client.close()
        continue
    cut = choice.random() * 100 < loss
    threading.Thread(target=pass_on, args=(client, beyond, False), daemon=True).start()
    threading.Thread(target=pass_on, args=(beyond, client, cut), daemon=True).start()

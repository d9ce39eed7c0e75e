#!/usr/bin/env python3
"""An OTLP/HTTP receiver in JSON for tests.   usage: sink.py FILE [ANSWER...]
Prints its port, then appends a line for each request that it accepts to FILE: {"path", "batch", "body"}. Each ANSWER is
for one request, the last one for all that follow: a status (200, 503, ...), "hang" (no answer), "close" (hang up),
or a status and seconds to wait before it ("200@0.5").
"""
import gzip
import http.server
import json
import socketserver
import sys
import threading
import time

path, answers = sys.argv[1], sys.argv[2:] or ["200"]
lock = threading.Lock()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        with lock:
            answer = answers.pop(0) if len(answers) > 1 else answers[0]
        status, _, delay = answer.partition("@")
        time.sleep(float(delay or 0))
        if status == "hang":
            time.sleep(3600)
        if status == "close":
            self.close_connection = True
            return
        if status == "200":
            line = {"path": self.path, "batch": self.headers.get("x-neuro-batch-id"), "body": json.loads(body)}
            with lock, open(path, "a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")
        self.send_response(int(status))
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 128


server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()

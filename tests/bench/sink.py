"""An OTLP http/protobuf server on the loopback: takes everything at once and counts it afterwards."""

import gzip
import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers.get("Content-Encoding", ""), body))
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Sink:
    """with Sink() as sink: send to sink.endpoint; then sink.n_spans()."""

    def __enter__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.requests = []
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def n_spans(self):
        bodies = [gzip.decompress(body) if encoding else body for path, encoding, body in self.server.requests if path == "/v1/traces"]
        return sum(spans_in(body) for body in bodies)


def varint(message, at):
    value, shift = 0, 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def fields(message):
    """(number, bytes) of the fields that have a length; the others are passed over."""
    at = 0
    while at < len(message):
        tag, at = varint(message, at)
        if tag & 7 == 0:
            _, at = varint(message, at)
        elif tag & 7 == 2:
            n, at = varint(message, at)
            yield tag >> 3, message[at : at + n]
            at += n
        else:
            at += {1: 8, 5: 4}[tag & 7]


def spans_in(request):
    """ExportTraceServiceRequest: resource_spans 1, scope_spans 2, spans 2."""
    scopes = (scope for number, resource in fields(request) if number == 1 for inner, scope in fields(resource) if inner == 2)
    return sum(number == 2 for scope in scopes for number, _ in fields(scope))

"""OTLP by the official Python packages (opentelemetry-proto, grpcio): an implementation that shares nothing with the program's nor
with the Collector's.

usage: foreign.py accept READY FILE             take OTLP over gRPC and HTTP and append each request to FILE as a JSON line;
                                                READY is written last: "HTTP_PORT GRPC_PORT"
       foreign.py post PROTOCOL ENDPOINT RECORD  send each line of RECORD; prints the answers that were no success
"""

import base64
import ctypes
import gzip
import http.server
import json
import os
import signal
import sys
import threading
import urllib.error
import urllib.request
from concurrent import futures

import grpc
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

IDS = {"traceId", "spanId", "parentSpanId"}
SIGNALS = {
    "resourceSpans": ("traces", trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse,
                      trace_service_pb2_grpc.TraceServiceStub),
    "resourceLogs": ("logs", logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse,
                     logs_service_pb2_grpc.LogsServiceStub),
    "resourceMetrics": ("metrics", metrics_service_pb2.ExportMetricsServiceRequest, metrics_service_pb2.ExportMetricsServiceResponse,
                        metrics_service_pb2_grpc.MetricsServiceStub),
}


def with_ids(value, change):
    """Protobuf's JSON has ids in base64, OTLP's in hex."""
    if isinstance(value, dict):
        return {key: change(inner) if key in IDS else with_ids(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [with_ids(inner, change) for inner in value]
    return value


def from_otlp_json(line):
    request = json.loads(line)
    signal_name, message, _, stub = SIGNALS[next(iter(request))]
    as_base64 = with_ids(request, lambda text: base64.b64encode(bytes.fromhex(text)).decode())
    return signal_name, json_format.ParseDict(as_base64, message()), stub


def to_otlp_json(message):
    request = json_format.MessageToDict(message, use_integers_for_enums=True)
    return json.dumps(with_ids(request, lambda text: base64.b64decode(text).hex()))


# --- taking -------------------------------------------------------------------------------------------------------------
class Book:
    def __init__(self, path):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def take(self, message):
        with self.lock:
            self.file.write(to_otlp_json(message) + "\n")
            self.file.flush()


def service(base, response, book):
    class Service(base):
        def Export(self, request, context):
            book.take(request)
            return response()

    return Service()


def handler(book):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            _, message, response, _ = next(one for one in SIGNALS.values() if self.path == "/v1/" + one[0])
            if self.headers["Content-Type"] == "application/json":
                request, answer = from_otlp_json(body)[1] if body != b"{}" else message(), b"{}"
            else:
                request, answer = message.FromString(body), response().SerializeToString()
            book.take(request)
            self.send_response(200)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    return Handler


def accept(ready, path):
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # end with the parent
    book = Book(path)
    server = grpc.server(futures.ThreadPoolExecutor(4))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(
        service(trace_service_pb2_grpc.TraceServiceServicer, trace_service_pb2.ExportTraceServiceResponse, book), server)
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(
        service(logs_service_pb2_grpc.LogsServiceServicer, logs_service_pb2.ExportLogsServiceResponse, book), server)
    metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server(
        service(metrics_service_pb2_grpc.MetricsServiceServicer, metrics_service_pb2.ExportMetricsServiceResponse, book), server)
    grpc_port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler(book))
    with open(ready + ".tmp", "w", encoding="utf-8") as file:
        file.write(f"{web.server_port} {grpc_port}\n")
    os.rename(ready + ".tmp", ready)
    web.serve_forever()


# --- sending ------------------------------------------------------------------------------------------------------------
def post_http(endpoint, signal_name, content_type, body):
    request = urllib.request.Request(f"{endpoint}/v1/{signal_name}", gzip.compress(body),
                                     {"Content-Type": content_type, "Content-Encoding": "gzip"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            answer.read()
    except urllib.error.HTTPError as error:
        print(signal_name, error.code)


def post(protocol, endpoint, record):
    channel = grpc.insecure_channel(endpoint) if protocol == "grpc" else None
    with open(record, encoding="utf-8") as file:
        for line in file:
            signal_name, message, stub = from_otlp_json(line)
            if protocol == "http/json":
                post_http(endpoint, signal_name, "application/json", line.encode())
            elif protocol == "http/protobuf":
                post_http(endpoint, signal_name, "application/x-protobuf", message.SerializeToString())
            else:
                try:
                    stub(channel).Export(message, timeout=20, compression=grpc.Compression.Gzip)
                except grpc.RpcError as error:
                    print(signal_name, error.code().value[0], error.details())


if __name__ == "__main__":
    {"accept": accept, "post": post}[sys.argv[1]](*sys.argv[2:])

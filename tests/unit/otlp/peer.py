"""The other side, for the unit tests: the official Python classes of the protocol, and gRPC's Python server.

peer.py same JSON PROTOBUF       both files hold the same request, and the second is what the official encoder makes of it
peer.py fields FILE.proto...     our messages have the fields of the public ones: names, numbers, types
peer.py decode SIGNAL FILE       print the message in a protobuf body as JSON
peer.py serve PORT_FILE [DIR]    a gRPC server that answers by what is in the request; its port goes to PORT_FILE;
                                 with DIR over TLS, as below
peer.py serve-tls PORT_FILE DIR  an HTTPS server that asks for a client's certificate; ca.pem, client.pem, client.key in DIR
"""
import json
import re
import sys
import threading

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace

REQUESTS = {
    "resourceSpans": trace.ExportTraceServiceRequest,
    "resourceLogs": logs.ExportLogsServiceRequest,
    "resourceMetrics": metrics.ExportMetricsServiceRequest,
}


def ids_in_base64(node):
    """OTLP/JSON has ids in hex where the general mapping has base64."""
    import base64

    if isinstance(node, list):
        return [ids_in_base64(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode() if key in ("traceId", "spanId", "parentSpanId") else ids_in_base64(value)
        for key, value in node.items()
    }


def same(json_file, protobuf_file):
    content = json.load(open(json_file, encoding="utf-8"))
    (kind,) = content
    expected = json_format.ParseDict(ids_in_base64(content), REQUESTS[kind]())
    body = open(protobuf_file, "rb").read()
    found = REQUESTS[kind].FromString(body)
    assert found == expected, f"{found}\n---\n{expected}"
    assert found.SerializeToString(deterministic=True) == body, "another order or form than the official encoder's"
    assert not found.DiscardUnknownFields() and found.ByteSize() == len(body)


def public_messages():
    """Message name -> {field name: (number, type, repeated)} of all public files that are used."""
    found = {}

    def add(descriptor):
        found[descriptor.name] = {f.name: (f.number, f.type, f.is_repeated) for f in descriptor.fields}
        for nested in descriptor.nested_types:
            add(nested)

    from opentelemetry.proto.common.v1 import common_pb2
    from opentelemetry.proto.logs.v1 import logs_pb2
    from opentelemetry.proto.metrics.v1 import metrics_pb2
    from opentelemetry.proto.resource.v1 import resource_pb2
    from opentelemetry.proto.trace.v1 import trace_pb2

    for module in (common_pb2, resource_pb2, trace_pb2, logs_pb2, metrics_pb2, trace, logs, metrics):
        for descriptor in module.DESCRIPTOR.message_types_by_name.values():
            add(descriptor)
    found["SpanStatus"] = found.pop("Status")
    return found


def fields(paths):
    from google.protobuf.descriptor import FieldDescriptor as F

    types = {name[5:].lower(): value for name, value in vars(F).items() if name.startswith("TYPE_")}
    public, checked = public_messages(), 0
    for path in paths:
        message = []
        for line in open(path, encoding="utf-8"):
            opened = re.match(r"\s*(message|enum|oneof) (\w+) {", line)
            if opened:
                message.append(opened.groups())
            elif re.match(r"\s*}", line):
                message.pop()
            field = re.match(r"\s*(repeated )?([\w.]+) (\w+) = (\d+)( \[packed = true\])?;", line)
            if not field or not message or "enum" in (kind for kind, _ in message):
                continue
            name = [word for kind, word in message if kind == "message"][-1]
            if name not in public:
                continue
            repeated, kind, field_name, number = field.group(1, 2, 3, 4)
            public_number, public_type, public_repeated = public[name][field_name]
            assert int(number) == public_number, f"{name}.{field_name}: {number}, publicly {public_number}"
            assert bool(repeated) == public_repeated, f"{name}.{field_name}: repeated"
            is_enum = public_type == F.TYPE_ENUM
            expected = types.get(kind, F.TYPE_ENUM if is_enum else F.TYPE_MESSAGE)
            assert expected == public_type or (is_enum and kind == "int32"), f"{name}.{field_name}: {kind}"
            checked += 1
    print(checked)


def decode(kind, path):
    message = REQUESTS[kind].FromString(open(path, "rb").read())
    print(json_format.MessageToJson(message, use_integers_for_enums=True, indent=None))


def serve(port_file, folder=None):
    """What the client asks for stands in the scope's name: "status 14 text", "retry 1.5", "partial 3 text", "large",
    "wait 0.5"; anything else is accepted. The first item of answers' trailing metadata says what was seen."""
    from concurrent import futures

    import grpc
    from google.protobuf import any_pb2, duration_pb2

    done = threading.Event()

    def wish(request):
        (resource,) = list(request.ListFields()[0][1])[:1]
        scopes = next(value for field, value in resource.ListFields() if field.name.startswith("scope_"))
        return scopes[0].scope.name

    def handler(response_type):
        def answer(request, context):
            words = wish(request).split(" ", 2)
            metadata = dict(context.invocation_metadata())
            context.set_trailing_metadata((("x-seen", metadata.get("x-key", "-")),))
            if words[0] == "status":
                context.abort(grpc.StatusCode[words[1]], words[2] if len(words) > 2 else "")
            if words[0] == "retry":
                delay = duration_pb2.Duration(seconds=int(words[1]), nanos=500000000).SerializeToString()
                # google.rpc.RetryInfo has its retry_delay as field 1, google.rpc.Status code 1, message 2, details 3.
                info = b"\x0a" + bytes([len(delay)]) + delay
                detail = any_pb2.Any(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info).SerializeToString()
                status = b"\x08\x08\x12\x04busy\x1a" + bytes([len(detail)]) + detail
                context.set_trailing_metadata((("grpc-status-details-bin", status),))
                context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "busy")
            if words[0] == "wait":
                done.wait(float(words[1]))
            if words[0] == "seen":
                context.abort(grpc.StatusCode.FAILED_PRECONDITION, repr([metadata.get(words[1]), context.time_remaining() is not None]))
            response = response_type()
            if words[0] == "partial":
                number = response.partial_success.DESCRIPTOR.fields_by_number[1].name
                setattr(response.partial_success, number, int(words[1]))
                response.partial_success.error_message = words[2]
            return response

        return answer

    server = grpc.server(futures.ThreadPoolExecutor(4), compression=grpc.Compression.Gzip)
    for service, request, response in (
        ("trace.v1.TraceService", trace.ExportTraceServiceRequest, trace.ExportTraceServiceResponse),
        ("logs.v1.LogsService", logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse),
        ("metrics.v1.MetricsService", metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse),
    ):
        method = grpc.unary_unary_rpc_method_handler(
            handler(response), request_deserializer=request.FromString, response_serializer=response.SerializeToString
        )
        name = f"opentelemetry.proto.collector.{service}"
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(name, {"Export": method}),))
    if folder:
        make_certificates(folder)
        key, chain, roots = (open(f"{folder}/{name}", "rb").read() for name in ("server.key", "server.pem", "ca.pem"))
        credentials = grpc.ssl_server_credentials([(key, chain)], roots, require_client_auth=True)
        port = server.add_secure_port("127.0.0.1:0", credentials)
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    write_port(port_file, port)
    sys.stdin.read()  # until the test closes it
    done.set()
    server.stop(0)


def make_certificates(folder):
    import subprocess

    def openssl(*arguments):
        subprocess.run(["openssl", *arguments], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test CA")
    for name, subject in (("server", "127.0.0.1"), ("client", "client")):
        with open(f"{folder}/{name}.ext", "w", encoding="ascii") as file:
            file.write("subjectAltName=IP:127.0.0.1\n")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={subject}")
        signer = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2", "-extfile", f"{name}.ext")
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *signer)


def serve_tls(port_file, folder):
    import http.server
    import ssl

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        def handle_error(self, *_):
            pass

    make_certificates(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(f"{folder}/server.pem", f"{folder}/server.key")
    context.load_verify_locations(f"{folder}/ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = Server(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    write_port(port_file, server.server_address[1])
    sys.stdin.read()


def write_port(port_file, port):
    """All at once: who waits for the file sees a whole number."""
    import os

    with open(f"{port_file}.new", "w", encoding="ascii") as file:
        file.write(f"{port}\n")
    os.rename(f"{port_file}.new", port_file)


if __name__ == "__main__":
    command, *rest = sys.argv[1:]
    if command == "fields":
        fields(rest)
    else:
        {"same": same, "decode": decode, "serve": serve, "serve-tls": serve_tls}[command](*rest)

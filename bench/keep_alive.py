"""What keeping a connection saves: small calls to a TLS server on this machine, over one connection and over new ones.

The server's certificate signs itself and is made by `openssl`; SSL_CERT_FILE names it. In turn, the median of several
rounds. Run: `python bench/keep_alive.py`; exit code 1 below a ratio of 1.3.
"""

from __future__ import annotations

import os
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from editeval.http import connections
from editeval.http.client import HttpRequest, Server, exchange

NUM_CALLS, ROUNDS, LEAST = 100, 5, 1.3
CALL = HttpRequest("POST", "/chat/completions", b"{}" * 4096, "application/json")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"choices": []}'
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))


def serve(folder: Path) -> None:
    """Until it is ended; the first line that it prints is its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    print(server.server_address[1], flush=True)
    server.serve_forever()


def seconds(server: Server, is_kept: bool) -> float:
    begin = time.perf_counter()
    for _ in range(NUM_CALLS):
        exchange(server, CALL, 30.0, 1 << 20)
        if not is_kept:
            connections.forget()
    return time.perf_counter() - begin


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        command += ["-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"), "-days", "2"]
        command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"]
        subprocess.run(command, check=True, capture_output=True)
        os.environ["SSL_CERT_FILE"] = str(folder / "certificate.pem")
        with subprocess.Popen([sys.executable, __file__, name], stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                server = Server("https", "127.0.0.1", int(process.stdout.readline()), "/v1")
                seconds(server, True)
                rounds = [(seconds(server, False), seconds(server, True)) for _ in range(ROUNDS)]
            finally:
                connections.forget()
                process.terminate()
    new, kept = (1000 * statistics.median(times) / NUM_CALLS for times in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    print("| a connection for each call | one kept | ratio |\n|---|---|---|")
    print(f"| {new:.2f} ms | {kept:.2f} ms | {ratio:.1f} |")
    return 0 if ratio >= LEAST else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        serve(Path(sys.argv[1]))
    else:
        sys.exit(main())

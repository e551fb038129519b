"""A small reverse proxy: a studio below a path of another server."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@contextmanager
def proxied(upstream, path, strip):
    """Serve an address below a path of another port; gives the new address, and a list of what was asked elsewhere.

    Args:
        upstream: the address that is asked.
        path: where it lies, ``/sefa``.
        strip: whether the path is taken away before it is asked.
    """
    host, lost = urlsplit(upstream).netloc, []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *given):
            pass

        def do_GET(self):  # noqa: N802 - named by the library
            if not self.path.startswith(path):
                lost.append(self.path)
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = http.client.HTTPConnection(host, timeout=60)
            kept = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
            asked.request(self.command, self.path[len(path) :] if strip else self.path, body, kept)
            answer = asked.getresponse()
            data = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
            asked.close()

        do_POST = do_GET  # noqa: N815

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{path}", lost
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

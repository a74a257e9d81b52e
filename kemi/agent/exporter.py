"""Serves /metrics of all parts of this node, on the address of FMC_METRICS."""

import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from kemi import metrics
from kemi.settings import Settings


class _Handler(BaseHTTPRequestHandler):
    server: "Exporter"
    server_version = "fmc-edge"
    sys_version = ""
    timeout = 10

    def do_GET(self) -> None:
        if self.path != "/metrics":
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        body = metrics.exposition(self.server.files)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *_: object) -> None:  # noqa: A002  the name is http.server's
        """Log nothing: a scrape every few seconds is no news."""


class Exporter(ThreadingHTTPServer):
    """Serves between `with` and its end. Raises OSError when the address is taken, ValueError for none."""

    daemon_threads = True

    def __init__(self, settings: Settings) -> None:
        self.files = settings.metrics_files
        host, _, port = settings.metrics.rpartition(":")
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host.strip("[]"), int(port)), _Handler)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, name="metrics")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

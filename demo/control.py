"""How `demo down` and `demo status` reach an edge that another process keeps up.

A socket in the state directory: it works across process and network namespaces, and dies with its owner.
"""

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

ANSWER_SECONDS = 60.0
"""How long `down` waits: every part may take its time to end."""


def path_of(state: Path) -> Path:
    """Where the socket of an edge with this state directory lies."""
    return state / "run" / "stand.sock"


def ask(state: Path, question: str) -> dict[str, Any] | None:
    """Ask the edge that is up; None when none is."""
    with socket.socket(socket.AF_UNIX) as asker:
        asker.settimeout(ANSWER_SECONDS)
        try:
            asker.connect(str(path_of(state)))
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        asker.sendall(question.encode() + b"\n")
        with asker.makefile() as answer:
            line = answer.readline()
    answered: dict[str, Any] = json.loads(line) if line else {}
    return answered


class Control:
    """Answers `status` while the context lasts; `down` is answered when the context ends."""

    def __init__(self, state: Path, status: Callable[[], dict[str, Any]]) -> None:
        self.asked_to_end = threading.Event()
        ended = self._ended = threading.Event()
        asked = self.asked_to_end

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                question = self.rfile.readline().strip()
                if question == b"down":
                    asked.set()
                    ended.wait(ANSWER_SECONDS)
                self.wfile.write(json.dumps(status()).encode() + b"\n")

        path = path_of(state)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self._path = path
        self._server = socketserver.ThreadingUnixStreamServer(str(path), Handler)
        path.chmod(0o600)
        # The answer to `down` is the last thing written: closing waits for it.
        self._server.daemon_threads = False

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._path.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()

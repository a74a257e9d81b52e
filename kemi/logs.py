"""Structured logs: one JSON object a line on standard error, which is a file, a pipe or the journal.

A line that cannot be taken at once is dropped: a SIP worker never waits for a log. The next one that can is
preceded by a line that says how many are missing.
"""

import os
import select
import socket
import stat
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import msgspec
import structlog

_encode = msgspec.json.Encoder(enc_hook=str).encode
_LONGEST = select.PIPE_BUF


class Sink:
    """Writes whole lines to a file descriptor without waiting."""

    def __init__(self, descriptor: int) -> None:
        self._dropped = 0
        self._descriptor = descriptor
        kind = os.fstat(descriptor).st_mode
        self._send: Callable[[bytes], object]
        if stat.S_ISSOCK(kind):
            # The flag of one call: O_NONBLOCK would change the descriptor for everyone who shares it.
            self._socket = socket.socket(fileno=os.dup(descriptor))
            self._send = self._to_socket
        elif stat.S_ISFIFO(kind):
            self._poll = select.poll()
            self._poll.register(descriptor, select.POLLOUT)
            self._send = self._to_pipe
        else:
            self._send = self._to_file

    def _to_socket(self, line: bytes) -> None:
        self._socket.send(line, socket.MSG_DONTWAIT)

    def _to_pipe(self, line: bytes) -> None:
        # A pipe that polls writable takes PIPE_BUF bytes whole and at once (pipe(7)).
        if len(line) > _LONGEST or not self._poll.poll(0):
            raise BlockingIOError
        os.write(self._descriptor, line)

    def _to_file(self, line: bytes) -> None:
        os.write(self._descriptor, line)

    def msg(self, line: bytes) -> None:
        """Write one line, or drop and count it."""
        try:
            if self._dropped:
                self._send(
                    _encode({"event": "lines_dropped", "lines": self._dropped, "level": "warning"}) + b"\n"
                )
                self._dropped = 0
            self._send(line)
        except OSError:
            self._dropped += 1

    debug = info = warning = error = critical = msg


def _render(_: Any, level: str, event: MutableMapping[str, Any]) -> bytes:
    event["level"] = level
    return _encode(event) + b"\n"


def configure(level: int = 20, descriptor: int | None = None) -> Sink:
    """Set structlog up for this process; again after a fork is harmless. Gives the sink."""
    sink = Sink(sys.stderr.fileno() if descriptor is None else descriptor)
    structlog.configure(
        processors=[structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"), _render],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: sink,
        cache_logger_on_first_use=False,
    )
    return sink


def get(part: str) -> Any:
    """The logger of a part; every line carries the part's name."""
    return structlog.get_logger(part=part)

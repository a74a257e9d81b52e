"""Asks a running Kamailio by JSON-RPC 2.0 over its datagram socket (module jsonrpcs)."""

import itertools
import socket
import time
from pathlib import Path
from typing import Any

import msgspec

LARGEST = 65536
"""Bytes of the largest answer; jsonrpcs sends it in one datagram."""

_numbers = itertools.count(1)


class UnreachableError(ConnectionError):
    """No Kamailio listens on the socket, or it did not answer in time."""


class RefusedError(Exception):
    """Kamailio answered with an error: its words."""


def call(path: Path, method: str, timeout: float = 2.0) -> Any:
    """Call a method without parameters and give its result.

    Raises UnreachableError after `timeout` seconds at the latest, RefusedError when Kamailio says no.
    """
    number = next(_numbers)
    deadline = time.monotonic() + timeout
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        # The kernel gives an abstract name to be answered at: no file to leave behind or to have rights
        # to. It is seen in the same network namespace, where Kamailio of this node is.
        client.bind("")
        client.settimeout(timeout)
        try:
            client.connect(str(path))
            client.send(msgspec.json.encode({"jsonrpc": "2.0", "method": method, "id": number}))
            while True:
                client.settimeout(max(deadline - time.monotonic(), 0.001))
                answer = _decode(client.recv(LARGEST))
                if answer.get("id") == number:
                    break
        except OSError as error:
            raise UnreachableError(f"{path}: {error.strerror or 'no answer in time'}") from error
    if "error" in answer:
        raise RefusedError(f"{method}: {answer['error'].get('message', 'error')}")
    return answer.get("result")


def _decode(datagram: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(datagram, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise RefusedError(f"the answer is no JSON-RPC: {error}") from error

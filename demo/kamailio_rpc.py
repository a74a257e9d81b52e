"""Ask a running Kamailio through its JSON-RPC datagram socket (module jsonrpcs)."""

import json
import secrets
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any


class RpcError(Exception):
    """Kamailio does not answer, or refuses the command."""


def call(path: Path, method: str, *parameters: Any, wait: float = 2.0) -> Any:
    """Run one RPC command and give its result."""
    request = {"jsonrpc": "2.0", "method": method, "params": list(parameters), "id": 1}
    # The answer goes to our own address: an abstract one leaves nothing behind. It is in the network
    # namespace, as Kamailio is.
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as asker:
        asker.settimeout(wait)
        asker.bind(f"\0fmc-stand-{secrets.token_hex(8)}")
        try:
            asker.connect(str(path))
            asker.send(json.dumps(request).encode())
            answer = json.loads(asker.recv(1 << 20))
        except OSError as error:
            raise RpcError(f"Kamailio does not answer at {path}: {error}") from error
    if "result" not in answer:
        raise RpcError(f"{method}: {answer.get('error', answer)}")
    return answer["result"]


def destinations(path: Path) -> dict[str, str]:
    """Give the dispatcher's destinations and their flags (A active, I inactive, T trying; P probed)."""
    return dict(_find(call(path, "dispatcher.list")))


def _find(node: Any) -> Iterator[tuple[str, str]]:
    """Walk the nested RECORDS, SET, TARGETS and DEST of dispatcher.list."""
    if isinstance(node, dict):
        if "URI" in node:
            yield str(node["URI"]), str(node["FLAGS"])
        for value in node.values():
            yield from _find(value)
    elif isinstance(node, list):
        for value in node:
            yield from _find(value)

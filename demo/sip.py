"""SIP messages as they were on the wire, and the one question the demo asks itself (OPTIONS)."""

import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

Address = tuple[str, int]

COMPACT = {"i": "call-id", "f": "from", "t": "to", "m": "contact", "v": "via", "l": "content-length"}
"""Compact header names in use here (RFC 3261, section 7.3.3)."""
URI = re.compile(r"\b(?:sips?|tel):([^@;>\s]*)")
MEDIA = re.compile(r"^m=audio (\d+) \S+ (\d+)", re.MULTILINE)
CONNECTION = re.compile(r"^c=IN IP4 (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Message:
    """One SIP message; header names are lower case and long, values stand in the order they came."""

    start: str
    headers: Mapping[str, tuple[str, ...]]
    body: str

    @classmethod
    def parse(cls, payload: bytes) -> "Message | None":
        """Read a datagram; None for what is no SIP message (keep-alives, anything else)."""
        head, _, body = payload.decode("utf-8", "replace").partition("\r\n\r\n")
        start, *lines = head.split("\r\n")
        if not (start.startswith("SIP/2.0 ") or start.endswith(" SIP/2.0")):
            return None
        headers: dict[str, tuple[str, ...]] = {}
        name = ""
        for line in lines:
            if line[:1] in {" ", "\t"} and name:
                *others, last = headers[name]
                headers[name] = (*others, f"{last} {line.strip()}")
            else:
                key, _, value = line.partition(":")
                name = COMPACT.get(key.strip().lower(), key.strip().lower())
                headers[name] = (*headers.get(name, ()), value.strip())
        return cls(start, headers, body)

    @property
    def method(self) -> str:
        """The request's method; of a response, the method it answers."""
        word = self.start.split(" ", 1)[0]
        return self.header("CSeq").split(" ")[-1] if word == "SIP/2.0" else word

    @property
    def status(self) -> int | None:
        """The response's code; None for a request."""
        words = self.start.split(" ")
        return int(words[1]) if words[0] == "SIP/2.0" else None

    def header(self, name: str) -> str:
        """Give a header's first value, or nothing."""
        return (self.headers.get(name.lower()) or ("",))[0]

    @property
    def call_id(self) -> str:
        return self.header("Call-ID")

    def user(self, header: str) -> str:
        """Give the user part of the URI in a header ("" names the Request-URI); nothing when absent."""
        text = self.header(header) if header else self.start.split(" ")[1]
        found = URI.search(text)
        return found[1] if found else ""

    @cached_property
    def audio(self) -> Address | None:
        """Where the sender of this SDP wants to receive audio (RFC 8866); None without such an SDP."""
        connection, media = CONNECTION.search(self.body), MEDIA.search(self.body)
        return (connection[1], int(media[1])) if connection and media else None


def answers_options(target: Address, wait: float = 0.3) -> bool:
    """Ask a SIP element whether it is there; any final response within `wait` seconds says yes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        asker.settimeout(wait)
        asker.connect(target)
        host, port = asker.getsockname()
        mark = secrets.token_hex(8)
        request = (
            f"OPTIONS sip:{target[0]}:{target[1]} SIP/2.0\r\n"
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK{mark}\r\n"
            f"Max-Forwards: 70\r\n"
            f"From: <sip:stand@{host}>;tag={mark}\r\n"
            f"To: <sip:{target[0]}:{target[1]}>\r\n"
            f"Call-ID: {mark}@{host}\r\n"
            f"CSeq: 1 OPTIONS\r\n"
            f"Contact: <sip:stand@{host}:{port}>\r\n"
            f"Content-Length: 0\r\n\r\n"
        )
        try:
            asker.send(request.encode())
            answer = Message.parse(asker.recv(65535))
        except OSError:  # nobody listens yet, or no answer in time
            return False
    return answer is not None and (answer.status or 0) >= 200

"""What was on the wire: dumpcap on the loopback interface, read back as SIP messages and heard audio.

The file stays where it was written, so that an engineer can open it in Wireshark.
"""

import os
import secrets
import signal
import socket
import struct
import subprocess
import time
from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from demo.audio import LAWS, RATE, Pcm
from demo.pcap import UDP, Packet, read_pcap
from demo.processes import uninterrupted
from demo.sip import Address, Message

MARK: Address = ("127.0.0.1", 9)
"""Where marker packets go: the discard port, where nobody need listen."""
READY_SECONDS = 10.0
POLL_SECONDS = 0.02


class CaptureError(Exception):
    """dumpcap did not start, or lost what was sent."""


class Capture:
    """Captures UDP and ICMP on loopback while the context lasts; ready when the context is entered.

    `wanted` is a capture filter (pcap-filter(7)); it must let UDP through, which tells when it is ready.
    """

    def __init__(self, path: Path, interface: str = "lo", wanted: str = "udp or icmp") -> None:
        self.path = path
        self._interface = interface
        self._wanted = wanted
        self._log = path.with_suffix(".log")
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        try:
            with self._log.open("wb") as log, uninterrupted():
                self._process = subprocess.Popen(
                    [
                        "dumpcap",
                        "-q",
                        "-i",
                        self._interface,
                        "-f",
                        self._wanted,
                        "-F",
                        "pcap",
                        "-w",
                        str(self.path),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,  # Ctrl-C must not end the capture before the calls
                )
            self.mark()
        except BaseException:  # also when we are asked to end meanwhile
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def mark(self) -> None:
        """Return when everything sent until now is in the file: a marker packet sent now is found there."""
        word = secrets.token_bytes(16)
        deadline = time.monotonic() + READY_SECONDS
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            while time.monotonic() < deadline:
                if self._process is None or self._process.poll() is not None:
                    break
                sender.sendto(word, MARK)
                time.sleep(POLL_SECONDS)
                if self.path.exists() and _ends_with(self.path, word):
                    return
        raise CaptureError(f"dumpcap captures nothing: {self._log.read_text(errors='replace').strip()}")

    def _stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None


def _ends_with(path: Path, word: bytes) -> bool:
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - 65536))
        return word in file.read()


@dataclass(frozen=True, slots=True)
class Seen:
    """A SIP message with its time and addresses, and the datagram it came in."""

    at: float
    source: Address
    target: Address
    message: Message
    payload: bytes = b""


class Wire:
    """A finished capture, indexed."""

    def __init__(self, packets: Iterable[Packet]) -> None:
        self.sip: list[Seen] = []
        self._by_target: dict[Address, list[Packet]] = defaultdict(list)
        self._hosts: dict[str, int] = defaultdict(int)
        for packet in packets:
            self._hosts[packet.target[0]] += 1
            if packet.protocol != UDP:
                continue
            message = Message.parse(packet.payload)
            if message:
                self.sip.append(Seen(packet.at, packet.source, packet.target, message, packet.payload))
            else:
                self._by_target[packet.target].append(packet)

    @classmethod
    def read(cls, path: Path) -> "Wire":
        """Read a capture file."""
        return cls(read_pcap(path))

    def packets_to(self, host: str) -> int:
        """Count everything that was sent to an address, whatever it was."""
        return self._hosts.get(host, 0)

    def received(self, by: Address, method: str, *, status: int | None = None) -> Iterator[Seen]:
        """Give what an address received: requests of a method, or with `status` the responses to it."""
        for seen in self.sip:
            if seen.target == by and seen.message.method == method and seen.message.status == status:
                yield seen

    def dialog(self, call_id: str) -> list[Seen]:
        """Give all messages with a Call-ID."""
        return [seen for seen in self.sip if seen.message.call_id == call_id]

    def heard(self, at: Address) -> Pcm:
        """Give the audio that arrived at an address, in time order from the first packet on.

        Packets stand where their RTP timestamp puts them; a new source, or a timestamp that leaves the
        clock by more than 200 ms, is placed by its time of arrival. What did not arrive is silence.
        """
        pcm = array("h")
        first = 0.0
        source, shift = -1, 0
        for packet in self._by_target.get(at, ()):
            rtp = _rtp(packet.payload)
            if rtp is None:
                continue
            stamp, ssrc, samples = rtp
            first = first or packet.at
            arrived = round((packet.at - first) * RATE)
            if ssrc != source or abs(_signed(stamp + shift) - arrived) > RATE // 5:
                source, shift = ssrc, arrived - stamp
            start = max(0, _signed(stamp + shift))
            if start > len(pcm):
                pcm.frombytes(bytes(2 * (start - len(pcm))))
            pcm[start : start + len(samples)] = samples
        return pcm


def _signed(stamp: int) -> int:
    """Read an RTP timestamp difference, which wraps at 32 bits, as a signed number."""
    return (stamp + 0x80000000) % 0x100000000 - 0x80000000


def _rtp(payload: bytes) -> tuple[int, int, Pcm] | None:
    """Give timestamp, SSRC and samples of a G.711 RTP packet (RFC 3550, section 5.1); None for others."""
    if len(payload) < 12 or payload[0] >> 6 != 2:
        return None
    flags, kind, _, stamp, ssrc = struct.unpack_from(">BBHII", payload)
    law = LAWS.get(kind & 0x7F)
    if law is None:
        return None
    start = 12 + 4 * (flags & 0x0F)
    if flags & 0x10 and len(payload) >= start + 4:
        start += 4 + 4 * int.from_bytes(payload[start + 2 : start + 4])
    end = len(payload) - (payload[-1] if flags & 0x20 else 0)
    return stamp, ssrc, law.decode(payload[start:end])

"""The edge as a media server sees it: one UDP socket, because Asterisk knows the edge by address and port.

It sends leg 1 and receives leg 2 over that socket, as Kamailio does (a SIPp process can be only one of both).
Each party says its own tone and keeps all it hears.
"""

import queue
import secrets
import select
import socket
import struct
import threading
import time
from array import array
from collections.abc import Callable, Mapping

from demo.audio import FRAME, LAWS, PCMA, RATE, Pcm, tone
from demo.sip import Address, Message

WAIT = 15.0
"""Seconds after which something expected counts as missing."""
CALLER_TONE, CALLEE_TONE = 400, 1000
EVENT = 101
"""RTP payload type of telephone events in our SDP."""


class Voice(threading.Thread):
    """An RTP endpoint: says a tone from `talk` on, keeps the samples it hears."""

    def __init__(self, hertz: int) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        second = PCMA.encode(tone(hertz, 1.0))
        self._frames = [second[start : start + FRAME] for start in range(0, len(second), FRAME)]
        self._remote: Address | None = None
        self._heard: Pcm = array("h")
        self.digits: queue.Queue[int] = queue.Queue()
        self._changed = threading.Condition()
        self._over = threading.Event()
        self.start()

    def talk(self, remote: Address | None) -> None:
        assert remote, "no audio address in the SDP"
        self._remote = remote

    def run(self) -> None:
        sent, due, source = 0, time.monotonic(), secrets.randbits(32)
        while not self._over.is_set():
            left = due - time.monotonic()
            if left > 0:
                if select.select([self._socket], [], [], left)[0]:
                    self._hear(self._socket.recv(2048))
                continue
            due += FRAME / RATE
            if self._remote:
                header = struct.pack(">BBHII", 0x80, 8, sent & 0xFFFF, sent * FRAME & 0xFFFFFFFF, source)
                self._socket.sendto(header + self._frames[sent % len(self._frames)], self._remote)
                sent += 1
        self._socket.close()

    def press(self, digit: int) -> None:
        """Send a digit of 100 ms as RFC 4733 does: start, updates, the end three times."""
        assert self._remote
        source, stamp = secrets.randbits(32), secrets.randbits(31)
        for number, (end, length) in enumerate(((0, 160), (0, 480), (0, 800), (1, 800), (1, 800), (1, 800))):
            header = struct.pack(">BBHII", 0x80, EVENT | 0x80 * (number == 0), number, stamp, source)
            self._socket.sendto(header + struct.pack(">BBH", digit, end << 7 | 10, length), self._remote)

    def _hear(self, packet: bytes) -> None:
        if packet[1] & 0x7F == EVENT and packet[13] & 0x80:
            self.digits.put(packet[12])
        law = LAWS.get(packet[1] & 0x7F)
        if law:
            with self._changed:
                self._heard.extend(law.decode(packet[12:]))
                self._changed.notify_all()

    @property
    def heard(self) -> Pcm:
        with self._changed:
            return self._heard[:]

    def wait_heard(self, enough: Callable[[Pcm], bool]) -> Pcm:
        """Wait until what was heard is enough."""
        deadline = time.monotonic() + WAIT
        while not enough(heard := self.heard):
            with self._changed:
                assert self._changed.wait(deadline - time.monotonic()), "what was expected is not heard"
        return heard

    def end(self) -> None:
        self._over.set()
        self.join()


class Leg:
    """One dialog. `sent` or `received` is its INVITE: leg 1 is sent by the edge, leg 2 received."""

    def __init__(self, peer: "Peer", invite: Message, hertz: int) -> None:
        self.peer, self.invite, self.voice = peer, invite, Voice(hertz)
        self.tag = secrets.token_hex(4)
        self.responses: queue.Queue[Message] = queue.Queue()
        self.requests: queue.Queue[Message] = queue.Queue()
        self.local = self.remote = self.target = ""

    def sdp(self) -> str:
        return (
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
            f"m=audio {self.voice.port} RTP/AVP 8 0 {EVENT}\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n"
            f"a=rtpmap:{EVENT} telephone-event/8000\r\na=ptime:20\r\na=sendrecv\r\n"
        )

    def wait_response(self, status: int) -> Message:
        """Wait for a response to the INVITE; any other final one fails."""
        while True:
            response = self.responses.get(timeout=WAIT)
            if response.method == "INVITE" and response.status == status:
                return response
            assert response.method != "INVITE" or response.status < 200, response.start

    def wait_request(self, method: str) -> Message:
        """Wait for an in-dialog request, which has been answered already."""
        while True:
            request = self.requests.get(timeout=WAIT)
            if request.method == method:
                return request

    def unanswered(self) -> bool:
        """Whether no final response came until now."""
        seen = list(self.responses.queue)
        return all(response.status < 200 for response in seen if response.method == "INVITE")

    def cancel(self) -> None:
        kept = {name: self.invite.header(name) for name in ("Via", "From", "To", "Call-ID", "Max-Forwards")}
        self.peer.send(f"CANCEL {self.invite.start.split(' ')[1]} SIP/2.0", {**kept, "CSeq": "1 CANCEL"})

    def reply(self, status: int, body: str = "") -> None:
        self.peer.respond(self.invite, status, self.tag, body)

    def answer(self) -> None:
        self.voice.talk(self.invite.audio)
        self.local, self.remote = f"{self.invite.header('To')};tag={self.tag}", self.invite.header("From")
        self.target = bare(self.invite.header("Contact"))
        self.reply(200, self.sdp())

    def hang_up(self) -> None:
        self.in_dialog("BYE", "2 BYE")

    def in_dialog(self, method: str, sequence: str) -> None:
        headers = {"Via": self.peer.via(), "Max-Forwards": "70", "From": self.local, "To": self.remote}
        self.peer.send(
            f"{method} {self.target} SIP/2.0", {**headers, "Call-ID": self.invite.call_id, "CSeq": sequence}
        )


def bare(header: str) -> str:
    """Give the URI of a header with angle brackets."""
    return header.partition("<")[2].partition(">")[0]


class Peer(threading.Thread):
    """The edge's socket, on a free port of loopback."""

    def __init__(self, media: Address) -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._over = threading.Event()
        self.address: Address = self._socket.getsockname()
        self.media = media
        self.legs: dict[str, Leg] = {}
        self.arrived: queue.Queue[Leg] = queue.Queue()
        self.others: queue.Queue[Message] = queue.Queue()
        self.start()

    def via(self) -> str:
        return f"SIP/2.0/UDP 127.0.0.1:{self.address[1]};branch=z9hG4bK{secrets.token_hex(8)}"

    def send(self, start: str, headers: Mapping[str, str], body: str = "") -> None:
        lines = [start, *(f"{name}: {value}" for name, value in headers.items())]
        lines += ["Content-Type: application/sdp"] if body else []
        text = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body])
        self._socket.sendto(text.encode(), self.media)

    def respond(self, request: Message, status: int, tag: str = "", body: str = "") -> None:
        to = request.header("To")
        headers = {
            "Via": request.header("Via"),
            "From": request.header("From"),
            "To": f"{to};tag={tag}" if tag and "tag=" not in to else to,
            "Call-ID": request.call_id,
            "CSeq": request.header("CSeq"),
            "Contact": f"<sip:callee@127.0.0.1:{self.address[1]}>",
        }
        self.send(f"SIP/2.0 {status} Because", headers, body)

    def call(self, user: str, headers: Mapping[str, str], caller: str = "<sip:201@127.0.0.1>") -> Leg:
        """Send leg 1."""
        host, call_id = f"127.0.0.1:{self.media[1]}", secrets.token_hex(8)
        own = {
            "Via": self.via(),
            "Max-Forwards": "69",
            "From": f"{caller};tag={call_id}",
            "To": f"<sip:{user}@{host}>",
            "Call-ID": call_id,
            "CSeq": "1 INVITE",
            "Contact": f"<sip:edge@127.0.0.1:{self.address[1]}>",
        }
        start = f"INVITE sip:{user}@{host} SIP/2.0"
        invite = Message(start, {name.lower(): (value,) for name, value in own.items()}, "")
        leg = self.legs[call_id] = Leg(self, invite, CALLER_TONE)
        self.send(start, {**own, **headers}, leg.sdp())
        return leg

    def receive(self) -> Leg:
        """Wait for leg 2."""
        return self.arrived.get(timeout=WAIT)

    def run(self) -> None:
        while not self._over.is_set():
            if select.select([self._socket], [], [], 0.1)[0]:
                message = Message.parse(self._socket.recv(65535))
                if message:
                    self._take(message)
        self._socket.close()

    def _take(self, message: Message) -> None:
        leg = self.legs.get(message.call_id)
        if leg is None and message.method == "INVITE":
            leg = self.legs[message.call_id] = Leg(self, message, CALLEE_TONE)
            self.respond(message, 100)
            self.arrived.put(leg)
        elif leg is None:
            self.others.put(message)
        elif message.status is not None:
            if message.method == "INVITE" and message.status >= 200:
                self._acknowledge(leg, message)
            leg.responses.put(message)
        elif message.method in {"BYE", "CANCEL"}:
            self.respond(message, 200)
            if message.method == "CANCEL":
                leg.reply(487)
            leg.requests.put(message)

    def _acknowledge(self, leg: Leg, message: Message) -> None:
        if message.status == 200:
            leg.local, leg.remote = message.header("From"), message.header("To")
            leg.target = bare(message.header("Contact"))
            leg.voice.talk(message.audio)
            leg.in_dialog("ACK", "1 ACK")
        else:
            kept = {name: message.header(name) for name in ("Via", "From", "To", "Call-ID")}
            self.send(f"ACK {leg.invite.start.split(' ')[1]} SIP/2.0", {**kept, "CSeq": "1 ACK"})

    def forget(self) -> None:
        """End what a test has left behind."""
        for leg in self.legs.values():
            leg.voice.end()
        self.legs.clear()
        assert self.arrived.empty(), "an INVITE nobody waited for"

    def end(self) -> None:
        self.forget()
        self._over.set()
        self.join()

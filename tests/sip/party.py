"""Trunks, media servers and strangers that talk to an edge: sockets of the test that speak SIP.

Every party has an address of its own in 127.0.5.0/24, so that nothing else on loopback is in the way.
"""

import secrets
import select
import socket
import time
from collections.abc import Callable, Iterable, Sequence

from demo.sip import Address, Message

WAIT = 8.0
"""Seconds after which something expected counts as missing; tm gives a silent peer up sooner."""

EDGE: Address = ("127.0.5.1", 5060)
HOST = "127.0.5.1:5060"
MVNO: Address = ("127.0.5.2", 6060)
LANDLINE: Address = ("127.0.5.3", 6061)
WHOLESALE: Address = ("127.0.5.4", 6062)
WHOLESALE_2: Address = ("127.0.5.4", 6063)
BACKUP: Address = ("127.0.5.5", 6064)
OPERATOR: Address = ("127.0.5.6", 6065)
MEDIA: Address = ("127.0.5.8", 5080)
MEDIA_2: Address = ("127.0.5.9", 5080)
STRANGER: Address = ("127.0.5.66", 5060)

SDP = (
    "v=0\r\no=- 1 1 IN IP4 127.0.5.99\r\ns=-\r\nc=IN IP4 127.0.5.99\r\nt=0 0\r\n"
    "m=audio 10000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\n"
)

Header = tuple[str, str]


def request_text(start: str, headers: Iterable[Header], body: str = "") -> bytes:
    """A message on the wire; `headers` stand as given, a name may repeat."""
    lines = [start, *(f"{name}: {value}" for name, value in headers)]
    lines += ["Content-Type: application/sdp"] if body else []
    return "\r\n".join([*lines, f"Content-Length: {len(body)}", "", body]).encode()


class Party:
    """A UDP socket that speaks SIP; what came and was not asked for yet waits in `backlog`."""

    def __init__(self, address: Address) -> None:
        self.address = address
        self.backlog: list[Message] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(address)

    def fileno(self) -> int:
        return self._socket.fileno()

    @property
    def host(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def via(self) -> str:
        return f"SIP/2.0/UDP {self.host};branch=z9hG4bK{secrets.token_hex(8)}"

    def send(self, datagram: bytes, to: Address = EDGE) -> None:
        self._socket.sendto(datagram, to)

    def pull(self, seconds: float = 0.0) -> bool:
        """Take what has arrived, waiting up to `seconds` for the first of it."""
        arrived = False
        while select.select([self._socket], [], [], 0 if arrived else max(seconds, 0))[0]:
            arrived = True
            message = Message.parse(self._socket.recv(65535))
            if message:
                self.backlog.append(message)
        return arrived

    def expect(self, wanted: Callable[[Message], bool], what: str) -> Message:
        """Wait for the first message that is wanted; the others stay."""
        deadline = time.monotonic() + WAIT
        while True:
            for index, message in enumerate(self.backlog):
                if wanted(message):
                    return self.backlog.pop(index)
            assert self.pull(deadline - time.monotonic()), (
                f"{self.host} waited in vain for {what}; it has {[one.start for one in self.backlog]}"
            )

    def request(self, method: str) -> Message:
        return self.expect(lambda one: one.status is None and one.method == method, method)

    def heard(self) -> list[str]:
        """The start lines of all that came and was not asked for."""
        self.pull()
        return [one.start for one in self.backlog]

    def takes_call(self) -> "Leg":
        """Wait for an INVITE and send 100, which stops its retransmission."""
        leg = Leg.called(self, self.request("INVITE"))
        leg.reply(100)
        return leg

    def forget(self) -> None:
        self.pull()
        self.backlog.clear()

    def close(self) -> None:
        self._socket.close()


def first_call(*parties: Party) -> "Leg":
    """The next INVITE at any of these, not even answered with 100 yet."""
    deadline = time.monotonic() + WAIT
    while True:
        for party in parties:
            if any(one.method == "INVITE" and one.status is None for one in party.backlog):
                return Leg.called(party, party.request("INVITE"))
        ready = select.select(parties, [], [], max(deadline - time.monotonic(), 0))[0]
        assert ready, f"no INVITE at {[party.host for party in parties]}"
        for party in ready:
            party.pull()


class Leg:
    """One party's side of a dialog: it calls (`calling`) or is called (`called`)."""

    def __init__(self, party: Party, invite: Message, local: str, remote: str) -> None:
        self.party, self.invite, self.local, self.remote = party, invite, local, remote
        self.target = self.contact = ""
        self.routes: Sequence[str] = ()
        self.sequence = int(invite.header("CSeq").split(" ")[0])

    @classmethod
    def calling(
        cls,
        party: Party,
        user: str,
        *,
        caller: str = "<sip:79990000201@ims.example>",
        to: str | None = None,
        headers: Sequence[Header] = (),
        uri: str | None = None,
        call_id: str | None = None,
        contact: str | None = None,
        body: str = SDP,
    ) -> "Leg":
        """Send an INVITE."""
        uri = uri or f"sip:{user}@{HOST}"
        mark = secrets.token_hex(8)
        own = [
            ("Via", party.via()),
            ("Max-Forwards", "70"),
            ("From", f"{caller};tag={mark}"),
            ("To", to or f"<sip:{user}@{HOST}>"),
            ("Call-ID", call_id or mark),
            ("CSeq", "1 INVITE"),
            ("Contact", contact or f"<sip:caller@{party.host}>"),
            *headers,
        ]
        datagram = request_text(f"INVITE {uri} SIP/2.0", own, body)
        invite = Message.parse(datagram)
        assert invite
        leg = cls(party, invite, invite.header("From"), invite.header("To"))
        leg.datagram = datagram
        leg.contact = contact or ""
        party.send(datagram)
        return leg

    datagram: bytes = b""

    @classmethod
    def called(cls, party: Party, invite: Message) -> "Leg":
        """An INVITE that came."""
        leg = cls(party, invite, f"{invite.header('To')};tag={secrets.token_hex(4)}", invite.header("From"))
        leg.target = uri_of(invite.header("Contact"))
        leg.routes = invite.headers.get("record-route", ())
        return leg

    @property
    def call_id(self) -> str:
        return self.invite.call_id

    # -- as the called party -------------------------------------------------------------------------

    def reply(self, status: int, *headers: Header, to: Message | None = None, body: str = "") -> None:
        """Reply to the INVITE, or to another request."""
        request = to or self.invite
        tagged = request.header("To")
        if "tag=" not in tagged and status > 100:
            tagged = self.local
        copied = [("Via", value) for value in request.headers["via"]]
        copied += [("Record-Route", value) for value in request.headers.get("record-route", ())]
        own = [
            ("From", request.header("From")),
            ("To", tagged),
            ("Call-ID", request.call_id),
            ("CSeq", request.header("CSeq")),
            ("Contact", self.contact or f"<sip:callee@{self.party.host}>"),
        ]
        self.party.send(request_text(f"SIP/2.0 {status} Because", [*copied, *own, *headers], body))

    def answer(self, *headers: Header) -> None:
        self.reply(200, *headers, body=SDP)

    def refuse(self, status: int) -> None:
        """A final failure and its ACK, which the edge sends by itself."""
        self.reply(status)
        self.expect("ACK")

    # -- as the calling party ------------------------------------------------------------------------

    def response(self, wanted: Callable[[int], bool] = lambda status: status >= 200) -> Message:
        """Wait for a response to the last request; a final one of the INVITE is acknowledged."""

        def fits(one: Message) -> bool:
            return one.call_id == self.call_id and one.status is not None and wanted(one.status)

        response = self.party.expect(fits, f"a response in {self.call_id}")
        assert response.status
        if response.method == "INVITE" and response.status >= 200:
            self._acknowledge(response)
        return response

    def refused(self, status: int) -> Message:
        response = self.response()
        assert response.status == status, response.start
        return response

    def accepted(self) -> Message:
        return self.refused(200)

    def _acknowledge(self, response: Message) -> None:
        if response.status == 200:
            if self.routes == () and self.target == "":
                self.established(response)
            self.send("ACK", sequence=int(response.header("CSeq").split(" ")[0]))
            return
        copied = [(name, self.invite.header(name)) for name in ("Via", "From", "Call-ID", "Max-Forwards")]
        own = [*copied, ("To", response.header("To")), ("CSeq", "1 ACK")]
        self.party.send(request_text(f"ACK {self.invite.start.split(' ')[1]} SIP/2.0", own))

    def established(self, response: Message) -> None:
        """Take the dialog from a provisional or final response."""
        self.remote = response.header("To")
        self.target = uri_of(response.header("Contact"))
        self.routes = tuple(reversed(response.headers.get("record-route", ())))

    def cancel(self) -> None:
        copied = [(name, self.invite.header(name)) for name in ("Via", "From", "To", "Call-ID")]
        own = [*copied, ("Max-Forwards", "70"), ("CSeq", f"{self.sequence} CANCEL")]
        self.party.send(request_text(f"CANCEL {self.invite.start.split(' ')[1]} SIP/2.0", own))

    # -- both ----------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        *headers: Header,
        sequence: int = 0,
        routes: Sequence[str] | None = None,
        body: str = "",
    ) -> None:
        """Send a request in the dialog."""
        if not sequence:
            self.sequence += 1
            sequence = self.sequence
        own = [
            ("Via", self.party.via()),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in (self.routes if routes is None else routes)),
            ("From", self.local),
            ("To", self.remote),
            ("Call-ID", self.call_id),
            ("CSeq", f"{sequence} {method}"),
            ("Contact", self.contact or f"<sip:party@{self.party.host}>"),
        ]
        self.party.send(request_text(f"{method} {self.target} SIP/2.0", [*own, *headers], body))

    def expect(self, method: str) -> Message:
        """Wait for a request in the dialog."""
        return self.party.expect(
            lambda one: one.status is None and one.method == method and one.call_id == self.call_id, method
        )

    def hang_up(self, other: "Leg") -> tuple[Message, Message]:
        """BYE and its 200; gives the BYE as the other side saw it, and the 200 as this side did."""
        self.send("BYE")
        bye = other.expect("BYE")
        other.reply(200, to=bye)
        return bye, self.accepted()


def connect(caller: Leg, callee: Leg, *headers: Header) -> Message:
    """Answer, acknowledge, wait for the ACK; gives the 200 as the caller saw it."""
    callee.answer(*headers)
    accepted = caller.accepted()
    callee.expect("ACK")
    return accepted


def uri_of(header: str) -> str:
    """The URI of a name-addr."""
    return header.partition("<")[2].partition(">")[0]


def tag_of(header: str) -> str:
    return header.partition(";tag=")[2]

"""Calls between SIPp processes through a real Kamailio; what each side received is read from a capture.

Everybody is an address of 127.0.5.0/24. SIPp also stands in for a media server: it takes leg 1 and refuses it, and
leg 2 is a call of its own that says what leg 1 did (`leg_2`), as the dialplan of the media servers has it.
"""

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from edge import Edge
from party import HOST

from demo.capture import Capture
from demo.pcap import UDP, read_pcap
from demo.processes import Process, stop_all
from demo.sip import Address, Message
from kemi.edge import callid

HERE = Path(__file__).parent
EDGE: Address = ("127.0.5.1", 5060)
MVNO: Address = ("127.0.5.2", 6060)
LANDLINE: Address = ("127.0.5.3", 6061)
WHOLESALE: Address = ("127.0.5.4", 6062)
MEDIA: Address = ("127.0.5.8", 5080)
HISTORY: Address = ("127.0.5.21", 6071)
OLD: Address = ("127.0.5.22", 6072)
ODD: Address = ("127.0.5.23", 6073)
SIM = "+79990000201"
"""Of subscriber 201."""
BOUND_SECONDS = 8.0
"""A call that takes longer hangs."""

DIRECTORY = """
trunks:
  mvno-main:
    kind: mvno
    peers: ["sip:127.0.5.2:6060"]
    accept_from: ["127.0.5.2", "127.0.5.6"]
    identity: [P-Served-User, P-Asserted-Identity, From]
    ingress:
      calling: [e164_bare, e164]
      called: [service, extension, e164, national_trunk, international_prefix, local]
      rewrite:
        - {name: moscow-context, role: called, match: "{number};phone-context=+7495", replace: "+7495{number}"}
    egress: {shape: e164_bare, headers: {P-Asserted-Identity: e164}}
    on_media_down: breakout
  landline:
    kind: carrier
    peers: ["sip:127.0.5.3:6061"]
    accept_from: ["127.0.5.3"]
    called_from: To
    ingress: {calling: [national, national_trunk], called: [national, national_trunk]}
    egress: {shape: national_trunk}
    numbers: ["+74951234567"]
    on_media_down: breakout
  wholesale:
    kind: carrier
    peers: ["sip:127.0.5.4:6062"]
    accept_from: ["127.0.5.4"]
    identity: [P-Asserted-Identity, From]
    ingress: {calling: [e164, e164_bare], called: [e164, e164_bare]}
    egress: {shape: e164, privacy: pass, forwarded: original}
    numbers: ["+74957654321"]
    on_media_down: breakout
  history:
    kind: carrier
    peers: ["sip:127.0.5.21:6071"]
    accept_from: ["127.0.5.21"]
    egress: {shape: national_trunk, forwarded: original, diversion: [History-Info]}
    numbers: ["+78430000001"]
  old:
    kind: carrier
    peers: ["sip:127.0.5.22:6072"]
    accept_from: ["127.0.5.22"]
    identity: [Remote-Party-ID, From]
    ingress: {calling: [national_trunk], called: [national_trunk]}
    egress: {shape: e164_bare, identity: [Remote-Party-ID], headers: {Remote-Party-ID: national_trunk}}
    numbers: ["+78460000001"]
  odd:
    kind: carrier
    peers: ["sip:127.0.5.23:6073"]
    accept_from: ["127.0.5.23"]
    ingress:
      calling: [e164, national]
      called: [e164, national_trunk, national]
      rewrite:
        - {name: caller-and-did, role: calling, match: "{caller}#{did}", replace: "{caller}"}
        - {name: technical-prefix, role: called, match: "7777{number}", replace: "{number}"}
    numbers: ["+74950000009"]
    on_media_down: breakout
routes:
  - {prefix: "+7495", trunks: [landline, wholesale]}
  - {prefix: "+7496", trunks: [landline]}
  - {prefix: "+7843", trunks: [history]}
  - {prefix: "+7846", trunks: [old]}
  - {prefix: "+", trunks: [wholesale]}
media: ["sip:127.0.5.8:5080"]
tenants:
  company:
    name: ООО «Пример»
    country: RU
    area_code: "495"
    caller_id: "+74951234567"
    outbound: {allow: ["+"]}
    subscribers:
      "201": {name: Отдел закупок, msisdn: "+79990000201"}
      "202": {name: Диспетчер логистики, msisdn: "+79990000202", caller_id: "+78430000001"}
      "203": {name: Удалённый менеджер, msisdn: "+79990000203", clir: true}
    numbers:
      "+74951234567": {trunk: landline, to: "subscriber:201"}
      "+74950000009": {trunk: odd, to: "subscriber:202"}
"""

NAMES = (
    "p-asserted-identity",
    "p-preferred-identity",
    "remote-party-id",
    "privacy",
    "diversion",
    "history-info",
)
"""Headers that name a party, beside Request-URI, From, To and Contact."""

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'


def lines(*headers: str) -> str:
    """Headers as a key of the scenarios has them."""
    return "".join(f"\r\n{header}" for header in headers)


@dataclass(frozen=True)
class Caller:
    """Who calls: caller.xml. `uri` without a scheme is a user of the edge; `to` is the same, when empty."""

    host: str
    uri: str
    sender: str
    headers: Sequence[str] = ()
    to: str = ""
    call_id: str = ""
    contact: str = ""
    origin: str = "-"
    later: Sequence[str] = ()
    port: int = 0


@dataclass(frozen=True)
class Callee:
    """Who is called: callee.xml. Answers, or `takes` no call (503); each reply has headers of its own."""

    address: Address
    takes: bool = True
    early: Sequence[str] = ()
    answer: Sequence[str] = ()
    later: Sequence[str] = ()
    contact: str = ""


@dataclass(frozen=True)
class Datagram:
    """A UDP payload with a SIP message in it."""

    source: Address
    target: Address
    payload: bytes
    message: Message


@dataclass(frozen=True)
class Heard:
    """What was on the wire while a call lasted. `call_id` is the caller's, `caller` its address."""

    call_id: str
    caller: Address
    datagrams: Sequence[Datagram] = field(repr=False)

    def at(self, address: Address) -> list[Datagram]:
        """All that an address received."""
        return [one for one in self.datagrams if one.target == address]

    def requests(self, address: Address, method: str) -> list[Message]:
        """What it was asked, once each."""
        found = (one.message for one in self.at(address) if one.message.status is None)
        return list({one.header("CSeq"): one for one in found if one.method == method}.values())

    def request(self, address: Address, method: str = "INVITE") -> Message:
        """The first request of a method; what follows it is of the same dialog."""
        found = self.requests(address, method)
        assert found, f"no {method} at {address}"
        assert len({one.call_id for one in found}) == 1
        return found[0]

    def replies(self, address: Address, method: str = "INVITE", least: int = 180) -> list[Message]:
        """What it was answered; an answer that came twice counts once."""
        found = (one.message for one in self.at(address) if (one.message.status or 0) >= least)
        return list({(one.header("CSeq"), one.status): one for one in found if one.method == method}.values())


def media(edge: Edge, *, up: bool) -> None:
    """Whether a media server answers the edge's OPTIONS."""
    edge.rpc("dispatcher.set_state", "a" if up else "i", 1, "all")


def named(message: Message) -> dict[str, str]:
    """The headers by which a message names a party; each may be there once."""
    found = {name: message.headers[name] for name in NAMES if name in message.headers}
    assert all(len(values) == 1 for values in found.values()), found
    return {name: values[0] for name, values in found.items()}


def users(message: Message) -> tuple[str, str, str]:
    """The user parts of Request-URI, From and To."""
    return message.user(""), message.user("From"), message.user("To")


def digits_of(number: str) -> tuple[str, str, str]:
    """What gives a number away, whatever stands before it: all of it, the national number, its last seven."""
    whole = number.removeprefix("+")
    return whole, whole[-10:], whole[-7:]


def shows(datagrams: Iterable[Datagram], number: str) -> list[str]:
    """The datagrams in which any of a number's digits stand, anywhere: headers, URIs, parameters, body."""
    digits = [one.encode() for one in digits_of(number)]
    return [
        one.payload.decode("utf-8", "backslashreplace")
        for one in datagrams
        if any(each in one.payload or each in re.sub(rb"%3([0-9])", rb"\1", one.payload) for each in digits)
    ]


def sim(called: str, number: str = SIM, **more: str) -> Caller:
    """A SIM dials."""
    asserted = f"P-Asserted-Identity: <sip:{number}@ims.example>"
    return Caller(MVNO[0], called, f"<sip:{number[1:]}@ims.example>", [asserted], **more)


def from_media(called: str, asserted: str = SIM, direction: str = "mobile_originated", *more: str) -> Caller:
    """The second leg of a call, as a media server sends it."""
    headers = [
        f"X-FMC-Call: {callid.new()}",
        "X-FMC-Tenant: company",
        f"X-FMC-Direction: {direction}",
        "X-FMC-Subscriber: 201",
        f"P-Asserted-Identity: <sip:{asserted}@{HOST}>",
        *more,
    ]
    return Caller(MEDIA[0], called, f"<sip:{asserted}@{MEDIA[0]}>", headers, port=MEDIA[1])


def leg_2(invite: Message, **headers: str) -> Caller:
    """The call that a media server makes for leg 1 (asterisk/dialplan-dial.conf): what it was told, it tells."""
    copied = ("X-FMC-Call", "X-FMC-Tenant", "X-FMC-Direction", "X-FMC-Subscriber")
    copied += ("P-Asserted-Identity", "Privacy", "Diversion")
    told = {name: value for name in copied if (value := invite.header(name))}
    told |= {name.replace("_", "-"): value for name, value in headers.items()}
    asserted = told.get("P-Asserted-Identity", "")
    known = asserted and "id" not in told.get("Privacy", "")
    return Caller(
        MEDIA[0],
        invite.user(""),
        asserted if known else '"Anonymous" <sip:anonymous@anonymous.invalid>',
        [f"{name}: {value}" for name, value in told.items()],
        port=MEDIA[1],
    )


class OnWire:
    """Makes calls through the edge at party.HOST while `capture` runs; SIPp's files go to `directory`."""

    def __init__(self, capture: Capture, directory: Path) -> None:
        self.capture, self.directory = capture, directory
        self._count = count(1)

    def call(self, caller: Caller, *callees: Callee, talks: bool = False, ends: str = "caller") -> Heard:
        """Make one call; all that was on the wire meanwhile."""
        (heard,) = self.calls([caller], *callees, talks=talks, ends=ends)
        return heard

    def calls(
        self, callers: Sequence[Caller], *callees: Callee, talks: bool = False, ends: str = "caller"
    ) -> list[Heard]:
        """Make calls and wait until every side has had all that its scenario waits for.

        Every callee takes all of them. `talks`: once answered each side sends UPDATE and re-INVITE, the callee
        first. Calls run at the same time; those that come from one port come one after the other.
        """
        both = {"talks": "yes" if talks else "no", "ends": ends}
        number = next(self._count)
        waiting = [
            self._callee(f"{number}-{callee.address[1]}", callee, len(callers), both) for callee in callees
        ]
        calling: list[tuple[Process, str, Address]] = []
        for index, caller in enumerate(callers):
            address = (caller.host, caller.port or 7000 + index)
            call_id = caller.call_id or f"wire{number}-{index}"
            name = f"{number}-caller{index}"
            calling.append((self._caller(name, caller, address, call_id, both), call_id, address))
        begun = time.time()
        try:
            for process in waiting:
                process.start()
            for process, callee in zip(waiting, callees, strict=True):
                _listens(process, callee.address)
            for index, (process, _, address) in enumerate(calling):
                for earlier, _, taken in calling[:index]:
                    if taken == address:
                        self._ended(earlier)
                process.start()
            for process, _, _ in calling:
                self._ended(process)
            for process in waiting:
                self._ended(process)
        finally:
            stop_all([*(process for process, _, _ in calling), *waiting], seconds=0.0)
        self.capture.mark()
        seen = self._since(begun)
        if len(callers) == 1:
            return [Heard(*calling[0][1:], seen)]
        return [
            Heard(call_id, address, [one for one in seen if one.message.call_id == call_id])
            for _, call_id, address in calling
        ]

    def _ended(self, process: Process) -> None:
        status = process.wait(BOUND_SECONDS)
        assert status == 0, self._told(process)

    def through_media(
        self, caller: Caller, *callees: Callee, talks: bool = False, ends: str = "caller"
    ) -> tuple[Heard, Heard]:
        """Both legs of a call, one after the other: a SIPp process plays one scenario on one port."""
        leg_1 = self.call(caller, Callee(MEDIA))
        second = leg_2(leg_1.request(MEDIA))
        return leg_1, self.call(second, *callees, talks=talks, ends=ends)

    def _since(self, begun: float) -> list[Datagram]:
        found = []
        for packet in read_pcap(self.capture.path):
            message = Message.parse(packet.payload) if packet.protocol == UDP and packet.at >= begun else None
            if message:
                found.append(Datagram(packet.source, packet.target, packet.payload, message))
        return found

    def _caller(
        self, name: str, caller: Caller, address: Address, call_id: str, both: dict[str, str]
    ) -> Process:
        uri = caller.uri if ":" in caller.uri else f"sip:{caller.uri}@{HOST}"
        keys = {
            "uri": uri,
            "from": caller.sender,
            "to": caller.to or f"<{uri}>",
            "contact": caller.contact or f"<sip:{address[0]}:{address[1]}>",
            "origin": caller.origin,
            "more": lines(*caller.headers),
            "later": lines(*caller.later),
        }
        return self._sipp(name, "caller.xml", address, keys | both, HOST, "-m", "1", "-cid_str", call_id)

    def _callee(self, name: str, callee: Callee, calls: int, both: dict[str, str]) -> Process:
        host, port = callee.address
        keys = {
            "contact": callee.contact or f"<sip:{host}:{port}>",
            "takes": "yes" if callee.takes else "no",
            "early": lines(*callee.early),
            "answer": lines(*callee.answer),
            "later": lines(*callee.later),
        }
        return self._sipp(name, "callee.xml", callee.address, keys | both, "-m", str(calls))

    def _sipp(self, name: str, scenario: str, address: Address, keys: dict[str, str], *more: str) -> Process:
        command = [
            *("sipp", *more, "-sf", str(HERE / scenario), "-nostdin"),
            *("-i", address[0], "-p", str(address[1]), "-bind_local"),
            *("-timeout", f"{BOUND_SECONDS - 1:.0f}s", "-timeout_error"),
            *("-trace_err", "-error_file", str(self.directory / f"{name}.errors")),
            *(word for key, value in keys.items() for word in ("-key", key, value)),
        ]
        return Process(name, command, self.directory / f"{name}.out")

    def _told(self, process: Process) -> str:
        errors = self.directory / f"{process.name}.errors"
        said = errors.read_text(errors="replace") if errors.exists() else ""
        return f"{process.name}: {process.status}\n{said}\n{process.tail(5)}"


def _listens(process: Process, address: Address) -> None:
    """Wait until the process has bound its port."""
    host = "".join(f"{int(part):02X}" for part in reversed(address[0].split(".")))
    entry = f" {host}:{address[1]:04X} "
    deadline = time.monotonic() + BOUND_SECONDS
    while entry not in Path("/proc/net/udp").read_text():
        assert process.alive, process.fault()
        assert time.monotonic() < deadline, f"{process.name} does not listen at {address}"
        time.sleep(0.002)  # another process binds: there is nothing to wait on

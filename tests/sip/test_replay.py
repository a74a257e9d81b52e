"""What Kamailio reads from the wire, replay reads from the capture of it: the same calls, the same decisions."""

import socket
import time
from pathlib import Path

import pytest
from edge import DIRECTORY, Edge
from party import EDGE, HOST, OPERATOR, SDP, WAIT

from demo.capture import Capture
from kemi.calls.events import Started
from kemi.directory import values
from kemi.directory.yamlfile import parse
from kemi.replay.reading import invites
from kemi.replay.run import Row, Side, Tally, replay
from kemi.replay.sources import Sources

pytestmark = pytest.mark.system

PLAIN = (
    "INVITE sip:89161234567@{host} SIP/2.0",
    "Via: SIP/2.0/UDP {via};branch=z9hG4bK{id}",
    "Max-Forwards: 70",
    "From: <sip:79990000201@ims.example>;tag=1",
    "To: <sip:89161234567@{host}>",
    "Call-ID: {id}",
    "CSeq: 1 INVITE",
    "Contact: <sip:x@{via}>",
    "Content-Length: 0",
)
SHORT = {"Via": "v", "From": "f", "To": "t", "Call-ID": "i", "Contact": "m", "Content-Length": "l"}


def with_(*more: str) -> list[str]:
    return [*PLAIN[:-1], *more, PLAIN[-1]]


def named(change: dict[str, str]) -> list[str]:
    return [
        change.get(line.split(":")[0], line.split(":")[0]) + line[len(line.split(":")[0]) :] for line in PLAIN
    ]


def changed(name: str, line: str) -> list[str]:
    return [line if each.startswith(name) else each for each in PLAIN]


FORMS: dict[str, list[str]] = {
    "plain": list(PLAIN),
    "short names": named(SHORT),
    "short names in capitals": named({name: short.upper() for name, short in SHORT.items()}),
    "shouted": named({name: name.upper() for name in SHORT}),
    "blanks before the colon": named({name: f"{name} \t " for name in SHORT}),
    "folded From": changed("From", 'From: "a b"\r\n\t<sip:79990000201@ims.example>\r\n ;tag=1'),
    "folded": with_("Diversion: <sip:79161112233@a>\r\n ;reason=no-answer", "Privacy:\r\n id"),
    "asserted": with_("P-Asserted-Identity: <sip:79990000202@ims.example>"),
    "asserted twice": with_(
        "P-Asserted-Identity: <sip:79990000202@ims.example>", "p-asserted-identity: <tel:+79990000202>"
    ),
    "diverted": with_(
        "Diversion: <sip:79161112233@a>;reason=no-answer", "Diversion: <sip:74951234567@a>;reason=user-busy"
    ),
    "history": with_(
        "History-Info: <sip:74951234567@a>;index=1, <sip:79161112233@a>;index=1.1",
        "History-Info: <sip:b@c>;index=1.2",
    ),
    "served": with_("P-Served-User: <sip:79990000202@ims.example>;sescase=orig"),
    "preferred and remote party": with_(
        "P-Preferred-Identity: <sip:79990000202@a>", "Remote-Party-ID: <sip:79990000202@a>;party=calling"
    ),
    "private": with_("Privacy: id; critical", "Privacy: user"),
    "empty headers": with_("Subject:", "Privacy: "),
    "anonymous": changed("From", 'From: "Аноним" <sip:anonymous@anonymous.invalid>;tag=1'),
    "tag in quotes alone": changed("To", 'To: "a;tag=1" <sip:89161234567@x>'),
    "tel": changed("INVITE", "INVITE tel:89161234567 SIP/2.0"),
    "parameters": changed("INVITE", "INVITE sip:89161234567;phone-context=+7@{host};user=phone SIP/2.0"),
    "escaped": changed("INVITE", "INVITE sip:%38916123%2d45-67@{host} SIP/2.0"),
    "small version": changed("INVITE", "INVITE sip:89161234567@{host} sip/2.0 "),
    "112": changed("INVITE", "INVITE sip:112@{host} SIP/2.0"),
    "sos": changed("INVITE", "INVITE urn:service:sos SIP/2.0"),
    "unknown shape": changed("INVITE", "INVITE sip:99@{host} SIP/2.0"),
    "a long name": changed("From", f'From: "{"я" * 1000}" <sip:79990000201@ims.example>;tag=1'),
    "windows-1251": changed("From", 'From: "\udccf\udce5" <sip:79990000201@ims.example>;tag=1'),
}


def message(lines: list[str], name: str, end: str = "\r\n", body: str = "") -> bytes:
    mark = name.replace(" ", "-")
    text = (end.join(lines) + end + end + body).replace("{host}", HOST).replace("{id}", mark)
    text = text.replace("{via}", f"{OPERATOR[0]}:{OPERATOR[1]}")
    text = text.replace("Content-Length: 0", f"Content-Length: {len(body)}")
    return text.encode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def captured(running: Edge, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Row], Tally, Edge]:
    """Sends everything, and reads the capture of it."""
    file: Path = tmp_path_factory.mktemp("wire") / "calls.pcap"
    with Capture(file, wanted="udp or tcp") as capture:
        for name, lines in FORMS.items():
            running.known.send(message(lines, name))
        running.known.send(message(list(PLAIN), "LF alone", "\n"))
        running.known.send(b"\r\n\r\n" + message(list(PLAIN), "blank lines before", body=SDP))
        with socket.create_connection(EDGE, timeout=WAIT, source_address=(OPERATOR[0], 0)) as stream:
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sent = b"".join(message(list(PLAIN), name, body=SDP) for name in ("in pieces", "behind it"))
            for at in range(0, len(sent), 97):
                stream.send(sent[at : at + 97])
                time.sleep(0.002)
            deadline = time.monotonic() + WAIT
            while not running.events("behind-it") and time.monotonic() < deadline:
                time.sleep(0.01)
        running.settled()
        capture.mark()
    document = parse(DIRECTORY, "edge.yaml")
    directory = values.directory(document)
    side = Side(directory, Sources(directory.trunks(), document.media), HOST)
    tally = Tally()
    with file.open("rb") as stream_:
        rows = {
            row.sip_call_id or "": row
            for row in replay(invites(stream_, print), side, None, tally, legs=False)
        }
    return rows, tally, running


@pytest.mark.parametrize("name", [*FORMS, "LF alone", "blank lines before", "in pieces", "behind it"])
def test_the_same_decision(captured: tuple[dict[str, Row], Tally, Edge], name: str) -> None:
    rows, _, edge = captured
    mark = name.replace(" ", "-")
    spooled = next((one for one in edge.events(mark) if isinstance(one, Started)), None)
    row = rows[mark]
    assert spooled is not None, "the edge did not decide"
    decision = row.decision
    assert decision is not None
    assert row.source == spooled.source
    for fact in (
        "direction",
        "action",
        "reason",
        "status",
        "calling",
        "called",
        "tenant",
        "subscriber",
        "identity",
    ):
        assert getattr(decision, fact) == getattr(spooled, fact), fact


def test_no_more_than_that(captured: tuple[dict[str, Row], Tally, Edge]) -> None:
    rows, tally, _ = captured
    assert set(rows) == {
        name.replace(" ", "-")
        for name in (*FORMS, "LF alone", "blank lines before", "in pieces", "behind it")
    }
    assert (tally.unreadable, tally.invites) == (0, len(rows))
    assert tally.outgoing > 0

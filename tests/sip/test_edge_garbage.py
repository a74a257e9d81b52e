"""Messages that are wrong: an answer or silence, never a crash, never a Python exception; the next call works."""

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from edge import Edge
from party import EDGE, HOST, SDP, Leg, Party, first_call, request_text
from test_edge import media_leg

from kemi.calls.events import Failed, Started

pytestmark = pytest.mark.system

CALLED = "89161234567"
BROKEN_UTF8 = b"\xd0\xd0\xff\xfe\xed\xa0\x80"
"""A lone lead byte, bytes of no encoding, a surrogate."""


def invite(party: Party, **changed: str | bytes | None) -> bytes:
    """A good INVITE of subscriber 201 with some headers (named with _ for -) changed, or left out (None)."""
    mark = party.via()[-8:]
    headers: dict[str, str | bytes | None] = {
        "Via": party.via(),
        "Max-Forwards": "70",
        "From": f"<sip:79990000201@ims.example>;tag={mark}",
        "To": f"<sip:{CALLED}@{HOST}>",
        "Call-ID": mark,
        "CSeq": "1 INVITE",
        "Contact": f"<sip:caller@{party.host}>",
        "Content-Type": "application/sdp",
        "Content-Length": str(len(SDP)),
    }
    uri = changed.pop("uri", f"sip:{CALLED}@{HOST}")
    body = changed.pop("body", SDP)
    headers |= {name.replace("_", "-"): value for name, value in changed.items()}
    lines = [b"INVITE " + as_bytes(uri) + b" SIP/2.0"]
    lines += [name.encode() + b": " + as_bytes(value) for name, value in headers.items() if value is not None]
    return b"\r\n".join([*lines, b"", as_bytes(body)])


def as_bytes(value: str | bytes | None) -> bytes:
    assert value is not None
    return value if isinstance(value, bytes) else value.encode()


@pytest.fixture(autouse=True)
def _alive_and_well(edge: Edge, at: SimpleNamespace) -> Iterator[None]:
    """After each of these, an ordinary call still goes through, and no handler has failed."""
    before = len(edge.log())
    yield
    edge.settled()
    for party in (at.media, at.media_2):
        party.forget()
    caller = Leg.calling(at.mvno, CALLED)
    callee = first_call(at.media, at.media_2)
    callee.reply(100)
    callee.refuse(486)
    while caller.response().call_id != caller.call_id:
        continue
    edge.wait_events(caller.call_id, Started, Failed)
    said = edge.log()[before:]
    assert "handler_failed" not in said
    assert "Traceback" not in said


PLACES: dict[str, dict[str, str | bytes]] = {
    "display name": {"From": b'"' + BROKEN_UTF8 + b'" <sip:79990000201@ims.example>;tag=a'},
    "user of From": {"From": b"<sip:" + BROKEN_UTF8 + b"@ims.example>;tag=a"},
    "P-Asserted-Identity": {"P-Asserted-Identity": b"<sip:" + BROKEN_UTF8 + b"@ims.example>"},
    "Privacy": {"Privacy": BROKEN_UTF8},
    "Diversion": {"Diversion": b"<sip:" + BROKEN_UTF8 + b"@ims.example>;reason=" + BROKEN_UTF8},
    "History-Info": {"History-Info": BROKEN_UTF8},
    "P-Served-User": {"P-Served-User": BROKEN_UTF8},
    "NUL in Diversion": {"Diversion": "<sip:7\0@x>"},
    "To": {"To": b'"' + BROKEN_UTF8 + b'" <sip:89161234567@x>'},
    "Request-URI": {"uri": b"sip:" + BROKEN_UTF8 + b"@" + HOST.encode()},
    "Call-ID": {"Call-ID": b"id" + BROKEN_UTF8},
    "escaped in From": {"From": "<sip:%ff%fe%ed%a0%80@ims.example>;tag=a"},
    "escaped in the Request-URI": {"uri": f"sip:%ff%fe%00@{HOST}"},
    "NUL in From": {"From": b'"a\0b" <sip:7999\x000000201@ims.example>;tag=a'},
}


@pytest.mark.parametrize("place", PLACES)
def test_text_that_is_no_utf8(edge: Edge, at: SimpleNamespace, place: str) -> None:
    """The call is decided on, and the event is spooled, whatever stands there."""
    before = len(edge.everything())
    at.mvno.send(invite(at.mvno, **PLACES[place]))
    edge.settled()
    at.mvno.pull()
    statuses = {one.status for one in at.mvno.backlog}
    assert 500 not in statuses, edge.process.tail()
    # Silence and 400 are for what cannot even be parsed.
    if statuses - {400}:
        (decided,) = (one for one in edge.everything()[before:] if isinstance(one, Started))
        assert decided.source == "mvno-main"


def test_text_from_media_that_is_no_utf8(at: SimpleNamespace) -> None:
    headers = {
        "X_FMC_Call": BROKEN_UTF8,
        "X_FMC_Tenant": BROKEN_UTF8,
        "X_FMC_Direction": b"mobile_originated" + BROKEN_UTF8,
    }
    at.media.send(invite(at.media, **headers))
    assert at.media.expect(lambda one: (one.status or 0) >= 300, "a refusal").status == 403


LONG: dict[str, dict[str, str | bytes | None]] = {
    "From": {"From": f'"{"x" * 9000}" <sip:79990000201@ims.example>;tag=a'},
    "user of From": {"From": f"<sip:{'7' * 2000}@ims.example>;tag=a"},
    "user": {"uri": f"sip:{'8' * 900}@{HOST}"},
    "user longer than a URI may be": {"uri": f"sip:{'8' * 5000}@{HOST}"},
    "Call-ID": {"Call-ID": "c" * 4000},
    "From tag": {"From": f"<sip:79990000201@ims.example>;tag={'t' * 4000}"},
    "Privacy": {"Privacy": "id;" * 3000},
    "P-Asserted-Identity": {"P-Asserted-Identity": ", ".join(["<sip:+79990000201@a>"] * 400)},
    "Diversion": {"Diversion": ", ".join(["<sip:+79990000201@a>;reason=user-busy"] * 250)},
    "History-Info": {"History-Info": "<sip:a@b?Privacy=history>;index=1" + ".1" * 4000},
    "Remote-Party-ID": {"Remote-Party-ID": '"' + "\\\\" * 5000},
    "P-Served-User": {"P-Served-User": "<sip:+79990000201@a>" + ";sescase=orig" * 700},
    "Via parameters": {"Via": "SIP/2.0/UDP 127.0.5.2:6060;branch=z9hG4bK1;x=" + "v" * 5000},
    "a header": {"X-Anything": "a" * 12000},
    "20 kB": {"X-Anything": "a" * 20000},
    "60 kB": {"X-Anything": "a" * 60000},
}


@pytest.mark.parametrize("what", LONG)
def test_very_long(edge: Edge, at: SimpleNamespace, what: str) -> None:
    at.mvno.send(invite(at.mvno, **LONG[what]))
    edge.settled()
    at.mvno.pull()
    statuses = {one.status for one in at.mvno.backlog}
    assert 500 not in statuses, edge.process.tail()


WRONG: dict[str, dict[str, str | bytes | None]] = {
    "no From tag": {"From": "<sip:79990000201@ims.example>"},
    "empty From tag": {"From": "<sip:79990000201@ims.example>;tag="},
    "no From": {"From": None},
    "From is no address": {"From": "<<<>>>;tag=a"},
    "From with an open quote": {"From": '"open <sip:79990000201@ims.example>;tag=a'},
    "empty From": {"From": ""},
    "no To": {"To": None},
    "To is no address": {"To": "everybody"},
    "no Call-ID": {"Call-ID": None},
    "empty Call-ID": {"Call-ID": ""},
    "spaces in Call-ID": {"Call-ID": "a b c d"},
    "no CSeq": {"CSeq": None},
    "CSeq of another method": {"CSeq": "1 BYE"},
    "CSeq is no number": {"CSeq": "one INVITE"},
    "CSeq too large": {"CSeq": "99999999999999999999 INVITE"},
    "no Via": {"Via": None},
    "Via is wrong": {"Via": "SIP/2.0/UDP"},
    "Via of nobody": {"Via": "SIP/2.0/UDP 0.0.0.0:0;branch=z9hG4bK"},
    "no Max-Forwards": {"Max-Forwards": None},
    "Max-Forwards is no number": {"Max-Forwards": "many"},
    "Max-Forwards too large": {"Max-Forwards": "4294967296"},
    "no Contact": {"Contact": None},
    "Contact of everybody": {"Contact": "*"},
    "Content-Length too large": {"Content-Length": "9999"},
    "Content-Length too small": {"Content-Length": "1"},
    "Content-Length below zero": {"Content-Length": "-1"},
    "Content-Length is no number": {"Content-Length": "much"},
    "Require": {"Require": "teleportation"},
    "tel URI": {"uri": "tel:+79161234567"},
    "no user": {"uri": f"sip:{HOST}"},
    "no URI": {"uri": "x"},
    "an unknown scheme": {"uri": "mailto:a@b"},
    "a URI with headers": {"uri": f"sip:{CALLED}@{HOST}?Subject=x"},
    "a port too large": {"uri": f"sip:{CALLED}@127.0.5.1:99999"},
    "line feeds in a name": {"From": '"a\n b" <sip:79990000201@ims.example>;tag=a'},
    "folded": {"From": '"a"\r\n <sip:79990000201@ims.example>\r\n\t;tag=a'},
    "body of nothing": {"body": "", "Content-Length": "0"},
    "body of bytes": {"body": b"\0\xff" * 100, "Content-Length": "200"},
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong(edge: Edge, at: SimpleNamespace, what: str) -> None:
    at.mvno.send(invite(at.mvno, **WRONG[what]))
    edge.settled()
    at.mvno.pull()
    assert 500 not in {one.status for one in at.mvno.backlog}, edge.process.tail()


def test_wrong_replies(edge: Edge, at: SimpleNamespace) -> None:
    """What a far side sends back is no better."""
    caller = media_leg(at)
    callee = at.wholesale.takes_call()
    vias = [("Via", value) for value in callee.invite.headers["via"]]
    good = [
        ("From", callee.invite.header("From")),
        ("To", callee.local),
        ("Call-ID", callee.call_id),
        ("CSeq", "1 INVITE"),
    ]
    for start in ("SIP/2.0 99 x", "SIP/2.0 abc x", "SIP/2.0 200", "SIP/2.0"):
        at.wholesale.send(request_text(start, [*vias, *good]))
    for left_out in range(len(good)):
        kept = [header for index, header in enumerate(good) if index != left_out]
        at.wholesale.send(request_text("SIP/2.0 183 x", [*vias, *kept]))
    at.wholesale.send(request_text("SIP/2.0 183 x", good))
    at.wholesale.send(request_text("SIP/2.0 183 " + "x" * 9000, [*vias, *good, ("X", "y" * 9000)]))
    at.wholesale.send(b"SIP/2.0 183 \xff\xfe\r\n" + request_text("", [*vias, *good])[2:])
    edge.settled()
    callee.refuse(486)
    caller.refused(486)


def test_a_strangers_garbage(edge: Edge) -> None:
    stranger = Party(("127.0.5.67", 5060))
    for changed in (*PLACES.values(), *LONG.values(), *WRONG.values()):
        stranger.send(invite(stranger, **changed), EDGE)
    edge.settled()
    assert stranger.heard() == []
    stranger.close()

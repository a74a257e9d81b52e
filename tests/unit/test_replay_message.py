"""Reading an INVITE as Kamailio reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kemi.replay.message import UnreadableError, has_tag, parse

LINES = (
    "INVITE sip:8@edge SIP/2.0",
    "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKx",
    "From: Иван <sip:7@a>;tag=1",
    "To: <sip:8@edge>",
    "Call-ID: c",
    "CSeq: 1 INVITE",
)


def message(*more: str, end: str = "\r\n"):
    return parse((end.join((*LINES, *more)) + end + end).encode())


@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_a_plain_one(end):
    read = message("Content-Length: 0", end=end)
    assert (read.method, read.ruri) == ("INVITE", "sip:8@edge")
    assert read.first("from") == "Иван <sip:7@a>;tag=1"
    assert read.value("privacy") is None
    assert not read.within_dialog


@pytest.mark.parametrize(
    ("lines", "name", "value"),
    [
        (["PRIVACY: id"], "privacy", "id"),
        (["privacy \t :id"], "privacy", "id"),
        (["Privacy:"], "privacy", ""),
        (["f: <sip:1@b>"], "from", "Иван <sip:7@a>;tag=1, <sip:1@b>"),
        (["P-Asserted-Identity: <sip:1@b>", "p-asserted-identity: <tel:+7>"], "p-asserted-identity", None),
        (["Diversion: <sip:1@b>", "\t;reason=no-answer", "  ;counter=1"], "diversion", None),
        (["Y-Long: " + "9" * 60000], "y-long", "9" * 60000),
    ],
)
def test_ways_to_write_a_header(lines, name, value):
    read = message(*lines).value(name)
    assert read == {
        "p-asserted-identity": "<sip:1@b>, <tel:+7>",
        "diversion": "<sip:1@b> ;reason=no-answer ;counter=1",
    }.get(name, value)


def test_short_names_and_blank_lines_before():
    read = parse(
        b"\r\n\0 invite  tel:112  sip/2.0 \r\nv:SIP / 2.0 / TCP [2001:db8::1] : 5070 ; BRANCH = z\r\nt:x\r\n\r\nv=0"
    )
    assert (read.method, read.ruri, read.first("to")) == ("INVITE", "tel:112", "x")
    assert read.via == ("2001:db8::1", 5070, "z")


@pytest.mark.parametrize(
    ("value", "host", "port", "branch"),
    [
        ("SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKx, SIP/2.0/UDP b;branch=y", "192.0.2.9", 5070, "z9hG4bKx"),
        ("SIP/2.0/UDP pbx.example;rport;branch=q", "pbx.example", None, "q"),
        ("SIP/2.0/UDP 10.0.0.1:5060;received=192.0.2.9;rport=1024", "192.0.2.9", 1024, ""),
    ],
)
def test_the_topmost_via(value, host, port, branch):
    data = f"INVITE sip:8@edge SIP/2.0\r\nVia: {value}\r\nVia: SIP/2.0/UDP z\r\n\r\n"
    assert parse(data.encode()).via == (host, port, branch)


@pytest.mark.parametrize(
    ("value", "tagged"),
    [
        ("<sip:8@edge>;tag=1", True),
        ("sip:8@edge;tag=1", True),
        ('"a;tag=1" <sip:8@edge> ; x ; TAG = 1', True),
        ('"a;tag=1" <sip:8@edge;tag=2>', False),
        ("<sip:8@edge>;tag=", False),
        ("<sip:8@edge>;xtag=1", False),
        ("", False),
    ],
)
def test_the_tag_is_the_headers(value, tagged):
    assert has_tag(value) is tagged


def test_bytes_that_are_no_text_are_kept_visible():
    assert (
        parse(b'INVITE sip:8@e SIP/2.0\r\nFrom: "\xcf\xe5" <sip:7@a>\r\n\r\n').first("from")
        == '"\\xcf\\xe5" <sip:7@a>'
    )


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"INVITE", "the request line"),
        (b"INVITE sip:a b SIP/2.0\r\nTo: x\r\n\r\n", "the request line"),
        (b"INVITE sip:a SIP/3.0\r\nTo: x\r\n\r\n", "the request line"),
        (b"INVITE sip:a SIP/2.0\r\n\r\n", "no header"),
        (b"INVITE sip:a SIP/2.0\r\nTo: x\r\nwhat is this\r\n\r\n", "line 3 is no header: 'what is this'"),
    ],
)
def test_what_cannot_be_read_says_why(data, why):
    with pytest.raises(UnreadableError, match=why):
        parse(data)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data):
    for each in (data, b"INVITE sip:a SIP/2.0\r\n" + data):
        try:
            read = parse(each)
        except UnreadableError:
            continue
        assert isinstance(read.within_dialog, bool)
        assert read.via is None or read.via.host is not None

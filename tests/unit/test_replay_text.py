"""SIP messages out of text as people have it."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kemi.replay.message import parse
from kemi.replay.text import NoMessagesError, invites

INVITE = "INVITE sip:8@edge SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.9\nFrom: <sip:7@a>;tag=1\nTo: <sip:8@edge>\nCall-ID: c\n"
REPLY = "SIP/2.0 180 Ringing\nCall-ID: c\n"
BODY = "v=0\no=- 1 1 IN IP4 192.0.2.9\nm=audio 1 RTP/AVP 0\n"


def read(text: str | bytes):
    return list(invites(BytesIO(text.encode() if isinstance(text, str) else text)))


@pytest.mark.parametrize(
    "text",
    [
        INVITE,
        INVITE.replace("\n", "\r\n"),
        f"\ufeff{INVITE}",
        f"{INVITE}\n{BODY}\n\n{REPLY}",
        f"log: hello\n\n{INVITE}12:00:01 and so on\n{REPLY}",
        "".join(f"    {line}\n" for line in INVITE.splitlines()),
        INVITE.replace("\n", "\n\t"),
        f"E..x.@.@...h......hINVITE{INVITE.removeprefix('INVITE')}",
        f"Received INVITE sip:8@edge SIP/2.0\nwhich is fine\n{INVITE}",
        f"{REPLY}{INVITE}{REPLY}",
    ],
)
def test_one_invite_is_found(text):
    (found,) = read(text)
    message = parse(found.data)
    assert (message.ruri, message.first("call-id"), len(message.headers)) == ("sip:8@edge", "c", 4)
    assert text.splitlines()[found.place - 1].endswith("sip:8@edge SIP/2.0")


def test_folded_lines_in_an_indented_message():
    (found,) = read(
        "  INVITE sip:8@edge SIP/2.0\n  Via: a\n  Diversion: <sip:1@b>\n    ;reason=unconditional\n  To: x\n"
    )
    assert parse(found.data).headers[1:] == (("diversion", "<sip:1@b> ;reason=unconditional"), ("to", "x"))


@pytest.mark.parametrize(
    ("before", "source", "target", "at"),
    [
        (
            "U 2027/01/11 09:30:00.123456 198.51.100.7:5070 -> 192.0.2.1:5060 #3",
            ("198.51.100.7", 5070),
            ("192.0.2.1", 5060),
            "2027-01-11T09:30:00.123456",
        ),
        (
            "2027-01-11 09:30:00.1 IP 198.51.100.7.5070 > 192.0.2.1.5060: SIP: INVITE",
            ("198.51.100.7", 5070),
            ("192.0.2.1", 5060),
            "2027-01-11T09:30:00.100000",
        ),
        (
            "2027-01-11T09:30:00Z  [2001:db8::7]:5070 ---> [2001:db8::1]:5060",
            ("2001:db8::7", 5070),
            ("2001:db8::1", 5060),
            "2027-01-11T09:30:00+00:00",
        ),
        (
            "09:30:00.1 IP6 2001:db8::7.5070 > 2001:db8::1.5060: SIP",
            ("2001:db8::7", 5070),
            ("2001:db8::1", 5060),
            None,
        ),
        (
            "<--- Received SIP request (900 bytes) from UDP:198.51.100.7:5070 --->",
            ("198.51.100.7", 5070),
            None,
            None,
        ),
        (
            "<--- Transmitting SIP request (900 bytes) to UDP:192.0.2.1:5060 --->",
            None,
            ("192.0.2.1", 5060),
            None,
        ),
        ("recv 900 bytes from udp/[198.51.100.7]:5070 at 09:30", ("198.51.100.7", 5070), None, None),
        ("[2027-13-41 09:30:00] nothing of use", None, None, None),
    ],
)
def test_the_lines_before_tell_time_and_addresses(before, source, target, at):
    (found,) = read(f"{before}\n\n{INVITE}")
    assert (found.source, found.target) == (source, target)
    assert (found.at.isoformat() if found.at else None) == at


def test_what_was_said_of_one_message_is_not_said_of_the_next():
    first, second = read(f"198.51.100.7:5070 -> 192.0.2.1:5060\n{INVITE}\n{INVITE}")
    assert first.source
    assert second.source is None


@pytest.mark.parametrize("text", ["", "hello", "INVITE me to SIP/2.1", b"\0\xff" * 5000])
def test_no_message_at_all(text):
    with pytest.raises(NoMessagesError):
        read(text)


def test_messages_but_no_invite():
    assert read(REPLY) == []


def test_a_bad_request_line_is_found_too():
    (found,) = read("INVITE sip:a b SIP/2.0\nTo: x\n")
    assert found.data.startswith(b"INVITE sip:a b")


@given(
    st.lists(
        st.sampled_from([INVITE, REPLY, "\n", "  ", "x" * 70000, "a: b\n", " c\n", "\xff"])
        | st.text(max_size=40)
    )
)
def test_any_text_is_read(parts):
    text = "".join(parts)
    try:
        found = read(text.encode("utf-8", "surrogatepass"))
    except NoMessagesError:
        assert INVITE not in text
    else:
        assert all(each.data.endswith(b"\r\n\r\n") for each in found)

"""The way back: whom a reply, an UPDATE and a re-INVITE name to the side they go to, read from a capture."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from onwire import (
    LANDLINE,
    MEDIA,
    MVNO,
    OLD,
    SIM,
    WHOLESALE,
    Address,
    Callee,
    Caller,
    Heard,
    OnWire,
    from_media,
    named,
    shows,
    sim,
)
from party import HOST, tag_of

pytestmark = pytest.mark.system

CLIENT = "+79167778899"
SIM_202 = "+79990000202"


def asserts(number: str, *more: str) -> Sequence[str]:
    return (f"P-Asserted-Identity: <sip:{number}@pstn.example>", *more)


def asserted(number: str) -> dict[str, str]:
    return {"p-asserted-identity": f"<sip:{number}@{HOST}>"}


def named_in_replies(heard: Heard, address: Address) -> dict[int, dict[str, str]]:
    """Whom the replies to the initial INVITE name, by their status."""
    first = (one for one in heard.replies(address) if one.header("CSeq") == "1 INVITE")
    return {one.status or 0: named(one) for one in first}


# -- replies to the mobile network -----------------------------------------------------------------------


def test_who_answers_on_a_trusted_trunk_is_shown_in_the_shape_of_the_caller(no_media: OnWire) -> None:
    """The trunk writes 7916… without plus; another number than the one that was called: the call was diverted."""
    callee = Callee(WHOLESALE, early=asserts("79163334455"), answer=asserts("79163334466"))
    heard = no_media.call(sim("89167778899"), callee)
    assert named_in_replies(heard, heard.caller) == {
        183: asserted("+79163334455"),
        200: asserted("+79163334466"),
    }


def test_who_answers_in_remote_party_id_alone(no_media: OnWire) -> None:
    answer = ["Remote-Party-ID: <sip:79163334455@pstn.example>;party=called;privacy=off"]
    heard = no_media.call(sim("89167778899"), Callee(WHOLESALE, early=answer, answer=answer))
    assert named_in_replies(heard, heard.caller) == dict.fromkeys((183, 200), asserted("+79163334455"))


@pytest.mark.parametrize(
    "answer",
    [
        asserts("+79163334455", "Privacy: id"),
        ("Remote-Party-ID: <sip:+79163334455@pstn.example>;party=called;privacy=full",),
    ],
    ids=["Privacy", "Remote-Party-ID"],
)
def test_who_answers_and_is_not_to_be_shown(no_media: OnWire, answer: Sequence[str]) -> None:
    """The mobile network is in our trust domain: it is told who, and not to show it."""
    heard = no_media.call(sim("89167778899"), Callee(WHOLESALE, answer=answer))
    assert named_in_replies(heard, heard.caller) == {
        183: {},
        200: asserted("+79163334455") | {"privacy": "id"},
    }


@pytest.mark.parametrize(
    ("said", "seen"),
    [("4951112233", asserted("+74951112233")), ("84951112233", asserted("+74951112233")), ("9163334455", {})],
    ids=["ten digits", "with 8", "another number"],
)
def test_a_strangers_word_of_who_answers(no_media: OnWire, said: str, seen: dict[str, str]) -> None:
    """The landline is not trusted: it may only repeat the number that was called, in its mangled shape."""
    callee = Callee(LANDLINE, early=asserts(said), answer=asserts(said))
    heard = no_media.call(sim("84951112233"), callee)
    assert named_in_replies(heard, heard.caller) == dict.fromkeys((183, 200), seen)
    assert shows(heard.at(heard.caller), "+79163334455") == []


# -- replies to the public network -----------------------------------------------------------------------

ANSWERS = (
    f"P-Asserted-Identity: <sip:{SIM}@ims.example>, <tel:{SIM}>",
    f"Remote-Party-ID: <sip:{SIM}@ims.example>;party=called",
    f"History-Info: <sip:{SIM}@ims.example>;index=1.1",
    f"P-Charging-Vector: icid-value={SIM}",
)
"""How a SIM, and a media server for it, say who answered."""


def inbound(**more: str) -> Caller:
    sender = "<sip:9167778899@pstn.example>"
    return Caller(LANDLINE[0], "pbx", sender, to=f"<sip:4951234567@{HOST}>", **more)


def test_a_sim_behind_a_did_is_not_shown_through_media(wire: OnWire) -> None:
    """Neither in what leg 1 is answered, nor in the BYE."""
    heard = wire.call(inbound(), Callee(MEDIA, early=ANSWERS, answer=ANSWERS, later=ANSWERS), ends="callee")
    assert named_in_replies(heard, heard.caller) == dict.fromkeys((183, 200), asserted("84951234567"))
    assert named(heard.request(heard.caller, "BYE")) == {}
    assert shows(heard.at(heard.caller), SIM) == []


def test_a_sim_behind_a_did_is_not_shown_without_media(no_media: OnWire) -> None:
    callee = Callee(MVNO, early=ANSWERS, answer=ANSWERS, later=ANSWERS)
    heard = no_media.call(inbound(), callee, talks=True, ends="callee")
    assert heard.request(MVNO).user("") == SIM[1:]
    assert named_in_replies(heard, heard.caller) == dict.fromkeys((183, 200), asserted("84951234567"))
    assert shows(heard.at(heard.caller), SIM) == []


def test_the_contact_of_a_sim_behind_a_did_is_not_shown_without_media(no_media: OnWire) -> None:
    callee = Callee(MVNO, contact=f"<sip:{SIM}@{MVNO[0]}:{MVNO[1]}>")
    heard = no_media.call(inbound(), callee, talks=True)
    assert shows(heard.at(heard.caller), SIM) == []


def test_an_old_network_is_told_in_remote_party_id(wire: OnWire) -> None:
    """The number that it called, in its shape."""
    caller = Caller(OLD[0], f"8{SIM[2:]}", "<sip:89167778899@old.example>")
    heard = wire.call(caller, Callee(MEDIA, answer=asserts(SIM)))
    remote = f"<sip:8{SIM[2:]}@{HOST}>;party=called;screen=yes;privacy=off"
    assert named_in_replies(heard, heard.caller) == {183: {}, 200: {"remote-party-id": remote}}


# -- later requests --------------------------------------------------------------------------------------


def dialog_of(heard: Heard, callee: Address) -> tuple[tuple[str, str], tuple[str, str]]:
    """From and To of the dialog as each side knows it, the side's own first: its INVITE's, with both tags."""
    sent = next(one.message for one in heard.datagrams if one.source == heard.caller)
    came = heard.request(callee)
    answer = next(
        one.message for one in heard.datagrams if one.source == callee and one.message.status == 200
    )
    tag = tag_of(answer.header("To"))
    return (
        (sent.header("From"), f"{sent.header('To')};tag={tag}"),
        (f"{came.header('To')};tag={tag}", came.header("From")),
    )


def consistent(heard: Heard, callee: Address) -> None:
    """What reaches a side has From and To of that side's dialog, to the letter (RFC 3261 section 12.2)."""
    for address, (own, other) in zip((heard.caller, callee), dialog_of(heard, callee), strict=True):
        for one in (each.message for each in heard.at(address) if each.message.status != 100):
            names = (one.header("From"), one.header("To"))
            if one.status is not None:
                assert names == (own, other), (one.start, one.header("CSeq"))
            elif tag_of(names[1]):
                assert names == (other, own), (one.start, one.header("CSeq"))


def later(heard: Heard, address: Address) -> list[tuple[str, dict[str, str]]]:
    """Whom each later request, and each answer to one, names: what, and the headers."""
    seen = []
    for one in (each.message for each in heard.at(address)):
        if one.method in {"UPDATE", "INVITE"} and one.header("CSeq") != "1 INVITE" and one.status != 100:
            kind = one.method if one.status is None else f"{one.status} of {one.method}"
            seen.append((kind, named(one)))
    return seen


KINDS = ("UPDATE", "INVITE", "200 of UPDATE", "200 of INVITE")
"""What a side receives after the answer; the callee, who asks first, has the answers first."""


def everywhere(names: dict[str, str]) -> list[tuple[str, dict[str, str]]]:
    return sorted((kind, names) for kind in KINDS)


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_a_sim_talks_to_a_trusted_trunk(no_media: OnWire, ends: str) -> None:
    """A transfer there is seen by the SIM, in its shape; which SIM it is the public network is not told."""
    caller = sim("89167778899", later=asserts(SIM, "Privacy: none"))
    callee = Callee(WHOLESALE, later=asserts("79163334466", f"Remote-Party-ID: <sip:{CLIENT}@x>"))
    heard = no_media.call(caller, callee, talks=True, ends=ends)
    assert sorted(later(heard, heard.caller)) == everywhere(asserted("+79163334466"))
    assert sorted(later(heard, WHOLESALE)) == everywhere({})
    assert shows(heard.at(WHOLESALE), SIM) == []
    consistent(heard, WHOLESALE)
    hung_up = heard.request(heard.caller if ends == "callee" else WHOLESALE, "BYE")
    assert named(hung_up) == {}


@pytest.mark.parametrize("ends", ["caller", "callee"])
def test_media_talks_to_a_handset(wire: OnWire, ends: str) -> None:
    caller = replace(from_media("201", CLIENT, "mobile_terminated"), later=asserts("+79163334466"))
    heard = wire.call(caller, Callee(MVNO, later=asserts("79990000202")), talks=True, ends=ends)
    assert sorted(later(heard, heard.caller)) == everywhere(asserted(SIM_202))
    assert sorted(later(heard, MVNO)) == everywhere(asserted("+79163334466"))
    consistent(heard, MVNO)


def test_media_talks_to_a_stranger(wire: OnWire) -> None:
    caller = replace(from_media("+74951112233"), later=asserts(SIM))
    heard = wire.call(caller, Callee(LANDLINE, later=asserts("4951112233")), talks=True, ends="callee")
    assert sorted(later(heard, heard.caller)) == everywhere(asserted("+74951112233"))
    assert sorted(later(heard, LANDLINE)) == everywhere({})
    assert shows(heard.at(LANDLINE), SIM) == []
    consistent(heard, LANDLINE)


def test_a_stranger_talks_to_media(wire: OnWire) -> None:
    """It is told the number that it called, whatever rings there, and tells nobody who it is now."""
    heard = wire.call(inbound(later=asserts(SIM_202)), Callee(MEDIA, later=asserts(SIM)), talks=True)
    assert sorted(later(heard, heard.caller)) == everywhere(asserted("84951234567"))
    assert sorted(later(heard, MEDIA)) == everywhere({})
    assert shows(heard.at(heard.caller), SIM) == []
    consistent(heard, MEDIA)


def test_later_requests_of_a_call_that_took_the_second_trunk(no_media: OnWire) -> None:
    """From and To of the trunk that answered, not of the one that refused."""
    callees = (Callee(LANDLINE, takes=False), Callee(WHOLESALE, later=asserts("74951112244")))
    heard = no_media.call(sim("84951112233"), *callees, talks=True)
    assert sorted(later(heard, heard.caller)) == everywhere(asserted("+74951112244"))
    consistent(heard, WHOLESALE)

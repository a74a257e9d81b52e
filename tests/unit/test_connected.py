"""The way back: what a reply, an UPDATE or a re-INVITE shows the other side."""

import pytest
from company import HOST, LANDLINE, MVNO, WHOLESALE
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from kemi.routing.connected import connected
from kemi.routing.model import Egress

CLIENT = "+79161234567"
TRUSTED = replace(
    WHOLESALE,
    name="partner",
    trusted=True,
    identity=("P-Asserted-Identity", "From"),
    calling=("e164", "national"),
)


def asserts(value: str, **more: str) -> dict[str, str]:
    return {"P-Asserted-Identity": value} | {name.replace("_", "-"): text for name, text in more.items()}


def test_who_answered_reaches_the_handset_in_its_trunks_shape() -> None:
    reply = asserts("<sip:9161234567@gw.example>")
    shown = connected(reply, TRUSTED, MVNO, CLIENT, HOST)
    assert shown.headers == {"P-Asserted-Identity": f"<sip:{CLIENT}@{HOST}>"}
    assert shown.identity["P-Asserted-Identity"].shape == "national"
    bare = replace(MVNO, egress=replace(MVNO.egress, headers={}))
    assert connected(reply, TRUSTED, bare, CLIENT, HOST).headers == {
        "P-Asserted-Identity": f"<sip:{CLIENT[1:]}@{HOST}>"
    }


def test_another_one_than_was_called_may_answer_behind_a_trusted_trunk() -> None:
    reply = asserts("<sip:+79167654321@gw.example>")
    assert connected(reply, TRUSTED, MVNO, CLIENT, HOST).headers == {
        "P-Asserted-Identity": f"<sip:+79167654321@{HOST}>"
    }


def test_a_strangers_word_is_taken_only_where_it_says_what_was_called() -> None:
    assert connected(asserts("<sip:9161234567@gw>"), LANDLINE, MVNO, CLIENT, HOST).headers == {
        "P-Asserted-Identity": f"<sip:{CLIENT}@{HOST}>"
    }
    assert connected(asserts("<sip:9167654321@gw>"), LANDLINE, MVNO, CLIENT, HOST).headers == {}
    # As the calling side it has nothing to compare with.
    assert connected(asserts("<sip:9161234567@gw>"), LANDLINE, MVNO, None, HOST).headers == {}


def test_remote_party_id_where_nothing_else_says_who_answered() -> None:
    reply = {"Remote-Party-ID": "<sip:+79167654321@gw>;party=called;privacy=off"}
    assert connected(reply, TRUSTED, MVNO, CLIENT, HOST).headers == {
        "P-Asserted-Identity": f"<sip:+79167654321@{HOST}>"
    }
    old = replace(MVNO, egress=Egress(shape="e164_bare", identity=("Remote-Party-ID",), privacy="pass"))
    assert connected(reply, TRUSTED, old, CLIENT, HOST).headers == {
        "Remote-Party-ID": f"<sip:79167654321@{HOST}>;party=called;screen=yes;privacy=off"
    }


def test_the_public_network_sees_the_number_it_called_never_the_sim_behind_it() -> None:
    reply = asserts("<sip:79990000201@ims.example>")
    shown = connected(reply, MVNO, LANDLINE, "+74951234567", HOST).headers
    assert shown == {"P-Asserted-Identity": f"<sip:84951234567@{HOST}>"}
    assert connected(reply, MVNO, LANDLINE, None, HOST).headers == {}
    # Also not through a media server.
    canonical = asserts(f"<sip:+79990000201@{HOST}>")
    assert "9990000201" not in str(connected(canonical, None, LANDLINE, "+74951234567", HOST).headers)


def test_towards_media_numbers_are_canonical() -> None:
    shown = connected(asserts("<tel:9161234567>"), TRUSTED, None, CLIENT, HOST).headers
    assert shown == {"P-Asserted-Identity": f"<sip:{CLIENT}@{HOST}>"}


@pytest.mark.parametrize(
    ("privacy", "headers"),
    [
        ("pass", {"P-Asserted-Identity": f"<sip:79167654321@{HOST}>", "Privacy": "id"}),
        ("drop", {}),
    ],
)
def test_who_answers_privately_is_told_only_to_who_keeps_it(privacy, headers) -> None:
    reply = asserts("<sip:+79167654321@gw>", Privacy="id")
    receiver = replace(MVNO, egress=Egress(shape="e164_bare", privacy=privacy))
    assert connected(reply, TRUSTED, receiver, CLIENT, HOST).headers == headers


def test_nothing_said_nothing_shown() -> None:
    assert connected({}, MVNO, LANDLINE, CLIENT, HOST).headers == {}
    assert connected(asserts("<sip:anonymous@anonymous.invalid>"), TRUSTED, MVNO, CLIENT, HOST).headers == {}
    assert connected(asserts("<sip:alice@gw.example>"), TRUSTED, MVNO, CLIENT, HOST).headers == {}


trunks = st.sampled_from([None, MVNO, LANDLINE, WHOLESALE, TRUSTED])


@given(st.text(max_size=4096), st.text(max_size=200), trunks, trunks, st.sampled_from([None, CLIENT]))
def test_any_text_is_survived(asserted, privacy, sender, receiver, called) -> None:
    headers = asserts(asserted, Remote_Party_ID=asserted, Privacy=privacy)
    for value in connected(headers, sender, receiver, called, HOST).headers.values():
        assert value.isascii()
        assert value.isprintable()

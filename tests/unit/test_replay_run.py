"""Whose call it is, which INVITEs count, and that they become the calls that the edge would have built."""

import msgspec
import pytest
from company import HOST, LANDLINE, MVNO, WHOLESALE, directory
from edge_worker import KSR
from hypothesis import given, settings
from hypothesis import strategies as st
from wire import invite

from kemi.agent.kamailio_files import address_list
from kemi.cli.replaytable import _cells
from kemi.edge.request import Reader
from kemi.replay.calls import call_of
from kemi.replay.changes import Change, changes
from kemi.replay.message import parse
from kemi.replay.raw import Raw
from kemi.replay.run import Side, Tally, replay
from kemi.replay.sources import Sources
from kemi.routing.model import MEDIA, Egress

MEDIA_SERVERS = ("sip:127.0.0.1:5080",)
TRUNKS = (
    msgspec.structs.replace(
        MVNO, accept_from=("10.0.0.0/8", "10.1.0.0/16", "[2001:db8::]", "2001:db8:1::/48")
    ),
    msgspec.structs.replace(LANDLINE, accept_from=("10.1.2.3", "10.1.2.4:5070", "192.0.2.77")),
    msgspec.structs.replace(
        WHOLESALE, accept_from=("10.1.2.3:5070", "10.1.0.0/24", "10.9.0.0/16"), peers=("sip:203.0.113.9",)
    ),
)


@pytest.mark.parametrize(
    ("address", "name"),
    [
        (("10.1.2.3", 5060), "legacy-landline"),
        (("10.1.2.3", 5070), "wholesale"),
        (("10.1.2.4", 5070), "legacy-landline"),
        (("10.1.2.4", 5071), "mvno-main"),
        (("10.1.0.9", 1), "wholesale"),
        (("10.200.0.1", 1), "mvno-main"),
        (("::ffff:10.9.1.1", 1), "wholesale"),
        (("2001:DB8::", 9), "mvno-main"),
        (("2001:db8:1:2::3", 9), "mvno-main"),
        (("127.0.0.1", 5080), MEDIA),
        (("127.0.0.1", 5081), None),
        (("203.0.113.9", 5060), None),
        (("pbx.example", None), None),
        (("", None), None),
    ],
)
def test_the_more_exact_address_wins(address, name):
    assert Sources(TRUNKS, MEDIA_SERVERS).of(address) == name


def test_addresses_that_calls_go_to():
    sources = Sources(TRUNKS, MEDIA_SERVERS)
    assert sources.takes(("203.0.113.9", 5060))
    assert sources.takes(("203.0.113.9", None))
    assert not sources.takes(("203.0.113.9", 5061))
    assert sources.takes(("127.0.0.1", 5080))


def test_the_same_sources_as_the_edges_table():
    """Kamailio tries the single addresses from the last line on, then the networks from the first."""
    lines = [line.split() for line in address_list(TRUNKS, MEDIA_SERVERS).splitlines() if line[0] != "#"]
    sources = Sources(TRUNKS, MEDIA_SERVERS)
    for _, address, mask, port, tag in lines:
        if mask in {"32", "128"}:
            assert sources.of((address, int(port) or 4321)) == tag


HEADERS = {
    "P-Asserted-Identity": "<sip:+79990000201@ims.example>",
    "P-Preferred-Identity": "<sip:1@x>",
    "P-Served-User": "<sip:+79990000201@ims.example>;sescase=orig",
    "P-Called-Party-ID": "<sip:2@x>",
    "Remote-Party-ID": "<sip:3@x>;party=calling",
    "Diversion": "<sip:4@x>;reason=no-answer",
    "History-Info": "<sip:5@x>;index=1",
    "Privacy": "id",
    "Route": "<sip:orig@edge;lr>",
    "Loop-Guard": "x",
    "X-FMC-Tenant": "company",
    "X-FMC-Direction": "mobile_originated",
    "X-FMC-Subscriber": "201",
    "X-FMC-Service": "dial",
}


@pytest.mark.parametrize("called_from", ["Request-URI", "To", "P-Called-Party-ID"])
@pytest.mark.parametrize("source", ["mvno-main", "wholesale", "legacy-landline", MEDIA])
@pytest.mark.parametrize("left_out", [(), tuple(HEADERS)])
def test_the_same_call_as_the_edge_builds(called_from, source, left_out):
    given = {name: value for name, value in HEADERS.items() if name not in left_out}
    message = parse(invite(*(f"{name.upper()} : {value}" for name, value in given.items())))
    KSR.message(
        {
            "$ou": message.ruri,
            "$hdr(From)": message.first("from"),
            "$hdr(To)": message.first("to"),
            **{f"$hdr({name})": value for name, value in given.items()},
        }
    )
    known = directory(
        trunks=[
            msgspec.structs.replace(each, called_from=called_from) for each in (MVNO, WHOLESALE, LANDLINE)
        ]
    )
    assert call_of(message, source, known) == Reader().read(source, known, media_up=True)


@pytest.mark.parametrize(
    "name", ["P-Asserted-Identity", "Privacy", "Diversion", "History-Info", "Loop-Guard"]
)
def test_headers_that_came_several_times(name):
    message = parse(invite(f"{name}: <sip:1@x>", f"{name}: <sip:2@x>, <sip:3@x>"))
    assert call_of(message, "mvno-main", directory()).headers[name] == "<sip:1@x>, <sip:2@x>, <sip:3@x>"


# -- which INVITEs count ---------------------------------------------------------------------------------

CARRIER, EDGE, OTHER = ("127.0.0.1", 6062), ("192.0.2.1", 5060), ("203.0.113.50", 5060)


def side(trunk: str | None = None, **changed) -> Side:
    known = directory(**changed)
    return Side(known, Sources(known.trunks(), MEDIA_SERVERS), HOST, trunk)


def raw(data: bytes = b"", source=CARRIER, target=EDGE, cut: str | None = None) -> Raw:
    return Raw("packet", 1, None, source, target, data or invite(), cut)


def run(*raws: Raw, trunk: str | None = None, legs: bool = False, before: Side | None = None, **changed):
    tally = Tally()
    return list(replay(raws, side(trunk, **changed), before, tally, legs=legs)), tally


def test_a_call_from_a_trunk_is_decided():
    (row,), tally = run(raw())
    assert (row.source, row.by, row.sip_call_id) == ("wholesale", "address", "a@b")
    assert row.decision.reason == "did_called"
    assert row.decision.called.canonical == "+74957654321"
    assert row.legs == []
    assert tally == Tally(invites=1)


def test_a_call_is_followed_where_it_is_asked():
    (row,), _ = run(raw(), legs=True)
    assert [leg["action"] for leg in row.legs] == ["media", "trunk"]
    assert row.legs[0]["steps"]


def test_what_is_no_call_to_the_edge():
    tagged = invite().replace(b"192.0.2.1>\r\nCall", b"192.0.2.1>;tag=9\r\nCall")
    again = invite(via="SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK2")
    rows, tally = run(
        raw(source=EDGE, target=CARRIER),
        raw(source=EDGE, target=OTHER),
        raw(source=OTHER, target=CARRIER),
        raw(tagged),
        raw(),
        raw(),
        raw(again),
    )
    assert len(rows) == 2
    assert (tally.outgoing, tally.within_dialog, tally.repeated) == (3, 1, 1)


def test_who_sent_it():
    by_via = invite(via="SIP/2.0/UDP 10.0.0.1;received=127.0.0.1;rport=6061;branch=z1")
    stranger = invite(call_id="s")
    rows, tally = run(raw(by_via, source=OTHER), raw(stranger, source=OTHER), raw(stranger, None, None))
    assert [(row.source, row.by) for row in rows] == [("legacy-landline", "via"), (None, None)]
    assert rows[1].decision is None
    assert (rows[1].calling, rows[1].called) == ("+79161234567", "+74957654321")
    assert tally.repeated == 1
    (row,), _ = run(raw(stranger, source=OTHER), trunk="wholesale")
    assert (row.source, row.by) == ("wholesale", "option")


def test_what_the_edge_itself_sent_is_no_call_in_a_log_either():
    own = invite(via=f"SIP/2.0/UDP {HOST};branch=z1")
    rows, tally = run(raw(own, None, None), trunk="wholesale")
    assert (rows, tally.outgoing) == ([], 1)


def test_media_headers_are_read_from_media_alone():
    media = {name: value for name, value in HEADERS.items() if name.startswith("X-FMC")}
    data = invite(*(f"{name}: {value}" for name, value in media.items()), ruri="sip:+79161234567@edge")
    (row,), _ = run(raw(data, source=("127.0.0.1", 5080)))
    assert (row.source, row.decision.reason) == (MEDIA, "media_leg")
    (row,), _ = run(raw(data))
    assert row.decision.reason == "unknown_number"


def test_a_message_that_cannot_be_read_is_a_row():
    rows, tally = run(
        raw(b"INVITE x\r\n\r\n"), raw(b"INVITE x\r\n\r\n"), raw(invite()[:90], cut="gone"), raw()
    )
    assert [row.error for row in rows] == [rows[0].error, "gone", None]
    assert "request line" in rows[0].error
    assert (tally.unreadable, tally.repeated) == (2, 1)


def test_a_decision_that_fails_is_a_row(monkeypatch):
    monkeypatch.setattr("kemi.replay.run.decide", lambda *_: 1 / 0)
    (row,), tally = run(raw())
    assert row.error == "the decision failed: ZeroDivisionError('division by zero')"
    assert tally.unreadable == 1


def test_numbers_that_fit_no_shape_are_counted():
    (row,), tally = run(raw(invite(calling="<sip:12345@x>")))
    assert row.decision.calling.kind == "unknown"
    assert tally.unknown == 1


# -- what changes ----------------------------------------------------------------------------------------


def test_nothing_changes_between_the_same():
    (row,), tally = run(raw(), before=side())
    assert row.changes == ()
    assert tally.changed == 0


def test_what_a_trunk_would_be_sent_is_told_too():
    written = msgspec.structs.replace(MVNO, egress=Egress(shape="national_trunk"))
    (row,), tally = run(raw(), before=side(trunks=(written, LANDLINE, WHOLESALE)))
    told = {change.what: (change.was, change.now) for change in row.changes}
    assert [uri.partition("@")[0] for uri in told["leg 2 target 1"]] == [
        "mvno-main sip:89990000203",
        "mvno-main sip:79990000203",
    ]
    assert all(what.startswith("leg 2 target 1") for what in told), told
    assert tally.changed == 1


def test_a_number_that_becomes_known():
    before = side(trunks=(MVNO, LANDLINE, msgspec.structs.replace(WHOLESALE, calling=("national",))))
    (row,), tally = run(raw(), before=before)
    told = {change.what: (change.was, change.now) for change in row.changes}
    assert told["calling"] == ("+79161234567 (unknown)", "+79161234567")
    assert tally.changed == 1


def test_a_source_that_becomes_known():
    before = side(trunks=(MVNO, LANDLINE))
    (row,), _ = run(raw(), before=before)
    assert row.changes[0] == Change("source", None, "wholesale")


def test_changes_of_nothing():
    nothing = {"source": None, "error": None, "legs": []}
    assert changes(nothing, nothing) == ()


# -- anything --------------------------------------------------------------------------------------------

LINES = (
    "INVITE sip:+74957654321@x SIP/2.0",
    "INVITE urn:service:sos SIP/2.0",
    "INVITE tel:112;phone-context=+7 SIP/2.0",
    "Via: SIP/2.0/UDP 127.0.0.1:6062;branch=",
    "Via: SIP/2.0/UDP 127.0.0.1:5080;rport=5080",
    "From: <sip:",
    'From: "\x1b]0;x\x07" <sip:+79161234567@x>;tag=1',
    "To: sip:4951234567@x",
    "P-Asserted-Identity: <sip:+79990000201@x>, <tel:+7>",
    "Diversion: <sip:%ff%00@x>;reason=",
    "History-Info: <sip:1@x?Reason=SIP%3Bcause%3D302>;index=1.1.1",
    "X-FMC-Tenant: company",
    "X-FMC-Direction: inbound",
    "Privacy: id",
    " folded",
)


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(LINES) | st.text(max_size=30), max_size=12),
    st.sampled_from([("127.0.0.1", 6060), ("127.0.0.1", 6061), ("127.0.0.1", 5080), OTHER, None]),
)
def test_any_message_is_a_row_that_can_be_shown(lines, source):
    data = "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogatepass")
    rows, tally = run(raw(data, source=source), legs=True, before=side(trunks=(MVNO,)))
    assert tally.invites == len(rows)
    for row in rows:
        shown = [cell.plain for cell in _cells(row)]
        assert all(char.isprintable() or char == "\n" for cell in shown for char in cell)

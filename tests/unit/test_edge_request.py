"""Reading an INVITE: only what the trunk's decision may look at, as text whatever stands there."""

import msgspec
import pytest
from company import LANDLINE, MVNO, WHOLESALE, directory
from edge_worker import HOST, KSR

from kemi.edge.request import Reader, connected_headers, text
from kemi.routing.model import MEDIA, Trunk

ALL = {
    name: f"<sip:{name}@x>"
    for name in (
        "From",
        "To",
        "P-Asserted-Identity",
        "P-Preferred-Identity",
        "P-Served-User",
        "Remote-Party-ID",
        "P-Called-Party-ID",
        "Privacy",
        "Loop-Guard",
        "Diversion",
        "History-Info",
        "Route",
        "X-FMC-Tenant",
        "X-FMC-Direction",
        "X-FMC-Subscriber",
        "X-FMC-Service",
    )
}


@pytest.fixture
def asked(monkeypatch):
    """Every pseudo-variable that is read."""
    KSR.message(
        {"$ou": f"sip:1@{HOST}", "$ru": "sip:other@media"} | {f"$hdr({k})": v for k, v in ALL.items()}
    )
    names = []
    get = KSR.pv.get
    monkeypatch.setattr(KSR.pv, "get", lambda name: names.append(name) or get(name))
    return names


REPEATED = {
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Remote-Party-ID",
    "Privacy",
    "Diversion",
    "History-Info",
    "Loop-Guard",
}
USUAL = REPEATED - {"Loop-Guard"} | {"From", "To"}


@pytest.mark.parametrize(
    ("trunk", "headers"),
    [
        (MVNO, USUAL | {"P-Served-User", "Route", "Loop-Guard"}),
        (WHOLESALE, USUAL),
        (LANDLINE, USUAL),
        (msgspec.structs.replace(WHOLESALE, called_from="P-Called-Party-ID"), USUAL | {"P-Called-Party-ID"}),
    ],
)
def test_a_trunks_call(asked, trunk, headers):
    call = Reader().read(trunk.name, directory(trunks=(trunk,)), media_up=True)
    assert set(call.headers) == headers
    assert {name: call.headers[name] for name in headers} == {name: ALL[name] for name in headers}
    others = [f"$(hdr({name})[1])" for name in REPEATED & headers]
    assert sorted(asked) == sorted(["$ou", *(f"$hdr({name})" for name in headers), *others])
    assert call.carried == ""
    assert call.fmc is None
    assert call.ruri == f"sip:1@{HOST}"
    assert call.media_up


def test_a_call_from_media(asked):
    call = Reader().read(MEDIA, directory(), media_up=False)
    assert set(call.headers) == {"P-Asserted-Identity", "From", "Privacy", "Diversion"}
    assert call.fmc.tenant == ALL["X-FMC-Tenant"]
    assert call.fmc.direction == ALL["X-FMC-Direction"]
    assert call.fmc.subscriber == ALL["X-FMC-Subscriber"]
    assert len(asked) == len(set(asked))
    assert not call.media_up


def test_what_is_not_there():
    KSR.message({"$ou": f"sip:{HOST}"})
    call = Reader().read(MEDIA, directory(), media_up=True)
    assert call.headers == {}
    assert (call.fmc.tenant, call.fmc.direction) == ("", "")
    assert (call.fmc.subscriber, call.fmc.service) == (None, None)
    KSR.message({})
    assert Reader().read(MVNO.name, directory(), media_up=True).ruri == ""


def test_a_source_that_is_no_trunk(asked):
    """The source table may be newer or older than the snapshot."""
    call = Reader().read("gone", directory(), media_up=True)
    assert call.fmc is None
    assert not any(name.startswith("$hdr(X-FMC") for name in asked)


def test_a_changed_trunk_is_read_anew():
    class Growing:
        """A directory whose next revision has a mobile network where a public one was."""

        revision = 1

        def trunk(self, _name: str) -> Trunk:
            return LANDLINE if self.revision == 1 else MVNO

    KSR.message({"$ou": "sip:1@x", "$hdr(Loop-Guard)": "fmc-edge"})
    reader, changing = Reader(), Growing()
    assert reader.read("t", changing, media_up=True).headers == {}
    changing.revision = 2
    assert reader.read("t", changing, media_up=True).headers == {"Loop-Guard": "fmc-edge"}


def several(name: str, count: int) -> dict[str, str]:
    return {f"$hdr({name})": "<sip:0@x>"} | {f"$(hdr({name})[{n}])": f"<sip:{n}@x>" for n in range(1, count)}


@pytest.mark.parametrize("name", sorted(REPEATED))
@pytest.mark.parametrize(("count", "read"), [(1, 1), (2, 2), (10, 10), (11, 10), (1000, 10)])
def test_a_header_that_came_several_times_is_one_list(name, count, read):
    KSR.message({"$ou": "sip:1@x"} | several(name, count))
    call = Reader().read(MVNO.name, directory(), media_up=True)
    assert call.headers == {name: ", ".join(f"<sip:{n}@x>" for n in range(read))}


def test_what_a_later_message_says_of_its_sender():
    KSR.message({f"$hdr({k})": v for k, v in ALL.items()} | several("P-Asserted-Identity", 2))
    assert connected_headers() == {
        "P-Asserted-Identity": "<sip:0@x>, <sip:1@x>",
        "Remote-Party-ID": ALL["Remote-Party-ID"],
        "Privacy": ALL["Privacy"],
    }


INVITE = """INVITE sip:1@192.0.2.1 SIP/2.0
Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK1
v: SIP/2.0/UDP handset;branch=z9hG4bK2
From: "79160000001" <sip:79160000002@x>;tag=from-tag
 ;epid=folded
t: sip:79160000003@x;to=parameter
Contact: <sip:79160000004@x>
m: <sip:79160000005@x>
Call-ID: the-call
P-Asserted-Identity: <sip:79160000006@x>,
 <sip:79160000007@x>
Privacy : id
X-FMC-Call: 79160000008
x-fmc-other: 79160000009
DIVERSION: <sip:79160000010@x>
User-Agent: phone
X-Folded: a
	b
Content-Length: 5

o=me

more
"""


@pytest.mark.parametrize("message", [INVITE, INVITE.replace("\r", "").replace("\n", "\r\n"), "\r\n" + INVITE])
def test_what_passes_unread(message):
    KSR.message({"$ou": "sip:1@x", "$mb": message})
    carried = Reader().read(MVNO.name, directory(), media_up=False).carried
    for passes in (
        "198.51.100.1",
        "z9hG4bK2",
        "tag=from-tag",
        "epid=folded",
        "to=parameter",
        "the-call",
        "phone",
        "X-Folded: a\n\tb",
        "o=me",
        "more",
    ):
        assert passes in carried
    assert "7916" not in carried
    assert "INVITE" not in carried


@pytest.mark.parametrize("message", ["", "\r\n", "INVITE", "INVITE sip:1@x SIP/2.0\r\n", "\0", ":\n:\n \n"])
def test_no_message(message):
    KSR.message({"$ou": "sip:1@x", "$mb": message})
    assert Reader().read(MVNO.name, directory(), media_up=False).carried.strip() in ("", ":")


def test_bytes_that_are_no_text(monkeypatch):
    def get(_):
        return b'"\xcf\xf0" <sip:1@x>'.decode()

    monkeypatch.setattr(KSR.pv, "get", get)
    assert text("$hdr(From)") == '"\\xcf\\xf0" <sip:1@x>'

"""Reading an INVITE: only what the trunk's decision may look at, as text whatever stands there."""

import pytest
from company import LANDLINE, MVNO, WHOLESALE, directory
from edge_worker import HOST, KSR

from kemi.edge.request import Reader, text
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
        "Privacy",
        "Loop-Guard",
        "Diversion",
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


@pytest.mark.parametrize(
    ("trunk", "headers"),
    [
        (MVNO, {"P-Served-User", "P-Asserted-Identity", "From", "Privacy", "Loop-Guard"}),
        (WHOLESALE, {"From", "Privacy"}),
        (LANDLINE, {"From", "Privacy", "To"}),
    ],
)
def test_a_trunks_call(asked, trunk, headers):
    call = Reader().read(trunk.name, directory(), media_up=True)
    assert set(call.headers) == headers
    assert {name: call.headers[name] for name in headers} == {name: ALL[name] for name in headers}
    assert sorted(asked) == sorted(["$ou", *(f"$hdr({name})" for name in headers)])
    assert call.fmc is None
    assert call.ruri == f"sip:1@{HOST}"
    assert call.media_up


def test_a_call_from_media(asked):
    call = Reader().read(MEDIA, directory(), media_up=False)
    assert set(call.headers) == {"P-Asserted-Identity", "From", "Privacy"}
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
        """A directory whose next revision has a trunk that is called by To."""

        revision = 1

        def trunk(self, _name: str) -> Trunk:
            return MVNO if self.revision == 1 else LANDLINE

    KSR.message({"$ou": "sip:1@x", "$hdr(To)": "<sip:2@x>"})
    reader, changing = Reader(), Growing()
    assert reader.read("t", changing, media_up=True).headers == {}
    changing.revision = 2
    assert reader.read("t", changing, media_up=True).headers == {"To": "<sip:2@x>"}


def test_bytes_that_are_no_text(monkeypatch):
    def get(_):
        return b'"\xcf\xf0" <sip:1@x>'.decode()

    monkeypatch.setattr(KSR.pv, "get", get)
    assert text("$hdr(From)") == '"\\xcf\\xf0" <sip:1@x>'

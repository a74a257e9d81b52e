"""Whatever arrives, one final action comes out, and nothing that was not ours to say."""

from typing import get_args

from company import COMPANY, DIDS, HOST, LANDLINE, MVNO, ROUTES, SUBSCRIBERS, WHOLESALE, directory
from hypothesis import example, given
from hypothesis import strategies as st
from msgspec.structs import replace

from kemi.numbering.model import Shape
from kemi.routing.decide import decide
from kemi.routing.explain import explain
from kemi.routing.memory import MemoryDirectory
from kemi.routing.model import MEDIA, Call, Decision, Direction, Egress, Fmc
from kemi.routing.reasons import REJECTIONS, Accepted

numbers = st.sampled_from(
    [
        "+79990000201",
        "79990000202",
        "89161234567",
        "9161234567",
        "4951234567",
        "+74957654321",
        "+4915123456789",
        "202",
        "112",
        "*98",
        "anonymous",
        "",
        "380671234567",
        "a@b",
        "%0d%0a",
        '"<>',
    ]
)
users = st.one_of(numbers, st.text(max_size=20), st.text("0123456789+*#%", max_size=40))
uris = st.one_of(
    users.map(lambda user: f"sip:{user}@192.0.2.7"),
    users.map(lambda user: f"tel:{user}"),
    st.text(max_size=40),
)
addresses = st.one_of(uris, uris.map(lambda uri: f'"x" <{uri}>;tag=1'))
headers = st.dictionaries(
    st.sampled_from(["From", "To", "P-Asserted-Identity", "P-Served-User", "Privacy", "Loop-Guard"]),
    st.one_of(addresses, st.sampled_from(["id", "none", "fmc-edge", "<sip:+79990000201@x>;sescase=term"])),
)
fmcs = st.builds(
    Fmc,
    tenant=st.sampled_from(["company", "gone", ""]),
    direction=st.sampled_from([*get_args(Direction), "sideways", ""]),
    subscriber=st.one_of(st.none(), st.sampled_from(["201", "299"]), st.text(max_size=8)),
    service=st.sampled_from([None, "dial", "ivr:main"]),
)
calls = st.builds(
    Call,
    source=st.sampled_from([MEDIA, "mvno-main", "legacy-landline", "wholesale", "gone"]),
    ruri=uris,
    headers=headers,
    fmc=st.one_of(st.none(), fmcs),
    media_up=st.booleans(),
)

shapes = st.lists(st.sampled_from(get_args(Shape)), unique=True, max_size=5).map(tuple)
egresses = st.builds(
    Egress,
    shape=st.sampled_from(get_args(Shape)),
    headers=st.dictionaries(
        st.sampled_from(["From", "To", "P-Asserted-Identity", "Request-URI"]),
        st.sampled_from(get_args(Shape)),
    ),
    privacy=st.sampled_from(["pass", "drop"]),
)


def some(values) -> st.SearchStrategy:
    return st.lists(st.sampled_from(values), unique_by=id).map(tuple)


@st.composite
def directories(draw) -> MemoryDirectory:
    """The example with parts missing and trunks configured in any way."""
    trunks = tuple(
        replace(
            trunk,
            calling=draw(st.one_of(st.just(trunk.calling), shapes)),
            called=draw(st.one_of(st.just(trunk.called), shapes)),
            egress=draw(egresses),
            country=draw(st.sampled_from(["RU", "XX"])),
            on_media_down=draw(st.sampled_from(["breakout", "reject"])),
        )
        for trunk in draw(some((MVNO, LANDLINE, WHOLESALE)))
    )
    tenant = replace(COMPANY, country=draw(st.sampled_from(["RU", "XX"])))
    people = tuple(
        replace(person, msisdn=draw(st.sampled_from([person.msisdn, None])))
        for person in draw(some(SUBSCRIBERS))
    )
    return directory(trunks, draw(some(ROUTES)), draw(some((tenant,))), people, draw(some(DIDS)))


def check(decision: Decision) -> None:
    if decision.action == "reject":
        assert decision.targets == ()
        assert decision.status == REJECTIONS[decision.reason].status
    else:
        assert decision.targets
        assert decision.status is None
        assert decision.reason in get_args(Accepted)
    assert (decision.action == "media") == (decision.service is not None)
    assert not (decision.announce and not decision.record)
    if decision.direction == "emergency":
        assert decision.action != "media"
    for target in decision.targets:
        assert (target.trunk is None) == (decision.action == "media")
        assert target.device is None
        for value in (target.uri, *target.headers.values()):
            assert value.isprintable()
        assert target.uri.count("@") == 1
        if target.trunk is not None:
            assert not any(name.startswith("X-FMC") for name in target.headers)
        else:
            assert "X-FMC-Call" not in target.headers


@given(calls)
@example(Call(source="mvno-main", ruri="\ud800", headers={"From": "\ud800"}))
def test_every_call_gets_one_final_action(call: Call) -> None:
    check(decide(call, directory(), HOST))


@given(calls, directories())
def test_with_any_directory_too(call: Call, where: MemoryDirectory) -> None:
    decision = decide(call, where, HOST)
    check(decision)
    explained = decide(call, where, HOST, explain=True)
    assert replace(explained, steps=()) == decision
    assert explained.steps


@given(calls, directories())
def test_a_carrier_is_shown_only_numbers_it_lent_us(call: Call, where: MemoryDirectory) -> None:
    call = replace(call, headers=dict(call.headers) | {"P-Asserted-Identity": "<sip:+79990000201@x>"})
    for target in decide(call, where, HOST).targets:
        trunk = where.trunk(target.trunk) if target.trunk is not None else None
        if trunk is not None and trunk.kind == "carrier":
            assert "9990000201" not in target.headers["From"]
            assert "9990000201" not in target.headers.get("P-Asserted-Identity", "")


@given(calls, directories())
def test_every_call_can_be_explained(call: Call, where: MemoryDirectory) -> None:
    legs = explain(call, where, HOST)["legs"]
    assert 1 <= len(legs) <= 2
    assert all(leg["steps"] for leg in legs)

"""Calls from the public network."""

import pytest
from company import BUYER, COMPANY, DISPATCHER, HOST, LANDLINE, MVNO, WHOLESALE, directory
from msgspec.structs import replace

from kemi.routing.decide import decide
from kemi.routing.explain import call_from
from kemi.routing.model import Call, Decision, Did


def ring(trunk, caller, number, headers=None, *, where=None, media_up=True) -> Decision:
    call = call_from(trunk, caller, number, headers, media_up=media_up)
    return decide(call, where or directory(), HOST)


def refused(decision: Decision) -> tuple[int | None, str]:
    assert decision.action == "reject"
    return decision.status, decision.reason


def test_a_client_calls_a_sim() -> None:
    decision = ring("wholesale", "+79161234567", "+79990000201")
    assert (decision.action, decision.direction, decision.reason) == (
        "media",
        "mobile_terminated",
        "sim_called",
    )
    assert (decision.tenant, decision.subscriber, decision.service) == ("company", "201", "dial")
    assert (decision.record, decision.announce) == (True, True)
    assert decision.targets[0].uri == "sip:201@media"
    assert decision.targets[0].headers["P-Asserted-Identity"] == f"<sip:+79161234567@{HOST}>"


def test_a_caller_without_plus_seven_and_the_did_in_to_only() -> None:
    call = Call(
        source="legacy-landline",
        ruri="sip:trunk-7@192.0.2.1:5060",
        headers={"From": "<sip:9161234567@10.0.0.1>;tag=a", "To": "<sip:4951234567@192.0.2.1>"},
    )
    decision = decide(call, directory(), HOST)
    assert (decision.direction, decision.service, decision.reason) == ("inbound", "ivr:main", "did_called")
    assert decision.calling.canonical == "+79161234567"
    assert [step.rule for step in decision.calling.trail] == ["national"]
    assert decision.targets[0].uri == "sip:+74951234567@media"
    assert decision.identity["To"].canonical == "+74951234567"
    assert decision.identity["Request-URI"].value == "trunk-7"
    assert "X-FMC-Subscriber" not in decision.targets[0].headers


def test_a_request_uri_that_names_nobody_is_no_claim() -> None:
    call = call_from("legacy-landline", "9161234567", "4951234567")
    decision = decide(replace(call, ruri="sip:192.0.2.1:5060"), directory(), HOST)
    assert decision.identity.keys() == {"From", "To"}


@pytest.mark.parametrize("service", ["ivr:main", "queue:sales", "voicemail:201"])
def test_a_did_leads_to_a_service(service: str) -> None:
    where = directory(dids=(Did("+74957654321", "company", "wholesale", service),))
    decision = ring("wholesale", "+79161234567", "74957654321", where=where)
    assert decision.service == service
    assert decision.targets[0].headers["X-FMC-Service"] == service
    assert decision.targets[0].uri == "sip:+74957654321@media"


def test_a_did_leads_to_a_subscriber_whose_policy_counts() -> None:
    decision = ring("wholesale", "+79161234567", "+74957654321")
    assert (decision.direction, decision.subscriber) == ("inbound", "203")
    assert (decision.record, decision.announce) == (False, False)
    assert decision.targets[0].uri == "sip:203@media"


def test_a_sim_number_on_a_carrier_trunk_is_an_outside_caller() -> None:
    decision = ring("wholesale", "+79990000201", "+79990000202")
    assert (decision.direction, decision.subscriber) == ("mobile_terminated", "202")
    for number in ("202", "112", "+79161234567", "89161234567"):
        assert ring("wholesale", "+79990000201", number).action == "reject"


def test_a_loop_guard_from_the_public_network_means_nothing() -> None:
    assert ring("wholesale", "+79161234567", "+79990000201", {"Loop-Guard": "fmc-edge"}).action == "media"


@pytest.mark.parametrize("caller", ["380671234567", "999999999999999999999", "7916123456*9"])
def test_a_caller_of_unknown_shape_goes_on_verbatim(caller: str) -> None:
    where = directory(trunks=(MVNO, LANDLINE, replace(WHOLESALE, calling=("national",))))
    decision = ring("wholesale", caller, "+79990000201", where=where)
    assert (decision.calling.kind, decision.calling.value) == ("unknown", caller)
    assert decision.targets[0].headers["P-Asserted-Identity"] == f"<sip:{caller}@{HOST}>"


def test_a_caller_that_is_no_number_stays_out_of_our_headers() -> None:
    decision = ring("wholesale", "<sip:a%0D%0AX-Evil=1@h>", "+79990000201")
    assert decision.calling.value == "a\r\nX-Evil=1"
    assert "P-Asserted-Identity" not in decision.targets[0].headers


def test_an_anonymous_caller() -> None:
    decision = ring("wholesale", '"Anonymous" <sip:anonymous@anonymous.invalid>', "+79990000201")
    assert decision.calling.kind == "withheld"
    assert decision.targets[0].headers["Privacy"] == "id"
    assert "P-Asserted-Identity" not in decision.targets[0].headers


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("+79160000000", (404, "unknown_number")),
        ("04957654321", (484, "unknown_shape")),
        ("112", (484, "unknown_shape")),
        ("alice", (404, "not_a_number")),
        ("", (484, "unknown_shape")),
    ],
)
def test_numbers_that_are_not_ours(number: str, answer: tuple[int, str]) -> None:
    decision = ring("wholesale", "+79161234567", number)
    assert refused(decision) == answer
    assert decision.direction == "unknown"


def test_without_to_nobody_is_called() -> None:
    call = Call(source="legacy-landline", ruri="sip:4951234567@h", headers={"From": "<sip:9161234567@h>"})
    assert refused(decide(call, directory(), HOST)) == (484, "unknown_shape")


@pytest.mark.parametrize(
    ("where", "number", "answer"),
    [
        (directory(subscribers=(BUYER, DISPATCHER)), "+74957654321", (404, "did_leads_nowhere")),
        (directory(tenants=()), "+74957654321", (404, "unknown_tenant")),
        (directory(tenants=()), "+79990000201", (404, "unknown_tenant")),
        (directory(trunks=(WHOLESALE,)), "+79990000201", (503, "no_trunk")),
        (
            directory(
                subscribers=(replace(BUYER, msisdn=None),),
                dids=(Did("+74957654321", "company", "wholesale", "subscriber:201"),),
            ),
            "+74957654321",
            (480, "no_msisdn"),
        ),
    ],
)
def test_a_directory_that_lacks_what_the_call_needs(where, number: str, answer: tuple[int, str]) -> None:
    assert refused(ring("wholesale", "+79161234567", number, where=where)) == answer


def test_without_media_only_a_trunk_that_says_so_breaks_out() -> None:
    assert refused(ring("wholesale", "+79161234567", "+79990000201", media_up=False)) == (503, "media_down")
    where = directory(trunks=(MVNO, LANDLINE, replace(WHOLESALE, on_media_down="breakout")))
    decision = ring("wholesale", "+79161234567", "+79990000201", where=where, media_up=False)
    (target,) = decision.targets
    assert (decision.action, decision.degraded, target.trunk) == ("trunk", ("media_down",), "mvno-main")
    assert target.uri == "sip:79990000201@127.0.0.1:6060"
    assert target.headers["From"] == f"<sip:79161234567@{HOST}>"


def test_a_source_that_is_no_trunk() -> None:
    assert refused(ring("gone", "+79161234567", "+79990000201")) == (403, "unknown_source")


@pytest.mark.parametrize(
    ("policy", "inbound", "outbound", "internal"),
    [
        ("all", True, True, True),
        ("inbound", True, False, False),
        ("outbound", False, True, False),
        ("none", False, False, False),
    ],
)
def test_recording_follows_the_tenants_policy(
    policy: str, inbound: bool, outbound: bool, internal: bool
) -> None:
    where = directory(tenants=(replace(COMPANY, recording=policy, announce=("inbound",)),))
    came = ring("wholesale", "+79161234567", "+79990000201", where=where)
    went = decide(call_from("mvno-main", "79990000201", "89161234567"), where, HOST)
    within = decide(call_from("mvno-main", "79990000201", "202"), where, HOST)
    assert (came.record, came.announce) == (inbound, inbound)
    assert (went.record, went.announce) == (outbound, False)
    assert (within.record, within.announce) == (internal, False)

"""Calls from the mobile network."""

import company
import pytest
from company import BUYER, COMPANY, DIDS, DISPATCHER, HOST, LANDLINE, MANAGER, MVNO, WHOLESALE, directory
from msgspec.structs import replace

from kemi.routing.decide import decide
from kemi.routing.explain import call_from
from kemi.routing.model import Decision, Did, Egress, Route, Subscriber, Tenant


def dial(number, caller="79990000201", headers=None, where=None, media_up=True) -> Decision:
    call = call_from("mvno-main", caller, number, headers, media_up=media_up)
    return decide(call, where or directory(), HOST)


def refused(decision: Decision) -> tuple[int | None, str]:
    assert decision.action == "reject"
    assert decision.targets == ()
    return decision.status, decision.reason


@pytest.mark.parametrize("number", ["89161234567", "+79161234567", "8 (916) 123-45-67", "81079161234567"])
def test_a_sim_calls_a_client(number: str) -> None:
    decision = dial(number)
    assert (decision.action, decision.direction, decision.reason) == (
        "media",
        "mobile_originated",
        "outside_number",
    )
    assert (decision.tenant, decision.subscriber, decision.service) == ("company", "201", "dial")
    assert decision.called.canonical == "+79161234567"
    (target,) = decision.targets
    assert target.uri == "sip:+79161234567@media"
    assert (target.trunk, target.device) == (None, None)
    assert target.headers == {
        "X-FMC-Tenant": "company",
        "X-FMC-Service": "dial",
        "X-FMC-Direction": "mobile_originated",
        "X-FMC-Record": "yes",
        "X-FMC-Announce": "yes",
        "X-FMC-Subscriber": "201",
        "P-Asserted-Identity": f"<sip:+79990000201@{HOST}>",
    }


def test_a_local_number_is_completed_with_the_tenants_area_code() -> None:
    assert dial("1112233").called.canonical == "+74951112233"
    elsewhere = directory(tenants=(replace(COMPANY, area_code="812"),))
    assert dial("1112233", where=elsewhere).called.canonical == "+78121112233"


def test_identity_headers_come_before_from_and_all_are_kept() -> None:
    headers = {
        "P-Served-User": "<sip:+79990000202@ims>;sescase=orig",
        "P-Asserted-Identity": "<tel:+79990000203>",
    }
    decision = dial("89161234567", headers=headers)
    assert decision.subscriber == "202"
    assert {name: number.canonical for name, number in decision.identity.items()} == {
        "P-Served-User": "+79990000202",
        "P-Asserted-Identity": "+79990000203",
        "From": "+79990000201",
        "Request-URI": "+79161234567",
        "To": "+79161234567",
    }


@pytest.mark.parametrize("number", ["202", "+79990000202", "89990000202"])
def test_a_colleague_by_extension_or_by_number(number: str) -> None:
    decision = dial(number)
    assert (decision.action, decision.direction, decision.reason) == ("media", "internal", "colleague")
    assert decision.subscriber == "202"
    assert decision.targets[0].uri == "sip:202@media"
    assert decision.targets[0].headers["X-FMC-Subscriber"] == "202"
    assert (decision.record, decision.announce) == (True, False)


def test_who_does_not_want_to_be_recorded_is_not_recorded_by_a_colleagues_policy() -> None:
    assert dial("203").record is False
    assert dial("201", caller="79990000203").record is False


def test_another_tenants_sim_is_outside() -> None:
    other = Subscriber(tenant="other", extension="201", msisdn="+79990000999")
    where = directory(tenants=(COMPANY, Tenant("other")), subscribers=(*company.SUBSCRIBERS, other))
    decision = dial("+79990000999", where=where)
    assert (decision.direction, decision.tenant) == ("mobile_originated", "company")
    assert decision.targets[0].uri == "sip:+79990000999@media"


def test_the_tenants_own_did_is_reached_inside() -> None:
    menu = dial("+74951234567")
    assert (menu.direction, menu.service, menu.reason) == ("internal", "ivr:main", "did_called")
    assert menu.targets[0].uri == "sip:+74951234567@media"
    person = dial("+74957654321")
    assert (person.direction, person.service, person.subscriber) == ("internal", "dial", "203")


@pytest.mark.parametrize("number", ["112", "101", "102", "103", "104", "1-1-2"])
def test_emergency_goes_to_the_mobile_network_and_then_to_whoever_takes_it(number: str) -> None:
    decision = dial(number)
    digits = number.replace("-", "")
    assert (decision.action, decision.direction, decision.reason) == ("trunk", "emergency", "emergency")
    assert [target.trunk for target in decision.targets] == ["mvno-main", "legacy-landline", "wholesale"]
    assert [target.uri for target in decision.targets] == [
        f"sip:{digits}@127.0.0.1:6060",
        f"sip:{digits}@127.0.0.1:6061",
        f"sip:{digits}@127.0.0.1:6062",
    ]
    assert decision.targets[0].headers["P-Asserted-Identity"] == f"<sip:+79990000201@{HOST}>"
    assert (decision.record, decision.announce, decision.service) == (False, False, None)


def test_an_emergency_urn_is_an_emergency_call() -> None:
    decision = dial("urn:service:SOS.fire")
    assert decision.called.kind == "emergency"
    assert decision.targets[0].uri == "sip:112@127.0.0.1:6060"


@pytest.mark.parametrize(
    ("caller", "headers", "media_up"),
    [
        ("79160000000", {}, True),  # no subscriber
        ("garbage", {}, True),
        ("anonymous", {}, True),
        ("79990000201", {"Privacy": "id"}, True),
        ("79990000201", {}, False),
    ],
)
def test_nothing_stops_an_emergency_call(caller: str, headers: dict[str, str], media_up: bool) -> None:
    decision = dial("112", caller, headers, media_up=media_up)
    assert decision.reason == "emergency"
    assert decision.targets[0].trunk == "mvno-main"


def test_an_emergency_call_hides_nobody() -> None:
    target = dial("112", headers={"Privacy": "id"}).targets[0]
    assert target.headers["From"] == f"<sip:79990000201@{HOST}>"


def test_an_emergency_call_that_came_back_goes_elsewhere() -> None:
    decision = dial("112", headers={"Loop-Guard": "fmc-edge"})
    assert [target.trunk for target in decision.targets] == ["legacy-landline", "wholesale"]
    alone = directory(trunks=(MVNO,))
    assert refused(dial("112", headers={"Loop-Guard": "fmc-edge"}, where=alone)) == (482, "loop_detected")


def test_an_emergency_call_with_no_trunk_to_take_it() -> None:
    alone = directory(trunks=(replace(MVNO, peers=()),))
    assert refused(dial("112", where=alone)) == (503, "no_trunk")


def test_a_call_that_came_back_is_refused() -> None:
    assert refused(dial("89161234567", headers={"Loop-Guard": "fmc-edge"})) == (482, "loop_detected")


def test_a_sim_is_called_from_the_mobile_network() -> None:
    headers = {"P-Served-User": "<sip:+79990000201@ims>;sescase=term"}
    decision = dial("+79990000201", caller="79161234567", headers=headers)
    assert (decision.direction, decision.subscriber) == ("mobile_terminated", "201")
    assert decision.calling.canonical == "+79161234567"
    assert decision.targets[0].uri == "sip:201@media"


@pytest.mark.parametrize("caller", ["79160000000", "anonymous", "9990000201", "alice"])
def test_who_is_no_subscriber_may_not_call_out(caller: str) -> None:
    assert refused(dial("89161234567", caller)) == (403, "unknown_caller")


@pytest.mark.parametrize(
    ("number", "answer"),
    [
        ("+4915123456789", (403, "destination_not_allowed")),
        ("*98", (404, "unknown_service")),
        ("999", (484, "unknown_shape")),
        ("", (484, "unknown_shape")),
        ("alice", (404, "not_a_number")),
        ("sip:192.0.2.1", (484, "unknown_shape")),
        ("201", (486, "own_number")),
        ("+79990000201", (486, "own_number")),
    ],
)
def test_what_a_subscriber_dials_in_vain(number: str, answer: tuple[int, str]) -> None:
    assert refused(dial(number)) == answer


def test_without_a_list_of_destinations_nothing_outside_may_be_called() -> None:
    closed = directory(tenants=(replace(COMPANY, outbound_allow=()),))
    assert refused(dial("89161234567", where=closed)) == (403, "destination_not_allowed")
    assert dial("202", where=closed).action == "media"


@pytest.mark.parametrize(
    ("where", "number", "answer"),
    [
        (directory(routes=(Route("+375", ("wholesale",)),)), "89161234567", (404, "no_route")),
        (directory(routes=(Route("+", ("gone",)),)), "89161234567", (404, "no_route")),
        (
            directory(subscribers=(BUYER, replace(DISPATCHER, msisdn=None), MANAGER)),
            "202",
            (480, "no_msisdn"),
        ),
        (directory(tenants=()), "89161234567", (404, "unknown_tenant")),
        (
            directory(dids=(Did("+74951234567", "company", "x", "subscriber:299"),)),
            "+74951234567",
            (404, "did_leads_nowhere"),
        ),
    ],
)
def test_a_directory_that_lacks_what_the_call_needs(where, number: str, answer: tuple[int, str]) -> None:
    assert refused(dial(number, where=where)) == answer


def test_what_is_known_of_a_refused_call_is_in_the_decision() -> None:
    decision = dial("+4915123456789")
    assert (decision.direction, decision.tenant, decision.subscriber) == (
        "mobile_originated",
        "company",
        "201",
    )


def test_without_media_a_call_goes_out_directly() -> None:
    decision = dial("84951112233", media_up=False)
    assert (decision.action, decision.direction, decision.degraded) == (
        "trunk",
        "mobile_originated",
        ("media_down",),
    )
    assert (decision.record, decision.announce) == (False, False)
    assert [(target.trunk, target.uri) for target in decision.targets] == [
        ("legacy-landline", "sip:84951112233@127.0.0.1:6061"),
        ("wholesale", "sip:+74951112233@127.0.0.1:6062"),
    ]
    assert decision.targets[0].headers == {
        "From": f"<sip:84951234567@{HOST}>",
        "To": "<sip:84951112233@127.0.0.1:6061>",
        "P-Asserted-Identity": f"<sip:84951234567@{HOST}>",
    }


def test_without_media_a_colleague_rings_directly() -> None:
    (target,) = dial("202", media_up=False).targets
    assert target.uri == "sip:79990000202@127.0.0.1:6060"
    assert target.headers == {
        "From": f"<sip:79990000201@{HOST}>",
        "To": "<sip:79990000202@127.0.0.1:6060>",
        "P-Asserted-Identity": f"<sip:+79990000201@{HOST}>",
        "Loop-Guard": "fmc-edge",
    }


def test_without_media_a_trunk_that_asks_for_it_refuses() -> None:
    strict = directory(trunks=(replace(MVNO, on_media_down="reject"), LANDLINE, WHOLESALE))
    assert refused(dial("89161234567", where=strict, media_up=False)) == (503, "media_down")
    assert refused(dial("+74951234567", media_up=False)) == (503, "media_down")


def test_a_withheld_number_is_told_only_where_it_is_kept() -> None:
    decision = dial("84951112233", headers={"Privacy": "id"}, media_up=False)
    for target in decision.targets:
        assert target.headers["From"] == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    landline, wholesale = (target.headers for target in decision.targets)
    assert (landline.get("P-Asserted-Identity"), landline.get("Privacy")) == (None, None)
    assert (wholesale["P-Asserted-Identity"], wholesale["Privacy"]) == (f"<sip:+74957654321@{HOST}>", "id")


def test_media_learns_a_withheld_number_and_that_it_is_withheld() -> None:
    headers = dial("89161234567", headers={"Privacy": "id"}).targets[0].headers
    assert headers["P-Asserted-Identity"] == f"<sip:+79990000201@{HOST}>"
    assert headers["Privacy"] == "id"


def test_each_header_of_a_trunk_may_have_its_own_shape() -> None:
    shapes = Egress(shape="e164", headers={"From": "national", "Request-URI": "international_00"})
    where = directory(trunks=(MVNO, LANDLINE, replace(WHOLESALE, egress=shapes)))
    (target,) = dial("89161234567", where=where, media_up=False).targets
    assert target.uri == "sip:0079161234567@127.0.0.1:6062"
    assert target.headers["From"] == f"<sip:4957654321@{HOST}>"
    assert target.headers["To"] == "<sip:+79161234567@127.0.0.1:6062>"


def test_did_of_another_tenant_is_outside() -> None:
    where = directory(dids=(*DIDS, Did("+74950000000", "other", "wholesale", "ivr:x")))
    assert dial("+74950000000", where=where).direction == "mobile_originated"

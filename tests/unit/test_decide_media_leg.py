"""Legs that a media server sends out."""

import pytest
from company import BUYER, COMPANY, HOST, LANDLINE, MVNO, WHOLESALE, directory
from msgspec.structs import replace

from kemi.routing.decide import decide
from kemi.routing.model import MEDIA, Call, Decision, Fmc, Route


def send(
    user, calling="+79990000201", *, direction="mobile_originated", subscriber="201", headers=None, where=None
) -> Decision:
    identity = {"From": f"<sip:{calling}@{HOST}>", "P-Asserted-Identity": f"<sip:{calling}@{HOST}>"}
    call = Call(
        source=MEDIA,
        ruri=f"sip:{user}@{HOST}",
        headers=identity | (headers or {}),
        fmc=Fmc("company", direction, subscriber, "dial"),
    )
    return decide(call, where or directory(), HOST)


def refused(decision: Decision) -> tuple[int | None, str]:
    assert decision.action == "reject"
    return decision.status, decision.reason


def test_e164_leaves_by_its_route_each_trunk_in_its_shape() -> None:
    decision = send("+74951112233")
    assert (decision.action, decision.direction, decision.reason) == (
        "trunk",
        "mobile_originated",
        "media_leg",
    )
    landline, wholesale = decision.targets
    assert (landline.trunk, landline.uri) == ("legacy-landline", "sip:84951112233@127.0.0.1:6061")
    assert landline.headers["From"] == f"<sip:84951234567@{HOST}>"
    assert (wholesale.trunk, wholesale.uri) == ("wholesale", "sip:+74951112233@127.0.0.1:6062")
    assert wholesale.headers["From"] == f"<sip:+74957654321@{HOST}>"


def test_a_subscribers_own_caller_id_where_the_trunk_owns_it() -> None:
    both = replace(WHOLESALE, numbers=("+74951234567", "+74957654321"))
    where = directory(trunks=(MVNO, LANDLINE, both))
    (manager,) = send("+79161234567", "+79990000203", subscriber="203", where=where).targets
    assert manager.headers["From"] == f"<sip:+74957654321@{HOST}>"
    (buyer,) = send("+79161234567", where=where).targets
    assert buyer.headers["From"] == f"<sip:+74951234567@{HOST}>"
    # Who is called does not lend its number to a call that came in and goes out again.
    (forwarded,) = send(
        "+79161234567", "+79160000000", direction="inbound", subscriber="203", where=where
    ).targets
    assert forwarded.headers["From"] == f"<sip:+74951234567@{HOST}>"


def test_a_trunk_that_owns_no_number_shows_nobody() -> None:
    where = directory(trunks=(MVNO, LANDLINE, replace(WHOLESALE, numbers=())))
    (target,) = send("+79161234567", where=where).targets
    assert target.headers["From"] == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert "P-Asserted-Identity" not in target.headers


def test_an_extension_rings_on_its_sim_with_the_clients_number() -> None:
    decision = send("201", "+79161234567", direction="mobile_terminated")
    (target,) = decision.targets
    assert target.uri == "sip:79990000201@127.0.0.1:6060"
    assert target.headers == {
        "From": f"<sip:79161234567@{HOST}>",
        "To": "<sip:79990000201@127.0.0.1:6060>",
        "P-Asserted-Identity": f"<sip:+79161234567@{HOST}>",
        "Loop-Guard": "fmc-edge",
    }
    assert (decision.direction, decision.subscriber) == ("mobile_terminated", "201")


def test_a_handset_sees_an_unknown_number_as_it_came() -> None:
    (target,) = send("201", "380671234567", direction="inbound").targets
    assert target.headers["From"] == f"<sip:380671234567@{HOST}>"
    (target,) = send("201", "7916%234", direction="inbound").targets
    assert target.headers["From"] == f"<sip:7916%234@{HOST}>"


def test_the_mobile_network_is_told_a_withheld_number_and_keeps_it_from_the_handset() -> None:
    (target,) = send("201", "+79161234567", direction="inbound", headers={"Privacy": "id"}).targets
    assert target.headers["From"] == '"Anonymous" <sip:anonymous@anonymous.invalid>'
    assert target.headers["P-Asserted-Identity"] == f"<sip:+79161234567@{HOST}>"
    assert target.headers["Privacy"] == "id"


def test_a_mobile_network_outside_the_trust_domain_is_not_told_it() -> None:
    outside = replace(MVNO, trusted=False, egress=replace(MVNO.egress, privacy="drop"))
    where = directory(trunks=(outside, LANDLINE, WHOLESALE))
    (target,) = send(
        "201", "+79161234567", direction="inbound", headers={"Privacy": "id"}, where=where
    ).targets
    assert "9161234567" not in "".join(target.headers.values())


def test_the_longest_prefix_wins_and_equal_ones_add_up() -> None:
    routes = (
        Route("+7", ("wholesale",)),
        Route("+7495", ("legacy-landline",)),
        Route("+7495", ("wholesale",)),
    )
    where = directory(routes=routes)
    assert [t.trunk for t in send("+74951112233", where=where).targets] == ["legacy-landline", "wholesale"]
    assert [t.trunk for t in send("+79161234567", where=where).targets] == ["wholesale"]


def test_parameters_of_a_peer_stay_in_the_request_uri() -> None:
    where = directory(
        trunks=(MVNO, LANDLINE, replace(WHOLESALE, peers=("sip:[2001:db8::1]:5060;transport=tcp",)))
    )
    (target,) = send("+79161234567", where=where).targets
    assert target.uri == "sip:+79161234567@[2001:db8::1]:5060;transport=tcp"
    assert target.headers["To"] == "<sip:+79161234567@[2001:db8::1]:5060>"


def test_an_emergency_number_from_media_is_not_lost() -> None:
    decision = send("112")
    assert (decision.action, decision.direction) == ("trunk", "emergency")
    assert decision.targets[0].trunk == "mvno-main"


def test_a_leg_of_media_may_loop_through_the_mobile_network_once() -> None:
    assert send("201", headers={"Loop-Guard": "fmc-edge"}).action == "trunk"


@pytest.mark.parametrize(
    ("user", "answer"),
    [
        ("299", (484, "unknown_shape")),
        ("89161234567", (484, "unknown_shape")),
        ("alice", (404, "not_a_number")),
        ("+4915123456789", (403, "destination_not_allowed")),
    ],
)
def test_what_media_may_not_send(user: str, answer: tuple[int, str]) -> None:
    assert refused(send(user)) == answer


@pytest.mark.parametrize(
    ("where", "user", "answer"),
    [
        (directory(tenants=()), "201", (404, "unknown_tenant")),
        (directory(subscribers=(replace(BUYER, msisdn=None),)), "201", (480, "no_msisdn")),
        (directory(trunks=(WHOLESALE,)), "201", (503, "no_trunk")),
        (directory(routes=()), "+79161234567", (404, "no_route")),
        (
            directory(tenants=(replace(COMPANY, outbound_allow=()),)),
            "+79161234567",
            (403, "destination_not_allowed"),
        ),
    ],
)
def test_a_directory_that_lacks_what_the_leg_needs(where, user: str, answer: tuple[int, str]) -> None:
    assert refused(send(user, where=where)) == answer


@pytest.mark.parametrize("fmc", [None, Fmc("company", ""), Fmc("company", "sideways")])
def test_a_leg_without_its_headers(fmc: Fmc | None) -> None:
    call = Call(source=MEDIA, ruri="sip:201@h", headers={}, fmc=fmc)
    assert refused(decide(call, directory(), HOST)) == (403, "bad_media_headers")


@pytest.mark.parametrize("extension", [None, "", "299", "٢٠١", "x" * 1000, "\ud800"])
def test_an_unknown_own_party_is_nobody(extension: str | None) -> None:
    decision = send("+79161234567", subscriber=extension)
    assert (decision.action, decision.subscriber) == ("trunk", None)

"""What leaves on each trunk: whose number is shown, in which headers, and what never leaves."""

import pytest
from company import BUYER, DISPATCHER, HOST, LANDLINE, MVNO, WHOLESALE, directory
from msgspec.structs import replace

from kemi.numbering.model import Step
from kemi.routing.decide import decide
from kemi.routing.explain import call_from
from kemi.routing.model import MEDIA, Call, Decision, Egress, Fmc

ANONYMOUS = '"Anonymous" <sip:anonymous@anonymous.invalid>'
SIM = "9990000201"


def from_media(
    user, calling="+79990000201", *, direction="mobile_originated", headers=None, trunks=None, explain=False
) -> Decision:
    identity = {"From": f"<sip:{calling}@{HOST}>", "P-Asserted-Identity": f"<sip:{calling}@{HOST}>"}
    call = Call(
        source=MEDIA,
        ruri=f"sip:{user}@{HOST}",
        headers=identity | (headers or {}),
        fmc=Fmc("company", direction, "201", "dial"),
    )
    where = directory(trunks=trunks) if trunks else directory()
    return decide(call, where, HOST, explain=explain)


def from_sim(called, *, people=(BUYER, DISPATCHER), **call) -> Decision:
    given = call_from("mvno-main", "79990000201", called, call.pop("headers", None))
    return decide(replace(given, **call), directory(subscribers=people), HOST)


def why(decision: Decision) -> list[str]:
    return [step.why for step in decision.steps if step.step == "present"]


def test_a_number_the_trunk_does_not_own_is_replaced_and_told() -> None:
    decision = from_media("+79161234567", explain=True)
    assert decision.targets[0].headers["From"] == f"<sip:+74957654321@{HOST}>"
    (sentence,) = why(decision)
    assert sentence == (
        "wholesale is shown +74957654321 as the caller: the trunk's first number; the tenant's caller_id, "
        "+74951234567, is not a number of this trunk."
    )


def test_each_header_keeps_how_its_number_came_to_be() -> None:
    landline, wholesale = from_media("+74951112233").targets
    chosen = Step("the tenant's caller_id", "+79990000201", "+74951234567")
    written = Step("national_trunk", "+74951112233", "84951112233")
    caller = (chosen, Step("national_trunk", "+74951234567", "84951234567"))
    assert landline.presented == {
        "Request-URI": (written,),
        "To": (written,),
        "From": caller,
        "P-Asserted-Identity": caller,
    }
    assert wholesale.presented["To"] == (Step("e164", "+74951112233", "+74951112233"),)
    (hidden, _) = from_media("+74951112233", headers={"Privacy": "id"}).targets
    assert hidden.presented["From"] == (Step("withheld", "+79990000201", "anonymous"),)
    assert "P-Asserted-Identity" not in hidden.presented


def test_our_number_as_caller_and_as_called_has_a_trail_of_its_own() -> None:
    (target, _) = from_media("+74951234567").targets
    assert [step.rule for step in target.presented["To"]] == ["national_trunk"]
    assert [step.rule for step in target.presented["From"]] == ["the tenant's caller_id", "national_trunk"]


def test_what_is_no_e164_is_kept_as_what_it_is() -> None:
    (target,) = from_media("201", "380671234567", direction="inbound").targets
    assert target.presented["From"] == (Step("unknown", "380671234567", "380671234567"),)
    sos = from_sim("112").targets[0]
    assert sos.presented["Request-URI"] == (Step("emergency", "112", "112"),)


def test_a_withheld_number_stays_in_the_trust_domain() -> None:
    """legacy-landline drops, wholesale is told and keeps it; after failover each gets its own."""
    landline, wholesale = from_media("+74951112233", headers={"Privacy": "id"}).targets
    assert landline.headers == {"From": ANONYMOUS, "To": "<sip:84951112233@127.0.0.1:6061>"}
    assert wholesale.headers == {
        "From": ANONYMOUS,
        "To": "<sip:+74951112233@127.0.0.1:6062>",
        "P-Asserted-Identity": f"<sip:+74957654321@{HOST}>",
        "Privacy": "id",
    }


def test_older_networks_are_told_in_the_header_they_read() -> None:
    both = replace(
        WHOLESALE, egress=Egress(privacy="pass", identity=("P-Asserted-Identity", "Remote-Party-ID"))
    )
    (target,) = from_media("+79161234567", trunks=(MVNO, LANDLINE, both)).targets
    assert (
        target.headers["Remote-Party-ID"] == f"<sip:+74957654321@{HOST}>;party=calling;screen=yes;privacy=off"
    )
    (target,) = from_media("+79161234567", trunks=(MVNO, LANDLINE, both), headers={"Privacy": "id"}).targets
    assert (
        target.headers["Remote-Party-ID"]
        == f"<sip:+74957654321@{HOST}>;party=calling;screen=yes;privacy=full"
    )


FORWARDING = replace(WHOLESALE, egress=replace(WHOLESALE.egress, forwarded="original"))


def forwarded(trunk, **call) -> dict[str, str]:
    decision = from_media(
        "+79161112233", "+79167654321", direction="inbound", trunks=(MVNO, LANDLINE, trunk), **call
    )
    return dict(decision.targets[0].headers)


def test_a_forwarded_call_shows_the_original_caller_and_who_diverted_it() -> None:
    headers = forwarded(FORWARDING)
    assert headers["From"] == f"<sip:+79167654321@{HOST}>"
    assert headers["Diversion"] == f"<sip:+74957654321@{HOST}>;reason=unconditional"
    assert "Diversion" not in forwarded(WHOLESALE)
    assert forwarded(WHOLESALE)["From"] == f"<sip:+74957654321@{HOST}>"


def test_history_info_of_a_call_that_was_diverted_twice() -> None:
    trunk = replace(FORWARDING, egress=replace(FORWARDING.egress, diversion=("History-Info",)))
    twice = {"Diversion": f"<sip:+74950000000@{HOST}>;reason=user-busy"}
    headers = forwarded(trunk, headers=twice)
    assert "Diversion" not in headers
    decision = from_media(
        "+79161112233", "+79167654321", direction="inbound", trunks=(MVNO, LANDLINE, trunk), headers=twice
    )
    assert [step.before for step in decision.targets[0].presented["History-Info"]] == [
        "+74950000000",
        "+74957654321",
        "+79161112233",
    ]
    assert headers["History-Info"] == (
        f"<sip:+74950000000@{HOST}>;index=1, <sip:+74957654321@{HOST};cause=486>;index=1.1;mp=1, "
        f"<sip:+79161112233@{HOST};cause=302>;index=1.1.1;mp=1.1"
    )


def test_a_forwarded_call_of_a_private_caller_hides_it() -> None:
    trunk = replace(FORWARDING, egress=replace(FORWARDING.egress, privacy="drop"))
    headers = forwarded(trunk, headers={"Privacy": "id"})
    assert "9167654321" not in str(headers)
    assert headers["From"] == ANONYMOUS


def test_a_diverted_call_tells_the_handset_who_diverted_it() -> None:
    decision = from_media(
        "201",
        "+79167654321",
        direction="inbound",
        headers={"Diversion": f"<sip:+74951234567@{HOST}>;reason=no-answer"},
    )
    assert decision.targets[0].headers["Diversion"] == f"<sip:74951234567@{HOST}>;reason=no-answer"


def test_media_is_told_who_diverted_the_call_in_canonical_form() -> None:
    call = call_from(
        "legacy-landline",
        "9161234567",
        "4951234567",
        {"Diversion": "<sip:84957770000@gw.example>;reason=user-busy;counter=1"},
    )
    trunk = replace(LANDLINE, calling=("national", "national_trunk"))
    decision = decide(call, directory(trunks=(MVNO, trunk, WHOLESALE)), HOST)
    assert decision.targets[0].headers["Diversion"] == f"<sip:+74957770000@{HOST}>;reason=user-busy;screen=no"
    assert decision.identity["Diversion"].canonical == "+74957770000"


@pytest.mark.parametrize("dialled", ["#31#89161234567", "#31#+79161234567"])
def test_a_dialled_code_withholds_the_number(dialled) -> None:
    decision = from_sim(dialled)
    assert decision.called.canonical == "+79161234567"
    assert decision.targets[0].headers["Privacy"] == "id"
    assert decision.calling.canonical == "+7" + SIM


def test_a_subscriber_that_withholds_its_number_may_show_it_in_one_call() -> None:
    shy = (replace(BUYER, clir=True), DISPATCHER)
    assert from_sim("89161234567", people=shy).targets[0].headers["Privacy"] == "id"
    assert "Privacy" not in from_sim("*31#89161234567", people=shy).targets[0].headers
    assert from_sim("#31#202", people=shy).called.value == "202"


def test_emergency_hides_nobody() -> None:
    decision = from_sim("#31#112", people=(replace(BUYER, clir=True),))
    assert decision.direction == "emergency"
    assert all("Privacy" not in target.headers for target in decision.targets)
    assert decision.targets[0].headers["From"] == f"<sip:79990000201@{HOST}>"


def test_a_public_service_is_left_to_the_mobile_network() -> None:
    decision = from_sim("122")
    assert (decision.reason, decision.called.kind) == ("short_number", "short")
    (target,) = decision.targets
    assert (target.trunk, target.uri) == ("mvno-main", "sip:122@127.0.0.1:6060")


class TestWithoutMedia:
    """A breakout call is not taken apart: what passes unread must not show a withheld number."""

    def private(self, carried: str) -> Decision:
        return from_sim("#31#84951112233", media_up=False, carried=carried)

    def test_the_contact_is_masked_where_the_number_must_not_be_seen(self) -> None:
        decision = self.private("Call-ID: a84b4c76e66710\nv=0")
        assert [(one.trunk, one.masked) for one in decision.targets] == [
            ("legacy-landline", True),
            ("wholesale", False),
        ]

    def test_a_trunk_that_would_see_it_is_left_out(self) -> None:
        decision = self.private(f"Call-ID: {SIM}@ims.example")
        assert [one.trunk for one in decision.targets] == ["wholesale"]

    @pytest.mark.parametrize(
        "carried", ["Subject: +7 999 000-02-01", "Reply-To: <tel:+7(999)000.02.01>", "X: %2B7%399%390000201"]
    )
    def test_however_the_digits_are_written(self, carried: str) -> None:
        assert [one.trunk for one in self.private(carried).targets] == ["wholesale"]

    def test_where_none_remains_the_call_is_refused(self) -> None:
        call = call_from("mvno-main", "79990000201", "#31#84951112233")
        call = replace(call, media_up=False, carried=f"o={SIM} 1 1 IN IP4 192.0.2.7")
        decision = decide(call, directory(trunks=(MVNO, LANDLINE)), HOST)
        assert (decision.status, decision.reason) == (503, "number_would_show")

    def test_the_sim_behind_a_public_number_is_not_for_the_caller_to_see(self) -> None:
        call = call_from("wholesale", "+79167654321", "+79990000201")
        trunks = (MVNO, replace(WHOLESALE, on_media_down="breakout"))
        (target,) = decide(replace(call, media_up=False), directory(trunks=trunks), HOST).targets
        assert (target.trunk, target.masked, target.masks) == ("mvno-main", False, True)

    def test_a_number_that_may_be_seen_is_no_reason(self) -> None:
        decision = from_sim("84951112233", media_up=False, carried=SIM)
        assert [one.masked for one in decision.targets] == [False, False]


@pytest.mark.parametrize(
    ("headers", "direction", "reason"),
    [
        ({"P-Served-User": "<sip:+79990000202@ims>;sescase=term"}, "mobile_terminated", "sim_called"),
        ({"P-Served-User": "<sip:+79990000201@ims>;sescase=orig"}, "internal", "colleague"),
        ({"Route": "<sip:edge;lr>;orig"}, "internal", "colleague"),
        ({"Route": "<sip:edge;lr;term>"}, "mobile_terminated", "sim_called"),
        ({}, "internal", "colleague"),
    ],
)
def test_which_side_the_mobile_network_serves(headers, direction, reason) -> None:
    """A SIM calls a SIM: the network asks for each side, and says which one it means."""
    decision = from_sim("+79990000202", headers=headers)
    assert (decision.direction, decision.reason) == (direction, reason)


def test_an_originating_call_of_nobody_we_know_is_refused() -> None:
    call = call_from(
        "mvno-main", "79995555555", "+79990000201", {"P-Served-User": "<sip:+79995555555@ims>;sescase=orig"}
    )
    assert decide(call, directory(), HOST).reason == "unknown_caller"


def test_a_call_that_the_mobile_network_diverts_is_the_served_subscribers() -> None:
    headers = {
        "P-Served-User": "<sip:+79990000201@ims>;orig-cdiv;sescase=orig-cdiv",
        "P-Asserted-Identity": "<sip:+79167654321@ims>",
        "Diversion": "<sip:+79990000201@ims>;reason=unconditional",
    }
    decision = from_sim("89161112233", headers=headers)
    assert (decision.direction, decision.subscriber) == ("mobile_originated", "201")
    assert decision.calling.canonical == "+79167654321"
    assert decision.targets[0].headers["Diversion"] == f"<sip:+79990000201@{HOST}>;reason=unconditional"

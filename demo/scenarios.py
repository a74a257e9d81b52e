"""The calls of the demo: who calls whom, and what must have arrived at the far side and in the record.

Numbers are written as each party writes them; demo.yaml says which shape each trunk has. A number's last
digits say how the party behaves (sipp/operator.xml), its last digit which tone it has (operators.TONES).
Callers have addresses of their trunk's network, so all calls run at the same time.
"""

from dataclasses import dataclass

from demo.operators import LANDLINE, MVNO, WHOLESALE, WHOLESALE_SPARE, Caller
from demo.sip import Address

ANSWERED = 200
SHORT, LONG = 2.5, 6.0
"""Seconds from answer to hanging up: a caller who hears the notice first stays longer."""


@dataclass(frozen=True)
class Far:
    """The leg that reaches the other party: where, and the user parts of its INVITE.

    `number` is the canonical number of the party that is reached (it decides the tone); `direct` says that
    sound passes without a media server. Not a digit of the `hidden` numbers may reach that party.
    """

    peer: Address
    number: str
    called: str
    caller: str
    asserted: str
    hears_notice: bool = False
    direct: bool = False
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class Record:
    """What the call record must say. `calling` and `called` are canonical, or what was dialled.

    `trail` names the rules that made `calling` canonical from what arrived.
    """

    direction: str
    calling: str
    called: str
    status: str
    sip_status: int
    ingress: str
    egress: str | None
    recorded: bool = False
    consent: str = "not_required"
    trail: tuple[str, ...] = ()
    answered_by: str | None = None


@dataclass(frozen=True)
class Scenario:
    """One call. `final` is the last SIP status the caller must get; None: not a single packet."""

    name: str
    title: str
    caller: Caller
    final: int | None
    far: Far | None
    record: Record | None
    hears_notice: bool = False

    @property
    def answered(self) -> bool:
        return self.final == ANSWERED and self.far is not None


COMPANY = "+74951234567"
SIM_201, SIM_202, SIM_203, SIM_204 = "+79990000201", "+79990000202", "+79990000203", "+79990000408"


def sim(host: int, called: str, *, talk: float = SHORT, patience: float = 15.0) -> Caller:
    """The SIM of 201 dials: the mobile network asserts its number and passes on what was dialled."""
    return Caller(
        address=(f"127.0.60.{host}", 5060),
        number=SIM_201,
        writes="79990000201",
        asserted="79990000201",
        called=called,
        talk=talk,
        patience=patience,
    )


def mobile_client(
    host: int, number: str, called: str, *, talk: float = LONG, patience: float = 15.0
) -> Caller:
    """Somebody on the mobile network calls a SIM; the network hands the call to us."""
    bare = number.removeprefix("+")
    return Caller(
        address=(f"127.0.60.{host}", 5060),
        number=number,
        writes=bare,
        asserted=bare,
        called=called,
        talk=talk,
        patience=patience,
    )


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(
        name="sim-calls-client",
        title="201 dials a client as 89161234567",
        caller=sim(1, "89161234567"),
        final=200,
        far=Far(WHOLESALE, "+79161234567", "+79161234567", "+74957654321", "+74957654321", hears_notice=True),
        record=Record(
            "mobile_originated", SIM_201, "+79161234567", "answered", 200, "mvno-main", "wholesale",
            recorded=True, consent="played", trail=("e164_bare",), answered_by="+79161234567",
        ),
    ),
    Scenario(
        name="sim-calls-local",
        title="201 dials a local number, 9876545",
        caller=sim(2, "9876545"),
        final=200,
        far=Far(LANDLINE, "+74959876545", "84959876545", "84951234567", "84951234567", hears_notice=True),
        record=Record(
            "mobile_originated", SIM_201, "+74959876545", "answered", 200, "mvno-main", "legacy-landline",
            recorded=True, consent="played", answered_by="+74959876545",
        ),
    ),
    Scenario(
        name="hidden",
        title="201 dials a client with #31#: nobody sees a number",
        caller=sim(12, "#31#84959876543"),
        final=200,
        far=Far(
            LANDLINE, "+74959876543", "84959876543", "anonymous", "",
            hears_notice=True, hidden=(SIM_201, COMPANY),
        ),
        record=Record(
            "mobile_originated", SIM_201, "+74959876543", "answered", 200, "mvno-main", "legacy-landline",
            recorded=True, consent="played", trail=("e164_bare",), answered_by="+74959876543",
        ),
    ),
    Scenario(
        name="client-calls-sim",
        title="a client calls 202's SIM",
        caller=mobile_client(3, "+79161234565", SIM_202),
        final=200,
        far=Far(MVNO, SIM_202, "79990000202", "79161234565", "+79161234565"),
        record=Record(
            "mobile_terminated", "+79161234565", SIM_202, "answered", 200, "mvno-main", "mvno-main",
            recorded=True, consent="played", trail=("e164_bare",), answered_by="202",
        ),
        hears_notice=True,
    ),
    Scenario(
        name="client-calls-landline",
        title="a client calls the landline; sent as 9161234567",
        caller=Caller(
            address=("127.0.61.1", 5060), number="+79161234567", writes="9161234567",
            called="pbx", to="84951234567", talk=LONG,
        ),
        final=200,
        far=Far(MVNO, SIM_201, "79990000201", "79161234567", "+79161234567"),
        record=Record(
            "inbound", "+79161234567", "+74951234567", "answered", 200, "legacy-landline", "mvno-main",
            recorded=True, consent="played", trail=("national",), answered_by="201",
        ),
        hears_notice=True,
    ),
    Scenario(
        name="colleague",
        title="201 dials 202",
        caller=sim(4, "202"),
        final=200,
        far=Far(MVNO, SIM_202, "79990000202", "79990000201", "+79990000201"),
        record=Record(
            "internal", SIM_201, "202", "answered", 200, "mvno-main", "mvno-main",
            recorded=True, answered_by="202",
        ),
    ),
    Scenario(
        name="emergency",
        title="201 dials 112",
        caller=sim(5, "112"),
        final=200,
        far=Far(MVNO, "112", "112", "79990000201", "+79990000201", direct=True),
        record=Record(
            "emergency", SIM_201, "112", "answered", 200, "mvno-main", "mvno-main", answered_by="112",
        ),
    ),
    Scenario(
        name="failover",
        title="201 dials, the trunk's first peer is broken",
        caller=sim(6, "89161234503"),
        final=200,
        far=Far(
            WHOLESALE_SPARE, "+79161234503", "+79161234503", "+74957654321", "+74957654321",
            hears_notice=True,
        ),
        record=Record(
            "mobile_originated", SIM_201, "+79161234503", "answered", 200, "mvno-main", "wholesale",
            recorded=True, consent="played", answered_by="+79161234503",
        ),
    ),
    Scenario(
        name="spoofed-sim",
        title="a carrier shows 201's SIM as the caller",
        caller=Caller(
            address=("127.0.62.1", 5060), number=SIM_201, writes=SIM_201, called="+74957654321", talk=SHORT,
        ),
        final=200,
        far=Far(MVNO, SIM_203, "79990000203", "79990000201", "+79990000201"),
        record=Record(
            "inbound", SIM_201, "+74957654321", "answered", 200, "wholesale", "mvno-main", answered_by="203",
        ),
    ),
    Scenario(
        name="unknown-source",
        title="an unknown address calls",
        caller=Caller(
            address=("127.0.66.6", 5060), number=SIM_201, writes="79990000201", called="+79161234561",
            talk=0.0, patience=1.0,
        ),
        final=None,
        far=None,
        record=None,
    ),
    Scenario(
        name="busy",
        title="201 dials a client who is busy",
        caller=sim(7, "89161234486"),
        final=486,
        far=Far(WHOLESALE, "+79161234486", "+79161234486", "+74957654321", "+74957654321"),
        record=Record(
            "mobile_originated", SIM_201, "+79161234486", "busy", 486, "mvno-main", "wholesale",
        ),
    ),
    Scenario(
        name="no-answer",
        title="201 dials a client who does not answer",
        caller=sim(8, "89161234408", patience=3.0),
        final=487,
        far=Far(WHOLESALE, "+79161234408", "+79161234408", "+74957654321", "+74957654321"),
        record=Record(
            "mobile_originated", SIM_201, "+79161234408", "missed", 487, "mvno-main", "wholesale",
        ),
    ),
    Scenario(
        name="wrong-number",
        title="201 dials a number that does not exist",
        caller=sim(9, "89161234404"),
        final=404,
        far=Far(WHOLESALE, "+79161234404", "+79161234404", "+74957654321", "+74957654321"),
        record=Record(
            "mobile_originated", SIM_201, "+79161234404", "failed", 404, "mvno-main", "wholesale",
        ),
    ),
    Scenario(
        name="missed-client",
        title="a client calls 204, who does not answer",
        caller=mobile_client(10, "+79161234564", SIM_204, patience=3.0),
        final=487,
        far=Far(MVNO, SIM_204, "79990000408", "79161234564", "+79161234564"),
        record=Record(
            "mobile_terminated", "+79161234564", SIM_204, "missed", 487, "mvno-main", "mvno-main",
        ),
    ),
    Scenario(
        name="not-allowed",
        title="201 dials Berlin, which is not allowed",
        caller=sim(11, "8104930123456"),
        final=403,
        far=None,
        record=Record(
            "mobile_originated", SIM_201, "+4930123456", "rejected", 403, "mvno-main", None,
        ),
    ),
)  # fmt: skip

"""The entry points of kemi.edge, on a fake KSR: what they leave, what they spool, what they survive."""

import re

import lmdb
import pytest
import structlog
from company import LANDLINE, MVNO, WHOLESALE
from edge_worker import HOST, KSR, SETS, Bench, write_snapshot

from kemi import metrics, settings
from kemi.calls.events import Answered, Ended, Failed, Started
from kemi.directory.snapshot import SnapshotDirectory
from kemi.edge import apply, callid, handlers
from kemi.numbering.model import Number, Step
from kemi.routing.connected import Connected
from kemi.routing.model import Decision, Target

SIM = "<sip:79990000201@ims.example>;tag=a"
CLIENT = "<sip:+79161234567@pstn.example>;tag=a"
CALL = "01938f6e-0000-7000-8000-000000000001"
LEG = "01938f6e-0000-7000-8000-000000000002"


@pytest.fixture(scope="module", autouse=True)
def _metrics(tmp_path_factory):
    metrics.use(tmp_path_factory.mktemp("metrics"))


@pytest.fixture(autouse=True)
def _logs_as_before():
    yield
    structlog.reset_defaults()


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path).opened()


def media_headers(**changed):
    own = {
        "X_FMC_Call": CALL,
        "X_FMC_Tenant": "company",
        "X_FMC_Direction": "mobile_originated",
        "X_FMC_Subscriber": "201",
        "From": "<sip:+79990000201@m>;tag=a",
        "P_Asserted_Identity": "<sip:+79990000201@m>",
    }
    return own | changed


# -- initial INVITE ----------------------------------------------------------------------------------


def test_towards_media(bench):
    bench.message("mvno-main", "89161234567", From=SIM)
    assert bench.edge.invite("") == apply.TO_MEDIA
    (started,) = bench.spooled()
    assert isinstance(started, Started)
    assert bench.value("$ru") == "sip:+79161234567@media"
    lines = bench.value("$avp(headers)").split("\r\n")
    assert lines[0] == f"X-FMC-Call: {started.call}"
    assert lines[-1] == ""
    assert "X-FMC-Tenant: company" in lines
    assert bench.value("$avp(call)") == f"{started.call} {started.leg}  mvno-main +79161234567"
    assert (started.source, started.action, started.direction) == ("mvno-main", "media", "mobile_originated")
    assert (started.tenant, started.subscriber, started.node) == ("company", "201", "edge-1")
    assert (started.calling.canonical, started.called.canonical) == ("+79990000201", "+79161234567")
    assert started.identity["From"].raw == "79990000201"
    assert started.sip_call_id == "c@phone"
    assert started.status is None
    assert bench.replies == []


def test_towards_a_trunk_with_others_behind_it(bench):
    bench.message("media", "+74951112233", **media_headers())
    assert bench.edge.invite("") == apply.TO_TRUNK
    (started,) = bench.spooled()
    assert (started.call, started.egress) == (CALL, "legacy-landline")
    assert [started.presented[trunk]["To"] for trunk in started.written] == [
        (Step("national_trunk", "+74951112233", "84951112233"),),
        (Step("e164", "+74951112233", "+74951112233"),),
    ]
    assert started.leg != CALL
    assert bench.value("$avp(call)") == f"{CALL} {started.leg} legacy-landline media +74951112233"
    assert bench.value("$avp(set)") == SETS["legacy-landline"]
    assert bench.value("$avp(from)") == f"sip:84951234567@{HOST}"
    assert bench.value("$avp(to)") == "sip:84951112233@127.0.0.1:6061"

    # The next one has its own shape; then there is none.
    assert bench.edge.next_target("") == apply.TO_TRUNK
    assert bench.value("$avp(call)") == f"{CALL} {started.leg} wholesale media +74951112233"
    assert bench.value("$avp(set)") == SETS["wholesale"]
    assert bench.value("$avp(from)") == f"sip:+74957654321@{HOST}"
    assert bench.value("$ru") == "sip:+74951112233@127.0.0.1:6062"
    assert bench.value("$avp(targets)") is None
    assert bench.edge.next_target("") == apply.REFUSED
    assert len(bench.spooled()) == 1


def test_a_refusal(bench):
    bench.message("wholesale", "+79169999999", From=CLIENT)
    assert bench.edge.invite("") == apply.REFUSED
    assert bench.replies == [404]
    (started,) = bench.spooled()
    assert (started.action, started.status, started.reason) == ("reject", 404, "unknown_number")


def test_media_down(bench):
    bench.message("mvno-main", "89161234567", From=SIM)
    bench.edge.invite("")
    assert bench.edge.media_down("") == apply.TO_TRUNK
    first, again = bench.spooled()
    assert (first.call, first.leg) == (again.call, again.leg)
    assert (again.action, again.degraded, again.egress) == ("trunk", ("media_down",), "wholesale")
    assert "X-FMC" not in bench.value("$avp(headers)")


def test_media_down_and_the_trunk_wants_no_breakout(bench):
    bench.message("wholesale", "+79990000201", From=CLIENT)
    assert bench.edge.invite("") == apply.TO_MEDIA
    assert bench.edge.media_down("") == apply.REFUSED
    assert bench.replies == [503]
    # The leg is tracked by now: its event has the status from here.
    assert bench.value("$dlg_var(status)") == "503"


def test_an_emergency_is_tried_twice_on_every_trunk(bench):
    bench.message("mvno-main", "112", From=SIM)
    assert bench.edge.invite("") == apply.EMERGENCY
    sets = [bench.value("$avp(set)")]
    while bench.value("$avp(targets)") is not None:
        assert bench.edge.next_target("") == apply.TO_TRUNK
        sets.append(bench.value("$avp(set)"))
    assert sets == [*SETS.values(), *[apply.STRAIGHT] * len(SETS)]


# -- whose X-FMC-Call --------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["mvno-main", "wholesale"])
def test_a_trunks_call_id_is_not_believed(bench, source):
    bench.message(source, "+79990000201", From=CLIENT, X_FMC_Call=CALL, X_FMC_Tenant="company")
    bench.edge.invite("")
    (started,) = bench.spooled()
    assert started.call != CALL
    assert callid.valid(started.call)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        CALL.upper(),
        CALL + "\n",
        f" {CALL}",
        CALL.replace("7000", "4000"),
        f"{CALL} {LEG}",
        "x" * 5000,
    ],
)
def test_an_invalid_call_id_of_media_is_replaced(bench, text):
    bench.message("media", "+79161234567", **media_headers(X_FMC_Call=text))
    assert bench.edge.invite("") == apply.TO_TRUNK
    (started,) = bench.spooled()
    assert started.call != text
    assert callid.valid(started.call)


# -- events of a leg ---------------------------------------------------------------------------------


def test_the_events_of_a_leg(bench):
    assert bench.edge.answered("", f"{CALL} {LEG} wholesale media +79161234567") == handlers.DONE
    assert bench.edge.answered("", f"{CALL} {LEG}  mvno-main ") == handlers.DONE
    assert bench.edge.ended("", f"{CALL} {LEG} wholesale media +79161234567") == handlers.DONE
    answered, at_media, ended = bench.spooled()
    assert answered == Answered(CALL, LEG, answered.at, "wholesale")
    assert at_media.egress is None
    assert ended == Ended(CALL, LEG, ended.at)


@pytest.mark.parametrize(
    ("statuses", "status"),
    [("486 <null>", 486), ("<null> 503", 503), ("486 503", 486), ("<null> <null>", 408)],
)
def test_a_failures_status(bench, statuses, status):
    """The reply's, else what the route said of its own reply, else it was a time-out."""
    assert bench.edge.failed("", f"{statuses} {CALL} {LEG} wholesale media +79161234567") == handlers.DONE
    (failed,) = bench.spooled()
    assert failed == Failed(CALL, LEG, failed.at, status, "wholesale")


@pytest.mark.parametrize("arguments", ["", "<null>", "a b", "a b c d e f g h"])
@pytest.mark.parametrize("event", ["answered", "ended", "failed"])
def test_an_event_of_no_leg_of_ours(bench, event, arguments):
    assert getattr(bench.edge, event)("", arguments) == handlers.NOT_DECIDED
    assert bench.spooled() == []


# -- who a party says it is now ----------------------------------------------------------------------

SAID = {"P_Asserted_Identity": "<sip:79990000201@ims.example>"}


def message_of(**headers):
    KSR.message({f"$hdr({name.replace('_', '-')})": value for name, value in headers.items()})


@pytest.fixture
def asked(monkeypatch):
    """What routing is asked; it answers with two headers."""
    calls = []

    def answer(*arguments):
        calls.append(arguments)
        return Connected({"P-Asserted-Identity": "<sip:+7@x>", "Privacy": "id"}, {})

    monkeypatch.setattr(handlers, "connected", answer)
    return calls


@pytest.mark.parametrize(
    ("arguments", "parties"),
    [
        ("up {} wholesale mvno-main +79161234567", (WHOLESALE, MVNO, "+79161234567")),
        ("up {} wholesale media +79161234567", (WHOLESALE, None, "+79161234567")),
        ("up {}  mvno-main +79161234567", (None, MVNO, "+79161234567")),
        ("up {} wholesale media ", (WHOLESALE, None, None)),
        # Who was called is said of the called side only.
        ("down {} wholesale mvno-main +79161234567", (MVNO, WHOLESALE, None)),
        ("down {}  mvno-main +79161234567", (MVNO, None, None)),
    ],
)
def test_a_party_says_who_it_is_now(bench, asked, arguments, parties):
    message_of(**SAID, Privacy="id", From="<sip:1@x>")
    assert bench.edge.connected("", arguments.format(f"{CALL} {LEG}")) == handlers.DONE
    said = {"P-Asserted-Identity": SAID["P_Asserted_Identity"], "Privacy": "id"}
    assert asked == [(said, *parties, HOST)]
    assert KSR.hdr.appended == ["P-Asserted-Identity: <sip:+7@x>\r\nPrivacy: id\r\n"]
    assert bench.spooled() == []


def test_what_a_party_says_is_kept_for_the_record(bench):
    message_of(P_Asserted_Identity="<sip:89161234567@gw>")
    assert (
        bench.edge.connected("", f"up {CALL} {LEG} legacy-landline mvno-main +79161234567") == handlers.DONE
    )
    (said,) = bench.spooled()
    assert (said.call, said.leg, said.side, said.trunk) == (CALL, LEG, "called", "legacy-landline")
    assert said.identity["P-Asserted-Identity"].trail == (
        Step("national_trunk", "89161234567", "+79161234567"),
    )


def test_a_media_server_says_nothing_new(bench):
    message_of(P_Asserted_Identity="<sip:+79161234567@gw>")
    assert bench.edge.connected("", f"up {CALL} {LEG}  mvno-main +79161234567") == handlers.DONE
    assert bench.spooled() == []


@pytest.mark.parametrize("kept", ["gone mvno-main +7916", " gone +7916", "gone media +7916"])
@pytest.mark.parametrize("way", ["up", "down"])
def test_a_trunk_that_is_gone_says_nothing_and_is_told_nothing(bench, asked, way, kept):
    """It must not be taken for a media server."""
    message_of(**SAID)
    assert bench.edge.connected("", f"{way} {CALL} {LEG} {kept}") == handlers.DONE
    assert asked == KSR.hdr.appended == []


def test_nothing_may_be_shown(bench, monkeypatch):
    monkeypatch.setattr(handlers, "connected", lambda *_: Connected({}, {}))
    message_of(**SAID)
    assert bench.edge.connected("", f"up {CALL} {LEG} wholesale mvno-main ") == handlers.DONE
    assert KSR.hdr.appended == []


@pytest.mark.parametrize("arguments", ["", "up", "up <null>", f"up {CALL} {LEG} wholesale mvno-main + x"])
def test_no_ids(bench, arguments):
    message_of(**SAID)
    assert bench.edge.connected("", arguments) == handlers.NOT_DECIDED
    assert KSR.hdr.appended == []


# -- masked ------------------------------------------------------------------------------------------


def decided(*masked):
    return tuple(
        Target("sip:1@x", {"From": "<sip:2@x>", "To": "<sip:3@x>"}, trunk=trunk.name, masked=each)
        for trunk, each in zip((WHOLESALE, LANDLINE, MVNO), masked, strict=False)
    )


@pytest.mark.parametrize("masked", [(True,), (False, True), (True, False, True), (False, False)])
def test_the_caller_is_masked_where_routing_says_so(bench, masked):
    bench.message("mvno-main", "89161234567", From=SIM)
    bench.edge.invite("")
    one = Number("", None, "unknown", "unknown", "")
    decision = Decision("trunk", "unknown", "", calling=one, called=one, targets=decided(*masked))
    apply.to_trunks(decision, apply.Ids.read(), SETS.__getitem__)
    seen = [bench.value("$avp(masked)") or 0]
    while bench.value("$avp(targets)") is not None:
        assert bench.edge.next_target("") == apply.TO_TRUNK
        seen.append(bench.value("$avp(masked)"))
    assert tuple(map(bool, seen)) == masked


# -- what is survived --------------------------------------------------------------------------------


def errors(handler: str) -> float:
    return metrics.registry.get_sample_value("fmc_handler_errors_total", {"handler": handler}) or 0.0


def test_no_snapshot(tmp_path, capfd):
    bench = Bench(tmp_path)
    before = errors("invite")
    assert bench.edge.child_init(1) == 0
    bench.message("mvno-main", "89161234567", From=SIM)
    assert bench.edge.invite("") == handlers.NOT_DECIDED
    assert errors("invite") == before + 1
    assert "python -m kemi.agent sync" in capfd.readouterr().err
    # What is known of a leg is kept all the same.
    assert bench.edge.ended("", f"{CALL} {LEG}  media ") == handlers.DONE
    # And once there is one, calls go on.
    write_snapshot(bench.settings)
    assert bench.edge.invite("") == apply.TO_MEDIA
    assert [type(event) for event in bench.spooled()] == [Ended, Started]


def test_a_timer_process_opens_what_it_needs_when_it_needs_it(tmp_path):
    bench = Bench(tmp_path)
    write_snapshot(bench.settings)
    assert bench.edge.child_init(-1) == 0
    assert not bench.settings.spool.exists()
    assert bench.edge.failed("", f"<null> <null> {CALL} {LEG} wholesale media ") == handlers.DONE
    assert (bench.settings.spool / "timers").exists()


@pytest.mark.parametrize("error", [ValueError("no"), lmdb.Error("no"), RecursionError()])
def test_whatever_is_raised_about_a_reply(bench, monkeypatch, error):
    """The reply goes on, without what its sender said."""

    def fail(*_):
        raise error

    message_of(**SAID)
    monkeypatch.setattr(handlers, "connected", fail)
    before = errors("connected")
    assert bench.edge.connected("", f"up {CALL} {LEG} wholesale media +7916") == handlers.NOT_DECIDED
    assert errors("connected") == before + 1
    assert KSR.hdr.appended == []


@pytest.mark.parametrize("entry", ["invite", "media_down", "next_target"])
@pytest.mark.parametrize("error", [ValueError("no"), lmdb.Error("no"), KeyError("no"), RecursionError()])
def test_whatever_is_raised(bench, monkeypatch, entry, error):
    bench.message("media", "+74951112233", **media_headers())
    bench.edge.invite("")

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(handlers, "decide", fail)
    monkeypatch.setattr(apply, "next_of", fail)
    before = errors(entry)
    assert getattr(bench.edge, entry)("") == handlers.NOT_DECIDED
    assert errors(entry) == before + 1
    monkeypatch.undo()
    # The worker is as good as before.
    bench.message("mvno-main", "89161234567", From=SIM)
    assert bench.edge.invite("") == apply.TO_MEDIA


@pytest.mark.parametrize("entry", ["invite", "media_down", "next_target"])
def test_ksr_raises(bench, monkeypatch, entry):
    def fail(*_):
        raise TypeError("no message")

    bench.message("mvno-main", "89161234567", From=SIM)
    for name in ("get", "gete", "sets"):
        monkeypatch.setattr(KSR.pv, name, fail)
        assert getattr(bench.edge, entry)("") == handlers.NOT_DECIDED


def test_an_exception_ends_the_read_of_the_snapshot(bench, monkeypatch):
    """An open read transaction would keep the sync agent from using old pages again."""
    monkeypatch.setattr(handlers, "decide", lambda *_: 1 / 0)
    bench.message("mvno-main", "89161234567", From=SIM)
    assert bench.edge.invite("") == handlers.NOT_DECIDED
    with pytest.raises(RuntimeError, match="between begin"):
        bench.edge._worker().directory.subscriber("company", "201")


def test_a_spool_that_refuses_costs_no_call(capfd, bench, monkeypatch):
    def fail(_):
        raise lmdb.MapFullError("full")

    writer = bench.edge._worker().spool._writer
    monkeypatch.setattr(writer, "append", fail)
    bench.message("mvno-main", "89161234567", From=SIM)
    assert bench.edge.invite("") == apply.TO_MEDIA
    assert bench.edge.ended("", f"{CALL} {LEG}  media ") == handlers.DONE
    assert "spool_refused" in capfd.readouterr().err
    assert bench.spooled() == []
    monkeypatch.undo()
    assert bench.edge.answered("", f"{CALL} {LEG}  media ") == handlers.DONE
    assert [type(event) for event in bench.spooled()] == [Started, Ended, Answered]


def test_text_that_cannot_be_encoded(bench):
    """Whatever KSR gives, the event can be spooled."""
    broken = '"\\xd0" <sip:\\xff@ims.example>;tag=a'
    bench.message("mvno-main", "\\xff", From=broken)
    assert bench.edge.invite("") == apply.REFUSED
    assert len(bench.spooled()) == 1


# -- what Kamailio calls -----------------------------------------------------------------------------


def callbacks():
    routes = (settings.CHECKOUT / "kamailio").rglob("*.cfg")
    return {name for path in routes for name in re.findall(r'python_exec\("(\w+)"', path.read_text())}


def test_every_callback_is_an_entry_point():
    """A misspelt one would only be found in the middle of a call."""
    names = callbacks()
    assert len(names) >= 6
    for name in names:
        method = getattr(handlers.Edge, name)
        assert hasattr(method, "__wrapped__"), f"{name} is not guarded by @entry"


def test_every_entry_point_is_called():
    guarded = {name for name, value in vars(handlers.Edge).items() if hasattr(value, "__wrapped__")}
    assert guarded == callbacks()


def test_arguments_fit():
    """A callback without an argument in the routes gets the message alone, one with it gets both."""
    routes = [path.read_text() for path in (settings.CHECKOUT / "kamailio").rglob("*.cfg")]
    for name, arguments in re.findall(r'python_exec\("(\w+)"(, "[^"]*")?\)', "".join(routes)):
        code = getattr(handlers.Edge, name).__wrapped__.__code__
        assert code.co_argcount == (3 if arguments else 2), name


def test_the_routes_pass_what_the_events_take():
    text = (settings.CHECKOUT / "kamailio" / "routes" / "events.cfg").read_text()
    passed = dict(re.findall(r'python_exec\("(\w+)", "([^"]*)"\)', text))
    kept = "$dlg_var(call)"
    assert passed == {"answered": kept, "ended": kept, "failed": f"$rs $dlg_var(status) {kept}"}


def test_the_snapshot_is_a_directory(bench):
    with bench.edge._worker().directory as directory:
        assert isinstance(directory, SnapshotDirectory)
        assert directory.trunk("mvno-main") == MVNO

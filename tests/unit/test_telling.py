"""The ship agent tells of decisions: each once, in the log and in the metrics."""

import pytest
from callevents import CALL, CLIENT, SIM, at, ended, started

from kemi import metrics
from kemi.agent.telling import MOST_FORMS, Telling
from kemi.calls.events import Connected
from kemi.calls.inbox import Waiting
from kemi.numbering.model import Number


@pytest.fixture(scope="module", autouse=True)
def _metrics(tmp_path_factory):
    metrics.use(tmp_path_factory.mktemp("metrics"))


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.entries = []

    def info(self, event: str, **fields: object) -> None:
        self.entries.append({"event": event, **fields})


@pytest.fixture
def log():
    return Log()


@pytest.fixture
def telling(log):
    return Telling(log)


def waiting(event, key: bytes = b"1", writer: str = "worker-1") -> Waiting:
    return Waiting((writer, key), b"raw", event)


def value(name: str, **labels: str) -> float:
    return metrics.registry.get_sample_value(f"fmc_{name}", labels) or 0.0


def test_a_decision_is_logged_with_what_matters(telling, log):
    telling.tell([waiting(started(0, call="c", leg="l", status=None, microseconds=42))])
    (entry,) = log.entries
    assert entry["event"] == "decision"
    assert (entry["call"], entry["leg"], entry["source"]) == ("c", "l", "mvno-main")
    assert (entry["calling"], entry["calling_shape"]) == (SIM.value, SIM.shape)
    assert (entry["called"], entry["called_shape"]) == (CLIENT.value, CLIENT.shape)
    assert (entry["action"], entry["direction"], entry["reason"]) == (
        "media",
        "mobile_originated",
        "mobile_originated",
    )
    assert entry["microseconds"] == 42


def test_a_decision_is_counted(telling):
    labels = {"action": "media", "direction": "mobile_originated", "trunk": "mvno-main"}
    before = value("decisions_total", **labels)
    took = value("decision_seconds_sum")
    telling.tell([waiting(started(0, microseconds=250))])
    assert value("decisions_total", **labels) == before + 1
    assert value("decision_seconds_sum") == pytest.approx(took + 250e-6)


def unknown(text: str) -> Number:
    return Number(text, None, "unknown", "unknown", text)


def from_carrier(trunk: str, **given):
    """A call from a carrier whose DID is in To, and its own name for the trunk in the Request-URI."""
    identity = {"From": CLIENT, "To": SIM, "Request-URI": unknown("trunk-7")}
    fields = {"source": trunk, "calling_header": "From", "called_header": "To", "identity": identity}
    return waiting(started(0, **(fields | given)))


def counted(name: str, trunk: str) -> dict[tuple[str, str], float]:
    """Every sample of a trunk, by its header and its shape or form."""
    last = {"number_shapes": "shape", "numbers_unknown": "form"}[name]
    return {
        (sample.labels["header"], sample.labels[last]): sample.value
        for family in metrics.registry.collect()
        if family.name == f"fmc_{name}"
        for sample in family.samples
        if sample.name.endswith("_total") and sample.labels["trunk"] == trunk
    }


def test_shapes_are_counted_by_the_header_that_was_believed(telling, log):
    telling.tell([from_carrier("shapes")])
    assert counted("number_shapes", "shapes") == {("From", "national"): 1, ("To", "e164_bare"): 1}
    assert counted("numbers_unknown", "shapes") == {}
    (entry,) = log.entries
    assert (entry["calling_header"], entry["called_header"], entry["unknown"]) == ("From", "To", {})


def test_a_number_of_unknown_shape_is_counted_by_its_header_and_form(telling, log):
    strange = unknown("89161234567890")
    telling.tell([from_carrier("drift", calling=strange, identity={"From": strange, "To": SIM})])
    assert counted("numbers_unknown", "drift") == {("From", "8ddddddddddddd"): 1}
    assert counted("number_shapes", "drift") == {("From", "unknown"): 1, ("To", "e164_bare"): 1}
    assert log.entries[0]["unknown"] == {"From": "8ddddddddddddd"}


def test_who_diverted_a_call_is_counted_too(telling):
    identity = {"From": CLIENT, "To": SIM, "Diversion": SIM, "Diversion[2]": unknown("55")}
    telling.tell([from_carrier("diverting", identity=identity)])
    assert counted("numbers_unknown", "diverting") == {("Diversion", "5d"): 1}
    assert counted("number_shapes", "diverting")["Diversion", "e164_bare"] == 1


def test_a_leg_of_a_media_server_and_one_that_was_not_read_count_no_shapes(telling):
    identity = {"From": unknown("55"), "Request-URI": SIM}
    telling.tell([from_carrier("media", called_header="Request-URI", identity=identity)])
    telling.tell([waiting(started(0, source="stranger", identity={}, calling=unknown("")))])
    assert counted("number_shapes", "media") == counted("number_shapes", "stranger") == {}


def test_what_a_side_says_of_itself_is_counted_for_its_trunk(telling, log):
    strange = unknown("89161234567890")
    said = {"P-Asserted-Identity": strange, "Remote-Party-ID": SIM}
    for key, trunk in enumerate(("answering", None)):
        event = Connected(CALL, "far", at(3), "called", said, trunk)
        for _ in range(2):
            telling.tell([waiting(event, f"said-{key}".encode())])
    assert counted("numbers_unknown", "answering") == {("P-Asserted-Identity", "8ddddddddddddd"): 1}
    assert counted("number_shapes", "answering") == {
        ("P-Asserted-Identity", "unknown"): 1,
        ("Remote-Party-ID", "e164_bare"): 1,
    }
    (entry,) = log.entries
    assert (entry["event"], entry["call"], entry["trunk"]) == ("connected", CALL, "answering")
    assert entry["unknown"] == {"P-Asserted-Identity": "8ddddddddddddd"}
    telling.tell(
        [waiting(Connected(CALL, "far", at(4), "called", {"P-Asserted-Identity": SIM}, "answering"))]
    )
    assert len(log.entries) == 1


def test_strangers_cannot_make_forms_without_end(telling):
    texts = ["#" * n + "*" * m + "1" for n in range(30) for m in range(30)] + [
        "\N{SNOWMAN}" * 4000,
        "\0",
        '"}',
    ]
    for number, text in enumerate(texts):
        event = from_carrier("hostile", identity={"From": unknown(text), "To": SIM}).event
        telling.tell([waiting(event, str(number).encode())])
    found = counted("numbers_unknown", "hostile")
    assert len(found) == MOST_FORMS + 1
    assert sum(found.values()) == len(texts)
    assert found["From", "other"] > len(texts) / 2
    event = from_carrier("hostile", identity={"From": SIM, "To": unknown("55")}).event
    telling.tell([waiting(event, b"after")])
    assert counted("numbers_unknown", "hostile")["To", "5d"] == 1


def test_told_once_while_it_waits(telling, log):
    """The database is down: the same events are read again and again."""
    batch = [waiting(started(0)), waiting(started(1), b"2"), waiting(started(2), b"1", "worker-2")]
    for _ in range(3):
        telling.tell(batch)
    assert len(log.entries) == 3
    telling.tell([*batch, waiting(started(3), b"3")])
    assert len(log.entries) == 4


def test_a_key_that_left_the_spool_may_come_again(telling, log):
    """An emptied spool counts from one again."""
    first = [waiting(started(0))]
    telling.tell(first)
    telling.forget(first)
    telling.tell([waiting(started(9, leg="another"))])
    assert [entry["leg"] for entry in log.entries] == ["in", "another"]


def test_nothing_is_kept_of_what_is_forgotten(telling):
    batch = [waiting(started(number), bytes([number])) for number in range(100)]
    telling.tell(batch)
    telling.forget(batch)
    assert telling._told == set()


def test_other_events_and_unreadable_ones_are_not_told(telling, log, tmp_path):
    telling.tell([waiting(ended(1)), Waiting(("worker-1", b"2"), b"?", why="no msgpack")])
    telling.tell([Waiting(tmp_path / "x.json", b"?", why="no JSON")])
    assert log.entries == []

"""The ship agent tells of decisions: each once, in the log and in the metrics."""

import pytest
from callevents import CLIENT, SIM, ended, started

from kemi import metrics
from kemi.agent.telling import Telling
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


def test_a_number_of_unknown_shape_is_counted_by_its_role(telling):
    strange = Number("12345678", None, "unknown", "unknown", "12345678")
    before = value("numbers_unknown_total", trunk="mvno-main", role="calling")
    called = value("numbers_unknown_total", trunk="mvno-main", role="called")
    telling.tell([waiting(started(0, calling=strange))])
    assert value("numbers_unknown_total", trunk="mvno-main", role="calling") == before + 1
    assert value("numbers_unknown_total", trunk="mvno-main", role="called") == called


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

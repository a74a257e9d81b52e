"""An edge and its parties for the tests of test_edge*.py; one Kamailio serves a module's tests in turn."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import party
import pytest
from edge import Edge

from demo.processes import Process, stop_all
from demo.stand import environment_of

EVERYBODY = {
    "mvno": party.MVNO,
    "landline": party.LANDLINE,
    "wholesale": party.WHOLESALE,
    "wholesale_2": party.WHOLESALE_2,
    "backup": party.BACKUP,
    "media": party.MEDIA,
    "media_2": party.MEDIA_2,
    "stranger": party.STRANGER,
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    started = Edge(tmp_path_factory.mktemp("edge"))
    started.start()
    yield started
    started.stop()
    started.close()


@pytest.fixture
def edge(running: Edge) -> Iterator[Edge]:
    """The edge with all its peers in service and its timers as shipped; a test must not leave it ended."""
    running.timers(silent=5000)
    for number in (1, *range(100, 105)):
        running.in_service(number)
    yield running
    assert running.process.alive, running.process.fault()


@pytest.fixture(scope="module")
def sockets() -> Iterator[SimpleNamespace]:
    parties = {name: party.Party(address) for name, address in EVERYBODY.items()}
    yield SimpleNamespace(**parties)
    for each in parties.values():
        each.close()


@pytest.fixture
def at(edge: Edge, sockets: SimpleNamespace) -> SimpleNamespace:
    """The parties, nothing waiting for any of them."""
    edge.settled()
    for each in vars(sockets).values():
        each.forget()
    return sockets


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Edge]:
    """An edge of two workers for one test, to be killed and started again."""
    edge = Edge(tmp_path / "state", workers=2)
    edge.start()
    yield edge
    edge.stop()
    edge.close()


@pytest.fixture
def parties(sockets: SimpleNamespace) -> SimpleNamespace:
    for each in vars(sockets).values():
        each.forget()
    return sockets


@pytest.fixture
def agent(own: Edge) -> Iterator[Process]:
    """The sync agent of this edge."""
    variables = environment_of(own.settings) | {"FMC_METRICS": "127.0.5.1:9464"}
    log = own.settings.state / "sync.log"
    process = Process("sync", (sys.executable, "-m", "kemi.agent", "sync"), log, variables)
    process.start()
    yield process
    assert stop_all([process]) == []

"""An edge and its parties for the tests of test_edge*.py; one Kamailio serves a module's tests in turn."""

from collections.abc import Iterator
from types import SimpleNamespace

import party
import pytest
from edge import Edge

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

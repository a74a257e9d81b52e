"""An edge and its parties for the tests of test_edge*.py; one Kamailio serves a module's tests in turn."""

from collections.abc import Iterator
from types import SimpleNamespace

import edge as edges
import pytest

EVERYBODY = {
    "mvno": edges.MVNO,
    "landline": edges.LANDLINE,
    "wholesale": edges.WHOLESALE,
    "wholesale_2": edges.WHOLESALE_2,
    "backup": edges.BACKUP,
    "media": edges.MEDIA,
    "media_2": edges.MEDIA_2,
    "stranger": edges.STRANGER,
}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[edges.Edge]:
    edge = edges.Edge(tmp_path_factory.mktemp("edge"))
    edge.start()
    yield edge
    edge.stop()
    edge.close()


@pytest.fixture
def edge(running: edges.Edge) -> Iterator[edges.Edge]:
    """The edge with all its peers in service and its timers as shipped; a test must not leave it ended."""
    running.timers(silent=5000)
    for number in (1, *range(100, 105)):
        running.in_service(number)
    yield running
    assert running.process.alive, running.process.fault()


@pytest.fixture(scope="module")
def sockets() -> Iterator[SimpleNamespace]:
    parties = {name: edges.Party(address) for name, address in EVERYBODY.items()}
    yield SimpleNamespace(**parties)
    for party in parties.values():
        party.close()


@pytest.fixture
def at(edge: edges.Edge, sockets: SimpleNamespace) -> SimpleNamespace:
    """The parties, nothing waiting for any of them."""
    edge.settled()
    for party in vars(sockets).values():
        party.forget()
    return sockets

"""One edge and one capture for the calls of a module."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from edge import Edge
from onwire import DIRECTORY, EDGE, OnWire, media

from demo.capture import Capture


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    started = Edge(tmp_path_factory.mktemp("edge"), document=DIRECTORY)
    started.start()
    yield started
    started.stop()
    started.close()
    assert started.complaints() == []


@pytest.fixture(scope="module")
def parties(edge: Edge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OnWire]:
    assert edge.process.alive
    directory = tmp_path_factory.mktemp("wire")
    with Capture(directory / "wire.pcap") as capture:
        yield OnWire(capture, directory)
    assert malformed(capture.path) == ""


@pytest.fixture
def wire(parties: OnWire, edge: Edge) -> OnWire:
    """With a media server that answers OPTIONS."""
    media(edge, up=True)
    return parties


@pytest.fixture
def no_media(parties: OnWire, edge: Edge) -> OnWire:
    """Without: what comes in goes out around it."""
    media(edge, up=False)
    return parties


def malformed(capture: Path) -> str:
    """What another reader of SIP finds wrong with what the edge sent: from a warning on."""
    wanted = f"ip.src == {EDGE[0]} && sip && (_ws.malformed || _ws.expert.severity >= 0x600000)"
    done = subprocess.run(
        ["tshark", "-r", str(capture), "-d", "udp.port==5060-7100,sip", "-Y", wanted],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout

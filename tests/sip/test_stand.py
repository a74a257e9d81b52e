"""The stand's supervision: what it says when it cannot start, and when a part is gone."""

import os
import signal
import socket
from pathlib import Path

import pytest

from demo.provision import provision
from demo.stand import Stand, StandError
from kemi import settings

pytestmark = pytest.mark.system

DATA = settings.CHECKOUT / "demo" / "demo.yaml"


@pytest.fixture
def configured(tmp_path: Path) -> settings.Settings:
    made = settings.load({"FMC_STATE": str(tmp_path)})
    provision(made, DATA, pytest.fail)
    return made


def test_a_taken_port_is_named_and_nothing_started(configured: settings.Settings) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 5060))
        with pytest.raises(StandError, match=r"udp port 5060 .* Kamailio .* taken by .*FMC_LISTEN"):
            Stand(configured).__enter__()
    assert not (configured.state / "log").exists()


def test_a_part_that_dies_is_named_with_its_log(configured: settings.Settings) -> None:
    with Stand(configured) as stand:
        pid = stand.media.pid
        assert pid
        os.kill(pid, signal.SIGKILL)
        stand.media.wait(10)
        with pytest.raises(StandError, match=r"asterisk was killed by SIGKILL.*asterisk\.log"):
            stand.check()
    assert not any(part.alive for part in stand.parts)


def test_a_part_that_cannot_start_ends_the_stand(configured: settings.Settings) -> None:
    stand = Stand(configured)
    stand.edge.command = ["sh", "-c", "echo no such luck; exit 7"]
    with pytest.raises(StandError, match=r"kamailio ended with status 7[\s\S]*no such luck"):
        stand.__enter__()
    assert not any(part.alive for part in stand.parts)
    assert os.environ.get("FMC_STATE") != str(configured.state)

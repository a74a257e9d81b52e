import fcntl
import socket
from pathlib import Path

import pytest

from demo import preflight
from demo.preflight import Port, problems


@pytest.fixture
def taken() -> Port:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        yield Port("udp", holder.getsockname(), "Kamailio", "FMC_LISTEN")


@pytest.fixture(autouse=True)
def everything_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PROGRAMS", ("sh",))
    monkeypatch.setattr(preflight, "LEAST_FREE", 0)
    monkeypatch.setattr("os.geteuid", lambda: 0)


def test_nothing_is_found_where_all_is_well(tmp_path: Path) -> None:
    assert problems(tmp_path / "not" / "yet", [Port("tcp", ("127.0.0.1", 0), "Kamailio")]) == []


def test_a_taken_port_names_part_holder_and_mend(tmp_path: Path, taken: Port) -> None:
    (found,) = problems(tmp_path, [taken])
    assert f"udp port {taken.address[1]} on 127.0.0.1, which Kamailio needs" in found
    assert "(process " in found
    assert "FMC_LISTEN" in found


def test_a_taken_tcp_port_is_found(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        (found,) = problems(tmp_path, [Port("tcp", holder.getsockname(), "the metrics")])
    assert "tcp port" in found
    assert "taken" in found


def test_no_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "sudo" in problems(tmp_path, [])[0]


def test_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "LEAST_FREE", 1 << 60)
    (found,) = problems(tmp_path / "var", [])
    assert str(tmp_path) in found
    assert "FMC_STATE" in found


def test_no_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "PROGRAMS", ("sh", "no-such-program"))
    (found,) = problems(tmp_path, [])
    assert found.startswith("no-such-program not found")
    assert "image/enter" in found


def test_an_edge_on_the_same_state_is_found(tmp_path: Path) -> None:
    lock = tmp_path / "spool" / "ship.lock"
    lock.parent.mkdir()
    lock.touch()
    assert problems(tmp_path, []) == []
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        (found,) = problems(tmp_path, [])
    assert f"an edge runs on {tmp_path}" in found
    assert "FMC_STATE" in found

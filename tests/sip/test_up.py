"""`python -m demo up`, as make starts it: reached and ended from other processes, leaving nothing."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from demo.scenarios import SCENARIOS

pytestmark = pytest.mark.system


def demo(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "demo", *arguments],
        env={**os.environ, "FMC_STATE": str(state)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def start(state: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "demo", *arguments],
        env={**os.environ, "FMC_STATE": str(state)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def running_on(state: Path) -> list[str]:
    """Commands of the processes that have this state directory in their environment."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if str(state).encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue  # it ended meanwhile
    return found


@pytest.fixture
def up(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    process = start(tmp_path, "up")
    yield process
    process.kill()
    process.communicate()


def test_nothing_is_up(tmp_path: Path) -> None:
    assert (demo(tmp_path, "status").returncode, demo(tmp_path, "down").returncode) == (1, 0)


def test_up_and_down(up: subprocess.Popen[str], tmp_path: Path) -> None:
    waited = demo(tmp_path, "wait")
    assert waited.returncode == 0, waited.stderr
    told = demo(tmp_path, "status").stdout
    assert all(part in told for part in ("kamailio", "asterisk", "sync", "ship", "mvno-main"))
    refused = demo(tmp_path)
    assert (refused.returncode, "make down" in refused.stderr) == (1, True)
    assert demo(tmp_path, "down").stdout == "down\n"
    assert up.wait(10) == 0
    assert running_on(tmp_path) == []


def test_a_part_that_dies_ends_it_with_its_name(up: subprocess.Popen[str], tmp_path: Path) -> None:
    assert demo(tmp_path, "wait").returncode == 0
    (ship,) = (
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if (process / "cmdline").read_bytes().endswith(b"kemi.agent\0ship\0")
    )
    os.kill(ship, signal.SIGKILL)
    output, _ = up.communicate(timeout=30)
    assert up.returncode == 1
    assert "ship was killed by SIGKILL" in output
    assert running_on(tmp_path) == []


@pytest.mark.parametrize("until", ["simulated operators", "Asterisk answers", f"{len(SCENARIOS)} calls"])
def test_an_interrupted_demo_leaves_nothing_running(tmp_path: Path, until: str) -> None:
    process = start(tmp_path)
    assert process.stdout
    for line in process.stdout:
        if until in line:
            break
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "nothing is left running" in output
    assert running_on(tmp_path) == []


def test_bad_usage(tmp_path: Path) -> None:
    done = demo(tmp_path, "sideways")
    assert (done.returncode, done.stderr.startswith("usage:")) == (2, True)

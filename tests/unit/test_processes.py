import os
import select
from pathlib import Path

import pytest

from demo.processes import Process, stop_all


def shell(tmp_path: Path, script: str) -> Process:
    process = Process("part", ["sh", "-c", script], tmp_path / "log" / "part.log", {"WORD": "said"})
    process.start()
    return process


def until_logged(process: Process, word: str) -> None:
    with process.log.open() as log:
        text = ""
        while word not in text:
            assert process.alive
            text += log.read()


def has_ended(pidfd: int) -> bool:
    ended, _, _ = select.select([pidfd], [], [], 10)
    os.close(pidfd)
    return bool(ended)


def test_a_process_that_ended_is_told_with_its_log(tmp_path: Path) -> None:
    process = shell(tmp_path, "echo $WORD; echo badly >&2; exit 3")
    assert process.wait(10) == 3
    assert not process.alive
    assert process.fault() == f"part ended with status 3; the end of {process.log}:\nsaid\nbadly"


def test_a_process_that_was_killed_is_told_by_signal(tmp_path: Path) -> None:
    process = shell(tmp_path, "kill -SEGV $$")
    process.wait(10)
    assert "was killed by SIGSEGV" in process.fault()


def test_stopping_is_gentle(tmp_path: Path) -> None:
    process = shell(tmp_path, "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.01; done")
    until_logged(process, "up")
    assert stop_all([process]) == []
    assert process.status == 0
    assert process.tail(1) == "bye"


def test_who_does_not_end_is_killed_with_all_it_started(tmp_path: Path) -> None:
    process = shell(tmp_path, "trap '' TERM; sleep 1000 & echo $! up; wait")
    until_logged(process, "up")
    child = os.pidfd_open(int(process.tail().split()[0]))
    assert stop_all([process], seconds=0.2) == ["part"]
    assert process.status == -9
    assert has_ended(child)


def test_what_a_process_left_behind_is_killed(tmp_path: Path) -> None:
    process = shell(tmp_path, "sleep 1000 & echo $!")
    process.wait(10)
    child = os.pidfd_open(int(process.tail()))
    stop_all([process])
    assert has_ended(child)


def test_what_was_never_started_stops(tmp_path: Path) -> None:
    process = Process("part", ["true"], tmp_path / "part.log")
    assert stop_all([process]) == []
    assert (process.pid, process.status, process.alive, process.tail()) == (None, None, False, "")


def test_a_command_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Process("part", ["/no/such/command"], tmp_path / "part.log").start()

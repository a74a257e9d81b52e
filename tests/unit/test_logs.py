"""Logs: one JSON object a line, and nobody ever waits for a reader."""

import json
import os
import socket
import tempfile

import pytest
import structlog

from kemi import logs


@pytest.fixture(autouse=True)
def _as_before():
    yield
    structlog.reset_defaults()


def entries(text: bytes) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_is_one_json_object():
    with tempfile.TemporaryFile() as file:
        logs.configure(descriptor=file.fileno())
        logs.get("ship").info("двое\nв строке", call="c-1")
        file.seek(0)
        (entry,) = entries(file.read())
    assert entry.pop("at").endswith("Z")
    assert entry == {"event": "двое\nв строке", "part": "ship", "call": "c-1", "level": "info"}


def drain(descriptor: int) -> bytes:
    """All that waits there."""
    os.set_blocking(descriptor, False)
    taken = b""
    try:
        while piece := os.read(descriptor, 65536):
            taken += piece
    except BlockingIOError:
        pass
    return taken


def stream() -> tuple[int, int]:
    reading, writing = socket.socketpair()
    return reading.detach(), writing.detach()


@pytest.mark.parametrize("made", [os.pipe, stream])
def test_without_a_reader_lines_are_dropped_and_then_told(made):
    reading, writing = made()
    sink = logs.configure(descriptor=writing)
    try:
        log = logs.get("edge")
        written = 20_000
        for number in range(written):
            log.info("decision", number=number)
        kept = drain(reading)
        log.info("after")
        told, after = entries(drain(reading))
    finally:
        if made is stream:
            sink._socket.close()
        os.close(reading)
        os.close(writing)
    arrived = entries(kept)
    assert [entry["number"] for entry in arrived] == list(range(len(arrived)))
    assert told == {"event": "lines_dropped", "lines": written - len(arrived), "level": "warning"}
    assert after["event"] == "after"


def test_a_line_that_a_pipe_cannot_take_whole_is_dropped():
    reading, writing = os.pipe()
    try:
        logs.configure(descriptor=writing)
        logs.get("edge").error("too long", text="x" * 5000)
        assert drain(reading) == b""
    finally:
        os.close(reading)
        os.close(writing)

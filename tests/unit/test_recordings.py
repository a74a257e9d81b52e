import struct
import wave
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kemi.media import recordings


def header(channels: int, riff: int, data: int) -> bytes:
    """What Asterisk's format_wav writes."""
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", riff, b"WAVE", b"fmt ", 16, 1, channels, 8000, 16000 * channels, 2 * channels, 16),
        *(b"data", data),
    )


def test_a_closed_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(4 * 12000))
    assert recordings.facts(path) == (1.5, 44 + 48000)


def test_one_whose_header_was_never_finished_is_measured_by_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(1, 0, 0) + bytes(32000))
    assert recordings.facts(path) == (1.0, 32044)


def test_one_that_was_cut_off_is_measured_by_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(2, 64036, 64000) + bytes(32000))
    assert recordings.facts(path) == (1.0, 32044)


def test_an_empty_recording_is_no_time_long(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(header(2, 36, 0))
    assert recordings.facts(path) == (0.0, 44)


def test_other_chunks_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    whole = header(2, 0, 32000) + bytes(32000)
    path.write_bytes(whole[:36] + struct.pack("<4sI", b"LIST", 3) + b"abc\0" + whole[36:])
    assert recordings.facts(path)[0] == 1.0


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (b"", EOFError),
        (b"RIFF\0\0", EOFError),
        (header(2, 0, 0)[:40], EOFError),
        (b"x" * 100, wave.Error),
        (header(0, 36, 4) + bytes(4), wave.Error),
    ],
)
def test_what_is_no_recording(tmp_path: Path, content: bytes, error: type[Exception]) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(error):
        recordings.facts(path)


def test_recordings_of_a_call_over_midnight(tmp_path: Path) -> None:
    for name in ("2026/01/01/c1.wav", "2026/01/02/c1-n-1.0.wav", "2026/01/02/c2.wav", "2026/01/03/c1.wav"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    since, until = datetime(2026, 1, 1, 23, 59, tzinfo=UTC), datetime(2026, 1, 2, 0, 1, tzinfo=UTC)
    assert list(recordings.of_call(tmp_path, "c1", since, until)) == [
        "2026/01/01/c1.wav",
        "2026/01/02/c1-n-1.0.wav",
    ]

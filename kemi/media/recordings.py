"""Recordings as Asterisk leaves them: YYYY/MM/DD/<call id>.wav (UTC day), 8 kHz, 16 bits, stereo.

On the left what leg 1 said, on the right what leg 2 said. A call that was recorded more than once has more
files, whose names begin with its id.
"""

import struct
import wave
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

RATE = 8000
FRAME = 4
"""Bytes of one sampling instant: two sides of two bytes."""


def facts(path: Path) -> tuple[float, int]:
    """Measure a recording: seconds of sound and bytes of the file.

    The file counts, not what its header promises: when Asterisk did not close it (it crashed, the disk was
    full) the header still says mono and gives no length, and the sound before that is good.
    Raises OSError when it cannot be read, wave.Error or EOFError when it is no WAV file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        kind, _, form = struct.unpack("<4sI4s", _read(file.read(12), 12))
        if (kind, form) != (b"RIFF", b"WAVE"):
            raise wave.Error(f"{path} is no WAV file")
        rate, frame = RATE, FRAME
        while True:
            name, length = struct.unpack("<4sI", _read(file.read(8), 8))
            start = file.tell()
            if name == b"data":
                break
            if name == b"fmt ":
                _, _, rate, _, frame = struct.unpack("<HHIIH", _read(file.read(14), 14))
            file.seek(start + length + length % 2)
    if not 0 < length <= size - start:
        frame, length = FRAME, size - start
    if not rate or not frame:
        raise wave.Error(f"{path} has a header that makes no sense")
    return length / frame / rate, size


def _read(found: bytes, wanted: int) -> bytes:
    if len(found) < wanted:
        raise EOFError("the file ends within its header")
    return found


def of_call(directory: Path, call: str, since: datetime, until: datetime) -> Iterator[str]:
    """Find the recordings of a call that was between these times (UTC), as paths below `directory`."""
    for days in range((until.date() - since.date()).days + 1):
        folder = directory / f"{since + timedelta(days=days):%Y/%m/%d}"
        for file in sorted(folder.glob(f"{call}*.wav")):
            yield str(file.relative_to(directory))

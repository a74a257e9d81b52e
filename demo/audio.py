"""Sound of a telephone line: G.711, test tones, and measures that say what was heard.

PCM here is linear, 16 bits, mono, 8000 samples a second. Everything is measured on the samples a party
received; a file's size or a packet count proves nothing.
"""

import math
import wave
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from operator import mul
from pathlib import Path
from typing import TypeAlias

Pcm: TypeAlias = "array[int]"

RATE = 8000
"""Samples a second."""
FRAME = 160
"""Samples of one 20 ms packet."""
BLOCK = 400
"""Samples of one 50 ms measure: bins of 20 Hz, so tones at multiples of 20 Hz do not leak into each other."""
SEGMENT = 800
"""Samples of the 100 ms pieces in which a prompt is recognised."""
QUIET = 100.0
"""Root mean square below which a block counts as silence (0.3 % of full scale)."""


def _alaw_to_linear(code: int) -> int:
    code ^= 0x55
    segment, step = (code & 0x70) >> 4, (code & 0x0F) << 4
    magnitude = step + 8 if segment == 0 else (step + 0x108) << (segment - 1)
    return magnitude if code & 0x80 else -magnitude


def _linear_to_alaw(sample: int) -> int:
    mask = 0xD5 if sample >= 0 else 0x55
    magnitude = sample >> 3 if sample >= 0 else -(sample >> 3) - 1
    segment = max(0, magnitude.bit_length() - 5)
    mantissa = magnitude >> max(1, segment)
    return (segment << 4 | mantissa & 0x0F) ^ mask


def _ulaw_to_linear(code: int) -> int:
    code = ~code & 0xFF
    magnitude = (((code & 0x0F) << 3) + 0x84 << ((code & 0x70) >> 4)) - 0x84
    return -magnitude if code & 0x80 else magnitude


def _linear_to_ulaw(sample: int) -> int:
    mask = 0xFF if sample >= 0 else 0x7F
    magnitude = min(abs(sample) >> 2, 8158) + 33
    segment = magnitude.bit_length() - 6
    return (segment << 4 | magnitude >> (segment + 1) & 0x0F) ^ mask


@dataclass(frozen=True)
class Law:
    """One companding law of ITU-T G.711, as tables of all its values."""

    name: str
    to_linear: tuple[int, ...]
    from_linear: bytes

    @classmethod
    def of(cls, name: str, expand: Callable[[int], int], compress: Callable[[int], int]) -> "Law":
        """Compute the tables; the second one is indexed by the sample as an unsigned 16-bit number."""
        samples = (value - 0x10000 if value & 0x8000 else value for value in range(0x10000))
        return cls(name, tuple(expand(code) for code in range(256)), bytes(map(compress, samples)))

    def decode(self, coded: bytes) -> Pcm:
        """Expand the payload of RTP packets into PCM."""
        return array("h", map(self.to_linear.__getitem__, coded))

    def encode(self, pcm: Pcm) -> bytes:
        """Compress PCM into the bytes an RTP packet carries."""
        table = self.from_linear
        return bytes([table[sample & 0xFFFF] for sample in pcm])


PCMA = Law.of("PCMA", _alaw_to_linear, _linear_to_alaw)
PCMU = Law.of("PCMU", _ulaw_to_linear, _linear_to_ulaw)
LAWS = {0: PCMU, 8: PCMA}
"""By static RTP payload type (RFC 3551, table 4)."""


def tone(hertz: float, seconds: float, level: float = 0.3) -> Pcm:
    """Make a sine; `level` is a share of full scale."""
    step, peak = 2 * math.pi * hertz / RATE, 32767 * level
    return array("h", (round(peak * math.sin(step * n)) for n in range(round(RATE * seconds))))


def write_g711(path: Path, pcm: Pcm, law: Law = PCMA) -> None:
    """Write what SIPp's rtp_stream plays: bare samples, no header (it would be played as a click)."""
    path.write_bytes(law.encode(pcm))


def read_wav(path: Path) -> list[Pcm]:
    """Give the channels of a 16-bit WAV file at 8 kHz; ValueError for any other form."""
    with wave.open(str(path)) as file:
        if (file.getsampwidth(), file.getframerate()) != (2, RATE):
            raise ValueError(f"{path}: 16 bits at {RATE} Hz expected")
        count = file.getnchannels()
        samples = array("h", file.readframes(file.getnframes()))
    return [samples[channel::count] for channel in range(count)]


def _share(block: Pcm, hertz: float) -> float:
    """Give the share (0 to 1) of a block's energy that lies at one frequency (Goertzel)."""
    energy = _energy(block)
    if energy < QUIET * QUIET * len(block):
        return 0.0
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    last = before = 0.0
    for sample in block:
        last, before = sample + factor * last - before, last
    power = last * last + before * before - factor * last * before
    return 2 * power / (len(block) * energy)


def tone_seconds(pcm: Pcm, hertz: float, share: float = 0.2) -> float:
    """Say how long a tone is present: 50 ms blocks in which it holds at least `share` of the energy.

    The default finds a tone that is mixed with one other voice; silence has no tone.
    """
    blocks = (pcm[start : start + BLOCK] for start in range(0, len(pcm) - BLOCK + 1, BLOCK))
    return sum(_share(block, hertz) >= share for block in blocks) * BLOCK / RATE


@dataclass(frozen=True)
class Match:
    """Where a prompt was found: `share` of its energy stands in place, `at` seconds from the start."""

    share: float
    at: float

    @property
    def heard(self) -> bool:
        """Whether the prompt was played to its end, undisturbed."""
        return self.share >= 0.9


def find_prompt(pcm: Pcm, prompt: Pcm) -> Match:
    """Look for a prompt in what was heard.

    The envelope (20 ms steps) proposes places; the samples decide: at a place each 100 ms of the prompt
    counts when its normalised cross-correlation with what was heard is above 0.7. A tone or another
    prompt may have a similar envelope, never the same samples.
    """
    best = Match(0.0, 0.0)
    marks = _landmarks(prompt)
    for lag, mark in product(_candidates(_envelope(pcm), _envelope(prompt)), marks):
        start = _align(pcm, prompt, lag * FRAME, mark)
        best = max(best, Match(_share_in_place(pcm, prompt, start), start / RATE), key=lambda m: m.share)
        if best.heard:
            break
    return best


def _envelope(pcm: Pcm) -> list[float]:
    frames = (pcm[start : start + FRAME] for start in range(0, len(pcm) - FRAME + 1, FRAME))
    return [math.sqrt(_energy(frame) / FRAME) for frame in frames]


def _candidates(heard: list[float], prompt: list[float], count: int = 5) -> list[int]:
    """Give the lags (in frames) at which the envelopes are most alike, best first."""
    span = len(prompt)
    mean = sum(prompt) / span if span else 0.0
    centred = [value - mean for value in prompt]
    scores: list[tuple[float, int]] = []
    for lag in range(len(heard) - span + 1):
        window = heard[lag : lag + span]
        total = sum(window)
        spread = sum(map(mul, window, window)) - total * total / span
        if spread > QUIET * QUIET:
            scores.append((sum(map(mul, centred, window)) / math.sqrt(spread), lag))
    return [lag for _, lag in sorted(scores, reverse=True)[:count]]


def _correlation(left: Pcm, right: Pcm) -> float:
    energy = _energy(left) * _energy(right)
    common: int = sum(map(mul, left, right))
    return common / math.sqrt(energy) if energy else 0.0


def _energy(pcm: Pcm) -> int:
    energy: int = sum(map(mul, pcm, pcm))
    return energy


def _landmarks(prompt: Pcm) -> list[int]:
    """Give the loudest 100 ms of each half: a prompt that was cut short is still found by its beginning."""
    starts = range(0, max(1, len(prompt) - SEGMENT + 1), SEGMENT)
    halves = (starts[: len(starts) // 2], starts[len(starts) // 2 :])
    return [max(half, key=lambda start: _energy(prompt[start : start + SEGMENT])) for half in halves if half]


def _align(pcm: Pcm, prompt: Pcm, about: int, mark: int) -> int:
    """Find the sample, one frame around `about`, at which the prompt's 100 ms at `mark` fit best."""
    segment = prompt[mark : mark + SEGMENT]
    starts = range(max(0, about - FRAME), about + FRAME + 1)
    return max(starts, key=lambda start: _correlation(segment, pcm[start + mark : start + mark + SEGMENT]))


def _share_in_place(pcm: Pcm, prompt: Pcm, start: int) -> float:
    found = whole = 0
    for offset in range(0, len(prompt), SEGMENT):
        segment = prompt[offset : offset + SEGMENT]
        energy = _energy(segment)
        whole += energy
        if _correlation(segment, pcm[start + offset : start + offset + len(segment)]) > 0.7:
            found += energy
    return found / whole if whole else 0.0

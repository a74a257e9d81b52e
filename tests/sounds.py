"""Sounds for tests: silence, and something like speech."""

from array import array
from random import Random

from demo.audio import RATE, Pcm


def speech(seed: int, seconds: float = 2.0) -> Pcm:
    """Noise in syllables: an envelope and samples like no other seed's."""
    random = Random(seed)  # noqa: S311 - the same noise in every run
    pcm = array("h")
    while len(pcm) < seconds * RATE:
        level = random.choice((0, 2000, 6000))
        pcm.extend(round(random.gauss(0, level)) if level else 0 for _ in range(random.randrange(400, 1600)))
    return array("h", (max(-32000, min(32000, sample)) for sample in pcm))


def silence(seconds: float) -> Pcm:
    return array("h", bytes(2 * round(seconds * RATE)))

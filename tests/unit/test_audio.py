import math
import wave
from array import array
from pathlib import Path
from random import Random

import pytest
from sounds import silence, speech

from demo import audio
from demo.audio import FRAME, PCMA, PCMU, RATE, find_prompt, tone, tone_seconds


def through_line(pcm: audio.Pcm) -> audio.Pcm:
    return PCMA.decode(PCMA.encode(pcm))


@pytest.mark.parametrize(
    ("law", "code", "sample"),
    [
        # ITU-T G.711 tables 1a and 2a: the ends of the scale and the values around zero
        (PCMA, 0xD5, 8), (PCMA, 0x55, -8), (PCMA, 0xAA, 32256), (PCMA, 0x2A, -32256),
        (PCMU, 0xFF, 0), (PCMU, 0x80, 32124), (PCMU, 0x00, -32124), (PCMU, 0xFE, 8),
    ],
)  # fmt: skip
def test_values_of_the_tables(law: audio.Law, code: int, sample: int) -> None:
    assert list(law.decode(bytes([code]))) == [sample]
    assert law.encode(array("h", [sample])) == bytes([code])


@pytest.mark.parametrize("law", [PCMA, PCMU], ids=lambda law: law.name)
def test_every_code_survives_expansion_and_compression(law: audio.Law) -> None:
    codes = bytes(range(256))
    negative_zero = {0x7F} if law is PCMU else set()
    again = law.encode(law.decode(codes))
    assert {code for code, other in zip(codes, again, strict=True) if code != other} == negative_zero


@pytest.mark.parametrize("law", [PCMA, PCMU], ids=lambda law: law.name)
def test_companding_error_is_relative_to_the_level(law: audio.Law) -> None:
    pcm = array("h", range(-32000, 32001, 7))
    for before, after in zip(pcm, law.decode(law.encode(pcm)), strict=True):
        assert abs(before - after) <= max(16, abs(before) / 24)


def test_a_tone_is_found_at_its_frequency_only() -> None:
    heard = through_line(tone(1040, 2.0))
    assert tone_seconds(heard, 1040) == pytest.approx(2.0)
    assert tone_seconds(heard, 520) == 0
    assert tone_seconds(heard, 1100) == 0


def test_both_tones_are_found_in_a_mix() -> None:
    mix = array("h", map(sum, zip(tone(520, 1.0), tone(1040, 1.0, level=0.2), strict=True)))
    assert tone_seconds(mix, 520) == pytest.approx(1.0)
    assert tone_seconds(mix, 1040) == pytest.approx(1.0)
    assert tone_seconds(mix, 760) == 0


def test_silence_and_faint_noise_have_no_tone() -> None:
    random = Random(1)  # noqa: S311 - the same noise in every run
    noise = array("h", (random.randrange(-60, 60) for _ in range(RATE)))
    assert tone_seconds(silence(1), 520) == 0
    assert tone_seconds(noise, 520) == 0
    assert tone_seconds(array("h"), 520) == 0


def test_tone_is_timed() -> None:
    heard = silence(1) + tone(700, 0.5) + silence(1)
    assert tone_seconds(heard, 700) == pytest.approx(0.5)


@pytest.mark.parametrize("before", [0, 1, 77, FRAME, 5 * FRAME + 13, 9001])
def test_a_prompt_is_found_where_it_was_played(before: int) -> None:
    prompt = speech(1)
    heard = through_line(array("h", bytes(2 * before)) + prompt + tone(520, 1.0))
    match = find_prompt(heard, prompt)
    assert match.heard
    assert match.share > 0.99
    assert match.at == pytest.approx(before / RATE, abs=1 / RATE)


def test_a_prompt_at_another_level_is_found() -> None:
    prompt = speech(1)
    louder = array("h", (sample // 2 for sample in prompt))
    assert find_prompt(through_line(silence(0.3) + louder), prompt).heard


@pytest.mark.parametrize(
    "heard",
    [array("h"), silence(4), tone(520, 4.0), speech(2, 4.0), speech(1)[: RATE]],
    ids=["nothing", "silence", "tone", "another prompt", "half of it"],
)  # fmt: skip
def test_a_prompt_is_not_found_in_anything_else(heard: audio.Pcm) -> None:
    assert not find_prompt(through_line(heard), speech(1)).heard


def test_a_prompt_that_was_cut_short_was_not_heard() -> None:
    prompt = speech(1, 3.0)
    cut = prompt[: len(prompt) * 2 // 3] + tone(520, 2.0)
    match = find_prompt(through_line(cut), prompt)
    assert not match.heard
    assert match.share > 0.3


def test_a_tone_shaped_like_the_prompt_is_not_the_prompt() -> None:
    prompt = speech(3)
    shaped = array("h")
    for start in range(0, len(prompt) - FRAME + 1, FRAME):
        frame = prompt[start : start + FRAME]
        level = math.sqrt(sum(sample * sample for sample in frame) / FRAME)
        shaped.extend(round(level * math.sin(2 * math.pi * 520 * (start + n) / RATE)) for n in range(FRAME))
    assert not find_prompt(through_line(shaped), prompt).heard


def test_wav_channels_come_apart(tmp_path: Path) -> None:
    path = tmp_path / "stereo.wav"
    left, right = tone(520, 0.5), tone(1040, 0.5)
    with wave.open(str(path), "wb") as file:
        file.setparams((2, 2, RATE, 0, "NONE", ""))
        file.writeframes(array("h", (s for pair in zip(left, right, strict=True) for s in pair)).tobytes())
    assert audio.read_wav(path) == [left, right]

"""Spoken prompts, synthesised once and kept: 8 kHz mono WAV, as telephones hear them.

A file is named by the hash of what it was made from, so a changed text or voice makes a new file and
nothing is ever played that does not say what its name stands for.
"""

import hashlib
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

NOTICE = {
    "ru": "Внимание! Разговор записывается.",
    "en": "Please note: this call is recorded.",
}
"""What a client hears before a recorded conversation, by language (espeak-ng's voice has the same name)."""

VOICE = ("-s", "150")  # words a minute: clear on a bad line
# Normalised below full scale, because G.711 clips hard; the silence in front covers the time a mobile
# network takes to open the voice path after the answer.
EFFECTS = ("norm", "-3", "pad", "0.3", "0.2")


class SynthesisError(Exception):
    """A prompt could not be made; the message says by what and why."""


def notice(language: str, directory: Path) -> Path:
    """Where the notice in this language lies below `directory`, made already or not."""
    recipe = "\0".join((language, NOTICE[language], *VOICE, *EFFECTS))
    return directory / language / f"{hashlib.sha256(recipe.encode()).hexdigest()[:16]}.wav"


def synthesise(language: str, directory: Path) -> Path:
    """Make the notice in this language unless it is there; raises SynthesisError."""
    path = notice(language, directory)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=directory) as made:
        spoken, telephone = Path(made) / "spoken.wav", Path(made) / "telephone.wav"
        _run("espeak-ng", "-v", language, *VOICE, "-w", str(spoken), NOTICE[language])
        # -R: the same noise for dithering every time, so the same recipe gives the same file.
        _run("sox", "-R", str(spoken), "-r", "8000", "-c", "1", "-b", "16", str(telephone), *EFFECTS)
        telephone.rename(path)
    return path


def _run(*command: str) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise SynthesisError(
            f"{command[0]} is not installed: it is part of the image (image/enter)"
        ) from None
    except subprocess.CalledProcessError as error:
        raise SynthesisError(f"{command[0]} failed: {error.stderr.strip()}") from None

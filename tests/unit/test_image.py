"""The two ways to make the image, image/build and image/Dockerfile, say the same."""

import os
import re
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
IMAGE = REPO / "image"
DOCKERFILE = (IMAGE / "Dockerfile").read_text()
COMMON = (IMAGE / "common").read_text()
BUILD = (IMAGE / "build").read_text()


def found(pattern: str, text: str) -> str:
    (one,) = re.findall(pattern, text, re.MULTILINE)
    assert isinstance(one, str)
    return one


def packages() -> list[str]:
    lines = (IMAGE / "packages.txt").read_text().splitlines()
    return [line for line in lines if not line.startswith("#")]


def test_same_suite() -> None:
    assert found(r"^FROM debian:(\w+)-slim$", DOCKERFILE) == found(r"^suite=(\w+)$", COMMON)


def test_same_lists() -> None:
    copied = found(r"^COPY (.*) /opt/fmc/$", DOCKERFILE).split()
    assert copied == ["image/packages.txt", "requirements.lock"]
    assert all((REPO / path).is_file() for path in copied)
    for reading in ("grep -v '^#' /opt/fmc/packages.txt", "-r /opt/fmc/requirements.lock"):
        assert reading in DOCKERFILE
    assert "grep -v '^#' \"$repo/image/packages.txt\"" in BUILD
    assert '-r "$1/requirements.lock"' in BUILD


def test_a_package_is_named_in_the_list_only() -> None:
    assert not [name for name in packages() if "-" in name and name in DOCKERFILE + BUILD]


@pytest.mark.parametrize("option", ["--no-deps", "--only-binary :all:", "--require-hashes"])
def test_python_packages_are_installed_alike(option: str) -> None:
    assert option in DOCKERFILE
    assert option in BUILD


def test_same_environment() -> None:
    path = found(r"^ENV PATH=(\S+)", DOCKERFILE)
    assert f"export PATH={path} LC_ALL=C.UTF-8" in COMMON
    assert "PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1" in DOCKERFILE
    assert "PYTHONDONTWRITEBYTECODE=1 PYTHONUTF8=1" in COMMON


def test_package_list_is_well_formed() -> None:
    names = packages()
    assert len(names) == len(set(names))
    assert not [name for name in names if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name)]


@pytest.mark.parametrize("script", ["build", "enter", "inside"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(IMAGE / script, os.X_OK)

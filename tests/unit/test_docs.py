"""What README.md and docs/ say of names, words and places is what the code has."""

import re
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from kemi.directory import document
from kemi.routing.reasons import REJECTIONS, Accepted, Rejected

REPO = Path(__file__).parents[2]
DOCS = REPO / "docs"
PAGES = [REPO / "README.md", *sorted(DOCS.rglob("*.md"))]


def text_of(page: str) -> str:
    return (DOCS / page).read_text()


def rows(text: str) -> list[list[str]]:
    """The cells of all table rows, without heads."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def words(cell: str) -> set[str]:
    return set(re.findall(r"`([^`]+)`", cell))


def first_words(text: str) -> set[str]:
    return {word for row in rows(text) for word in words(row[0])}


def test_refusals_are_those_of_the_code() -> None:
    told = {row[0].strip("`"): tuple(row[1:]) for row in rows(text_of("reasons.md")) if len(row) == 3}
    told = {word: said for word, said in told.items() if said[0].isdecimal()}
    assert told == {word: (str(status), why) for word, (status, why) in REJECTIONS.items()}
    assert set(told) == set(get_args(Rejected))


def test_accepted_reasons_are_those_of_the_code() -> None:
    _, accepted = text_of("reasons.md").split("## Accepted")
    assert first_words(accepted) == set(get_args(Accepted))


def keys(struct: type[msgspec.Struct]) -> set[str]:
    found = {field.name for field in msgspec.structs.fields(struct)}
    return found if struct.__struct_config__.tag is None else found | {"kind"}


STRUCTS = [
    value
    for value in vars(document).values()
    if isinstance(value, type) and issubclass(value, msgspec.Struct) and not value.__name__.startswith("_")
]


@pytest.mark.parametrize("struct", STRUCTS, ids=lambda struct: struct.__name__)
def test_every_key_of_the_file_is_told(struct: type[msgspec.Struct]) -> None:
    told = {part for word in words(text_of("provisioning.md")) for part in re.findall(r"\w+", word)}
    assert keys(struct) <= told


def test_no_key_is_told_that_the_file_does_not_have() -> None:
    known = {key for struct in STRUCTS for key in keys(struct)}
    assert first_words(text_of("provisioning.md")) <= known


def test_every_metric_is_told() -> None:
    source = (REPO / "kemi" / "metrics.py").read_text()
    counters = {f"fmc_{name}_total" for name in re.findall(r'counter\(\s*"(\w+)"', source)}
    gauges = {f"fmc_{name}" for name in re.findall(r'gauge\(\s*"(\w+)"', source)}
    histograms = set(re.findall(r'Histogram\(\s*"(\w+)"', source))
    told = {word for word in first_words(text_of("operations.md")) if word.startswith("fmc_")}
    assert told == counters | gauges | histograms


def test_every_setting_is_told() -> None:
    read: set[str] = set(
        re.findall(r'environ\.get\("(FMC_\w+)"', (REPO / "kemi" / "settings.py").read_text())
    )
    start = (REPO / "kamailio" / "start").read_text()
    read |= set(re.findall(r"^# +(FMC_\w+)", start, re.MULTILINE))
    read |= set(re.findall(r"\$\{(FMC_\w+):-", start + (REPO / "image" / "common").read_text()))
    told = {word for word in first_words(text_of("operations.md")) if word.startswith("FMC_")}
    assert told == read


def test_every_decision_is_listed() -> None:
    listed = re.findall(r"\((\d{4}-[^)]+)\) (.+)", text_of("decisions/README.md"))
    files = sorted((DOCS / "decisions").glob("0*.md"))
    titles = [(file.name, file.read_text().splitlines()[0].split(" ", 2)[2]) for file in files]
    assert listed == titles


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(REPO)))
def test_links_lead_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", page.read_text()) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_make_targets_of_the_readme_exist() -> None:
    targets = set(re.findall(r"^(\w+):", (REPO / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"(?:^|`)make ([a-z]+)", (REPO / "README.md").read_text(), re.MULTILINE))
    assert named - targets == set()
    assert {"demo", "up", "down"} <= named

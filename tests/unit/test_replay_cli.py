"""fmcctl replay as people and scripts use it."""

import json
import re
import sys
from io import BufferedReader, BytesIO
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
import yaml
from wire import ETHERNET, in_link, invite, ipv4, pcap, udp

import kemi.cli
from kemi.cli import main
from kemi.replay.changes import Change

CHECKOUT = Path(kemi.cli.__file__).parent.parent.parent
EXAMPLE = CHECKOUT / "examples" / "company.yaml"

FROM_WHOLESALE = {"source": "127.0.0.1", "target": "127.0.0.1"}


@pytest.fixture(autouse=True)
def _state(tmp_path, monkeypatch):
    for name in ("FMC_DATABASE", "FMC_LISTEN", "NO_COLOR", "FORCE_COLOR", "COLUMNS", "TERM", "TZ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FMC_STATE", str(tmp_path / "state"))


@pytest.fixture
def fmcctl(capsys):
    def run(*arguments: object) -> tuple[int, str, str]:
        status = main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def packet(data: bytes, port: int) -> bytes:
    return in_link(ETHERNET, ipv4(udp(data, port), source="127.0.0.1", target="127.0.0.1"))


@pytest.fixture
def capture(tmp_path):
    """Four calls: to a DID, of a form that no list has, unreadable, of a stranger."""
    odd = invite(calling='"\x1b[31m" <sip:12345@x>', call_id="odd")
    file = tmp_path / "calls.pcap"
    file.write_bytes(
        pcap(
            packet(invite(), 6062),
            packet(odd, 6062),
            packet(b"INVITE what is this\r\n\r\n", 6062),
            packet(invite(call_id="stranger"), 9999),
            packet(invite(), 6062),
        )
    )
    return file


@pytest.fixture
def older(tmp_path):
    """The example, but for wholesale's callers."""
    text = EXAMPLE.read_text().replace(
        "ingress: {calling: [e164, e164_bare], called", "ingress: {calling: [e164_bare], called"
    )
    file = tmp_path / "older.yaml"
    file.write_text(text)
    return file


def test_the_table(fmcctl, capture):
    status, out, err = fmcctl("replay", capture, "--data", EXAMPLE)
    assert (status, err) == (0, "")
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert lines[:3] == [
        "# time trunk calling called decision",
        "1 11:00:00 wholesale +79161234567 +74957654321 media did_called",
        "01-15 in → 203@media",
    ]
    assert lines[4] == "01-15 in ?? unknown → 203@media"
    assert lines[5].startswith("3 11:00:00 wholesale — — ?? unreadable: the request line")
    assert "?? unknown source: gets no answer" in out
    assert lines[-1] == "4 INVITEs, 2 unknown, 1 unreadable (not shown: 1 repeated)."
    assert max(map(len, out.splitlines())) <= 110
    assert "\x1b" not in out


@pytest.mark.parametrize(("asked", "given"), [(60, 80), (80, 80), (95, 95), (200, 110)])
def test_the_table_takes_80_to_110_columns(fmcctl, capture, monkeypatch, asked, given):
    monkeypatch.setenv("COLUMNS", str(asked))
    _, out, _ = fmcctl("replay", capture, "--data", EXAMPLE)
    assert max(map(len, out.splitlines())) == given
    assert "did_called" in out


def test_a_long_table_has_one_head(fmcctl, tmp_path):
    file = tmp_path / "many.pcap"
    file.write_bytes(pcap(*(packet(invite(call_id=str(number)), 6062) for number in range(250))))
    _, out, _ = fmcctl("replay", file, "--data", EXAMPLE)
    lines = out.splitlines()
    assert len(lines) == 1 + 500 + 1
    assert len({len(line) for line in lines[:-1]}) == 1
    assert out.count("calling") == 1


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_answers_for_programs(fmcctl, capture, form, read):
    status, out, err = fmcctl("replay", capture, "--data", EXAMPLE, "-F", form)
    assert (status, err) == (0, "")
    answer = read(out)
    first, odd, unreadable, stranger = answer["calls"]
    assert {key: first[key] for key in first if key != "legs"} == {
        "n": 1,
        "at": "2027-01-15T08:00:00Z",
        "packet": 1,
        "source": "wholesale",
        "source_by": "address",
        "sip_call_id": "a@b",
        "error": None,
    }
    assert [leg["reason"] for leg in first["legs"]] == ["did_called", "media_leg"]
    assert first["legs"][0]["steps"]
    assert odd["legs"][0]["calling"]["kind"] == "unknown"
    assert unreadable["error"].startswith("the request line")
    assert (stranger["source"], stranger["legs"], stranger["error"]) == (None, [], None)
    assert {key: value for key, value in answer.items() if key != "calls"} == {
        "invites": 4,
        "changed": None,
        "unknown": 2,
        "unreadable": 1,
        "repeated": 1,
        "outgoing": 0,
        "within_dialog": 0,
        "notes": [],
        "directory": {"source": "file", "where": str(EXAMPLE), "revision": None},
    }


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_no_calls_are_an_answer_too(fmcctl, tmp_path, form, read):
    file = tmp_path / "empty.pcap"
    file.write_bytes(pcap())
    _, out, _ = fmcctl("replay", file, "--data", EXAMPLE, "-F", form)
    assert read(out)["calls"] == []
    assert fmcctl("replay", file, "--data", EXAMPLE)[1] == "0 INVITEs, 0 unknown, 0 unreadable.\n"


def test_only_what_changes(fmcctl, capture, older):
    status, out, err = fmcctl("replay", capture, "--data", EXAMPLE, "--against", older)
    assert (status, err) == (1, "")
    first, calling, *asserted, last = out.splitlines()
    assert first == "#1  01-15 11:00:00  wholesale  +79161234567 → +74957654321"
    assert calling == "    calling: +79161234567 (unknown) → +79161234567"
    # What media is to give back as it came says so.
    assert "P-Asserted-Identity: <sip:+79161234567@127.0.0.1:5060;shape=unknown>" in asserted[0]
    assert last == "4 INVITEs, 1 changed, 2 unknown, 1 unreadable (not shown: 1 repeated)."
    status, out, _ = fmcctl("replay", capture, "--data", EXAMPLE, "--against", older, "-F", "json")
    (call,) = json.loads(out)["calls"]
    assert call["changes"][0] == {
        "what": "calling",
        "was": "+79161234567 (unknown)",
        "now": "+79161234567",
    }
    assert (status, json.loads(out)["changed"]) == (1, 1)


def test_nothing_changes(fmcctl, capture):
    status, out, _ = fmcctl("replay", capture, "--data", EXAMPLE, "--against", EXAMPLE)
    assert (status, out) == (0, "4 INVITEs, 0 changed, 2 unknown, 1 unreadable (not shown: 1 repeated).\n")


def test_the_database_against_a_file(fmcctl, capture, older):
    fmcctl("apply", "-f", older, "--yes")
    status, out, _ = fmcctl("replay", capture, "--against", EXAMPLE)
    assert status == 1
    assert "    calling: +79161234567 → +79161234567 (unknown)" in out


def test_a_text_of_a_known_trunk(fmcctl, tmp_path):
    file = tmp_path / "log.txt"
    file.write_bytes(b"2027-01-15 11:00:00 the call that failed:\n\n" + invite())
    _, out, _ = fmcctl("replay", file, "--data", EXAMPLE)
    assert "unknown source" in out
    _, out, _ = fmcctl("replay", file, "--data", EXAMPLE, "--trunk", "wholesale")
    assert "in, by --trunk" in " ".join(out.split())
    assert "11:00:00" in out
    (call,) = json.loads(fmcctl("replay", file, "--data", EXAMPLE, "-F", "json")[1])["calls"]
    assert (call["line"], call["at"]) == (3, "2027-01-15T08:00:00Z")


def test_standard_input(fmcctl, capture, monkeypatch):
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=BufferedReader(BytesIO(capture.read_bytes()))))
    assert "4 INVITEs" in fmcctl("replay", "-", "--data", EXAMPLE)[1]


def test_a_remark_on_the_file(fmcctl, capture):
    capture.write_bytes(capture.read_bytes()[:-1])
    assert fmcctl("replay", capture, "--data", EXAMPLE)[1].endswith(
        "The file ends in the middle of packet 5.\n"
    )


def test_progress_is_shown_on_a_terminal_when_it_takes_long(fmcctl, capture, monkeypatch):
    monkeypatch.setattr("kemi.cli.replay.PATIENCE", 0)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    status, out, err = fmcctl("replay", capture, "--data", EXAMPLE, "-F", "json")
    assert status == 0
    assert json.loads(out)
    assert "reading" in err
    monkeypatch.setattr("kemi.cli.replaytable.CHUNK", 1)
    assert "4 INVITEs" in fmcctl("replay", capture, "--data", EXAMPLE)[1]


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("none.pcap",), "cannot be read (No such file or directory)"),
        ((CHECKOUT,), "cannot be read (Is a directory)"),
        ((EXAMPLE,), "is no pcap or pcapng capture"),
        ((EXAMPLE, "--trunk", "x"), "known are mvno-main"),
        ((EXAMPLE, "--against", "none.yaml"), "none.yaml: cannot be read"),
    ],
)
def test_an_error_is_one_line(fmcctl, arguments, text):
    status, out, err = fmcctl("replay", *arguments, "--data", EXAMPLE)
    assert (status, out) == (2, "")
    assert text in err
    assert err.count("\n") == 1


# -- docs/replay.md --------------------------------------------------------------------------------------

PAGE = (CHECKOUT / "docs" / "replay.md").read_text()


def first_cells(heading: str) -> set[str]:
    """The words in the first column of the table with this head."""
    table = PAGE.split(f"| {heading} |", 1)[1].split("\n\n", 1)[0]
    return {word for line in table.splitlines()[2:] for word in re.findall(r"`([^`]+)`", line.split("|")[1])}


def test_the_options_that_are_told_are_those_of_the_command():
    group = typer.main.get_command(kemi.cli.app)
    command = group.get_command(typer.Context(group), "replay")
    options = {option for each in command.params for option in each.opts if option.startswith("--")}
    assert first_cells("option") == options - {"--help"}


def test_the_keys_that_are_told_are_those_of_the_answer(fmcctl, capture, older, tmp_path):
    text = tmp_path / "log.txt"
    text.write_bytes(invite())
    compared = json.loads(fmcctl("replay", capture, "--data", EXAMPLE, "--against", older, "-F", "json")[1])
    lines = json.loads(fmcctl("replay", text, "--data", EXAMPLE, "-F", "json")[1])
    assert first_cells("key of the whole") == set(compared) == set(lines)
    assert first_cells("key of a call") == set(compared["calls"][0]) | set(lines["calls"][0])
    assert set(compared["calls"][0]["changes"][0]) == set(Change.__struct_fields__)
    (example,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    assert list(json.loads(example)) == list(lines)
    assert list(json.loads(example)["calls"][0]) == [key for key in compared["calls"][0] if key != "changes"]


def test_the_examples_are_what_the_command_says(fmcctl, tmp_path):
    file = tmp_path / "calls.pcap"
    file.write_bytes(pcap(*(packet(data, port) for data, port in TOLD)))
    _, out, _ = fmcctl("replay", file, "--data", EXAMPLE)
    shown = "".join(f"{line.rstrip()}\n" for line in out.splitlines())
    assert f"```\n{shown}```" in PAGE
    before = tmp_path / "before.yaml"
    before.write_text(
        EXAMPLE.read_text().replace("[national, national_trunk, international_prefix]", "[e164]")
    )
    _, out, _ = fmcctl("replay", file, "--data", EXAMPLE, "--against", before)
    assert f"```\n{out}```" in PAGE


TOLD = (
    (invite(ruri="sip:89161234567@edge", calling="<sip:79990000201@ims.example>", call_id="1"), 6060),
    (
        invite(ruri="sip:edge", calling="<sip:9161234567@carrier>", call_id="2").replace(
            b"To: <sip:edge>", b"To: <sip:4951234567@carrier>"
        ),
        6061,
    ),
    (invite(calling="<sip:12345@carrier>", call_id="3"), 6062),
    (b"INVITE hello\r\n\r\n", 6062),
    (invite(call_id="5"), 9999),
)

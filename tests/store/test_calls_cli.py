"""fmcctl calls, on a real SQLite database."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from callevents import CALL, CLIENT, EXTENSION, T0, conversation, failed, far, started

from kemi import store
from kemi.calls import store as calls
from kemi.calls.record import Recording, microseconds
from kemi.cli import main
from kemi.directory.apply import apply
from kemi.directory.yamlfile import load
from kemi.numbering.model import Step

MISSED = "01938f6e-0001-7000-8000-000000000002"
EXAMPLE = Path(store.__file__).parent.parent / "examples" / "company.yaml"
OPEN = "01938f6f-0000-7000-8000-000000000003"
LEFT = {
    "Request-URI": "sip:81049301234567@192.0.2.7",
    "From": "<sip:84951234567@192.0.2.1>",
    "To": "<sip:112@192.0.2.7>",
    "Diversion": "<sip:84957654321@192.0.2.1>;reason=no-answer, <sip:84951112233@192.0.2.1>;reason=unknown",
    "Privacy": "id",
}
STEPS = {
    "Request-URI": (Step("international_prefix", "+49301234567", "81049301234567"),),
    "From": (
        Step("the tenant's caller_id", "+79990000201", "+74951234567"),
        Step("national_trunk", "+74951234567", "84951234567"),
    ),
    "To": (Step("emergency", "112", "112"),),
    "Diversion": (
        Step("national_trunk", "+74957654321", "84957654321"),
        Step("national_trunk", "+74951112233", "84951112233"),
    ),
}
PATH = f"2026/09/21/{CALL}.wav"

KEYS = [
    *("id", "tenant", "direction", "calling", "called", "answered_by", "ingress_trunk", "egress_trunk"),
    *("started_at", "answered_at", "ended_at", "duration", "talk", "status", "sip_status", "consent"),
    *("degraded", "recordings", "identity", "egress", "deliveries"),
]


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    state = tmp_path_factory.mktemp("state")
    url = f"sqlite:///{state / 'fmc.sqlite'}"
    store.migrate(url)
    engine = store.engine_for(url)
    inbound = {
        "direction": "inbound",
        "source": "legacy-landline",
        "calling": CLIENT,
        "called": EXTENSION,
        "identity": {"From": CLIENT},
    }
    events = [
        *conversation(),
        started(5, call=MISSED, tenant="other", **inbound),
        failed(9, 487, call=MISSED),
        started(60, call=OPEN),
        far(
            60.1,
            call=OPEN,
            egress="legacy-landline",
            written={"legacy-landline": LEFT},
            presented={"legacy-landline": STEPS},
        ),
    ]
    recording = calls.Found(CALL, "edge-1", Recording(PATH, 60.0, 1_920_044))
    with engine.begin() as connection:
        calls.update(connection, events, [recording])
    apply(engine, load(EXAMPLE), who="tester", file="company.yaml")
    engine.dispose()
    return state


@pytest.fixture
def state(filled, tmp_path, monkeypatch):
    for name in filled.iterdir():
        shutil.copy(name, tmp_path)
    for name in ("FMC_DATABASE", "TZ"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("FMC_STATE", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.fixture
def fmcctl(state, capsys):  # noqa: ARG001  the database must stand
    def run(*arguments):
        status = main(["calls", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def ids(answer):
    status, out, err = answer
    assert (status, err) == (0, "")
    return [call["id"] for call in json.loads(out)]


def test_list_is_newest_first(fmcctl):
    assert ids(fmcctl("list", "-F", "json")) == [OPEN, MISSED, CALL]
    assert ids(fmcctl("list", "-F", "json", "--limit", "2")) == [OPEN, MISSED]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--tenant", "other"], [MISSED]),
        (["--direction", "inbound"], [MISSED]),
        (["--status", "answered"], [CALL]),
        (["--number", "+79161234567", "--status", "missed"], [MISSED]),
        (["--number", "8 (916) 123-45-67", "--status", "missed"], [MISSED]),
        (["--number", "9161234567", "--status", "missed"], [MISSED]),
        (["--number", "202"], [MISSED]),
        (["--number", "203"], []),
        (["--since", "2026-09-21T14:14:00Z"], [OPEN]),
        (["--since", "2026-09-21T17:14:00"], [OPEN]),
    ],
)
def test_list_filters(fmcctl, options, expected):
    assert ids(fmcctl("list", "-F", "json", *options)) == expected


def test_since_a_span_ago(fmcctl, monkeypatch):
    now = datetime.fromtimestamp(T0 // 1_000_000, UTC) + timedelta(minutes=31)
    monkeypatch.setattr("kemi.cli.calltable.now", lambda: now)
    assert ids(fmcctl("list", "-F", "json", "--since", "30m")) == [OPEN]
    assert ids(fmcctl("list", "-F", "json", "--since", "2h")) == [OPEN, MISSED, CALL]


def test_json_is_the_contract(fmcctl, state):
    status, out, _ = fmcctl("show", CALL, "-F", "json")
    made = json.loads(out)
    assert status == 0
    assert list(made) == KEYS
    assert microseconds(datetime.fromisoformat(made["started_at"])) == T0
    assert made["started_at"].endswith("Z")
    assert (made["duration"], made["talk"], made["status"], made["sip_status"]) == (
        67.0,
        63.0,
        "answered",
        200,
    )
    assert made["called"]["canonical"] == "+79161234567"
    assert made["called"]["trail"] == [
        {"rule": "national: +7", "before": "9161234567", "after": "+79161234567"}
    ]
    assert made["recordings"] == [{"path": PATH, "url": None, "seconds": 60.0, "bytes": 1_920_044}]
    assert made["deliveries"] == []
    file = state / "recordings" / PATH
    file.parent.mkdir(parents=True)
    file.touch()
    _, out, _ = fmcctl("show", CALL, "-F", "json")
    assert json.loads(out)["recordings"][0]["url"] == file.as_uri()


def test_yaml_says_the_same_as_json(fmcctl):
    _, as_json, _ = fmcctl("list", "-F", "json")
    _, as_yaml, _ = fmcctl("list", "-F", "yaml")
    assert yaml.safe_load(as_yaml) == json.loads(as_json)


def test_table_fits_80_columns_in_local_time(fmcctl, monkeypatch):
    _, out, _ = fmcctl("list")
    header, *lines = out.splitlines()
    assert header.split() == ["id", "started", "way", "from", "to", "status", "talk"]
    assert all(len(line) <= 80 for line in out.splitlines())
    assert [line.split() for line in lines] == [
        ["01938f6f-0000-7000", "09-21", "17:14:20", "MO", "+79990000201", "+79161234567", "open"],
        ["01938f6e-0001-7000", "09-21", "17:13:25", "in", "+79161234567", "202", "missed"],
        ["01938f6e-0000-7000", "09-21", "17:13:20", "MO", "+79990000201", "+79161234567", "answered", "1:03"],
    ]
    monkeypatch.setenv("TZ", "UTC")
    _, out, _ = fmcctl("list", "--limit", "1")
    assert "09-21 14:14:20" in out


def test_calls_of_one_millisecond_are_told_apart(fmcctl, state):
    twins = [CALL.replace("7000", "7e01"), CALL.replace("7000", "7e02")]
    engine = store.engine_for(f"sqlite:///{state / 'fmc.sqlite'}")
    with engine.begin() as connection:
        calls.update(connection, [event for twin in twins for event in conversation(twin)], [])
    engine.dispose()
    _, out, _ = fmcctl("list")
    _, *lines = out.splitlines()
    assert len(lines) == 5
    assert {line.split()[0] for line in lines} > {twin[:18] for twin in twins}
    assert all(len(line) <= 80 for line in lines)


def test_show_takes_what_the_table_shows(fmcctl):
    status, out, _ = fmcctl("show", "01938f6e-0001", "-F", "json")
    assert (status, json.loads(out)["id"]) == (0, MISSED)


def test_show_tells_people_what_arrived_and_what_it_is(fmcctl):
    _, out, _ = fmcctl("show", MISSED)
    assert ["From", "9161234567", "national:", "+7", "+79161234567"] in [
        line.split() for line in out.splitlines()
    ]
    assert "2026-09-21 17:13:25 MSK" in out
    assert "missed (SIP 487)" in out
    _, out, _ = fmcctl("show", CALL)
    assert PATH in out
    assert "1:07, of it talk 1:03" in out


def test_show_tells_what_left_and_by_which_rules_of_then(fmcctl, monkeypatch):
    """The trunk of the example has changed since: its shape is another one."""
    monkeypatch.setenv("COLUMNS", "200")
    _, out, _ = fmcctl("show", OPEN, "-F", "json")
    egress = json.loads(out)["egress"]
    assert {header: sent["value"] for header, sent in egress.items()} == LEFT
    assert egress["From"]["trail"] == [
        {"rule": "the tenant's caller_id", "before": "+79990000201", "after": "+74951234567"},
        {"rule": "national_trunk", "before": "+74951234567", "after": "84951234567"},
    ]
    assert egress["Privacy"]["trail"] == []
    _, out, _ = fmcctl("show", OPEN)
    _, left = out.split("Sent to legacy-landline")
    assert [line.split() for line in left.strip().splitlines()] == [
        ["header", "sent", "rule", "was"],
        ["Request-URI", "sip:81049301234567@192.0.2.7", "international_prefix", "+49301234567"],
        ["From", "<sip:84951234567@192.0.2.1>", "the", "tenant's", "caller_id", "+79990000201"],
        ["national_trunk", "+74951234567"],
        ["To", "<sip:112@192.0.2.7>", "emergency", "112"],
        ["Diversion", *LEFT["Diversion"].split(), "national_trunk", "+74957654321"],
        ["national_trunk", "+74951112233"],
        ["Privacy", "id"],
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["show", "zz"], 1, 'there is no call "zz"'),
        (["show", "0193%"], 1, 'there is no call "0193%"'),
        (["show", "01938f6e"], 2, "several calls begin with"),
        (["list", "--since", "soon"], 2, '--since "soon" is no time'),
        (["list", "--status", "bad"], 2, "--status"),
        (["list", "--limit", "0"], 2, "--limit"),
    ],
)
def test_refusals_are_one_line(fmcctl, arguments, status, said):
    got, out, err = fmcctl(*arguments)
    assert (got, out) == (status, "")
    assert said in err
    assert err.count("\n") == 1


def test_no_database_is_said_and_none_is_made(fmcctl, state):
    (state / "fmc.sqlite").unlink()
    status, _, err = fmcctl("list")
    assert status == 1
    assert "there is no database" in err
    assert not (state / "fmc.sqlite").exists()


def test_calls_are_not_in_a_file(state, capsys):
    assert main(["--data", str(state / "company.yaml"), "calls", "list"]) == 2
    assert "leave --data out" in capsys.readouterr().err

"""fmcctl check as people and scripts use it, and docs/check.md."""

import json
import re
from pathlib import Path

import pytest
import yaml

import kemi.cli
from kemi.directory.audit import RULES
from kemi.directory.lines import Lines
from kemi.directory.nodes import find

CHECKOUT = Path(kemi.cli.__file__).parents[2]
EXAMPLE = CHECKOUT / "examples" / "company.yaml"
PAGE = (CHECKOUT / "docs" / "check.md").read_text()


@pytest.fixture
def wrong(tmp_path):
    """The example with a list of shapes that nobody can mean, and nobody's voicemail."""
    text = EXAMPLE.read_text()
    text = text.replace(
        "calling: [national, national_trunk, international_prefix]", "calling: [e164_bare, national]"
    )
    text = text.replace("voicemail: true", "voicemail: false").replace(
        'to: "subscriber:203"', 'to: "voicemail:203"'
    )
    file = tmp_path / "my.yaml"
    file.write_text(text)
    return file


def test_nothing_found(fmcctl):
    assert fmcctl("check", "--data", EXAMPLE) == (0, "Nothing found.\n", "")


def test_findings_for_people_are_those_of_the_page(fmcctl, wrong):
    status, out, err = fmcctl("check", "--data", wrong)
    assert (status, err) == (1, "")
    shown = "".join(f"{line.rstrip()}\n" for line in out.splitlines())
    assert f"```\n$ bin/fmcctl check --data my.yaml\n{shown}```" in PAGE
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_findings_for_programs(fmcctl, wrong, form, read):
    status, out, err = fmcctl("check", "--data", wrong, "-F", form)
    assert (status, err) == (1, "")
    answer = read(out)
    assert (answer["errors"], answer["warnings"]) == (3, 1)
    first = answer["findings"][0]
    assert first == {
        "severity": "warning",
        "rule": "shape_ambiguous",
        "key": "trunks.legacy-landline.ingress.calling[1]",
        "line": 23,
        "text": "e164_bare before it takes part of national: 9711234567 is +9711234567, not +79711234567",
        "do": "keep the one that this operator sends, or tell them apart by a rewrite rule",
        "examples": ["3112345678", "6312345678", "9711234567"],
    }
    assert wrong.read_text().splitlines()[22].strip() == "calling: [e164_bare, national]"
    assert answer["directory"] == {"source": "file", "where": str(wrong), "revision": None}
    assert [each["line"] for each in answer["findings"]] == sorted(
        each["line"] for each in answer["findings"]
    )


def test_the_database_is_checked_too(fmcctl, answer, wrong):
    fmcctl("apply", "-f", wrong, "--yes")
    status, out, _ = fmcctl("check", "-F", "json")
    found = json.loads(out)
    assert (status, found["errors"], found["warnings"]) == (1, 3, 1)
    assert {each["line"] for each in found["findings"]} == {None}
    assert found["directory"]["source"] == "database"
    assert found["directory"]["revision"] == 1
    fmcctl("apply", "-f", EXAMPLE, "--yes")
    assert answer("check")["findings"] == []


def test_a_rule_can_be_left_out(fmcctl, wrong):
    asked = ("check", "--data", wrong, "--ignore", "shape_ambiguous", "--ignore", "no_voicemail")
    assert fmcctl(*asked) == (0, "Nothing found.\n", "")
    status, out, err = fmcctl("check", "--data", wrong, "--ignore", "shapes")
    assert (status, out, err) == (2, "", 'there is no rule "shapes": see docs/check.md\n')


def test_a_file_that_apply_refuses(fmcctl, tmp_path):
    file = tmp_path / "bad.yaml"
    file.write_text("trunks: {a: {kind: mvn}}")
    status, out, err = fmcctl("check", "--data", file)
    assert (status, out) == (2, "")
    assert "did you mean mvno?" in err


def test_much_is_counted_and_not_listed(fmcctl, tmp_path):
    people = "".join(f'"{number}": {{}}, ' for number in range(1000, 1300))
    file = tmp_path / "many.yaml"
    file.write_text(f"media: ['sip:127.0.0.1']\ntenants: {{t: {{subscribers: {{{people}}}}}}}")
    status, out, _ = fmcctl("check", "--data", file)
    assert status == 1
    assert out.count("no_phone") == 199
    assert out.splitlines()[-2:] == ["… and 101 more", "1 error, 300 warnings."]


def test_lines_are_those_that_complaints_name(tmp_path):
    root = yaml.compose(EXAMPLE.read_text())
    lines = Lines(EXAMPLE)
    places = [
        (),
        ("trunks", "wholesale"),
        ("routes", 1, "trunks", 0),
        ("media", 0),
        ("tenants", "company", "ivrs", "main", "timeout", "to"),
        ("tenants", "company", "ivrs", "main", "nothing"),
        ("tenants", "company", "subscribers", "201", "recording", "policy"),
        ("routes", 9),
    ]
    for place in places:
        assert lines.of(place) == find(root, place)[0], place
    empty = tmp_path / "empty.yaml"
    empty.write_text("")
    assert Lines(empty).of(("trunks",)) == 1


def test_the_rules_that_are_told_are_those_of_the_code():
    told = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE))
    assert told == {name: f"{rule.severity} | {rule.finds}" for name, rule in RULES.items()}

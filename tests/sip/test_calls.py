"""The demo's calls on a whole edge: every check of every call must hold."""

from collections.abc import Iterator

import pytest

from demo.operators import Operators
from demo.provision import provision
from demo.result import Result
from demo.run import run
from demo.scenarios import SCENARIOS, Scenario
from demo.stand import Stand
from kemi import settings

pytestmark = pytest.mark.system

DATA = settings.CHECKOUT / "demo" / "demo.yaml"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    state = tmp_path_factory.mktemp("edge")
    configured = settings.load({"FMC_STATE": str(state)})
    provision(configured, DATA, pytest.fail)
    with Stand(configured) as running:
        yield running


@pytest.fixture(scope="module")
def results(stand: Stand, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    directory = tmp_path_factory.mktemp("calls")
    operators = Operators(directory / "operators")
    try:
        operators.start()
        return {result.scenario.name: result for result in run(SCENARIOS, stand, operators, directory)}
    finally:
        operators.stop()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_call(results: dict[str, Result], scenario: Scenario) -> None:
    result = results[scenario.name]
    assert result.checks, "nothing was looked at"
    assert [f"{c.name}: expected {c.expected}, seen {c.seen}" for c in result.failures] == []


@pytest.mark.usefixtures("results")
def test_nothing_was_logged_as_an_error(stand: Stand) -> None:
    errors = [
        line
        for part in stand.parts
        for line in part.log.read_text(errors="replace").splitlines()
        if "ERROR" in line or "CRITICAL" in line or '"level":"error"' in line.replace(" ", "")
    ]
    assert errors == []


@pytest.mark.usefixtures("results")
def test_every_part_still_runs(stand: Stand) -> None:
    stand.check()

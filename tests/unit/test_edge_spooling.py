"""A worker's way into the spool while the spool refuses: nothing is lost in silence, and order is kept."""

import lmdb
import pytest

from kemi import metrics
from kemi.calls.events import Ended, decode
from kemi.edge import spooling


@pytest.fixture(scope="module", autouse=True)
def _metrics(tmp_path_factory):
    metrics.use(tmp_path_factory.mktemp("metrics"))


def event(number: int) -> Ended:
    return Ended(call="c", leg=f"leg-{number}", at=number)


class Disk:
    """Refuses as a full disk or a full spool does, as long as it is told to."""

    def __init__(self, spool: spooling.Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        self.error: Exception | None = None
        self.after = 0
        self._append = spool._writer.append
        monkeypatch.setattr(spool._writer, "append", self.append)

    def append(self, payload: bytes) -> None:
        if self.error and self.after <= 0:
            raise self.error
        self.after -= 1
        self._append(payload)


@pytest.fixture
def spool(tmp_path):
    return spooling.Spool(tmp_path, "worker-1")


@pytest.fixture
def disk(spool, monkeypatch):
    return Disk(spool, monkeypatch)


def written(spool) -> list[int]:
    with spool._writer._env.begin() as txn:
        return [decode(payload).at for _, payload in txn.cursor()]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), lmdb.MapFullError("full")])
def test_what_was_refused_is_written_first_as_soon_as_there_is_room(spool, disk, error):
    assert spool.append(event(1))
    disk.error = error
    assert not spool.append(event(2))
    assert not spool.append(event(3))
    assert written(spool) == [1]
    disk.error = None
    assert spool.append(event(4))
    assert spool.append(event(5))
    assert written(spool) == [1, 2, 3, 4, 5]
    assert spool.lost == 0


def test_room_for_some_only(spool, disk):
    disk.error = OSError(28, "No space left on device")
    for number in (1, 2, 3):
        assert not spool.append(event(number))
    disk.after = 2
    assert not spool.append(event(4))
    assert written(spool) == [1, 2]
    disk.error = None
    assert spool.append(event(5))
    assert written(spool) == [1, 2, 3, 4, 5]


def test_memory_is_bounded_and_what_is_lost_is_counted(spool, disk, monkeypatch):
    monkeypatch.setattr(spooling, "RETAINED", 3)
    disk.error = OSError(28, "No space left on device")
    for number in range(1, 6):
        assert not spool.append(event(number))
    assert spool.lost == 2
    disk.error = None
    # The one that comes when there is room again is kept, however full the memory was.
    assert spool.append(event(6))
    assert written(spool) == [1, 2, 3, 6]
    assert spool.lost == 2


def test_what_waits_is_shown(spool, disk, monkeypatch):
    shown = []
    monkeypatch.setattr(metrics.spool_retained, "set", shown.append)
    assert spool.append(event(1))
    disk.error = lmdb.MapFullError("full")
    spool.append(event(2))
    spool.append(event(3))
    disk.error = None
    spool.append(event(4))
    spool.append(event(5))
    assert shown == [1, 2, 0]


def test_another_fault_is_not_taken_for_a_full_disk(spool, disk):
    disk.error = ValueError("a bug")
    with pytest.raises(ValueError, match="a bug"):
        spool.append(event(1))

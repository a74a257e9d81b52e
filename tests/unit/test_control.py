import threading
from pathlib import Path

from demo import control


def test_nobody_is_up(tmp_path: Path) -> None:
    assert control.ask(tmp_path, "status") is None


def test_status_and_down(tmp_path: Path) -> None:
    answers = []
    with control.Control(tmp_path, lambda: {"parts": 4}) as up:
        assert control.ask(tmp_path, "status") == {"parts": 4}
        asker = threading.Thread(target=lambda: answers.append(control.ask(tmp_path, "down")))
        asker.start()
        assert up.asked_to_end.wait(10)
        assert answers == []  # not before all has ended
    asker.join(10)
    assert answers == [{"parts": 4}]
    assert not control.path_of(tmp_path).exists()


def test_a_socket_left_by_a_killed_process_is_nobody(tmp_path: Path) -> None:
    up = control.Control(tmp_path, dict)
    up._server.server_close()
    assert control.path_of(tmp_path).exists()
    assert control.ask(tmp_path, "status") is None
    with control.Control(tmp_path, dict):
        assert control.ask(tmp_path, "status") == {}

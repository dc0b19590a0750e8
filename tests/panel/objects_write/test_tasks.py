"""What a task keeps of its work: bounded, and stopped when it is told."""

import pytest

from neve.client.s3 import Deleted, Failed
from neve.panel.pages.objects import tasks
from neve.panel.pages.objects.chosen import Chosen
from neve.panel.pages.objects.remove import _work


def task() -> tasks.Task:
    return tasks.Task("remove", "b", "key", 0, bucket="b")


def test_markers_come_back_as_they_were_added() -> None:
    markers = tasks.Markers()
    some, more = [("é\n", "v1"), ("b", "v2")], [("c", "v3")]
    markers.add(some)
    markers.add([])
    markers.add(more)
    assert list(markers.batches()) == [some, more]
    assert (markers.count, markers.complete) == (3, True)


def test_too_many_markers_are_forgotten_but_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "UNDO_MAX", 2)
    markers = tasks.Markers()
    markers.add([("a", "1"), ("b", "2")])
    assert markers.complete
    markers.add([("c", "3")])
    assert (markers.count, markers.complete, list(markers.batches())) == (3, False, [])


def test_first_failures_are_kept_and_all_are_counted() -> None:
    made = task()
    made.count(Failed(str(number), "", "AccessDenied", "") for number in range(120))
    made.count([Deleted("a", "", "v"), Deleted("b", "", "null"), Deleted("c", "v", "")])
    assert (made.failed, len(made.failures), made.done) == (120, tasks.FAILURES_MAX, 3)
    assert list(made.markers.batches()) == [[("a", "v")]]


def test_work_ends_where_it_is_stopped() -> None:
    class Server:
        def delete_marking(
            self, bucket: str, keys: list[tuple[str, str]], bypass: bool = False
        ) -> list[Deleted]:
            made.stop.set()
            return [Deleted(key, version, "") for key, version in keys]

    made = task()
    of = Chosen("b", "", [str(number) for number in range(2500)], [])
    _work(Server(), of, purge=False, bypass=False, task=made)  # type: ignore[arg-type]
    assert made.done == 1000

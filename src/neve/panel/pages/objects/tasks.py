"""Work on many objects: done at once when it is little, else in the background with a page for it.

A `Task` is a job of `panel.jobs` with what a page tells of it. Deletions that made delete markers
can be undone: the markers' versions are kept in the session, packed, up to `UNDO_MAX` of them for
each of the last `UNDOS_MAX` deletions.
"""

import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import msgspec
from starlette.responses import Response

from neve.client.errors import ServerError
from neve.client.s3 import Deleted, Failed
from neve.panel.jobs import Job, TooMany
from neve.panel.pages.objects import names
from neve.panel.routing import get, post
from neve.panel.visit import Refused, Visit

AT_ONCE_S = 2.0
"""How long a request waits for its task: most are done by then."""
UNDO_MAX = 100_000
UNDOS_MAX = 3
FAILURES_MAX = 50
REFRESH_S = 2
REMOVE, PURGE, UNDO, COPY, MOVE = "remove", "purge", "undo", "copy", "move"


class Markers:
    """Delete markers that were made: pairs of key and version, packed; none when too many."""

    def __init__(self, count: int = 0) -> None:
        self.count = count
        self._packed: list[bytes] = []

    @property
    def complete(self) -> bool:
        """Whether all are known, so that all can be undone."""
        return self.count <= UNDO_MAX

    def add(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Keep some more."""
        self.count += len(pairs)
        if not self.complete:
            self._packed = []
        elif pairs:
            self._packed.append(zlib.compress(msgspec.msgpack.encode(pairs)))

    def batches(self) -> Iterable[list[tuple[str, str]]]:
        """Return them as they were added."""
        for packed in self._packed:
            yield msgspec.msgpack.decode(zlib.decompress(packed), type=list[tuple[str, str]])


@dataclass(slots=True)
class Undo:
    """A deletion that can be undone."""

    bucket: str
    folder: str
    markers: Markers


@dataclass(slots=True)
class Task(Job):
    """What a page tells of a job."""

    bucket: str = ""
    folder: str = ""
    """Where one goes back to."""
    failed: int = 0
    failures: list[Failed] = field(default_factory=list)
    """The first ones."""
    markers: Markers = field(default_factory=Markers)
    final: bool = False
    """Whether some were deleted for good, without a marker."""
    skipped: int = 0
    """Of a copy: what is there already."""
    undo: str = ""
    """Its name in the session, once it is there."""

    def fail(self, failed: Failed) -> None:
        """Count a failure, and keep the first ones."""
        self.failed += 1
        if len(self.failures) < FAILURES_MAX:
            self.failures.append(failed)

    def count(self, results: Iterable[Deleted | Failed]) -> None:
        """Count what became of some deletions."""
        markers = []
        for each in results:
            if isinstance(each, Failed):
                self.fail(each)
                continue
            self.done += 1
            if each.marker and each.marker != "null":
                markers.append((each.key, each.marker))
            elif not each.version:
                self.final = True
        self.markers.add(markers)


def run(
    visit: Visit, kind: str, bucket: str, folder: str, total: int, work: Callable[[Task], None]
) -> Response:
    """Do work; answer with what came of it, or with the page that tells how far it is."""
    task = Task(
        kind, f"{bucket} {secrets.token_hex(4)}", visit.user, total, bucket=bucket, folder=folder
    )
    try:
        visit.panel.jobs.begin(task, lambda job: work(task))
    except TooMany as error:
        message = visit._("Too much is being done at once: wait until something has ended.")
        raise Refused(503, message) from error
    deadline = time.monotonic() + AT_ONCE_S
    while task.runs and time.monotonic() < deadline:
        time.sleep(0.01)
    if task.runs or task.failed or task.skipped or task.error:
        return visit.go(f"/tasks/{task.name}")
    offer_undo(visit, task)
    kept = task.kind == REMOVE and task.markers.count and not task.undo
    hint = f" {_where_kept(visit)}" if kept else ""
    visit.tell(said(visit, task) + hint, undo=task.undo)
    return visit.go(f"/browse/{bucket}", prefix=folder)


def show(visit: Visit) -> Response:
    """How far it is, or what came of it."""
    task = _task(visit)
    if not task.runs:
        offer_undo(visit, task)
    return visit.page(
        "objects/task.html",
        headers={"refresh": str(REFRESH_S)} if task.runs else None,
        task=task,
        title=_title(visit, task.kind),
        said=said(visit, task),
        back=names.browse_link(task.bucket, task.folder),
        problem=visit.sentence(task.error) if task.error else "",
        failures=[(names.visible(each.key), why(visit, each)) for each in task.failures],
        undo=task.undo if visit.session and task.undo in visit.session.undo else "",
    )


def stop(visit: Visit) -> Response:
    """End it where it is."""
    task = _task(visit)
    task.stop.set()
    return visit.go(f"/tasks/{task.name}")


def why(visit: Visit, failed: Failed) -> str:
    """Return why something was not done, as a sentence."""
    return visit.sentence(ServerError(failed.message, failed.code, 400, failed.message))


def said(visit: Visit, task: Task) -> str:
    """Return what has been done, as a sentence."""
    ngettext, count = visit.language.ngettext, task.done
    sentences = {
        REMOVE: ngettext("%(count)s object was deleted.", "%(count)s objects were deleted.", count),
        PURGE: ngettext(
            "%(count)s version was deleted for good.",
            "%(count)s versions were deleted for good.",
            count,
        ),
        UNDO: ngettext("%(count)s object is back.", "%(count)s objects are back.", count),
        COPY: ngettext("%(count)s object was copied.", "%(count)s objects were copied.", count),
        MOVE: ngettext("%(count)s object was moved.", "%(count)s objects were moved.", count),
    }
    return sentences[task.kind]


def offer_undo(visit: Visit, task: Task) -> None:
    """Keep what a deletion needs to be undone, if the visitor may undo it."""
    session, markers = visit.session, task.markers
    if task.undo or task.kind != REMOVE or not session:
        return
    if not markers.count or not markers.complete:
        return
    if not visit.may("s3:DeleteObjectVersion", task.bucket, f"{task.folder}x"):
        return
    task.undo = secrets.token_urlsafe(12)
    session.undo[task.undo] = Undo(task.bucket, task.folder, markers)
    task.markers = Markers(markers.count)  # kept once: the session drops them, the job stays
    for name in [name for name, each in session.undo.items() if isinstance(each, Undo)][
        :-UNDOS_MAX
    ]:
        session.undo.pop(name, None)


def _where_kept(visit: Visit) -> str:
    """What is said to those who may not undo a deletion: they may restore each object."""
    return visit._("They are kept: “Show versions and deleted objects” leads to them.")


def _title(visit: Visit, kind: str) -> str:
    return {
        REMOVE: visit._("Deleting objects"),
        PURGE: visit._("Deleting versions for good"),
        UNDO: visit._("Undoing a deletion"),
        COPY: visit._("Copying objects"),
        MOVE: visit._("Moving objects"),
    }[kind]


def _task(visit: Visit) -> Task:
    task = visit.panel.jobs.get(str(visit.request.path_params["name"]), visit.user)
    if not isinstance(task, Task):
        raise Refused(404, visit._("Nothing is known of this any more."))
    return task


ROUTES = [get("/tasks/{name}", show), post("/tasks/{name}", stop)]

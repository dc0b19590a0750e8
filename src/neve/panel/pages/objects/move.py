"""Copying, moving and renaming objects and folders; the server copies, no byte passes here.

What is moved is copied first, and deleted where it was only when its copy is there. Nothing is
overwritten unasked: what exists at the target is left out.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from starlette.responses import Response

from neve.client.copying import Place, copy
from neve.client.errors import ServerError
from neve.client.s3 import S3, Failed
from neve.panel.formtext import in_form
from neve.panel.pages.objects import names, tasks
from neve.panel.pages.objects.chosen import Chosen, chosen, count
from neve.panel.routing import post
from neve.panel.upstream import Ask
from neve.panel.visit import Visit

BATCH = 100
NAMES_MAX = 20
KEY_BYTES_MAX = 1024


class _Target(NamedTuple):
    """Where it goes."""

    bucket: str
    folder: str
    """'' or ending in `/`."""
    name: str
    """Of the one object or folder that is renamed, '' for the names they have."""


class _Wrong(Exception):
    """A sentence about what was typed."""


def ask(visit: Visit) -> Response:
    """Ask where to."""
    of = chosen(visit)
    every = [*of.prefixes, *of.keys]
    name = names.last_name(every[0]) if len(every) == 1 else ""
    return _page(visit, of, _Target(of.bucket, of.folder, name))


def move(visit: Visit) -> Response:
    """Copy it, and delete it where it was if that is wanted."""
    of, server = chosen(visit), visit.s3
    # Of an old version only copies can be made.
    delete = visit.field("do") == "move" and not of.version
    overwrite = bool(visit.field("overwrite"))
    folder = _typed(visit, "to_folder").strip("/")
    target = _Target(
        visit.field("to_bucket"), f"{folder}/" if folder else "", _typed(visit, "name")
    )
    try:
        _check(visit, of, target)
    except _Wrong as error:
        return _page(visit, of, target, str(error), 400)
    pairs = _pairs(server, of, target)

    def work(task: tasks.Task) -> None:
        _work(server, of.bucket, target.bucket, pairs, delete, overwrite, task)

    kind = tasks.MOVE if delete else tasks.COPY
    found = count(server, of)
    return tasks.run(visit, kind, of.bucket, of.folder, 0 if found.more else found.objects, work)


def _work(
    server: S3,
    bucket: str,
    target: str,
    pairs: Iterator[tuple[Place, str]],
    delete: bool,
    overwrite: bool,
    task: tasks.Task,
) -> None:
    while not task.stop.is_set() and (batch := list(islice(pairs, BATCH))):
        copied: dict[str, str] = {}
        for source, key in batch:
            if task.stop.is_set():
                break
            etag = _copied(server, source, Place(target, key), overwrite, task)
            if etag:
                copied[source.key] = etag
                task.done += 0 if delete else 1
        if delete and copied:
            gone = [(key, "") for key in copied]
            # What was written again since it was copied stays.
            for each in server.delete_marking(bucket, gone, etags=copied):
                if isinstance(each, Failed):
                    task.fail(each)
                else:
                    task.done += 1


def _copied(server: S3, source: Place, target: Place, overwrite: bool, task: tasks.Task) -> str:
    """Return the ETag of what was copied, '' if it was not."""
    if len(target.key.encode()) > KEY_BYTES_MAX:
        task.fail(Failed(source.key, "", "KeyTooLongError", "Your key is too long"))
        return ""
    try:
        return copy(server, source, target, overwrite=overwrite).etag
    except ServerError as error:
        if error.code == "PreconditionFailed" and not overwrite:
            task.skipped += 1
        else:
            task.fail(Failed(source.key, "", error.code, error.said))
        return ""


def _pairs(server: S3, of: Chosen, target: _Target) -> Iterator[tuple[Place, str]]:
    """What is copied, and to which key."""
    for key in of.keys:
        name = target.name or _own(key)
        yield Place(of.bucket, key, of.version), target.folder + name
    for prefix in of.prefixes:
        name = target.name or _own(prefix).rstrip("/")
        for key in Chosen(of.bucket, "", [], [prefix]).all(server):
            yield Place(of.bucket, key), f"{target.folder}{name}/{key[len(prefix) :]}"


def _check(visit: Visit, of: Chosen, target: _Target) -> None:
    """Raises: _Wrong."""
    if not target.bucket:
        raise _Wrong(visit._("Say into which bucket."))
    names.checked_bucket(visit, target.bucket)
    if "/" in target.name or (target.name and len(of.keys) + len(of.prefixes) > 1):
        raise _Wrong(visit._("A name has no slash in it: give the folder apart."))
    if target.bucket != of.bucket:
        return
    for prefix in of.prefixes:
        name = target.name or _own(prefix).rstrip("/")
        if f"{target.folder}{name}/".startswith(prefix):
            raise _Wrong(visit._("A folder cannot go into itself: choose another place or name."))
    for key in of.keys:
        if not of.version and target.folder + (target.name or _own(key)) == key:
            raise _Wrong(visit._("It is there already: choose another place or name."))


def _own(key: str) -> str:
    """What a key or prefix is called in the folder that it is in."""
    return key[len(names.folder_of(key)) :]


def _typed(visit: Visit, name: str) -> str:
    value = visit.form.get(name, "")
    return value if isinstance(value, str) else ""


def _page(
    visit: Visit, of: Chosen, target: _Target, problem: str = "", status: int = 200
) -> Response:
    asks = [Ask("s3:DeleteObject", of.bucket, key) for key in of.samples[:NAMES_MAX]]
    single = len(of.keys) + len(of.prefixes) == 1
    return visit.page(
        "objects/move.html",
        status,
        of=of,
        # A field of one line could not hold the end of a line that a key may have.
        target=target._replace(
            **{
                part: value if value == in_form(value).replace("%25", "%") else ""
                for part, value in (("folder", target.folder), ("name", target.name))
            }
        ),
        single=single,
        names_max=NAMES_MAX,
        buckets=_buckets(visit),
        may_move=not of.version and any(visit.may_all(asks)),
        delete=visit.field("do") == "move",
        overwrite=bool(visit.field("overwrite")),
        problem=problem,
    )


def _buckets(visit: Visit) -> list[str]:
    """The names that the field offers; another may be typed."""
    try:
        return [each.name for each in visit.s3.buckets()]
    except ServerError as error:
        if error.denied:
            return []
        raise


ROUTES = [post("/move/{bucket}", ask), post("/move/{bucket}/now", move)]

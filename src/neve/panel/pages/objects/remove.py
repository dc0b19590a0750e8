"""Deleting objects and folders: what will go and whether it can come back, then the deed.

Where versions are kept a deletion puts delete markers, and `undo` takes them away again; elsewhere,
and of a single version, it is final, which the page says before.
"""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from starlette.responses import Response

from neve.client import buckets
from neve.client.errors import ServerError
from neve.client.s3 import DELETE_MAX, S3, Object
from neve.panel.pages.objects import tasks
from neve.panel.pages.objects.chosen import Chosen, chosen, count
from neve.panel.routing import post
from neve.panel.upstream import Ask
from neve.panel.visit import Refused, Visit

NAMES_MAX = 20
ASKED_MAX = 200
KEPT, PARTLY, FINAL, UNKNOWN = "kept", "partly", "final", "unknown"


class _Rights(NamedTuple):
    """What the visitor may do with what was selected."""

    delete: bool
    purge: bool
    bypass: bool


def ask(visit: Visit) -> Response:
    """Say what will go."""
    of = chosen(visit)
    rights = _rights(visit, of)
    if not (rights.purge if of.version else rights.delete):
        raise Refused(403, visit._("Your policies do not allow to delete this."))
    return visit.page(
        "objects/remove.html",
        of=of,
        sum=count(visit.s3, of),
        names_max=NAMES_MAX,
        keeping=_keeping(visit, of),
        rights=rights,
        locks=rights.bypass and rights.purge and _locks(visit, of),
        undo_max=tasks.UNDO_MAX,
    )


def remove(visit: Visit) -> Response:
    """Delete it."""
    of, server = chosen(visit), visit.s3
    purge = bool(of.version or visit.field("purge"))
    bypass = bool(visit.field("bypass"))

    def work(task: tasks.Task) -> None:
        _work(server, of, purge, bypass, task)

    kind = tasks.PURGE if purge else tasks.REMOVE
    total = 0 if of.prefixes or (purge and not of.version) else len(of.keys)
    return tasks.run(visit, kind, of.bucket, of.folder, total, work)


def _work(server: S3, of: Chosen, purge: bool, bypass: bool, task: tasks.Task) -> None:
    found: Iterator[tuple[str, str]]
    if of.version:
        found = iter([(of.keys[0], of.version)])
    elif purge:
        found = _versions(server, of)
    else:
        found = ((key, "") for key in of.all(server))
    while not task.stop.is_set() and (batch := list(islice(found, DELETE_MAX))):
        task.count(server.delete_marking(of.bucket, batch, bypass))


def _versions(server: S3, of: Chosen) -> Iterator[tuple[str, str]]:
    for key in of.keys:
        for row in server.versions(of.bucket, key):
            if row.key != key:
                break  # in the order of keys: the first ones are of `key` itself
            if isinstance(row, Object):
                yield key, row.version
    for prefix in of.prefixes:
        for row in server.versions(of.bucket, prefix):
            if isinstance(row, Object):
                yield row.key, row.version


def _rights(visit: Visit, of: Chosen) -> _Rights:
    samples = of.samples[:ASKED_MAX]
    actions = ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:BypassGovernanceRetention")
    asks = [Ask(action, of.bucket, key) for action in actions for key in samples]
    answers = visit.may_all(asks)
    size = len(samples)
    return _Rights(*(any(answers[size * place : size * (place + 1)]) for place in range(3)))


def _locks(visit: Visit, of: Chosen) -> bool:
    """Whether versions of the bucket can be locked, as far as one may know."""
    try:
        return buckets.retention(visit.s3, of.bucket) is not None
    except ServerError as error:
        if not error.denied:
            raise
        return True


def _keeping(visit: Visit, of: Chosen) -> str:
    """Whether what is deleted can come back."""
    if of.version:
        return FINAL
    try:
        status = buckets.versioning(visit.s3, of.bucket).status
    except ServerError as error:
        if not error.denied:
            raise
        return UNKNOWN
    return {"Enabled": KEPT, "Suspended": PARTLY}.get(status, FINAL)


ROUTES = [post("/remove/{bucket}", ask), post("/remove/{bucket}/now", remove)]

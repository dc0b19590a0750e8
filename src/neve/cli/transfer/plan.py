"""From the arguments of cp, mv, put and get to pairs of what and where to.

One source and a target that is no folder: the target is the object's new name. Else the target is
a folder (a bucket, a prefix with its slash or with something below it, a directory), and each
object gets its own name below it.
"""

import os
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from neve.cli.errors import UsageError
from neve.cli.globs import fixed_part, has_glob
from neve.cli.session import Session
from neve.cli.target import Local, Remote, Target
from neve.cli.transfer.engine import Engine, Pair
from neve.cli.transfer.entries import Entry, local_entries, remote_entries
from neve.cli.transfer.filters import Filter
from neve.cli.transfer.landing import path_of
from neve.cli.transfer.pool import failed
from neve.client.errors import ClientError, ServerError


class Plan(NamedTuple):
    """What a command line asks for."""

    sources: list[tuple[str, Local | Remote]]
    """As written, and what it names."""
    target: Local | Remote
    folder: bool
    """Whether the target is a folder."""
    recursive: bool
    version: str
    moment: datetime | None = None
    """When what is copied was there: with --rewind."""


def plan_of(
    session: Session, sources: list[str], target_text: str, recursive: bool, version: str = "",
    moment: datetime | None = None,
) -> Plan:  # fmt: skip
    """Read the arguments. Raises: ClientError."""
    found = [(text, source_target(session, text)) for text in sources]
    target = session.target(target_text)
    if not isinstance(target, Local | Remote):
        raise UsageError("'-' does not go with several objects.")
    if isinstance(target, Remote) and not target.bucket:
        raise UsageError(f"{target} names a server; name a bucket: {target.alias}/bucket.")
    several = len(found) > 1 or recursive or any(_pattern(place) for _, place in found)
    if version and several:
        raise UsageError("--version-id goes with one object.")
    if moment and not all(isinstance(place, Remote) for _, place in found):
        raise UsageError("--rewind is for objects: files keep no versions.")
    folder = several or _is_folder(session, target, target_text)
    if several and isinstance(target, Local) and os.path.isfile(target.path):
        raise UsageError(f"{target} is a file; several things are copied to a folder.")
    return Plan(found, target, folder, recursive, version, moment)


def source_target(session: Session, text: str) -> Local | Remote:
    """Return what a source names. Raises: ClientError when it is neither here nor remote."""
    source = session.target(text)
    if isinstance(source, Local) and not os.path.lexists(source.path):
        if text.startswith(("/", "./", "../", "~")) or "/" not in text:
            raise ClientError(f"{text}: there is no such file or folder.", "LocalFile", text)
        source = session.remote(text)
    if not isinstance(source, Local | Remote):
        raise UsageError("'-', the standard input, goes with one target: neve pipe TARGET.")
    if isinstance(source, Remote) and not source.bucket:
        raise UsageError(f"{source} names a server; whole servers are copied with neve mirror.")
    return source


def pairs_of(engine: Engine, plan: Plan, chosen: Filter) -> Iterator[Pair]:
    """What to copy and where to. What cannot have the name it would get is told as a failure."""
    for text, source in plan.sources:
        inside = _inside(source, plan.target)
        for entry in entries_of(engine, text, source, plan):
            if inside and isinstance(entry.place, Remote) and entry.place.key.startswith(inside):
                continue
            if not chosen.takes(_below(entry, text), entry.modified):
                continue
            try:
                yield Pair(entry, place_of(plan.target, entry.name) if plan.folder else plan.target)
            except ClientError as error:
                engine.warn(failed(error, entry.label))


def entries_of(engine: Engine, text: str, source: Local | Remote, plan: Plan) -> Iterator[Entry]:
    """What a source names."""
    if isinstance(source, Local):
        return local_entries(source.path, plan.recursive, True, engine.warn)
    server = engine.session.server(source.alias)
    keep_base = not text.endswith("/")
    return remote_entries(server, source, plan.recursive, keep_base, plan.version, plan.moment)


def place_of(target: Local | Remote, name: str) -> Local | Remote:
    """Return where something of that name goes below a folder. Raises: ClientError."""
    if isinstance(target, Local):
        # The prefix itself can be an object: it stands for the folder.
        return Local(path_of(target.path, name)) if name else target
    slash = "/" if target.key and not target.key.endswith("/") else ""
    return target.at(f"{target.key}{slash}{name}")


def _below(entry: Entry, text: str) -> str:
    """The name that patterns are compared with: below the source, also when its own is kept."""
    base = text.rstrip("/").rpartition("/")[2]
    inside = entry.name.removeprefix(f"{base}/")
    return inside if not text.endswith("/") else entry.name


def _inside(source: Local | Remote, target: Local | Remote) -> str:
    """The prefix of what is left out, since it is a copy already: a target inside its source."""
    if isinstance(source, Local) and isinstance(target, Local):
        one, other = os.path.realpath(source.path), os.path.realpath(target.path)
        if os.path.isdir(one) and os.path.commonpath((one, other)) == one:
            raise UsageError(f"{target} is in {source}.")
    if not isinstance(source, Remote) or not isinstance(target, Remote):
        return ""
    prefix = fixed_part(source.key)
    below = target.key.startswith(prefix) and target.key != source.key
    if (source.alias, source.bucket) != (target.alias, target.bucket) or not below:
        return ""
    return target.key.rstrip("/") + "/"


def _pattern(place: Target) -> bool:
    return isinstance(place, Remote) and has_glob(place.key)


def _is_folder(session: Session, target: Local | Remote, text: str) -> bool:
    if isinstance(target, Local):
        return text.endswith("/") or os.path.isdir(target.path)
    if target.folder:
        return True
    # As mc: a prefix below which there is something is a folder, unless it is an object as well.
    server = session.server(target.alias)
    try:
        for row in server.objects(target.bucket, target.key, "/", page=2):
            if row.key in (target.key, target.key + "/"):
                return row.key != target.key
    except ServerError as error:
        if not error.denied:
            raise  # Who may write here need not see what is here.
    return False

"""Show the state of a server: since when it runs, its drives, what it holds."""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from neve.cli.output import Failure, Result, Style
from neve.cli.session import Session, admin_of
from neve.cli.units import counted, format_duration, format_size

EXAMPLES = """\
examples:
  neve admin info pavics
  neve admin info --json pavics | jq .size
"""


@dataclass(frozen=True)
class Drive(Result):
    """A drive of a server; at Neve its folder."""

    kind: ClassVar[str] = "drive"

    path: Annotated[str, "where it is"]
    state: Annotated[str, "`ok`, or what is wrong"]
    total: Annotated[int, "bytes that fit"]
    used: Annotated[int, "bytes that are used, by others too"]
    free: Annotated[int, "bytes that are free"]

    def text(self, style: Style) -> str:
        """A line."""
        state = style.good(self.state) if self.state == "ok" else style.bad(self.state)
        percent = 100 * self.used // self.total if self.total else 0
        sizes = f"{format_size(self.free)} of {format_size(self.total)} free ({percent} % used)"
        return f"  drive      {self.path}  {state}, {sizes}"


@dataclass(frozen=True)
class Node(Result):
    """A server of those behind an alias; at Neve there is one."""

    kind: ClassVar[str] = "node"

    endpoint: Annotated[str, "its address"]
    state: Annotated[str, "`online` or `offline`"]
    version: Annotated[str, "its version"]
    uptime_s: Annotated[int, "seconds since it was started"]
    drives: Annotated[list[Drive], "its drives"]

    def text(self, style: Style) -> str:
        """A line, and one for each drive."""
        state = style.good(self.state) if self.state == "online" else style.bad(self.state)
        since = f" for {format_duration(self.uptime_s)}" if self.state == "online" else ""
        lines = [f"  server     {self.endpoint}  {state}{since}, {self.version}"]
        return "\n".join(lines + [drive.text(style) for drive in self.drives])


@dataclass(frozen=True)
class ServerInfo(Result):
    """The state of what is behind an alias."""

    kind: ClassVar[str] = "serverInfo"

    alias: Annotated[str, "the alias"]
    url: Annotated[str, "its URL"]
    mode: Annotated[str, "`online` …"]
    region: Annotated[str, "its region"]
    deployment: Annotated[str, "the id of the store"]
    buckets: Annotated[int, "how many buckets"]
    objects: Annotated[int, "how many objects"]
    versions: Annotated[int, "how many versions, current ones among them"]
    delete_markers: Annotated[int, "how many delete markers"]
    size: Annotated[int, "bytes of all versions"]
    nodes: Annotated[list[Node], "the servers"]

    def text(self, style: Style) -> str:
        """A page."""
        holds = (
            f"  holds      {format_size(self.size)} in {counted(self.buckets, 'bucket')}: "
            f"{counted(self.objects, 'object')}, {counted(self.versions, 'version')}, "
            f"{counted(self.delete_markers, 'delete marker')}"
        )
        lines = [f"{style.folder(self.alias)}  {self.url}"]
        lines += [node.text(style) for node in self.nodes]
        return "\n".join([*lines, holds, f"  store      {self.deployment}  {self.region}".rstrip()])


RESULTS = (ServerInfo, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the server."""
    parser.add_argument("alias", metavar="ALIAS", help="the server")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Ask."""
    admin = admin_of(session, options.alias)
    found = admin.call("GET", "info", doing="read the state of the server")
    yield ServerInfo(
        admin.alias,
        admin.server.alias.url,
        str(found.get("mode") or "unknown"),
        str(found.get("region") or ""),
        str(found.get("deploymentID") or ""),
        _count(found, "buckets"),
        _count(found, "objects"),
        _count(found, "versions"),
        _count(found, "deletemarkers"),
        int((found.get("usage") or {}).get("size") or 0),
        [_node(row) for row in found.get("servers") or ()],
    )


def _count(found: dict[str, Any], name: str) -> int:
    return int((found.get(name) or {}).get("count") or 0)


def _node(row: dict[str, Any]) -> Node:
    return Node(
        str(row.get("endpoint") or ""),
        str(row.get("state") or "unknown"),
        str(row.get("version") or ""),
        int(row.get("uptime") or 0),
        [
            Drive(
                str(drive.get("path") or drive.get("endpoint") or ""),
                str(drive.get("state") or "unknown"),
                int(drive.get("totalspace") or 0),
                int(drive.get("usedspace") or 0),
                int(drive.get("availspace") or 0),
            )
            for drive in row.get("drives") or ()
        ],
    )

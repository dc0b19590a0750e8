"""Command line of the benchmark.

Examples:
  python -m bench --endpoint http://127.0.0.1:9000 --access-key K --secret-key S --pid 4711
  python -m bench --endpoint … --only put-4k,get-4k --seconds 5 --label neve --json neve.json
  python -m bench compare minio.json neve.json
  python -m bench neve
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench import neve, process, table
from bench.errors import MeasurementFailed
from bench.measure import Options, Target, measure
from bench.workload import OPERATIONS, Operation


def main(arguments: list[str]) -> int:
    """Run the command and return the exit status: 1 when any operation had errors."""
    if arguments[:1] == ["compare"]:
        return _compare(arguments[1:])
    if arguments[:1] == ["neve"]:
        return _neve(arguments[1:])
    return _endpoint(arguments)


def _endpoint(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--endpoint", required=True, help="http://HOST:PORT")
    parser.add_argument("--access-key", required=True)
    parser.add_argument("--secret-key", required=True)
    parser.add_argument("--region", default="us-east-1")
    parser.add_argument("--pid", type=int, help="root of the server's process tree")
    _add_options(parser)
    chosen = parser.parse_args(arguments)
    if chosen.pid is not None and not process.exists(chosen.pid):
        parser.error(f"there is no process {chosen.pid}")
    target = Target(
        chosen.endpoint, chosen.access_key, chosen.secret_key, chosen.region, chosen.pid
    )
    return _measure(target, chosen)


def _neve(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench neve", description="Measure a Neve started on a temporary folder."
    )
    parser.add_argument("--serve-options", default="", help="further options of neve serve")
    parser.add_argument("--folder", type=Path, help="where the temporary folder is made")
    _add_options(parser)
    chosen = parser.parse_args(arguments)
    with neve.running(chosen.serve_options.split(), chosen.folder) as target:
        return _measure(target, chosen)


def _compare(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m bench compare", description="Print results beside each other."
    )
    parser.add_argument("results", nargs="+", type=Path, help="written with --json")
    chosen = parser.parse_args(arguments)
    print(table.compare([json.loads(path.read_text()) for path in chosen.results]))
    return 0


def _add_options(parser: argparse.ArgumentParser) -> None:
    names = ",".join(operation.name for operation in OPERATIONS)
    parser.add_argument("--label", default="neve", help="name of this run in comparisons")
    parser.add_argument("--only", default="", help=f"some of {names}")
    parser.add_argument("--seconds", type=float, default=5.0, help="of load per operation")
    parser.add_argument("--keys", type=int, default=20000, help="keys in the listed bucket")
    parser.add_argument("--payload", default="signed", choices=("signed", "unsigned", "streaming"))
    parser.add_argument("--generators", type=int, default=2, help="processes that make the load")
    parser.add_argument("--keep", action="store_true", help="leave the buckets in place")
    parser.add_argument("--json", type=Path, help="write the figures to this file")


def _measure(target: Target, chosen: argparse.Namespace) -> int:
    options = Options(
        seconds=chosen.seconds,
        processes=chosen.generators,
        payload=chosen.payload,
        keep=chosen.keep,
    )
    print(table.header(), flush=True)
    result = measure(target, _operations(chosen.only, chosen.keys), options, _print_row)
    result["label"] = chosen.label
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")
    return 1 if any(row["errors"] for row in result["operations"].values()) else 0


def _operations(only: str, keys: int) -> list[Operation]:
    names = [name for name in only.split(",") if name]
    known = {operation.name: operation for operation in OPERATIONS}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"no such operation: {', '.join(unknown)}; there are {', '.join(known)}")
    chosen = [known[name] for name in names] or list(OPERATIONS)
    return [replace(one, prepared=keys) if one.verb == "LIST" else one for one in chosen]


def _print_row(name: str, row: dict[str, Any]) -> None:
    print(table.line(name, row), flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except (MeasurementFailed, OSError) as error:
        sys.exit(f"bench: {error}")

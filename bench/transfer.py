"""`neve cp -r` beside `aws s3 cp`, rclone and s5cmd: many small files and one large one, both ways.

usage: python -m bench.transfer [--files 10000] [--size 20000] [--large-mib 2048] [--rounds 3]

One Neve of its own serves all; each tool gets a bucket of its own, and they take turns. Told are
wall time, CPU of the tool (user and system, with what it starts), CPU of the server meanwhile, and
the tool's most memory (RSS): of each the best of all rounds, of the memory the most. A tool whose
first round took more than twice as long as the quickest one's is not run again, and nothing is
begun after `--minutes`, so the whole ends in less than ten.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from bench.process import cpu_seconds
from neve.testing.live import LiveServer

_LEVEL_BYTES = 3 << 30


def level(path: Path) -> None:
    """Write a file and delete it, so that the page cache gets memory that was in use just now.

    Without it the tools are not comparable on a virtual machine with free page reporting (a virtio
    balloon): its kernel gives free memory back to the host, and who gets it next pays a fault in
    the host for each page. Writing the same 2 GiB takes 0.5 or 8 s by that alone.
    """
    piece = os.urandom(1 << 18)
    with path.open("wb", buffering=0) as file:
        for _ in range(_LEVEL_BYTES // len(piece)):
            file.write(piece)
    path.unlink()


class Cost(NamedTuple):
    wall_s: float
    user_s: float
    system_s: float
    server_s: float
    memory_mb: float


class Tool(NamedTuple):
    name: str
    environment: dict[str, str]
    command: Callable[[str, str, bool], list[str]]
    """From source and target (`s3://bucket/key` is the remote one) and whether it is a folder."""


def tools(server: LiveServer, folder: Path) -> list[Tool]:
    keys = {
        "AWS_ACCESS_KEY_ID": server.access_key,
        "AWS_SECRET_ACCESS_KEY": server.secret_key,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    host = server.endpoint.removeprefix("http://")
    neve = {
        "NEVE_HOST_b": f"http://{server.access_key}:{server.secret_key}@{host}",
        "NEVE_CONFIG_DIR": str(folder / "config"),
    }
    rclone = {
        "RCLONE_CONFIG": str(folder / "rclone.conf"),
        "RCLONE_CONFIG_B_TYPE": "s3",
        "RCLONE_CONFIG_B_PROVIDER": "Other",
        "RCLONE_CONFIG_B_ENDPOINT": server.endpoint,
        "RCLONE_CONFIG_B_ACCESS_KEY_ID": server.access_key,
        "RCLONE_CONFIG_B_SECRET_ACCESS_KEY": server.secret_key,
    }
    beside = Path(sys.executable).parent
    found = [Tool("neve", neve, _neve)]
    aws = os.environ.get("BENCH_AWS") or shutil.which("aws")
    if aws:
        found.append(
            Tool("aws", keys, lambda s, t, many: [
                aws, "--endpoint-url", server.endpoint, "s3", "cp", "--only-show-errors",
                *(["--recursive"] if many else []), s, t,
            ])
        )  # fmt: skip
    if (beside / "rclone").exists():
        found.append(
            Tool("rclone", rclone, lambda s, t, many: [
                str(beside / "rclone"), "copy" if many else "copyto", "--transfers", "16",
                _replaced(s, "b:"), _replaced(t, "b:"),
            ])
        )  # fmt: skip
    if (beside / "s5cmd").exists():
        found.append(
            Tool("s5cmd", keys, lambda s, t, many: [
                str(beside / "s5cmd"), "--log", "error", "--endpoint-url", server.endpoint, "cp",
                (s.rstrip("/") + "/*" if s.startswith("s3:") else s) if many else s, t,
            ])
        )  # fmt: skip
    return found


def _neve(source: str, target: str, many: bool) -> list[str]:
    words = [_replaced(source, "b/"), _replaced(target, "b/")]
    return [sys.executable, "-m", "neve", "cp", "-q", *(["-r"] if many else []), *words]


def _replaced(place: str, remote: str) -> str:
    return place.replace("s3://", remote)


def measured(command: list[str], environment: dict[str, str], server: int) -> Cost:
    start, before = time.monotonic(), cpu_seconds(server)
    with tempfile.TemporaryFile() as errors:
        process = subprocess.Popen(
            command, env=os.environ | environment, stdout=subprocess.DEVNULL, stderr=errors
        )
        memory = 0.0
        while True:
            memory = max(memory, peak_mb(process.pid))
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.02)
        wall = time.monotonic() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            errors.seek(0)
            raise SystemExit(f"{command}: {process.returncode}\n{errors.read().decode()}")
    served = cpu_seconds(server) - before
    return Cost(wall, usage.ru_utime, usage.ru_stime, served, memory)


def peak_mb(pid: int) -> float:
    """The most memory that a process has had since it became its program."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return next((int(row.split()[1]) / 1024 for row in lines if row.startswith("VmHWM")), 0.0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--size", type=int, default=20_000)
    parser.add_argument("--large-mib", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--minutes", type=float, default=6.5, help="begin nothing after so long")
    parser.add_argument("--only", default="", help="tools, with commas")
    parser.add_argument("--folder", help="where the temporary folder goes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="neve-bench-", dir=options.folder) as text:
        folder = Path(text)
        rows = run(options, folder)
    print(f"\nload average {os.getloadavg()[0]:.1f} at the end, {os.cpu_count()} cores\n")
    print("| what | tool | wall s | user s | system s | server s | memory MB |")
    print("|---|---|---|---|---|---|---|")
    for (what, tool), costs in rows.items():
        *least, _ = (min(values) for values in zip(*costs))
        memory = max(cost.memory_mb for cost in costs)
        cells = " | ".join(f"{value:.1f}" for value in least)
        print(f"| {what} | {tool} | {cells} | {memory:.0f} |")
    return 0


def run(options: argparse.Namespace, folder: Path) -> dict[tuple[str, str], list[Cost]]:
    until = time.monotonic() + 60 * options.minutes
    many, large = folder / "many", folder / "large"
    for number in range(options.files):
        path = many / f"{number % 100:02d}" / f"{number:05d}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(options.size))
    with large.open("wb") as stream:
        for _ in range(options.large_mib):
            stream.write(os.urandom(1 << 20))
    rows: dict[tuple[str, str], list[Cost]] = {}
    took: dict[str, float] = {}
    for number in range(options.rounds):
        with LiveServer(folder / f"data{number}") as server:
            found = [tool for tool in tools(server, folder) if chosen(options, tool, took)]
            # Another one begins each time: the first pays for memory that nobody had before.
            for tool in found[number % len(found) :] + found[: number % len(found)]:
                began = time.monotonic()
                if began > until:
                    break
                for what, cost in costs_of(options, folder, server, tool):
                    rows.setdefault((what, tool.name), []).append(cost)
                    print(what, tool.name, *(f"{value:.1f}" for value in cost), flush=True)
                took.setdefault(tool.name, time.monotonic() - began)
                check(folder, many, large, folder / f"kept{number}-{tool.name}")
        shutil.rmtree(folder / f"data{number}")
        if time.monotonic() > until:
            print("time is up")
            break
    return dict(sorted(rows.items(), key=lambda row: row[0][0]))


def chosen(options: argparse.Namespace, tool: Tool, took: dict[str, float]) -> bool:
    """Whether a tool takes part in a round; `took` is the time that each one's first has taken."""
    named = not options.only or tool.name in options.only.split(",")
    return named and took.get(tool.name, 0) <= 2 * min(took.values(), default=0)


def costs_of(
    options: argparse.Namespace, folder: Path, server: LiveServer, tool: Tool
) -> Iterator[tuple[str, Cost]]:
    bucket = f"{tool.name}-bench"
    server.client().create_bucket(Bucket=bucket)
    for what, source, target, folders in steps(options, folder, bucket):
        command = tool.command(source, target, folders)
        level(folder / "level")
        yield what, measured(command, tool.environment, server.pid)


def steps(
    options: argparse.Namespace, folder: Path, bucket: str
) -> list[tuple[str, str, str, bool]]:
    small = f"{options.files:,} files of {options.size / 1000:.0f} kB"
    big = f"one file of {options.large_mib:,} MiB"
    back = folder / "back"
    return [
        (f"{small}, up", f"{folder}/many/", f"s3://{bucket}/many/", True),
        (f"{small}, down", f"s3://{bucket}/many/", f"{back}/many/", True),
        (f"{big}, up", f"{folder}/large", f"s3://{bucket}/large", False),
        (f"{big}, down", f"s3://{bucket}/large", f"{back}/large", False),
    ]


def check(folder: Path, many: Path, large: Path, kept: Path) -> None:
    """What came back is what went up.

    The small files are kept until the end: ext4 without a journal passes over the inodes of files
    that were deleted in the last minutes, one by one, for each file that the next tool makes.
    """
    back = folder / "back"
    for name, path in (("many", many), ("large", large)):
        subprocess.run(["diff", "-rq", str(path), str(back / name)], check=True)
    (back / "large").unlink()
    back.rename(kept)


if __name__ == "__main__":
    sys.exit(main())

"""Notifications, which Neve has not: against a server that answers as MinIO does."""

import json
from urllib.parse import parse_qsl, urlsplit

from tests.client.scripted_server import Scripted, ScriptedServer

from neve.testing.cli import CommandLine

ARN = "arn:minio:sqs::1:webhook"
NONE = b'<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>'
ONE = f"""<NotificationConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
<QueueConfiguration><Id>one</Id><Queue>{ARN}</Queue><Event>s3:ObjectCreated:*</Event>
<Filter><S3Key><FilterRule><Name>suffix</Name><Value>.nc</Value></FilterRule></S3Key></Filter>
</QueueConfiguration></NotificationConfiguration>""".encode()


def record(name: str, key: str, size: int) -> dict[str, object]:
    return {
        "eventName": name,
        "eventTime": "2026-11-28T13:00:00.000Z",
        "source": {"host": "192.0.2.7"},
        "s3": {"bucket": {"name": "results"}, "object": {"key": key, "size": size}},
    }


def test_watch_shows_what_comes_and_passes_over_signs_of_life(neve: CommandLine) -> None:
    put = {"Records": [record("s3:ObjectCreated:Put", "a%2Fb+c.nc", 2048)]}
    gone = {"Records": [record("s3:ObjectRemoved:Delete", "old.nc", 0)]}
    body = f'{json.dumps(put)}\n  \n{{"Records":null}}\n{json.dumps(gone)}\n'.encode()
    with ScriptedServer(Scripted(body=body), Scripted(body=body)) as server:
        neve.alias("min", server.url, "key", "secret")
        lines = neve.run("watch", "min/results/a/", "--suffix", ".nc").stdout.splitlines()
        rows = neve.json("watch", "min/results", "--events", "put")
    assert lines == [
        "[2026-11-28 13:00:00 UTC]    2.0 KiB ObjectCreated:Put  results/a/b c.nc",
        "[2026-11-28 13:00:00 UTC]            ObjectRemoved:Delete  results/old.nc",
    ]
    assert [(row["key"], row["size"]) for row in rows] == [("a/b c.nc", 2048), ("old.nc", 0)]
    asked = parse_qsl(urlsplit(server.asked[0].path).query, keep_blank_values=True)
    assert ("prefix", "a/") in asked
    assert [value for name, value in asked if name == "events"] == [
        "s3:ObjectAccessed:*", "s3:ObjectCreated:*", "s3:ObjectRemoved:*",
    ]  # fmt: skip


def test_event_rules_are_added_shown_and_removed(neve: CommandLine) -> None:
    answers = [NONE, b"", ONE, ONE, ONE, b""]
    with ScriptedServer(*(Scripted(body=body) for body in answers)) as server:
        neve.alias("min", server.url, "key", "secret")
        words = ["event", "add", "min/results", ARN, "--event", "put", "--suffix", ".nc"]
        shown = f"min/results tells {ARN} of s3:ObjectCreated:* of *.nc  one\n"
        assert neve.run(*words).stdout == shown
        sent = server.asked[1].body.decode()
        assert f"<Queue>{ARN}</Queue><Event>s3:ObjectCreated:*</Event>" in sent
        assert "<Name>suffix</Name><Value>.nc</Value>" in sent
        assert neve.run("event", "ls", "min/results").stdout == shown
        done = neve.run("event", "rm", "min/results", ARN)
        assert done.stdout == "min/results sends no notifications.\n"
        assert b"QueueConfiguration" not in server.asked[-1].body

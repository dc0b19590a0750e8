"""What the panel asks for a visitor counts as asked from the visitor's address."""

import json
from pathlib import Path
from typing import Any

from tests.admin.client import Client
from tests.admin.test_rights import user
from tests.panel.conftest import Visitor

from neve.testing.server import LiveServer, wait_until

HERE, THERE = "127.0.0.1", "127.0.0.2"
"""Two addresses of this machine: one is the panel's, too."""
FROM_THERE = {
    "Effect": "Allow",
    "Action": "s3:*",
    "Resource": "*",
    "Condition": {"IpAddress": {"aws:SourceIp": f"{THERE}/32"}},
}


def test_policies_and_the_audit_log_see_the_visitor(tmp_path: Path) -> None:
    log = tmp_path / "audit"
    with LiveServer(tmp_path / "data", "--audit-log", str(log), workers=1) as server:
        server.await_panel()
        server.client().create_bucket(Bucket="seen-from-there")
        policy = {"Version": "2012-10-17", "Statement": [FROM_THERE]}
        assert Client(server)("PUT", "add-canned-policy?name=there", policy).status == 200
        user(server, "amy", "there")
        shown = {
            source: Visitor(server, source).login("amy", "amy-secret").get("/buckets").words
            for source in (HERE, THERE)
        }
        assert "seen-from-there" in shown[THERE]
        assert "seen-from-there" not in shown[HERE]

        def by_amy() -> list[dict[str, Any]]:
            entries = map(json.loads, log.read_text().splitlines())
            return [each for each in entries if each["principal"] == "amy"]

        wait_until(lambda: {each["client"] for each in by_amy()} == {HERE, THERE})

"""Lifecycle rules on their page; what the server has is looked at with boto3."""

import json
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
from botocore.exceptions import ClientError

from neve.testing.server import LiveServer


def rules_of(server: LiveServer, bucket: str) -> list[dict[str, Any]]:
    found = server.client().get_bucket_lifecycle_configuration(Bucket=bucket)
    return list(found["Rules"])


def mark(text: str, place: int = 0) -> str:
    return unescape(re.findall(r'name="mark" value="([^"]+)"', text)[place])


def test_rule_is_added_said_in_words_changed_stopped_and_taken_away(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    path = f"/buckets/{bucket}/lifecycle"
    administrator.get(path)
    shown = administrator.post(
        path, what="save", id="scratch", enabled="on", prefix="scratch/*", days="30",
        tags="state=raw\r\n", above="1 GiB", old_days="90", old_newer="3",
    )  # fmt: skip
    assert shown.status == 200
    rule = rules_of(server, bucket)[0]
    assert rule["Filter"]["And"] == {
        "Prefix": "scratch/",
        "Tags": [{"Key": "state", "Value": "raw"}],
        "ObjectSizeGreaterThan": 1 << 30,
    }
    assert rule["Expiration"] == {"Days": 30}
    for sentence in (
        "under scratch/, with the tag state=raw, larger than 1.0 GiB",
        "Objects end 30 days after they were written.",
        "Older versions end 90 days after they became old. The newest 3 of them stay.",
    ):
        assert sentence in shown.words
    page = administrator.get(path, edit="0")
    assert 'value="1 GiB"' in page.text
    assert "<ObjectSizeGreaterThan>1073741824</ObjectSizeGreaterThan>" in unescape(page.text)
    shown = administrator.post(
        path, what="save", mark=mark(page.text), place="0", id="scratch", enabled="on",
        prefix="scratch/", date="2031-05-01",
    )  # fmt: skip
    rule = rules_of(server, bucket)[0]
    assert rule["Expiration"] == {"Date": datetime(2031, 5, 1, tzinfo=UTC)}
    assert "NoncurrentVersionExpiration" not in rule
    assert "May 1, 2031" in shown.words
    administrator.post(path, what="save", id="uploads", enabled="on", upload_days="1")
    shown = administrator.get(path)
    assert "Uploads that are not completed end after 1 day." in shown.words
    administrator.post(path, what="remove", mark=mark(shown.text, 1), place="1")
    shown = administrator.get(path)
    shown = administrator.post(path, what="toggle", mark=mark(shown.text), place="0")
    assert rules_of(server, bucket)[0]["Status"] == "Disabled"
    assert administrator.post(path, what="remove", mark="of before", place="0").status == 400
    administrator.post(path, what="remove", mark=mark(shown.text), place="0")
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        rules_of(server, bucket)


def test_what_the_form_does_not_know_stays(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    path = f"/buckets/{bucket}/lifecycle"
    administrator.get(path)
    text = (
        "<LifecycleConfiguration><Rule><ID>all</ID><Status>Enabled</Status><Filter/>"
        "<Expiration><Days>9</Days></Expiration>"
        "<DelMarkerExpiration><Days>7</Days></DelMarkerExpiration></Rule></LifecycleConfiguration>"
    )
    shown = administrator.post(path, what="document", document=text)
    assert "Also: DelMarkerExpiration." in shown.words
    page = administrator.get(path, edit="0")
    shown = administrator.post(
        path, what="save", mark=mark(page.text), place="0", id="all", enabled="on", days="8"
    )
    assert "Also: DelMarkerExpiration." in shown.words
    assert rules_of(server, bucket)[0]["Expiration"] == {"Days": 8}


def test_what_makes_no_sense_is_said_and_nothing_changes(
    administrator: Any, server: LiveServer, bucket: str
) -> None:
    path = f"/buckets/{bucket}/lifecycle"
    administrator.get(path)
    for fields, sentence in (
        ({"days": ""}, "Say what ends, and when."),
        ({"days": "soon"}, "no whole number"),
        ({"days": "3", "tags": "a"}, "no tag"),
        ({"date": "1 May"}, "no day"),
        ({"days": "3", "above": "big"}, "no size"),
    ):
        shown = administrator.post(path, what="save", id="typed", **fields)
        assert (shown.status, sentence in shown.words) == (400, True), shown.words
        assert 'value="typed"' in shown.text
    # What only the server knows to be wrong.
    shown = administrator.post(path, what="save", id="typed", tags="a=b", days="3", upload_days="1")
    assert (shown.status, 'value="typed"' in shown.text) == (400, True)
    shown = administrator.post(path, what="save", id="typed", days="3", date="2031-05-01")
    assert (shown.status, 'value="typed"' in shown.text) == (400, True)
    shown = administrator.post(path, what="document", document='{"Rules": [\n {]}')
    assert (shown.status, "line 2, column 3" in shown.words) == (400, True)
    shown = administrator.post(path, what="document", document=json.dumps({"Regeln": []}))
    assert "holds no lifecycle rules" in shown.words
    with pytest.raises(ClientError, match="NoSuchLifecycleConfiguration"):
        rules_of(server, bucket)

"""What a bucket and its objects are told, by verbs as processes against a live Neve.

The effect of each verb is checked with boto3; what it prints, as text and against its schema.
"""

import json
import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.error import HTTPError

import pytest

from neve.s3 import cors
from neve.testing.cli import CommandLine


def status_of(url: str, **options: Any) -> int:
    """The status of a request without keys."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, **options)) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


@pytest.fixture
def locked(client: Any, bucket: str) -> str:
    name = f"{bucket}-lock"
    client.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    client.put_object(Bucket=name, Key="a", Body=b"1")
    client.put_object(Bucket=name, Key="d/b", Body=b"1")
    return name


# Versions.


def test_version(neve: CommandLine, bucket: str, client: Any) -> None:
    name = f"live/{bucket}"
    assert neve.run("version", "info", name).stdout == (
        f"{name} keeps no versions: an overwrite or a deletion is final.\n"
    )
    assert neve.run("version", "enable", name).stdout == f"{name} keeps old versions.\n"
    assert client.get_bucket_versioning(Bucket=bucket)["Status"] == "Enabled"
    (row,) = neve.json("version", "enable", name, "--excluded-prefixes", "t/,u/")
    assert (row["versioning"], row["excludedPrefixes"]) == ("Enabled", ["t/", "u/"])
    (row,) = neve.json("version", "suspend", name)
    assert row["versioning"] == client.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert "suspended" in neve.run("version", "info", name).stdout


def test_version_alone_shows_the_versions_of_neve_and_its_help_the_verbs(neve: CommandLine) -> None:
    assert neve.run("version").stdout.startswith("neve ")
    assert "neve version enable " in neve.run("version", "--help").stdout
    assert "neve version enable " in neve.run("help", "version").stdout


# Tags.


def test_tags_of_objects_versions_and_buckets(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket=bucket, Key="d/a", Body=b"1")["VersionId"]
    client.put_object(Bucket=bucket, Key="d/a", Body=b"2")
    client.put_object(Bucket=bucket, Key="d/b", Body=b"2")
    name = f"live/{bucket}"
    assert neve.run("tag", "set", f"{name}/d/a", "a=1", "b=x y+z").returncode == 0
    tags = client.get_object_tagging(Bucket=bucket, Key="d/a")["TagSet"]
    assert {row["Key"]: row["Value"] for row in tags} == {"a": "1", "b": "x y+z"}
    assert client.get_object_tagging(Bucket=bucket, Key="d/a", VersionId=old)["TagSet"] == []


def test_tags_as_text(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="d/a", Body=b"1")
    client.put_object(Bucket=bucket, Key="d/b", Body=b"1")
    name = f"live/{bucket}"
    assert neve.run("tag", "set", name, "k=v&k2=v%202").stdout == f"{name}\n  k   v\n  k2  v 2\n"
    found = client.get_bucket_tagging(Bucket=bucket)["TagSet"]
    assert found == [{"Key": "k", "Value": "v"}, {"Key": "k2", "Value": "v 2"}]
    assert neve.run("tag", "rm", name).stdout == f"{name} has no tags.\n"
    neve.run("tag", "set", "-r", f"{name}/d/", "s=raw")
    rows = neve.json("tag", "ls", "-r", f"{name}/d/")
    assert {row["target"]: row["tags"] for row in rows} == {
        f"{name}/d/a": {"s": "raw"},
        f"{name}/d/b": {"s": "raw"},
    }
    neve.run("tag", "rm", f"{name}/d/a")
    assert client.get_object_tagging(Bucket=bucket, Key="d/a")["TagSet"] == []


def test_tags_of_one_version(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket=bucket, Key="a", Body=b"1")["VersionId"]
    client.put_object(Bucket=bucket, Key="a", Body=b"2")
    neve.run("tag", "set", f"live/{bucket}/a", "v=old", "--version-id", old)
    assert client.get_object_tagging(Bucket=bucket, Key="a")["TagSet"] == []
    rows = neve.json("tag", "ls", "--versions", f"live/{bucket}/a")
    assert [row["tags"] for row in rows] == [{}, {"v": "old"}]
    assert rows[1]["versionId"] == old


# Locks.


def test_retention_of_versions(neve: CommandLine, locked: str, client: Any) -> None:
    name = f"live/{locked}"
    assert neve.run("retention", "info", f"{name}/a").stdout == f"{name}/a is not locked.\n"
    neve.run("retention", "set", "governance", "30d", f"{name}/a")
    found = client.get_object_retention(Bucket=locked, Key="a")["Retention"]
    assert found["Mode"] == "GOVERNANCE"
    left = found["RetainUntilDate"] - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < left <= timedelta(days=30)
    assert "(governance)" in neve.run("retention", "info", f"{name}/a").stdout
    done = neve.run("retention", "set", "governance", "1d", f"{name}/a", status=1)
    assert "may not change the lock" in done.stderr
    neve.run("retention", "set", "governance", "1d", "--bypass", f"{name}/a")
    neve.run("retention", "clear", f"{name}/a")
    assert neve.json("retention", "info", f"{name}/a")[0]["mode"] == ""
    assert "there is no object" in neve.run("retention", "info", f"{name}/no", status=1).stderr
    rows = neve.json("retention", "set", "governance", "1d", "-r", "--versions", name)
    assert {row["target"] for row in rows} == {f"{name}/a", f"{name}/d/b"}


def test_default_retention(neve: CommandLine, locked: str, client: Any) -> None:
    name = f"live/{locked}"
    done = neve.run("retention", "set", "--default", "governance", "1y", name)
    assert done.stdout == f"{name} locks new versions for 1y (governance).\n"
    rule = client.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]["Rule"]
    assert rule == {"DefaultRetention": {"Mode": "GOVERNANCE", "Years": 1}}
    assert neve.json("retention", "info", "--default", name)[0]["validity"] == "1y"
    done = neve.run("retention", "clear", "--default", name)
    assert done.stdout == f"{name} gives new versions no lock.\n"
    assert (
        "Rule" not in client.get_object_lock_configuration(Bucket=locked)["ObjectLockConfiguration"]
    )


def test_legal_holds(neve: CommandLine, locked: str, client: Any) -> None:
    name = f"live/{locked}/d/b"
    assert neve.run("legalhold", "info", name).stdout == f"{name} is under no legal hold.\n"
    assert neve.run("legalhold", "set", name).stdout == f"{name} is under a legal hold.\n"
    hold = client.get_object_legal_hold(Bucket=locked, Key="d/b")["LegalHold"]
    assert hold["Status"] == "ON"
    (row,) = neve.json("legalhold", "info", "-r", f"live/{locked}/d/")
    assert row["on"] is True
    neve.run("legalhold", "clear", name)
    hold = client.get_object_legal_hold(Bucket=locked, Key="d/b")["LegalHold"]
    assert hold["Status"] == "OFF"


# Quotas.


def test_quota_of_a_bucket_and_its_prefixes(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="raw/a", Body=b"12345")
    name = f"live/{bucket}"
    assert neve.run("quota", "info", name).stdout == (
        f"{name} has no limit; it holds 5 B in 1 object.\n"
    )
    assert neve.run("quota", "set", name, "--size", "2KiB").stdout == (
        f"{name} may hold 2.0 KiB; it holds 5 B in 1 object, 0 %.\n"
    )
    (row,) = neve.json("quota", "set", name, "--objects", "2", "--soft", "50")
    assert (row["size"], row["objects"], row["soft"], row["percent"]) == (2048, 2, 50, 50)
    assert row["warning"] is True
    neve.run("quota", "set", f"{name}/raw/", "--size", "6")
    with pytest.raises(client.exceptions.ClientError, match="XMinioAdminBucketQuotaExceeded"):
        client.put_object(Bucket=bucket, Key="raw/b", Body=b"12")
    rows = neve.json("quota", "info", name)
    assert [(row["of"], row["target"], row["size"]) for row in rows] == [
        ("bucket", name, 2048),
        ("prefix", f"{name}/raw/", 6),
    ]
    neve.run("quota", "clear", name)
    assert [row["size"] for row in neve.json("quota", "info", name)] == [None, 6]
    neve.run("quota", "clear", f"{name}/raw/")
    assert [row["of"] for row in neve.json("quota", "info", name)] == ["bucket"]
    client.put_object(Bucket=bucket, Key="raw/b", Body=b"12")


def test_quota_of_users_and_of_new_buckets(neve: CommandLine, fresh_server: Any) -> None:
    server = fresh_server
    neve.alias("own", server.endpoint, server.access_key, server.secret_key)
    assert neve.run("quota", "set", "own", "--user", "alice", "--size", "1TiB").stdout == (
        "The user alice may hold 1.0 TiB; it holds 0 B in 0 objects, 0 %.\n"
    )
    assert neve.run("quota", "set", "own", "--default", "--size", "100GiB").stdout == (
        "A new bucket at own may hold 100.0 GiB.\n"
    )
    server.client().create_bucket(Bucket="new")
    rows = neve.json("quota", "info", "own")
    assert [(row["of"], row["target"], row["size"]) for row in rows] == [
        ("bucket", "own/new", 100 << 30),
        ("user", "alice", 1 << 40),
        ("default", "own", 100 << 30),
    ]
    assert neve.run("quota", "clear", "own", "--user", "alice").stdout == (
        "The user alice has no limit.\n"
    )
    neve.run("quota", "clear", "own", "--default")
    assert [row["of"] for row in neve.json("quota", "info", "own")] == ["bucket"]


# CORS.


def test_cors_presets_files_and_flags(neve: CommandLine, bucket: str, client: Any) -> None:
    name = f"live/{bucket}"
    assert "has no CORS rules" in neve.run("cors", "get", name).stdout
    neve.run("cors", "set", "--preset", "web-viewers", name)
    assert client.get_bucket_cors(Bucket=bucket)["CORSRules"] == cors.WEB_VIEWERS
    (row,) = neve.json("cors", "set", name, "--origin", "https://x.org", "--method", "put")
    rule = client.get_bucket_cors(Bucket=bucket)["CORSRules"][0]
    assert (rule["AllowedOrigins"], rule["AllowedMethods"]) == (["https://x.org"], ["PUT"])
    assert neve.json("cors", "get", name) == [row]
    rules = {"CORSRules": [{"AllowedOrigins": ["*"], "AllowedMethods": ["GET"], "ID": "one"}]}
    (neve.folder / "rules.json").write_text(json.dumps(rules))
    assert neve.run("cors", "set", name, "rules.json").stdout == (
        f"{name}: the first rule that matches decides.\n\n  rule one\n"
        "    AllowedOrigins   *\n    AllowedMethods   GET\n"
    )
    assert client.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules["CORSRules"]
    neve.run("cors", "rm", name)
    assert neve.json("cors", "get", name)[0]["rules"] == []


# Lifecycle.


def test_lifecycle_rules(neve: CommandLine, bucket: str, client: Any) -> None:
    name = f"live/{bucket}"
    assert neve.run("ilm", "rule", "ls", name).stdout == (
        f"{name} has no lifecycle rules: nothing ends by itself.\n"
    )
    done = neve.run("ilm", "rule", "add", "--expire-days", "30", "--id", "s", f"{name}/scratch/")
    assert done.stdout == f"s  {name}/scratch/*: objects end after 30 days.\n"
    neve.run(
        "ilm", "rule", "add", name, "--id", "n", "--noncurrent-expire-days", "90",
        "--noncurrent-expire-newer", "2", "--tags", "a=1&b=2", "--size-gt", "1KiB",
    )  # fmt: skip
    neve.run("ilm", "rule", "edit", name, "--id", "s", "--abort-upload-days", "2", "--disable")
    assert neve.run("ilm", "rule", "ls", name).stdout == (
        f"s disabled  {name}/scratch/*: objects end after 30 days; unfinished uploads end after"
        " 2 days.\n"
        f"n  {name}/* (a=1, b=2, > 1.0 KiB): old versions end after 90 days; the newest 2 old"
        " versions stay.\n"
    )
    rules = client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert rules[0]["Expiration"] == {"Days": 30}
    assert rules[0]["Status"] == "Disabled"
    assert rules[1]["Filter"]["And"] == {
        "ObjectSizeGreaterThan": 1024,
        "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}],
    }
    exported = json.loads(neve.run("ilm", "rule", "export", name).stdout)
    assert exported["Rules"] == rules
    assert neve.run("ilm", "rule", "rm", "--id", "n", name).stdout == f"{name} lost the rule n.\n"
    neve.run("ilm", "rule", "rm", "--all", "--force", name)
    assert neve.json("ilm", "rule", "ls", name)[0]["type"] == "noLifecycleRules"
    (neve.folder / "rules.json").write_text(json.dumps(exported))
    assert len(neve.json("ilm", "rule", "import", name, "rules.json")) == 2
    assert client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == rules


# What Neve has not.


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["event", "add", "{}", "arn:minio:sqs::1:webhook"], "has no event notifications"),
        (["watch", "{}"], "has no event notifications"),
        (["encrypt", "set", "sse-s3", "{}"], "has no encryption at rest"),
        (["encrypt", "set", "sse-kms", "key", "{}"], "has no encryption at rest"),
    ],
)
def test_what_the_server_has_not_is_told_in_a_sentence(
    neve: CommandLine, bucket: str, words: list[str], sentence: str
) -> None:
    done = neve.run(*(word.format(f"live/{bucket}") for word in words), status=1)
    assert done.stderr.startswith("neve: this server " + sentence)
    assert done.stderr.count("\n") == 1


def test_what_is_not_set_is_shown_as_such(neve: CommandLine, bucket: str) -> None:
    name = f"live/{bucket}"
    assert neve.run("event", "ls", name).stdout == f"{name} sends no notifications.\n"
    assert "are not encrypted" in neve.run("encrypt", "info", name).stdout
    assert neve.json("encrypt", "clear", name)[0]["algorithm"] == ""


# Everybody without keys.


def test_anonymous_rules_are_told_shown_and_hold(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    name = f"live/{bucket}"
    assert neve.server is not None
    url = f"{neve.server.endpoint}/{bucket}"
    for key in ("public/a", "publication", "x/a", "in/a"):
        client.put_object(Bucket=bucket, Key=key, Body=b"1")
    assert neve.run("anonymous", "get", name).stdout == (
        f"Nobody without keys may do anything at {name}.\n"
    )
    assert neve.run("anonymous", "set", "download", f"{name}/public").stdout == (
        f"Everybody may list and read {name}/public/.\n"
    )
    assert [status_of(f"{url}/{key}") for key in ("public/a", "publication")] == [200, 403]
    assert status_of(f"{url}?list-type=2&prefix=public/") == 200
    assert status_of(f"{url}?list-type=2") == 403
    assert neve.run("anonymous", "set", "upload", f"{name}/in/").stdout == (
        f"Everybody may write and delete {name}/in/.\n"
    )
    assert status_of(f"{url}/in/new", data=b"1", method="PUT") == 200
    assert status_of(f"{url}/in/a") == 403
    neve.run("anonymous", "set", "public", f"{name}/x*")
    assert neve.run("anonymous", "ls", name).stdout == (
        f"{name}/in/*      upload\n{name}/public/*  download\n{name}/x*        public\n"
    )
    links = neve.run("anonymous", "links", "-r", name).stdout.split()
    assert links == [f"{url}/public/a", f"{url}/x/a"]
    neve.run("anonymous", "set", "none", f"{name}/public")
    assert status_of(f"{url}/public/a") == 403
    assert status_of(f"{url}/x/a") == 200
    neve.run("anonymous", "set", "none", "-r", name)
    with pytest.raises(client.exceptions.ClientError, match="NoSuchBucketPolicy"):
        client.get_bucket_policy(Bucket=bucket)


def test_anonymous_reading_without_listing(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_object(Bucket=bucket, Key="a", Body=b"1")
    name = f"live/{bucket}"
    assert neve.run("anonymous", "set", "download", name, "--no-list").stdout == (
        f"Everybody may read {name}.\n"
    )
    assert neve.server is not None
    assert status_of(f"{neve.server.endpoint}/{bucket}/a") == 200
    assert status_of(f"{neve.server.endpoint}/{bucket}?list-type=2") == 403
    assert neve.run("anonymous", "ls", name).stdout == f"{name}/*  download  no listing\n"


def test_anonymous_leaves_other_statements_alone(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    own = [
        {"Sid": "Mine", "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
         "Resource": f"{arn}/mine/*"},
        {"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": f"{arn}/secret/*"},
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{arn}/n/*",
         "Condition": {"IpAddress": {"aws:SourceIp": "192.0.2.0/24"}}},
    ]  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": own})
    (neve.folder / "policy.json").write_text(policy)
    name = f"live/{bucket}"
    done = neve.run("anonymous", "set-json", "policy.json", name)
    assert done.stdout == f"The policy of {name} was replaced; it has 3 statements.\n"
    assert neve.json("anonymous", "get", name)[0]["permission"] == "custom"
    done = neve.run("anonymous", "set", "download", f"{name}/p/")
    assert "Other statements of the policy allow more" in done.stdout
    found = json.loads(client.get_bucket_policy(Bucket=bucket)["Policy"])["Statement"]
    assert found[:3] == own
    assert len(found) > 3
    neve.run("anonymous", "set", "none", f"{name}/p/")
    assert json.loads(neve.run("anonymous", "get-json", name).stdout)["Statement"] == own


def test_anonymous_reads_what_mc_and_hands_write(
    neve: CommandLine, bucket: str, client: Any
) -> None:
    arn = f"arn:aws:s3:::{bucket}"
    everybody = {"Effect": "Allow", "Principal": {"AWS": ["*"]}}
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            everybody | {"Action": ["s3:GetBucketLocation"], "Resource": [arn]},
            everybody | {"Action": ["s3:ListBucket"], "Resource": [arn],
                         "Condition": {"StringEquals": {"s3:prefix": ["mc"]}}},
            everybody | {"Action": ["s3:GetObject"], "Resource": [f"{arn}/mc*", f"{arn}/o/*"]},
        ],
    }  # fmt: skip
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    (row,) = neve.json("anonymous", "ls", f"live/{bucket}")
    assert row["rules"] == [
        {"prefix": "mc", "permission": "download", "listing": True},
        {"prefix": "o/", "permission": "download", "listing": False},
    ]
    neve.run("anonymous", "set", "none", f"live/{bucket}/o")
    (row,) = neve.json("anonymous", "ls", f"live/{bucket}")
    assert [rule["prefix"] for rule in row["rules"]] == ["mc"]


# Links.


def test_share_download(neve: CommandLine, bucket: str, client: Any) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    old = client.put_object(Bucket=bucket, Key="d/a b", Body=b"old")["VersionId"]
    client.put_object(Bucket=bucket, Key="d/a b", Body=b"new")
    name = f"live/{bucket}/d/a b"
    first, url = neve.run("share", "download", "--expire", "2h", name).stdout.splitlines()
    assert first.startswith(f"{name}  download until ")
    assert urllib.request.urlopen(url).read() == b"new"
    (row,) = neve.json("share", "download", name, "--version-id", old)
    assert urllib.request.urlopen(row["url"]).read() == b"old"
    (row,) = neve.json("share", "download", "-r", f"live/{bucket}/d/", "-E", "30m")
    left = datetime.fromisoformat(row["expires"]) - datetime.now(UTC)
    assert timedelta(minutes=29) < left <= timedelta(minutes=30)
    shared = neve.json("share", "ls")
    assert [each["target"] for each in shared] == [name] * 3
    assert neve.json("share", "ls", "upload") == []
    path = neve.folder / "home" / ".config" / "neve" / "share.json"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("recursive", "key"), [(False, "in/one.bin"), (True, "in/file.bin")])
def test_share_upload_is_a_command_that_uploads(
    neve: CommandLine, bucket: str, client: Any, recursive: bool, key: str
) -> None:
    (neve.folder / "file.bin").write_bytes(b"12345")
    words = ["-r", f"live/{bucket}/in/"] if recursive else [f"live/{bucket}/in/one.bin"]
    (row,) = neve.json("share", "upload", "--max-size", "6", *words)
    command = row["share"].replace("@FILE", "@file.bin").replace("curl ", "curl -fsS ", 1)
    subprocess.run(command, shell=True, check=True, cwd=neve.folder, timeout=30)
    assert client.get_object(Bucket=bucket, Key=key)["Body"].read() == b"12345"
    (neve.folder / "file.bin").write_bytes(b"1234567")
    done = subprocess.run(command, shell=True, check=False, cwd=neve.folder, timeout=30)
    assert done.returncode != 0


# Refusals.


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        ("version enable live", 2, "name a bucket"),
        ("version enable live/no-such-bucket", 1, "there is no bucket 'no-such-bucket' at live."),
        ("tag set live/{} a", 2, "is no tag"),
        ("tag ls live/{}/none", 1, "there is no object live/{}/none."),
        ("tag ls live/{} --version-id x", 2, "it has no versions"),
        ("retention set compliance 30 live/{}/a", 2, "is no time for a lock"),
        ("retention set --default compliance 1d live/{}", 1, "has no object lock"),
        ("legalhold set -r live/{}/none/", 1, "there is nothing at live/{}/none/."),
        ("quota set live/{}", 2, "give --size, --objects or --soft"),
        ("quota set live --size 1", 2, "name a bucket or prefix"),
        ("quota set live/{} --size -1", 2, "is no size"),
        ("quota info live/no-such-bucket", 1, "there is no bucket"),
        ("cors set live/{}", 2, "give one of FILE, --preset and --origin"),
        ("cors set live/{} absent.json", 1, "cannot read absent.json"),
        ("cors rm live/no-such-bucket", 1, "there is no bucket"),
        ("ilm rule add live/{}", 2, "a rule must do something"),
        ("ilm rule rm live/{} --id none", 1, "has no rule 'none'"),
        ("ilm rule rm live/{} --all", 2, "--all --force"),
        ("ilm rule edit live/{} --id none --expire-days 1", 1, "has no rule 'none'"),
        ("share download live/{}/none", 1, "there is no object live/{}/none."),
        ("share download -E 8d live/{}/none", 2, "a link lives from 1s to 7d"),
        ("share upload live/no-such-bucket/a", 1, "there is no bucket"),
        ("anonymous get-json live/{}", 1, "has no policy"),
        ("anonymous set everything live/{}", 2, "invalid choice"),
        ("event rm live/{}", 2, "give an ARN, or --force"),
        ("event add live/{} arn --event nonsense", 2, "is no event"),
    ],
)
def test_refusals(neve: CommandLine, bucket: str, words: str, status: int, sentence: str) -> None:
    done = neve.run(*words.format(bucket).split(), status=status)
    assert sentence.format(bucket) in done.stderr
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "words",
    [
        "version enable",
        "tag set {} a=1",
        "cors set --preset web-viewers",
        "ilm rule add --expire-days 1",
        "anonymous set download",
        "quota set --size 1",
    ],
)
def test_who_has_no_keys_is_told_so(neve: CommandLine, bucket: str, words: str) -> None:
    assert neve.server is not None
    neve.alias("pub", neve.server.endpoint)
    name = f"pub/{bucket}"
    text = words.format(name) if "{}" in words else f"{words} {name}"
    done = neve.run(*text.split(), status=1)
    assert "anonymous requests may not" in done.stderr or "has no keys" in done.stderr
    assert done.stderr.count("\n") == 1

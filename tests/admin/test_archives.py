"""Export and import of identities and of bucket settings, with archives that MinIO has written."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from tests.admin.client import Answer, Client
from tests.admin.test_rights import user

from neve.testing.server import ACCESS_KEY, LiveServer

DATA = Path(__file__).parent / "data"
IAM = (DATA / "minio-iam-info.zip").read_bytes()
BUCKETS = (DATA / "minio-bucket-metadata.zip").read_bytes()


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: dict[str, Any]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return stream.getvalue()


def import_iam(server: LiveServer, files: dict[str, Any]) -> Answer:
    assets = {f"iam-assets/{name}.json": document for name, document in files.items()}
    return Client(server)("PUT", "import-iam-v2", packed(assets))


def test_identities_that_minio_exported_are_taken(fresh_server: LiveServer) -> None:
    root = Client(fresh_server)
    answer = root("PUT", "import-iam-v2", IAM)
    assert answer.status == 200
    assert answer.json["failed"] == {}
    assert answer.json["added"] == {
        "policies": ["own-results"],
        "users": ["alice", "bob"],
        "groups": ["science"],
        "serviceAccounts": ["ALICEKEY1"],
        "userPolicies": [{"alice": ["own-results"]}],
        "groupPolicies": [{"science": ["readonly"]}],
    }
    canned = ["consoleAdmin", "diagnostics", "readonly", "readwrite", "writeonly"]
    assert sorted(answer.json["skipped"]["policies"]) == canned
    users = root("GET", "list-users").unsealed
    assert users["alice"]["policyName"] == "own-results"
    assert users["alice"]["memberOf"] == ["science"]
    assert users["bob"]["status"] == "disabled"
    info = Client(fresh_server, "ALICEKEY1", "alicekeysecret1")("GET", "info-access-key").unsealed
    assert (info["parentUser"], info["name"]) == ("alice", "laptop")
    assert info["impliedPolicy"] is True
    again = root("PUT", "import-iam-v2", IAM).json
    assert again["failed"] == {}


def test_what_is_exported_comes_back_in_another_store(
    fresh_server: LiveServer, tmp_path: Path
) -> None:
    root = Client(fresh_server)
    assert root("PUT", "import-iam", IAM).status == 200
    keys = {"accessKey": "root-key", "secretKey": "root-key-secret"}
    assert root("PUT", "add-service-account", keys, sealed=True).status == 200
    root(
        "POST",
        "idp/builtin/policy/attach",
        {"policies": ["reader:b/p"], "user": "bob"},
        sealed=True,
    )
    exported = root("GET", "export-iam").body
    files = {name: json.loads(data) for name, data in unpacked(exported).items()}
    theirs = {name: json.loads(data) for name, data in unpacked(IAM).items()}
    assert files.keys() == theirs.keys()
    assert files["iam-assets/users.json"] == theirs["iam-assets/users.json"]
    key, their_key = (each["iam-assets/svcaccts.json"]["ALICEKEY1"] for each in (files, theirs))
    assert key == their_key
    with LiveServer(tmp_path / "other") as other:
        answer = Client(other)("PUT", "import-iam-v2", exported)
        assert answer.json["failed"] == {}
        again = Client(other)("GET", "export-iam").body
        for name, data in unpacked(again).items():
            document = json.loads(data)
            for item in (*document.values(), *files[name].values()):
                item.pop("updatedAt", None)
            assert document == files[name], name


def test_roots_keys_are_exported_for_root_alone(live_server: LiveServer) -> None:
    root = Client(live_server)
    keys = {"accessKey": "archive-root", "secretKey": "archive-root-secret"}
    assert root("PUT", "add-service-account", keys, sealed=True).status == 200
    chief = user(live_server, "archive-chief", "consoleAdmin")
    for client, there in ((root, True), (chief, False)):
        accounts = json.loads(
            unpacked(client("GET", "export-iam").body)["iam-assets/svcaccts.json"]
        )
        assert ("archive-root" in accounts) is there
    item = {"parent": ACCESS_KEY, "secretKey": "archive-root-taken", "status": "on"}
    archive = packed({"iam-assets/svcaccts.json": {"archive-root": item, "archive-more": item}})
    failed = chief("PUT", "import-iam-v2", archive).json["failed"]
    assert [entry["name"] for entry in failed["serviceAccounts"]] == [
        "archive-root",
        "archive-more",
    ]


@pytest.mark.parametrize(
    ("file", "kind", "item"),
    [
        ("policies", "policies", {"Version": "2012-10-17", "Statement": [{"Effect": "Maybe"}]}),
        ("policies", "policies", "text"),
        ("users", "users", {"secretKey": "short"}),
        ("users", "users", {"secretKey": 7}),
        ("groups", "groups", {"members": ["archive-nobody"]}),
        ("svcaccts", "serviceAccounts", {"parent": "archive-nobody", "secretKey": "long-enough"}),
        ("user_mappings", "userPolicies", {"policy": "readonly"}),
        ("group_mappings", "groupPolicies", {"policy": "readonly"}),
    ],
)
def test_what_cannot_be_taken_is_named_and_the_rest_is_taken(
    live_server: LiveServer, file: str, kind: str, item: Any
) -> None:
    good = {"secretKey": "archive-good-secret", "status": "enabled"}
    files: dict[str, Any] = {"users": {"archive-good": good}}
    files.setdefault(file, {})["archive-bad"] = item
    answer = import_iam(live_server, files)
    assert answer.status == 200
    (entry,) = answer.json["failed"][kind]
    assert entry["name"] == "archive-bad"
    assert entry["error"]
    assert answer.json["added"]["users"] == ["archive-good"]
    assets = {f"iam-assets/{name}.json": document for name, document in files.items()}
    first = Client(live_server)("PUT", "import-iam", packed(assets))
    assert (first.status, first.code) == (400, "InvalidRequest")
    assert "archive-bad" in first.json["Message"]


def test_policies_that_neve_gives_are_not_replaced(live_server: LiveServer) -> None:
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}],
    }
    failed = import_iam(live_server, {"policies": {"readwrite": document}}).json["failed"]
    assert [entry["name"] for entry in failed["policies"]] == ["readwrite"]


def test_root_is_not_made_a_user(live_server: LiveServer) -> None:
    answer = import_iam(live_server, {"users": {ACCESS_KEY: {"secretKey": "taken-over-secret"}}})
    assert [entry["name"] for entry in answer.json["failed"]["users"]] == [ACCESS_KEY]


def bomb(size: int, *, name: str = "iam-assets/users.json") -> bytes:
    return packed({name: b" " * size})


def lying(data: bytes) -> bytes:
    """The archive, whose directory and headers say that its file is small."""
    big = len(unpacked(data)["iam-assets/users.json"]).to_bytes(4, "little")
    return data.replace(big, (10).to_bytes(4, "little"))


@pytest.mark.parametrize("call", ["import-iam", "import-iam-v2", "import-bucket-metadata"])
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not a zip",
        IAM[:1000],
        IAM[:-10],
        b"PK\x05\x06" + bytes(18),
        bomb(9 << 20),
        packed({"iam-assets/users.json": b"{", "b-ad/policy.json": bytes(9 << 20)}),
    ],
    ids=["empty", "text", "cut", "cut-end", "nothing", "bomb", "broken"],
)
def test_broken_archives_and_bombs_are_refused_or_ignored(
    live_server: LiveServer, call: str, body: bytes
) -> None:
    answer = Client(live_server)("PUT", call, body)
    if answer.status == 200:
        # An archive without a file that the call knows of.
        assert call == "import-bucket-metadata" or body[:4] == b"PK\x05\x06"
        return
    assert answer.status == 400
    assert answer.code in ("InvalidRequest", "XMinioAdminConfigBadJSON")


def test_an_archive_that_lies_about_its_sizes_is_refused(live_server: LiveServer) -> None:
    answer = Client(live_server)("PUT", "import-iam-v2", lying(bomb(20 << 20)))
    assert (answer.status, answer.code) == (400, "InvalidRequest")


def test_archives_over_the_limit_are_refused_before_they_are_read(live_server: LiveServer) -> None:
    answer = Client(live_server)("PUT", "import-iam", bytes((32 << 20) + 1))
    assert (answer.status, answer.code) == (400, "XMinioAdminConfigTooLarge")


def test_bucket_settings_that_minio_exported_are_taken(fresh_server: LiveServer) -> None:
    root = Client(fresh_server)
    answer = root("PUT", "import-bucket-metadata?bucket=", BUCKETS)
    assert answer.status == 200
    report = answer.json["buckets"]
    assert report.keys() == {"archive", "portail-ing", "results"}
    portal = report["portail-ing"]
    for name in ("policy", "tagging", "notification", "quota"):
        assert portal[name] == {"isSet": True}, portal
    assert portal["cors"] == {"isSet": False}
    assert "error" not in portal
    s3 = fresh_server.client()
    tags = s3.get_bucket_tagging(Bucket="portail-ing")["TagSet"]
    assert tags == [{"Key": "team", "Value": "peach"}]
    policy = json.loads(s3.get_bucket_policy(Bucket="portail-ing")["Policy"])
    assert policy == json.loads(unpacked(BUCKETS)["portail-ing/policy.json"])
    assert root("GET", "get-bucket-quota?bucket=portail-ing").json["quota"] == 2147483648
    assert s3.get_bucket_versioning(Bucket="results")["Status"] == "Enabled"
    rules = s3.get_bucket_lifecycle_configuration(Bucket="results")["Rules"]
    assert [(rule["ID"], rule["Status"]) for rule in rules] == [
        ("old", "Enabled"),
        ("nc", "Enabled"),
    ]
    lock = s3.get_object_lock_configuration(Bucket="archive")["ObjectLockConfiguration"]
    assert lock["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": 1}
    assert "error" not in json.dumps(report)


def test_bucket_settings_come_back_in_another_store(
    fresh_server: LiveServer, tmp_path: Path
) -> None:
    s3 = fresh_server.client()
    s3.create_bucket(Bucket="full", ObjectOwnership="ObjectWriter")
    root = Client(fresh_server)
    root("PUT", "set-bucket-quota?bucket=full", {"quota": 1 << 30, "quotatype": "hard"})
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": "s3:GetObject",
                "Resource": "arn:aws:s3:::full/*",
            }
        ],
    }
    s3.put_bucket_policy(Bucket="full", Policy=json.dumps(policy))
    s3.put_bucket_tagging(Bucket="full", Tagging={"TagSet": [{"Key": "a", "Value": "b"}]})
    rule = {"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}
    s3.put_bucket_cors(Bucket="full", CORSConfiguration={"CORSRules": [rule]})
    s3.put_bucket_acl(Bucket="full", ACL="public-read")
    s3.put_public_access_block(
        Bucket="full", PublicAccessBlockConfiguration={"BlockPublicPolicy": True}
    )
    s3.put_bucket_lifecycle_configuration(
        Bucket="full",
        LifecycleConfiguration={
            "Rules": [
                {"ID": "r", "Filter": {}, "Status": "Enabled", "Expiration": {"Days": 9}},
            ]
        },
    )
    s3.create_bucket(Bucket="locked", ObjectLockEnabledForBucket=True)
    lock = {
        "ObjectLockEnabled": "Enabled",
        "Rule": {"DefaultRetention": {"Mode": "COMPLIANCE", "Days": 3}},
    }
    s3.put_object_lock_configuration(Bucket="locked", ObjectLockConfiguration=lock)
    exported = root("GET", "export-bucket-metadata").body
    files = unpacked(exported)
    assert {
        "full/policy.json",
        "full/lifecycle.xml",
        "locked/object-lock.xml",
        "locked/versioning.xml",
        "full/tagging.xml",
        "full/cors.xml",
        "full/quota.json",
        "full/acl.xml",
        "full/ownership.xml",
        "full/public-access-block.xml",
    } <= files.keys()
    with LiveServer(tmp_path / "other") as other:
        report = Client(other)("PUT", "import-bucket-metadata", exported).json["buckets"]
        assert "error" not in json.dumps(report)
        assert unpacked(Client(other)("GET", "export-bucket-metadata").body) == files


def test_one_bucket_of_an_archive_can_be_taken(fresh_server: LiveServer) -> None:
    root = Client(fresh_server)
    report = root("PUT", "import-bucket-metadata?bucket=portail-ing", BUCKETS).json["buckets"]
    assert list(report) == ["portail-ing"]
    names = [row["Name"] for row in fresh_server.client().list_buckets()["Buckets"]]
    assert names == ["portail-ing"]


def test_bad_settings_are_named_and_the_rest_is_taken(live_server: LiveServer) -> None:
    files = {
        "archive-mixed/policy.json": b"{}",
        "archive-mixed/tagging.xml": b"<Tagging><TagSet/></Tagging>",
        "archive-mixed/quota.json": {"quota": 5000, "quotatype": "hard"},
        "archive-mixed/neve-options.json": {"nonsense": True},
        "archive-mixed/unknown.json": {},
        "Bad_Bucket/policy.json": b"{}",
        "../policy.json": b"{}",
    }
    report = Client(live_server)("PUT", "import-bucket-metadata", packed(files)).json["buckets"]
    mixed = report["archive-mixed"]
    assert mixed["policy"]["error"]
    assert mixed["quota"] == {"isSet": True}
    assert "neve-options.json" in mixed["error"]
    assert report["Bad_Bucket"]["error"]
    assert report[".."]["error"]


def test_absent_buckets_cannot_be_exported(live_server: LiveServer) -> None:
    answer = Client(live_server)("GET", "export-bucket-metadata?bucket=absent-bucket")
    assert (answer.status, answer.code) == (404, "NoSuchBucket")

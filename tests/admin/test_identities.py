"""Users, groups, policies and access keys through the `minio` package's admin client."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from minio.error import MinioAdminException
from tests.admin.client import Client
from tests.admin.test_rights import user

from neve.iam.canned import canned_policies
from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until

READ_ONE = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::one/*"]}
    ],
}


def s3_of(server: LiveServer, access_key: str, secret_key: str) -> Any:
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
    )


def code_of(call: Any, *args: Any, **kwargs: Any) -> str:
    """The code of the error that a call of the `minio` package gets."""
    with pytest.raises(MinioAdminException) as caught:
        call(*args, **kwargs)
    found = re.search(r"Body: (\{.*\})", str(caught.value))
    assert found is not None
    return str(json.loads(found[1])["Code"])


def test_a_user_lives_from_its_making_to_its_end(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    admin.user_add("u-life", "u-life-secret")
    assert json.loads(admin.user_list())["u-life"]["status"] == "enabled"
    admin.attach_policy(["readwrite"], user="u-life")
    info = json.loads(admin.user_info("u-life"))
    assert info["policyName"] == "readwrite"
    assert info["status"] == "enabled"
    s3 = s3_of(live_server, "u-life", "u-life-secret")
    s3.create_bucket(Bucket="u-life-bucket")
    admin.user_disable("u-life")
    assert json.loads(admin.user_info("u-life"))["status"] == "disabled"
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()
    admin.user_enable("u-life")
    s3.list_buckets()
    admin.user_add("u-life", "another-secret")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        s3.list_buckets()
    admin.user_remove("u-life")
    assert "u-life" not in json.loads(admin.user_list())
    assert code_of(admin.user_info, "u-life") == "XMinioAdminNoSuchUser"


@pytest.mark.parametrize(
    ("name", "secret", "code"),
    [
        ("a", "long-enough-secret", "XMinioAdminInvalidAccessKey"),
        ("with space", "long-enough-secret", "XMinioAdminInvalidAccessKey"),
        ("u-short", "short", "XMinioAdminInvalidSecretKey"),
        (ACCESS_KEY, "long-enough-secret", "XMinioInvalidIAMCredentials"),
    ],
)
def test_bad_users_are_refused(live_server: LiveServer, name: str, secret: str, code: str) -> None:
    assert code_of(Client(live_server).minio().user_add, name, secret) == code


def test_errors_of_users_are_those_of_the_protocol(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    for call in (admin.user_disable, admin.user_enable, admin.user_remove, admin.user_info):
        assert code_of(call, "u-nobody") == "XMinioAdminNoSuchUser"
    client = Client(live_server)
    status = "set-user-status?accessKey=u-nobody&status="
    assert client("PUT", f"{status}sleeping").code == "XMinioAdminInvalidArgument"
    assert client("PUT", f"set-user-status?accessKey={ACCESS_KEY}&status=disabled").status == 403
    assert client("DELETE", f"remove-user?accessKey={ACCESS_KEY}").status == 403
    assert client("GET", "user-info").code == "XMinioAdminInvalidArgument"
    assert client("PUT", "add-user?accessKey=u-json", b"[1]", sealed=True).code == (
        "XMinioAdminConfigBadJSON"
    )
    assert client("PUT", "add-user?accessKey=u-json", {"secretKey": 5}, sealed=True).code == (
        "XMinioAdminConfigBadJSON"
    )
    assert client("PUT", "add-user?accessKey=u-json", {}, sealed=True).code == (
        "XMinioAdminInvalidSecretKey"
    )


def test_a_group_gives_its_policies_to_its_members_while_it_is_enabled(
    live_server: LiveServer,
) -> None:
    admin = Client(live_server).minio()
    members: Any = ["g-member", "g-other"]
    for name in members:
        admin.user_add(name, f"{name}-secret")
    admin.group_add("g-science", members)
    assert "g-science" in json.loads(admin.group_list())
    admin.attach_policy(["readwrite"], group="g-science")
    group = json.loads(admin.group_info("g-science"))
    assert (group["members"], group["policy"]) == (["g-member", "g-other"], "readwrite")
    assert json.loads(admin.user_info("g-member"))["memberOf"] == ["g-science"]
    s3 = s3_of(live_server, "g-member", "g-member-secret")
    s3.create_bucket(Bucket="g-member-bucket")
    admin.group_disable("g-science")
    assert json.loads(admin.group_info("g-science"))["status"] == "disabled"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket="g-member-bucket", Key="k")
    admin.group_enable("g-science")
    s3.put_object(Bucket="g-member-bucket", Key="k")
    assert code_of(admin.group_remove, "g-science") == "XMinioAdminGroupNotEmpty"
    admin.group_remove("g-science", members)
    admin.group_remove("g-science")
    assert code_of(admin.group_info, "g-science") == "XMinioAdminNoSuchGroup"
    absent: Any = ["g-nobody"]
    assert code_of(admin.group_add, "g-new", absent) == "XMinioAdminNoSuchUser"
    assert "g-new" not in json.loads(admin.group_list())


def test_policies_are_made_shown_attached_and_removed(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    admin.policy_add("p-one", policy=READ_ONE)
    assert json.loads(admin.policy_list())["p-one"] == READ_ONE
    assert json.loads(admin.policy_info("p-one")) == READ_ONE
    answer = Client(live_server)("GET", "info-canned-policy?name=p-one&v=2").json
    assert (answer["PolicyName"], answer["Policy"]) == ("p-one", READ_ONE)
    assert answer["CreateDate"] <= answer["UpdateDate"]
    admin.user_add("p-user", "p-user-secret")
    admin.policy_set("p-one", user="p-user")
    assert json.loads(admin.user_info("p-user"))["policyName"] == "p-one"
    assert code_of(admin.policy_remove, "p-one") == "XMinioIAMPolicyInUse"
    admin.policy_set(["readonly", "writeonly"], user="p-user")
    assert json.loads(admin.user_info("p-user"))["policyName"] == "readonly,writeonly"
    admin.policy_remove("p-one")
    assert code_of(admin.policy_info, "p-one") == "XMinioAdminNoSuchPolicy"


def test_canned_policies_are_there_and_stay(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    listed = json.loads(admin.policy_list())
    for policy in canned_policies():
        assert listed[policy.name] == json.loads(policy.document)
    assert code_of(admin.policy_remove, "readonly") == "XMinioInvalidResource"
    assert code_of(admin.policy_add, "readonly", policy=READ_ONE) == "XMinioInvalidResource"


def test_attaching_answers_what_changed(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    admin.user_add("at-user", "at-user-secret")
    done = json.loads(admin.attach_policy(["readonly", "writeonly"], user="at-user"))
    assert done["policiesAttached"] == ["readonly", "writeonly"]
    done = json.loads(admin.attach_policy(["readonly", "reader"], user="at-user"))
    assert done["policiesAttached"] == ["reader"]
    already = code_of(admin.attach_policy, ["reader"], user="at-user")
    assert already == "XMinioAdminPolicyChangeAlreadyApplied"
    done = json.loads(admin.detach_policy(["readonly", "readwrite"], user="at-user"))
    assert done["policiesDetached"] == ["readonly"]
    for call in (admin.attach_policy, admin.detach_policy):
        assert code_of(call, ["nonsense"], user="at-user") == "XMinioAdminNoSuchPolicy"
        assert code_of(call, ["reader"], user="at-nobody") == "XMinioAdminNoSuchUser"
        assert code_of(call, ["reader"], group="at-nobody") == "XMinioAdminNoSuchGroup"
        assert code_of(call, [], user="at-user") == "XMinioAdminInvalidArgument"


def test_entities_are_listed_by_policy_user_and_group(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    admin.policy_add("e-policy", policy=READ_ONE)
    admin.user_add("e-user", "e-user-secret")
    members: Any = ["e-user"]
    admin.group_add("e-group", members)
    admin.attach_policy(["e-policy"], user="e-user")
    admin.attach_policy(["e-policy", "reader:e-bucket/x"], group="e-group")
    found = json.loads(admin.get_policy_entities([], [], []))
    rows = {row["policy"]: row for row in found["policyMappings"]}
    assert rows["e-policy"] == {"policy": "e-policy", "users": ["e-user"], "groups": ["e-group"]}
    assert rows["reader:e-bucket/x"]["groups"] == ["e-group"]
    found = json.loads(admin.get_policy_entities(["e-user", "e-nobody"], ["e-group"], ["e-policy"]))
    groups = [{"group": "e-group", "policies": ["e-policy", "reader:e-bucket/x"]}]
    assert found["userMappings"] == [
        {"user": "e-user", "policies": ["e-policy"], "memberOfMappings": groups}
    ]
    assert found["groupMappings"] == groups
    assert [row["policy"] for row in found["policyMappings"]] == ["e-policy"]


def test_an_access_key_lives_from_its_making_to_its_end(live_server: LiveServer) -> None:
    root = Client(live_server).minio()
    root.user_add("k-user", "k-user-secret")
    root.attach_policy(["readwrite"], user="k-user")
    own = Client(live_server, "k-user", "k-user-secret").minio()
    made = json.loads(own.add_service_account(name="laptop", description="a notebook"))
    keys = made["credentials"]
    assert re.fullmatch("[A-Z0-9]{20}", keys["accessKey"])
    assert len(keys["secretKey"]) == 40
    s3 = s3_of(live_server, keys["accessKey"], keys["secretKey"])
    s3.create_bucket(Bucket="k-user-bucket")
    (row,) = json.loads(own.list_service_account("k-user"))["accounts"]
    assert row["accessKey"] == keys["accessKey"]
    assert (row["name"], row["description"]) == ("laptop", "a notebook")
    assert row["impliedPolicy"] is True
    assert "secretKey" not in json.dumps(row)
    info = json.loads(own.get_service_account(keys["accessKey"]))
    assert (info["parentUser"], info["accountStatus"]) == ("k-user", "on")
    assert "s3:*" in info["policy"]
    own.update_service_account(access_key=keys["accessKey"], policy=READ_ONE, status="off")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()
    own.update_service_account(access_key=keys["accessKey"], status="on", secret_key="k-new-secret")
    s3 = s3_of(live_server, keys["accessKey"], "k-new-secret")
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.put_object(Bucket="k-user-bucket", Key="k")
    info = json.loads(own.get_service_account(keys["accessKey"]))
    assert info["impliedPolicy"] is False
    assert json.loads(info["policy"]) == READ_ONE
    own.delete_service_account(keys["accessKey"])
    assert json.loads(own.list_service_account("k-user"))["accounts"] == []
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3.list_buckets()


def test_access_keys_expire_and_end_with_their_user(live_server: LiveServer) -> None:
    client = Client(live_server)
    root = client.minio()
    root.user_add("x-user", "x-user-secret")
    document = {
        "targetUser": "x-user",
        "accessKey": "x-key",
        "secretKey": "x-key-secret",
        "expiration": "2099-01-01T00:00:00Z",
    }
    made = client("PUT", "add-service-account", document, sealed=True).unsealed
    assert made["credentials"]["expiration"] == "2099-01-01T00:00:00Z"
    info = json.loads(root.get_service_account("x-key"))
    assert info["expiration"] == "2099-01-01T00:00:00Z"
    past = {**document, "accessKey": "x-past", "expiration": "2001-01-01T00:00:00Z"}
    answer = client("PUT", "add-service-account", past, sealed=True)
    assert answer.code == "XMinioAdminInvalidArgument"
    root.user_remove("x-user")
    assert Client(live_server, "x-key", "x-key-secret")("GET", "accountinfo").code == (
        "InvalidAccessKeyId"
    )


@pytest.mark.parametrize("policy", ["readonly", ""])
def test_users_without_any_right_but_reading_make_temporary_keys(
    live_server: LiveServer, policy: str
) -> None:
    """For themselves, with no more rights than they have; a bucket's policy counts as well."""
    name, bucket = f"temporary-{policy or 'none'}", f"temporary-{policy or 'none'}"
    own = user(live_server, name, *filter(None, [policy]))
    s3 = live_server.client()
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"1")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::000000000000:user/{name}"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Statement": [statement]}))
    hour = datetime.now(UTC) + timedelta(hours=1)
    document = {"expiration": hour.isoformat(timespec="seconds"), "name": "for-an-hour"}
    answer = own("PUT", "add-service-account", document, sealed=True)
    assert answer.status == 200, answer.body
    made = answer.unsealed["credentials"]
    key = live_server.client(
        aws_access_key_id=made["accessKey"], aws_secret_access_key=made["secretKey"]
    )
    assert key.get_object(Bucket=bucket, Key="k")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="AccessDenied"):
        key.put_object(Bucket=bucket, Key="k", Body=b"2")
    (row,) = own("GET", "list-service-accounts").unsealed["accounts"]
    assert (row["accessKey"], row["name"]) == (made["accessKey"], "for-an-hour")
    assert row["expiration"].startswith(hour.isoformat()[:16])
    soon = datetime.now(UTC) + timedelta(seconds=5)
    update = f"update-service-account?accessKey={made['accessKey']}"
    assert own("POST", update, {"newExpiration": soon.isoformat()}, sealed=True).status == 204
    caller = Client(live_server, made["accessKey"], made["secretKey"])
    asks: dict[str, Any] = {"asks": []}
    wait_until(lambda: caller("POST", "neve/can", asks).code == "InvalidAccessKeyId")


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"targetUser": "nobody-here"}, "XMinioAdminNoSuchUser"),
        ({"accessKey": "key-alone"}, "XMinioAdminNoSecretKey"),
        ({"secretKey": "secret-alone"}, "XMinioAdminNoAccessKey"),
        ({"accessKey": "k", "secretKey": "long-enough"}, "XMinioAdminInvalidAccessKey"),
        ({"accessKey": "key-short", "secretKey": "short"}, "XMinioAdminInvalidSecretKey"),
        ({"accessKey": ACCESS_KEY, "secretKey": "x" * 9}, "XMinioIAMServiceAccountNotAllowed"),
        ({"policy": {"Version": "2012-10-17", "Statement": [{}]}}, "XMinioMalformedIAMPolicy"),
        ({"policy": "readonly"}, "XMinioMalformedIAMPolicy"),
        ({"expiration": "tomorrow"}, "XMinioAdminInvalidArgument"),
        ({"name": "1 bad name"}, "XMinioAdminInvalidArgument"),
        ({"status": "asleep"}, "XMinioAdminInvalidArgument"),
        ({"name": ["x"]}, "XMinioAdminConfigBadJSON"),
    ],
)
def test_bad_access_keys_are_refused(
    live_server: LiveServer, document: dict[str, Any], code: str
) -> None:
    client = Client(live_server)
    assert client("PUT", "add-service-account", document, sealed=True).code == code


def test_absent_access_keys_are_not_found(live_server: LiveServer) -> None:
    client = Client(live_server)
    for method, path in (
        ("GET", "info-service-account"),
        ("DELETE", "delete-service-account"),
        ("POST", "update-service-account"),
    ):
        answer = client(method, f"{path}?accessKey=absent-key", {"newName": "x"}, sealed=True)
        assert (answer.status, answer.code) == (404, "XMinioInvalidIAMCredentials"), path
    for path in ("info-access-key", "temporary-account-info"):
        answer = client("GET", f"{path}?accessKey=absent-key")
        assert (answer.status, answer.code) == (404, "XMinioAdminNoSuchAccessKey")


def test_access_keys_are_listed_for_many(live_server: LiveServer) -> None:
    root = Client(live_server)
    admin = root.minio()
    for name in ("b-one", "b-two", "b-none"):
        admin.user_add(name, f"{name}-secret")
    for name in ("b-one", "b-two"):
        own = Client(live_server, name, f"{name}-secret")
        keys = {"accessKey": f"{name}-key", "secretKey": f"{name}-key-secret"}
        assert own("PUT", "add-service-account", keys, sealed=True).status == 200
    path = "list-access-keys-bulk?listType="
    found = root("GET", f"{path}all&all=true").unsealed
    assert {"b-one", "b-two", "b-none", ACCESS_KEY} <= found.keys()
    assert found["b-none"] == {"serviceAccounts": [], "stsKeys": []}
    found = root("GET", f"{path}svcacc-only&users=b-one&users=b-none&users=b-nobody").unsealed
    assert {name: len(rows["serviceAccounts"]) for name, rows in found.items()} == {"b-one": 1}
    own = Client(live_server, "b-one", "b-one-secret")
    found = own("GET", f"{path}all").unsealed
    assert [row["accessKey"] for row in found["b-one"]["serviceAccounts"]] == ["b-one-key"]
    assert own("GET", f"{path}all&all=true").code == "AccessDenied"
    assert own("GET", f"{path}all&users=b-two").code == "AccessDenied"
    assert root("GET", f"{path}nonsense").code == "InvalidRequest"
    assert root("GET", f"{path}all&all=true&users=b-one").code == "InvalidRequest"


def test_info_without_an_id_is_about_the_key_that_signed(live_server: LiveServer) -> None:
    Client(live_server).minio().user_add("i-user", "i-user-secret")
    keys = {"accessKey": "i-key", "secretKey": "i-key-secret"}
    user = Client(live_server, "i-user", "i-user-secret")
    assert user("PUT", "add-service-account", keys, sealed=True).status == 200
    found = Client(live_server, "i-key", "i-key-secret")("GET", "info-access-key").unsealed
    assert (found["AccessKey"], found["parentUser"]) == ("i-key", "i-user")
    assert user("GET", "info-access-key").code == "XMinioAdminNoSuchAccessKey"


def test_roots_own_access_keys_are_made_for_root(live_server: LiveServer) -> None:
    admin = Client(live_server).minio()
    made = json.loads(admin.add_service_account(access_key="r-key", secret_key="r-key-secret"))
    assert made["credentials"]["accessKey"] == "r-key"
    assert json.loads(admin.get_service_account("r-key"))["parentUser"] == ACCESS_KEY
    assert Client(live_server, "r-key", "r-key-secret")("GET", "list-users").status == 200
    admin.delete_service_account("r-key")


def test_no_secret_is_in_any_answer_but_that_which_makes_a_key(live_server: LiveServer) -> None:
    client = Client(live_server)
    admin = client.minio()
    admin.user_add("s-user", "s-user-very-secret")
    keys = {"targetUser": "s-user", "accessKey": "s-key", "secretKey": "s-key-very-secret"}
    client("PUT", "add-service-account", keys, sealed=True)
    for path in (
        "list-users",
        "info-service-account?accessKey=s-key",
        "info-access-key?accessKey=s-key",
        "list-service-accounts?user=s-user",
        "list-access-keys-bulk?listType=all&all=true",
    ):
        answer = client("GET", path)
        assert answer.status == 200, path
        text = answer.plain + answer.body
        assert b"very-secret" not in text, path
        assert SECRET_KEY.encode() not in text, path
    for path in ("user-info?accessKey=s-user", "accountinfo", "info"):
        assert b"secret" not in client("GET", path).body.lower(), path
    log = live_server.log.read_text()
    assert "very-secret" not in log


def test_what_would_be_another_call_is_not_taken_for_this_one(live_server: LiveServer) -> None:
    """MinIO lists with `bucket` only those who can reach it."""
    client = Client(live_server)
    for path in ("list-users?bucket=b", "list-canned-policies?bucket=b"):
        assert client("GET", path).code == "NotImplemented"

"""Every method of the `minio` package's admin client, in the order of one administrator's day."""

import inspect
import json
from typing import Any

import pytest
from minio import MinioAdmin
from minio.datatypes import PeerInfo, PeerSite, SiteReplicationStatusOptions
from minio.error import MinioAdminException
from tests.admin.client import Client

from neve.testing.server import LiveServer

READING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:GetObject"], "Resource": ["*"]}],
}
MEMBERS: Any = ["day-user"]
PEER = PeerSite("site", "http://127.0.0.1:1", "access", "secret-key")
INFO = PeerInfo("deployment", "http://127.0.0.1:1", "2", "2", "2")

SERVED: tuple[tuple[str, tuple[Any, ...], dict[str, Any]], ...] = (
    ("info", (), {}),
    ("account_info", (), {}),
    ("account_info", (True,), {}),
    ("get_data_usage_info", (), {}),
    ("user_add", ("day-user", "day-user-secret"), {}),
    ("user_disable", ("day-user",), {}),
    ("user_enable", ("day-user",), {}),
    ("user_info", ("day-user",), {}),
    ("user_list", (), {}),
    ("group_add", ("day-group", MEMBERS), {}),
    ("group_disable", ("day-group",), {}),
    ("group_enable", ("day-group",), {}),
    ("group_info", ("day-group",), {}),
    ("group_list", (), {}),
    ("policy_add", ("day-policy",), {"policy": READING}),
    ("policy_info", ("day-policy",), {}),
    ("policy_list", (), {}),
    ("policy_set", ("day-policy",), {"user": "day-user"}),
    ("policy_unset", ("day-policy",), {"user": "day-user"}),
    ("attach_policy", (["day-policy"],), {"group": "day-group"}),
    ("get_policy_entities", (["day-user"], ["day-group"], ["day-policy"]), {}),
    ("detach_policy", (["day-policy"],), {"group": "day-group"}),
    ("policy_remove", ("day-policy",), {}),
    ("add_service_account", (), {"access_key": "day-key", "secret_key": "day-key-secret"}),
    ("update_service_account", (), {"access_key": "day-key", "name": "renamed"}),
    ("get_service_account", ("day-key",), {}),
    ("list_service_account", ("day-user",), {}),
    ("delete_service_account", ("day-key",), {}),
    ("bucket_quota_set", ("day-bucket", 1 << 30), {}),
    ("bucket_quota_get", ("day-bucket",), {}),
    ("bucket_quota_clear", ("day-bucket",), {}),
    ("config_get", (), {}),
    ("config_get", ("site",), {}),
    ("config_history", (), {}),
    ("group_remove", ("day-group", MEMBERS), {}),
    ("group_remove", ("day-group",), {}),
    ("user_remove", ("day-user",), {}),
)
REFUSED: tuple[tuple[str, tuple[Any, ...], dict[str, Any], str], ...] = (
    ("config_set", ("site", {"region": "x"}), {}, "XMinioConfigError"),
    ("config_reset", ("site",), {}, "XMinioConfigError"),
    ("config_restore", ("1",), {}, "XMinioConfigError"),
    ("update", (), {}, "NotImplemented"),
    ("top_locks", (), {}, "NotImplemented"),
    ("profile_start", (("cpu",),), {}, "NotImplemented"),
    ("kms_key_create", ("key",), {}, "NotImplemented"),
    ("kms_key_status", ("key",), {}, "NotImplemented"),
    ("attach_policy_ldap", (["readonly"],), {"user": "u"}, "NotImplemented"),
    ("detach_policy_ldap", (["readonly"],), {"user": "u"}, "NotImplemented"),
    ("list_access_keys_ldap", ("u", "all"), {}, "NotImplemented"),
    ("list_access_keys_ldap_bulk", (["u"], "all", False), {}, "NotImplemented"),
    ("add_site_replication", ([PEER],), {}, "NotImplemented"),
    ("edit_site_replication", (INFO,), {}, "NotImplemented"),
    ("get_site_replication_info", (), {}, "NotImplemented"),
    ("get_site_replication_status", (SiteReplicationStatusOptions(),), {}, "NotImplemented"),
    ("remove_site_replication", (), {"all_sites": True}, "NotImplemented"),
)
ELSEWHERE = {"service_restart", "service_stop", "set_app_info", "trace_on", "trace_off"}
"""In `test_server_calls`, or without a request."""


def test_every_method_is_here() -> None:
    methods = {
        name
        for name, _ in inspect.getmembers(MinioAdmin, inspect.isfunction)
        if not name.startswith("_")
    }
    assert methods == {row[0] for row in (*SERVED, *REFUSED)} | ELSEWHERE


def test_what_is_served_succeeds_from_first_to_last(live_server: LiveServer) -> None:
    live_server.client().create_bucket(Bucket="day-bucket")
    admin = Client(live_server).minio()
    for name, args, kwargs in SERVED:
        text = getattr(admin, name)(*args, **kwargs)
        if text and not name.startswith("config_get"):
            json.loads(text)


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: row[0])
def test_what_is_refused_says_why(live_server: LiveServer, row: tuple[Any, ...]) -> None:
    name, args, kwargs, code = row
    admin = Client(live_server).minio()
    # The package asks again and again after a 501 or 503 unless it is told not to.
    admin._http.connection_pool_kw["retries"] = False
    with pytest.raises(MinioAdminException, match=code):
        getattr(admin, name)(*args, **kwargs)

"""The route table of the admin protocol: every call, how a request names it, who may make it.

The table is data. A row without a module is a call that is known and answers NotImplemented.
A row with `own` is also open to users for what is theirs: its function asks for the right itself.
A row without an action is open to everybody, who does not sign included.
A path may end in `*`: the rest is an argument of the call (`AdminCall.rest`).
"""

from typing import NamedTuple

PREFIX = b"/minio/admin/"
VERSION = "v3"


class Route(NamedTuple):
    """One call: `name` in snake case is the function in `neve.admin.<module>` that answers it."""

    name: str
    method: str
    path: str
    """Under `/minio/admin/v3/`."""
    action: str
    """What policies call the right to make it; empty when nobody needs one."""
    module: str = ""
    own: bool = False
    """Its function checks the right, because users may make it for what is their own."""


def _row(name: str, request: str, action: str, module: str = "", own: bool = False) -> Route:
    method, _, path = request.partition(" ")
    return Route(name, method, path, action and f"admin:{action}", module, own)


_IDENTITIES = (
    _row("AddUser", "PUT add-user", "CreateUser", "users", own=True),
    _row("ListUsers", "GET list-users", "ListUsers", "users"),
    _row("GetUserInfo", "GET user-info", "GetUser", "users", own=True),
    _row("SetUserStatus", "PUT set-user-status", "EnableUser", "users"),
    _row("RemoveUser", "DELETE remove-user", "DeleteUser", "users"),
    _row("UpdateGroupMembers", "PUT update-group-members", "AddUserToGroup", "groups"),
    _row("GetGroup", "GET group", "GetGroup", "groups"),
    _row("ListGroups", "GET groups", "ListGroups", "groups"),
    _row("SetGroupStatus", "PUT set-group-status", "EnableGroup", "groups"),
    _row("AddCannedPolicy", "PUT add-canned-policy", "CreatePolicy", "policies"),
    _row("ListCannedPolicies", "GET list-canned-policies", "ListUserPolicies", "policies"),
    _row("InfoCannedPolicy", "GET info-canned-policy", "GetPolicy", "policies"),
    _row("RemoveCannedPolicy", "DELETE remove-canned-policy", "DeletePolicy", "policies"),
    _row(
        "SetPolicyForUserOrGroup",
        "PUT set-user-or-group-policy",
        "AttachUserOrGroupPolicy",
        "policies",
    ),
    _row("AttachPolicy", "POST idp/builtin/policy/attach", "UpdatePolicyAssociation", "policies"),
    _row("DetachPolicy", "POST idp/builtin/policy/detach", "UpdatePolicyAssociation", "policies"),
    _row("ListPolicyEntities", "GET idp/builtin/policy-entities", "ListUserPolicies", "policies"),
    _row("AddServiceAccount", "PUT add-service-account", "CreateServiceAccount", "keys", own=True),
    _row(
        "UpdateServiceAccount",
        "POST update-service-account",
        "UpdateServiceAccount",
        "keys",
        own=True,
    ),
    _row("InfoServiceAccount", "GET info-service-account", "ListServiceAccounts", "keys", own=True),
    _row(
        "ListServiceAccounts", "GET list-service-accounts", "ListServiceAccounts", "keys", own=True
    ),
    _row(
        "DeleteServiceAccount",
        "DELETE delete-service-account",
        "RemoveServiceAccount",
        "keys",
        own=True,
    ),
    _row("InfoAccessKey", "GET info-access-key", "ListServiceAccounts", "keys", own=True),
    _row(
        "ListAccessKeysBulk", "GET list-access-keys-bulk", "ListServiceAccounts", "keys", own=True
    ),
    _row("TemporaryAccountInfo", "GET temporary-account-info", "ListTemporaryAccounts", "keys"),
    _row("ExplainAccess", "GET neve/explain", "GetUser", "access", own=True),
    _row("BucketAccess", "GET neve/access", "ListUserPolicies", "bucket_access", own=True),
    _row("CanDo", "POST neve/can", "", "can"),
    _row("ExportIam", "GET export-iam", "ExportIAM", "iam_archive"),
    _row("ImportIam", "PUT import-iam", "ImportIAM", "iam_archive"),
    _row("ImportIamV2", "PUT import-iam-v2", "ImportIAM", "iam_archive"),
    _row("RevokeTokens", "POST revoke-tokens/*", "RemoveServiceAccount"),
    *(
        _row(f"{verb}IdentityProvider", f"{method} idp-config/*", "ConfigUpdate")
        for verb, method in (
            ("Get", "GET"),
            ("Add", "PUT"),
            ("Update", "POST"),
            ("Delete", "DELETE"),
        )
    ),
    _row("GetLdap", "GET idp/ldap/*", "ListUserPolicies"),
    _row("PutLdap", "PUT idp/ldap/*", "CreateServiceAccount"),
    _row("PostLdap", "POST idp/ldap/*", "UpdatePolicyAssociation"),
    _row("GetOpenid", "GET idp/openid/*", "ListUserPolicies"),
)

_BUCKETS = (
    _row("BucketsInfo", "GET neve/buckets", "DataUsageInfo", "buckets", own=True),
    _row("UsageInfo", "GET neve/usage", "DataUsageInfo", "buckets", own=True),
    _row("GetBucketQuota", "GET get-bucket-quota", "GetBucketQuota", "quotas"),
    _row("SetBucketQuota", "PUT set-bucket-quota", "SetBucketQuota", "quotas"),
    _row(
        "ExportBucketMetadata",
        "GET export-bucket-metadata",
        "ExportBucketMetadata",
        "bucket_archive",
    ),
    _row(
        "ImportBucketMetadata",
        "PUT import-bucket-metadata",
        "ImportBucketMetadata",
        "bucket_archive",
    ),
    _row("ListRemoteTargets", "GET list-remote-targets", "GetBucketTarget"),
    _row("SetRemoteTarget", "PUT set-remote-target", "SetBucketTarget"),
    _row("RemoveRemoteTarget", "DELETE remove-remote-target", "SetBucketTarget"),
    _row("ReplicationDiff", "POST replication/diff", "ReplicationDiff"),
    _row("ReplicationBacklog", "GET replication/mrf", "ReplicationDiff"),
    _row("ListTiers", "GET tier", "ListTier"),
    _row("AddTier", "PUT tier", "SetTier"),
    _row("EditTier", "POST tier/*", "SetTier"),
    _row("VerifyTier", "GET tier/*", "ListTier"),
    _row("RemoveTier", "DELETE tier/*", "SetTier"),
    _row("TierStats", "GET tier-stats", "ListTier"),
)

_SERVER = (
    _row("AccountInfo", "GET accountinfo", "AccountInfo", "info", own=True),
    _row("ServerInfo", "GET info", "ServerInfo", "info"),
    _row("StorageInfo", "GET storageinfo", "StorageInfo", "info"),
    _row("DataUsageInfo", "GET datausageinfo", "DataUsageInfo", "info"),
    _row("Service", "POST service", "ServiceRestart", "service", own=True),
    _row("Update", "POST update", "ServerUpdate"),
    _row("GetConfig", "GET config", "ConfigUpdate", "configuration"),
    _row("SetConfig", "PUT config", "ConfigUpdate", "configuration"),
    _row("GetConfigKv", "GET get-config-kv", "ConfigUpdate", "configuration"),
    _row("SetConfigKv", "PUT set-config-kv", "ConfigUpdate", "configuration"),
    _row("DelConfigKv", "DELETE del-config-kv", "ConfigUpdate", "configuration"),
    _row("HelpConfigKv", "GET help-config-kv", "ConfigUpdate", "configuration"),
    _row("ListConfigHistoryKv", "GET list-config-history-kv", "ConfigUpdate", "configuration"),
    _row("ClearConfigHistoryKv", "DELETE clear-config-history-kv", "ConfigUpdate", "configuration"),
    _row(
        "RestoreConfigHistoryKv", "PUT restore-config-history-kv", "ConfigUpdate", "configuration"
    ),
    _row("Trace", "GET trace", "ServerTrace", "streams"),
    _row("ConsoleLog", "GET log", "ConsoleLog", "streams"),
    _row("Logs", "GET neve/logs", "ConsoleLog", "logs"),
    _row("History", "GET neve/history", "ServerInfo", "history"),
    _row("SearchAudit", "GET neve/audit", "AuditLog", "audit"),
    _row("Upkeep", "GET neve/upkeep", "ServerInfo", "upkeep"),
    _row("Metrics", "GET metrics", "ServerInfo"),
    _row("HealthInfo", "GET healthinfo", "OBDInfo"),
    _row("ObdInfo", "GET obdinfo", "OBDInfo"),
    _row("InspectData", "GET inspect-data", "InspectData"),
    _row("InspectDataPost", "POST inspect-data", "InspectData"),
    _row("Heal", "POST heal/*", "Heal"),
    _row("BackgroundHealStatus", "POST background-heal/status", "Heal"),
    _row("TopLocks", "GET top/locks", "TopLocksInfo"),
    _row("ForceUnlock", "POST force-unlock", "ForceUnlock"),
    _row("ProfilingStart", "POST profiling/start", "Profiling"),
    _row("ProfilingDownload", "GET profiling/download", "Profiling"),
    _row("Profile", "POST profile", "Profiling"),
    _row("Speedtest", "POST speedtest", "OBDInfo"),
    _row("SpeedtestOf", "POST speedtest/*", "OBDInfo"),
    _row("BandwidthMonitor", "GET bandwidth", "BandwidthMonitor"),
)

_CLUSTER = (
    _row("ListPools", "GET pools/list", "Decommission"),
    _row("PoolStatus", "GET pools/status", "Decommission"),
    _row("DecommissionPool", "POST pools/decommission", "Decommission"),
    _row("CancelDecommission", "POST pools/cancel", "Decommission"),
    _row("StartRebalance", "POST rebalance/start", "Rebalance"),
    _row("RebalanceStatus", "GET rebalance/status", "Rebalance"),
    _row("StopRebalance", "POST rebalance/stop", "Rebalance"),
    _row("StartBatchJob", "POST start-job", "StartBatchJob"),
    _row("ListBatchJobs", "GET list-jobs", "ListBatchJobs"),
    _row("BatchJobStatus", "GET status-job", "ListBatchJobs"),
    _row("DescribeBatchJob", "GET describe-job", "DescribeBatchJob"),
    _row("CancelBatchJob", "DELETE cancel-job", "CancelBatchJob"),
    _row("SiteReplicationRead", "GET site-replication/*", "SiteReplicationInfo"),
    _row("SiteReplicationWrite", "PUT site-replication/*", "SiteReplicationAdd"),
    _row("SiteReplicationTest", "POST site-replication/*", "SiteReplicationOperation"),
    _row("KmsStatus", "POST kms/status", "KMSKeyStatus"),
    _row("KmsCreateKey", "POST kms/key/create", "KMSCreateKey"),
    _row("KmsKeyStatus", "GET kms/key/status", "KMSKeyStatus"),
)

ROUTES: tuple[Route, ...] = (*_IDENTITIES, *_BUCKETS, *_SERVER, *_CLUSTER)

_EXACT = {(route.method, route.path): route for route in ROUTES if route.path[-1] != "*"}
_OPEN = {(route.method, route.path[:-1]): route for route in ROUTES if route.path[-1] == "*"}
_PATHS = frozenset(route.path.rstrip("*") for route in ROUTES)


def find_route(method: str, path: str) -> tuple[Route, str] | None:
    """Return the call that a request names, and the rest of its path."""
    route = _EXACT.get((method, path))
    if route is not None:
        return route, ""
    end = path.rfind("/") + 1
    while end > 0:
        route = _OPEN.get((method, path[:end]))
        if route is not None:
            return route, path[end:]
        end = path.rfind("/", 0, end - 1) + 1
    return None


def knows_path(path: str) -> bool:
    """Say whether some call has this path, with another method."""
    return path in _PATHS

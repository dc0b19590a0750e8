"""AccountInfo, ServerInfo, StorageInfo, DataUsageInfo: what the server is and what it holds.

Neve shows itself as one server with one drive, which is its folder: what `mc admin info` prints of
pools and erasure sets is that one drive. All usage comes from exact counters, none is estimated.
"""

import asyncio
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from neve import __version__
from neve.admin.call import AdminCall, json_response, time_text
from neve.admin.quotas import quota_document
from neve.admin.rights import policy_of_caller, reach
from neve.answer import Response
from neve.clock import now_us
from neve.folder import store_id

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket

BUCKETS_AT_ONCE = 100
"""Between two of these other requests get their turn."""

_ERASURE = 2
"""The backend's type in numbers: clients print drives of no other."""


class _Disk(NamedTuple):
    total: int
    free: int
    inodes_used: int
    inodes_free: int


class _Usage(NamedTuple):
    objects: int = 0
    size: int = 0
    versions: int = 0
    """Current objects and noncurrent versions."""
    markers: int = 0


async def server_info(call: AdminCall) -> Response:
    """Return the state of the server, its drive and the sums of all buckets."""
    buckets = await _usages(call)
    usage = _sum(buckets.values())
    disk = _disk(call.node.config.folder)
    host = _host(call)
    document = {
        "mode": "online",
        "region": call.node.config.region,
        "deploymentID": deployment(call),
        "buckets": {"count": len(buckets)},
        "objects": {"count": usage.objects},
        "versions": {"count": usage.versions},
        "deletemarkers": {"count": usage.markers},
        "usage": {"size": usage.size},
        "services": {"kms": {}, "ldap": {}},
        "backend": {
            "backendType": "Erasure",
            "onlineDisks": 1,
            "offlineDisks": 0,
            "standardSCParity": 0,
            "rrSCParity": 0,
            "totalSets": [1],
            "totalDrivesPerSet": [1],
        },
        "servers": [_server(call, host, disk)],
        "pools": {
            "0": {
                "0": {
                    "id": 0,
                    "rawUsage": disk.total - disk.free,
                    "rawCapacity": disk.total,
                    "usage": usage.size,
                    "objectsCount": usage.objects,
                    "versionsCount": usage.versions,
                    "deleteMarkersCount": usage.markers,
                    "healDisks": 0,
                }
            }
        },
    }
    return json_response(document)


def storage_info(call: AdminCall) -> Response:
    """Return the drive and how much of it is free."""
    disk = _disk(call.node.config.folder)
    return json_response({"Disks": [_drive(call, disk)], "Backend": _backend()})


async def data_usage_info(call: AdminCall) -> Response:
    """Return objects and bytes of every bucket, and the capacity of the drive."""
    buckets = await _usages(call)
    total = _sum(buckets.values())
    disk = _disk(call.node.config.folder)
    document = {
        "lastUpdate": time_text(now_us()),
        "objectsCount": total.objects,
        "versionsCount": total.versions,
        "deleteMarkersCount": total.markers,
        "objectsTotalSize": total.size,
        "objectsReplicationInfo": None,
        "bucketsCount": len(buckets),
        "bucketsUsageInfo": {
            name: {
                "size": usage.size,
                "objectsCount": usage.objects,
                "versionsCount": usage.versions,
                "deleteMarkersCount": usage.markers,
            }
            for name, usage in buckets.items()
        },
        "bucketsSizes": {name: usage.size for name, usage in buckets.items()},
    }
    if call.flag("capacity"):
        document["capacity"] = disk.total
        document["freeCapacity"] = disk.free
        document["usedCapacity"] = disk.total - disk.free
    return json_response(document)


async def account_info(call: AdminCall) -> Response:
    """Return who the caller is and the buckets that it may reach."""
    call.check(itself=True)
    buckets = []
    for number, bucket in enumerate(call.engine.buckets(), 1):
        if not number % BUCKETS_AT_ONCE:
            await asyncio.sleep(0)
        read, write = reach(call, bucket)
        if read or write:
            buckets.append(_account_bucket(call, bucket, read, write))
    document = {
        "AccountName": call.caller.name,
        "Server": _backend(),
        "Policy": policy_of_caller(call),
        "Buckets": buckets,
    }
    return json_response(document)


def _account_bucket(call: AdminCall, bucket: "Bucket", read: bool, write: bool) -> dict[str, Any]:
    usage = _usage(call, bucket)
    options = bucket.options
    versioning = options.get("versioning", "")
    return {
        "name": bucket.name,
        "size": usage.size,
        "objects": usage.objects,
        "details": {
            "versioning": versioning == "Enabled",
            "versioningSuspended": versioning == "Suspended",
            "locking": bool(options.get("lock")),
            "replication": False,
            "tags": None,
            "quota": quota_document(bucket.quota),
        },
        "prefixUsage": {},
        "created": time_text(bucket.created_us),
        "access": {"read": read, "write": write},
    }


def _server(call: AdminCall, host: str, disk: _Disk) -> dict[str, Any]:
    return {
        "state": "online",
        "endpoint": host,
        "uptime": int(call.node.uptime_s()),
        "version": f"neve {__version__}",
        "commitID": "",
        "network": {host: "online"},
        "drives": [_drive(call, disk)],
        "poolNumber": 1,
        "poolNumbers": [1],
        "num_cpu": os.cpu_count() or 1,
        "go_max_procs": call.node.processes(),
        "edition": "neve",
    }


def _drive(call: AdminCall, disk: _Disk) -> dict[str, Any]:
    folder = call.node.config.folder
    return {
        "endpoint": folder,
        "path": folder,
        "state": "ok",
        "uuid": deployment(call),
        "totalspace": disk.total,
        "usedspace": disk.total - disk.free,
        "availspace": disk.free,
        "metrics": {},
        "used_inodes": disk.inodes_used,
        "free_inodes": disk.inodes_free,
        "local": True,
        "pool_index": 0,
        "set_index": 0,
        "disk_index": 0,
    }


def _backend() -> dict[str, Any]:
    return {
        "Type": _ERASURE,
        "GatewayOnline": False,
        "OnlineDisks": None,
        "OfflineDisks": None,
        "StandardSCData": [1],
        "StandardSCParities": None,
        "RRSCData": [1],
        "RRSCParities": None,
        "TotalSets": [1],
        "DrivesPerSet": [1],
        "StandardSCParity": 0,
        "RRSCParity": 0,
    }


async def _usages(call: AdminCall) -> dict[str, _Usage]:
    """Return the usage of all buckets; other requests go on meanwhile."""
    found = {}
    for number, bucket in enumerate(call.engine.buckets(), 1):
        found[bucket.name] = _usage(call, bucket)
        if not number % BUCKETS_AT_ONCE:
            await asyncio.sleep(0)
    return found


def _usage(call: AdminCall, bucket: "Bucket") -> _Usage:
    objects, size = call.engine.usage(bucket)
    noncurrent, markers = call.engine.version_usage(bucket)
    return _Usage(objects, size, objects + noncurrent, markers)


def _sum(usages: Iterable[_Usage]) -> _Usage:
    return _Usage(*map(sum, zip(*usages))) if (usages := list(usages)) else _Usage()


def _disk(folder: str) -> _Disk:
    stat = os.statvfs(folder)
    used = stat.f_files - stat.f_ffree
    return _Disk(stat.f_blocks * stat.f_frsize, stat.f_bavail * stat.f_frsize, used, stat.f_favail)


def _host(call: AdminCall) -> str:
    return call.headers.get(b"host", b"").decode("latin-1")


def deployment(call: AdminCall) -> str:
    """Return the id of the store in the form of a UUID."""
    digits = store_id(call.node.config.folder)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))

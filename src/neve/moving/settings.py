"""What a MinIO drive knows beside objects: what buckets are told, and who may do what.

Both are given as the files of the archives that `mc admin cluster bucket export` and `iam export`
write, so that one and the same code takes them from either. Everything of users may be encrypted
with MinIO's root credentials; what cannot be opened is named in `Identities.locked`.
"""

import base64
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from neve.moving.drive import Drive
from neve.moving.xlmeta import Damaged, NotTaken
from neve.sealed_bodies import NotSealed, unseal

_FILES = {
    "PolicyConfigJSON": "policy.json",
    "NotificationConfigXML": "notification.xml",
    "LifecycleConfigXML": "lifecycle.xml",
    "ObjectLockConfigXML": "object-lock.xml",
    "VersioningConfigXML": "versioning.xml",
    "EncryptionConfigXML": "bucket-encryption.xml",
    "TaggingConfigXML": "tagging.xml",
    "QuotaConfigJSON": "quota.json",
    "ReplicationConfigXML": "replication.xml",
    "CorsConfigXML": "cors.xml",
}
"""Field of the metadata → file of the archive."""
_LOCKED = (
    b'<ObjectLockConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    b"<ObjectLockEnabled>Enabled</ObjectLockEnabled></ObjectLockConfiguration>"
)
_TIME_EXTENSION = 5

Documents = dict[str, dict[str, Any]]
"""Name of a file of the archive, without its folder and `.json` → its entries."""


class BucketSettings(NamedTuple):
    """What a bucket is told."""

    created_us: int
    """0 when that is not known."""
    files: dict[str, bytes]


class Identities(NamedTuple):
    """Everybody and what they may do."""

    documents: Documents
    locked: list[str]
    """What could not be decrypted."""
    damaged: dict[str, str]
    """What could not be read → why."""


def bucket_settings(drive: Drive, bucket: str) -> BucketSettings:
    """What the bucket is told. Raises: Damaged, NotTaken, OSError."""
    data = drive.system(f"buckets/{bucket}/.metadata.bin")
    if data is None:
        return BucketSettings(0, {})
    if data[:4] != b"\x01\x00\x01\x00":
        raise NotTaken("its settings have a format that is not known here")
    try:
        fields = _unpack(data[4:])
        files = {file: bytes(fields.get(field) or b"") for field, file in _FILES.items()}
        if fields.get("LockEnabled") and not files["object-lock.xml"]:
            files["object-lock.xml"] = _LOCKED
        created = fields.get("Created")
        files = {file: content for file, content in files.items() if content.strip()}
        return BucketSettings(created if isinstance(created, int) else 0, files)
    except (msgspec.DecodeError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise Damaged(f"its settings cannot be read: {error}") from error


def _unpack(data: bytes) -> dict[str, Any]:
    def extension(code: int, value: memoryview) -> Any:
        if code != _TIME_EXTENSION or len(value) != 12:
            return bytes(value)
        seconds = int.from_bytes(value[:8], "big", signed=True)
        return max(0, seconds) * 1_000_000 + int.from_bytes(value[8:], "big") // 1000

    fields: dict[str, Any] = msgspec.msgpack.Decoder(dict[str, Any], ext_hook=extension).decode(
        data
    )
    return fields


def identities(drive: Drive, secret: str, *, root: str, new_root: str) -> Identities:
    """Everything under `config/iam`.

    `secret`: MinIO's `user:password`, '' when not known. Access keys of the user `root` become
    those of `new_root`.
    """
    reader = _Reader(drive, secret)
    documents: Documents = {
        "policies": reader.each("policies", "policy.json", _policy),
        "users": reader.each("users", "identity.json", _user),
        "groups": reader.each("groups", "members.json", dict),
        "svcaccts": reader.each("service-accounts", "identity.json", _key),
        "user_mappings": reader.each("policydb/users", "", dict),
        "group_mappings": reader.each("policydb/groups", "", dict),
    }
    for name in ("policydb/service-accounts", "policydb/sts-users"):
        for entry in drive.system_names(f"config/iam/{name}"):
            reader.damaged[f"{name}/{entry}"] = "policies of foreign identities are not imported"
    for key in documents["svcaccts"].values():
        if root and key["parent"] == root:
            key["parent"] = new_root
    return Identities(documents, reader.locked, reader.damaged)


class _Reader:
    """Reads the JSON files of one drive's `config/iam`."""

    def __init__(self, drive: Drive, secret: str) -> None:
        self._drive = drive
        self._secret = secret
        self.locked: list[str] = []
        self.damaged: dict[str, str] = {}

    def each(
        self, folder: str, file: str, make: Callable[[dict[str, Any]], dict[str, Any]]
    ) -> dict[str, dict[str, Any]]:
        """Every entry of a folder by its name: `name/file`, or `name.json` when there is none."""
        found = {}
        for entry in self._drive.system_names(f"config/iam/{folder}"):
            name = entry if file else entry.removesuffix(".json")
            place = f"{folder}/{entry}/{file}" if file else f"{folder}/{entry}"
            try:
                document = self._json(place)
                if document is not None:
                    found[name] = make(document)
            except NotSealed:
                self.locked.append(f"{folder}/{name}")
            except (Damaged, NotTaken, OSError) as error:
                self.damaged[f"{folder}/{name}"] = str(error)
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
                self.damaged[f"{folder}/{name}"] = f"it cannot be read: {error!r}"
        return found

    def _json(self, place: str) -> dict[str, Any] | None:
        data = self._drive.system(f"config/iam/{place}")
        if data is None:
            return None
        try:
            document = json.loads(data)
        except ValueError:
            if not self._secret:
                raise NotSealed from None
            document = json.loads(unseal(self._secret, data))
        if not isinstance(document, dict):
            raise ValueError("no JSON object")
        return document


def _policy(document: dict[str, Any]) -> dict[str, Any]:
    """Policies stand in an envelope since 2022."""
    inner = document.get("Policy", document)
    if not isinstance(inner, dict):
        raise ValueError("no policy")
    return inner


def _user(document: dict[str, Any]) -> dict[str, Any]:
    credentials = document["credentials"]
    status = "disabled" if credentials.get("status") in ("off", "disabled") else "enabled"
    return {"secretKey": credentials["secretKey"], "status": status}


def _key(document: dict[str, Any]) -> dict[str, Any]:
    credentials = document["credentials"]
    claims = _claims(credentials.get("sessionToken") or "")
    policy = None
    if claims.get("sessionPolicy"):
        policy = json.loads(base64.b64decode(claims["sessionPolicy"]))
    return {
        "parent": credentials["parentUser"],
        "accessKey": credentials["accessKey"],
        "secretKey": credentials["secretKey"],
        "sessionPolicy": policy,
        "status": "off" if credentials.get("status") in ("off", "disabled") else "on",
        "name": credentials.get("name") or "",
        "description": credentials.get("description") or "",
        "expiration": credentials.get("expiration") or "",
    }


def _claims(token: str) -> dict[str, Any]:
    """The claims of a JSON web token; who may have signed it is not asked: it lay on the drive."""
    if not token:
        return {}
    payload = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    if not isinstance(claims, dict):
        raise ValueError("no claims")
    return claims

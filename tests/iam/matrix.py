"""The authorisation matrix: principals × operations × what else has a say, and what comes of it.

Each cell is a signed request; the expectation comes from `tests.iam.reference` and from the table
of needs below, written from AWS's documentation. Whoever runs it brings a way to send requests.
"""

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from tests.iam.reference import Asked, Held, permitted

from neve.iam.canned import canned_policy
from neve.iam.directory import Directory
from neve.iam.identities import AccessKey
from neve.iam.principals import root_principal, user_canonical_id

BUCKET, THEIRS = "bkt", "theirs"
OPEN, SECRET = "pub/a", "priv/b"
TAGS = {OPEN: {"class": "open"}, SECRET: {"class": "secret"}}
ROOT_ID = root_principal("").canonical_id
OWNER = "selfie"
"""Who owns the bucket THEIRS."""

Keys = tuple[str, str] | None
Send = Callable[[str, str, bytes, dict[str, str]], tuple[int, bytes]]
"""(method, target, body, headers) → (status, body)."""


def _arn(*places: str) -> list[str]:
    return [f"arn:aws:s3:::{place}" for place in places]


def _doc(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def _say(effect: str, action: Any, *places: str, **condition: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Action": action, "Resource": _arn(*places)}
    if condition:
        statement["Condition"] = {
            operator: {key: value} for operator, (key, value) in condition.items()
        }
    return statement


def _public(statement: dict[str, Any], principal: Any = "*") -> dict[str, Any]:
    return {**statement, "Principal": principal}


OWN_POLICIES: dict[str, dict[str, Any]] = {
    "all-but-secrets": _doc(_say("Allow", "s3:*", "*"), _say("Deny", "s3:*", "*/priv/*")),
    "from-elsewhere": _doc(_say("Allow", "s3:*", "*", IpAddress=("aws:SourceIp", "10.0.0.0/8"))),
    "from-here": _doc(_say("Allow", "s3:*", "*", IpAddress=("aws:SourceIp", "127.0.0.0/8"))),
    "open-ones": _doc(
        _say("Allow", "s3:*", "*/*", StringEquals=("s3:ExistingObjectTag/class", "open"))
    ),
    "lists-pub": _doc(
        _say("Allow", "s3:ListBucket", "bkt", StringLike=("s3:prefix", ["pub/*"])),
        _say("Allow", ["s3:GetObject", "s3:PutObject"], "bkt/${aws:username}/*", "bkt/pub/*"),
    ),
    "deletes-nothing": _doc(_say("Allow", "s3:*", "*"), _say("Deny", "s3:Delete*", "*")),
    "not-action": _doc({"Effect": "Allow", "NotAction": "s3:Get*", "Resource": "*"}),
}
ATTACHED = [
    "readonly", "readwrite", "writeonly", "reader", "contributor", "selfservice",
    "reader:bkt/pub/", "contributor:bkt", "contributor:b*/priv/", *OWN_POLICIES,
]  # fmt: skip
LIMITS = {
    "reads": _doc(_say("Allow", ["s3:GetObject", "s3:ListBucket"], "*")),
    "not-secrets": _doc(_say("Allow", "s3:*", "*"), _say("Deny", "s3:*", "*/priv/*")),
}


@dataclass
class Person:
    """A caller: its keys, and what the reference needs to know of it."""

    name: str
    kind: str
    keys: Keys
    policies: list[dict[str, Any]] = field(default_factory=list)
    limit: dict[str, Any] | None = None
    valid: bool = True
    """Whether its key may sign."""

    @property
    def canonical_id(self) -> str:
        if self.kind == "user":
            return user_canonical_id(self.name)
        return ROOT_ID if self.kind == "root" else ""


def document_of(policy: str) -> dict[str, Any]:
    if policy in OWN_POLICIES:
        return OWN_POLICIES[policy]
    found = canned_policy(policy)
    assert found is not None
    document: dict[str, Any] = json.loads(found.document)
    return document


def _secret(name: str) -> str:
    return f"secret-of-{name}"


async def people_in(directory: Directory, root: tuple[str, str]) -> list[Person]:
    """Make everybody; return them."""
    people = [Person("root", "root", root), Person("anonymous", "anonymous", None)]
    for name, document in OWN_POLICIES.items():
        await directory.put_policy(name, json.dumps(document).encode())
    await _user(directory, people, "nobody", [])
    for index, policy in enumerate(ATTACHED):
        await _user(directory, people, f"user{index}", [policy], by_group=index % 2 == 1)
    await _user(directory, people, OWNER, ["selfservice"])
    await _user(directory, people, "both1", ["writeonly", "all-but-secrets"])
    await _user(directory, people, "disabled", ["readwrite"])
    await directory.put_user("disabled", enabled=False)
    people[-1].valid = False
    for parent, kind, policies in (("user1", "user", ["readwrite"]), (root[0], "root", [])):
        for limit, document in LIMITS.items():
            await _key(directory, people, parent, kind, policies, limit, document)
    id = "key-expired"
    await directory.put_key(AccessKey(id, _secret(id), "user1", expires_us=1))
    people.append(Person("user1", "user", (id, _secret(id)), valid=False))
    id = "key-of-disabled"
    await directory.put_key(AccessKey(id, _secret(id), "disabled"))
    people.append(Person("disabled", "user", (id, _secret(id)), valid=False))
    return people


async def _user(
    directory: Directory,
    people: list[Person],
    name: str,
    policies: list[str],
    by_group: bool = False,
) -> None:
    await directory.put_user(name, secret=_secret(name))
    if by_group:
        group = f"group-of-{name}"
        await directory.put_group(group, add=[name])
        await directory.attach(policies, group=group)
    elif policies:
        await directory.attach(policies, user=name)
    documents = [document_of(policy) for policy in policies]
    people.append(Person(name, "user", (name, _secret(name)), documents))


async def _key(
    directory: Directory,
    people: list[Person],
    parent: str,
    kind: str,
    policies: list[str],
    limit: str,
    document: dict[str, Any],
) -> None:
    id = f"{kind}-key-{limit}"
    policy = json.dumps(document).encode()
    key = AccessKey(id, _secret(id), parent, of_root=kind == "root", policy=policy)
    await directory.put_key(key)
    documents = [document_of(each) for each in policies]
    people.append(Person(parent, kind, (id, _secret(id)), documents, document))


NAMED = {"AWS": f"arn:aws:iam::000000000000:user/{OWNER}"}
ACCOUNT = {"AWS": "arn:aws:iam::000000000000:root"}


@dataclass
class Scene:
    """What a bucket says of itself."""

    policy: dict[str, Any] | None = None
    bucket_acl: tuple[str, set[tuple[str, str]]] = ("private", set())
    object_acl: tuple[str, set[tuple[str, str]]] = ("private", set())


def _scene(*statements: dict[str, Any]) -> Scene:
    return Scene(_doc(*statements))


SCENES: dict[str, Scene] = {
    "silent": Scene(),
    "public": _scene(_public(_say("Allow", "s3:GetObject", "{b}/pub/*"))),
    "named": _scene(_public(_say("Allow", "s3:*", "{b}", "{b}/*"), NAMED)),
    "account": _scene(_public(_say("Allow", "s3:*", "{b}", "{b}/*"), ACCOUNT)),
    "denied": _scene(_public(_say("Deny", ["s3:PutObject", "s3:GetObject"], "{b}/priv/*"))),
    "not-from-here": _scene(
        _public(_say("Deny", "s3:*", "{b}", "{b}/*", IpAddress=("aws:SourceIp", "127.0.0.1/32")))
    ),
    "from-here": _scene(
        _public(_say("Allow", "s3:*", "{b}/*", IpAddress=("aws:SourceIp", "127.0.0.1/32"))),
        _public(_say("Deny", "s3:*", "{b}/*", NotIpAddress=("aws:SourceIp", "127.0.0.1/32"))),
    ),
    "tagged": _scene(
        _public(
            _say(
                "Allow",
                ["s3:GetObject", "s3:GetObjectTagging"],
                "{b}/*",
                StringEquals=("s3:ExistingObjectTag/class", "open"),
            )
        )
    ),
    "prefix": _scene(
        _public(_say("Allow", "s3:ListBucket", "{b}", StringLike=("s3:prefix", "pub/*"))),
        _public(_say("Deny", "s3:ListBucket", "{b}", StringLike=("s3:prefix", "priv/*"))),
    ),
    "acl-open": Scene(
        None,
        ("public-read-write", {("all", "READ"), ("all", "WRITE")}),
        ("public-read", {("all", "READ")}),
    ),
    "acl-users": Scene(
        _doc(_public(_say("Deny", "s3:GetObject", "{b}/priv/*"), NAMED)),
        ("authenticated-read", {("authenticated", "READ")}),
        ("authenticated-read", {("authenticated", "READ")}),
    ),
}


def in_bucket(policy: dict[str, Any] | None, bucket: str) -> dict[str, Any] | None:
    """Return the policy of a scene for this bucket."""
    if policy is None:
        return None
    found: dict[str, Any] = json.loads(json.dumps(policy).replace("{b}", bucket))
    return found


@dataclass(frozen=True)
class Operation:
    """A request, and what AWS says it needs: (action, key or None for the bucket)."""

    method: str
    target: str
    needs: tuple[tuple[str, str | None], ...]
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


_TAGGING = b"<Tagging><TagSet><Tag><Key>class</Key><Value>%s</Value></Tag></TagSet></Tagging>"
_CORS = (
    b"<CORSConfiguration><CORSRule><AllowedOrigin>http://a.example</AllowedOrigin>"
    b"<AllowedMethod>GET</AllowedMethod></CORSRule></CORSConfiguration>"
)


def operations_on(bucket: str, key: str) -> dict[str, Operation]:
    """Return every operation of the matrix, none of which changes what the others need."""
    b, k = f"/{bucket}", f"/{bucket}/{quote(key)}"
    new, copy, tagged, gone = (f"{key}-{end}" for end in ("new", "copy", "tagged", "gone"))
    value = TAGS[key]["class"]
    delete = f"<Delete><Object><Key>{gone}</Key></Object></Delete>".encode()
    tags = _TAGGING % value.encode()
    copied = ("s3:PutObject", copy), ("s3:GetObject", key)
    return {
        "GetObject": Operation("GET", k, (("s3:GetObject", key),)),
        "GetObject of a version": Operation(
            "GET", k + "?versionId=null", (("s3:GetObjectVersion", key),)
        ),
        "DeleteObject of a version": Operation(
            "DELETE", k + "-gone?versionId=null", (("s3:DeleteObjectVersion", gone),)
        ),
        "ListObjectVersions": Operation("GET", b + "?versions", (("s3:ListBucketVersions", None),)),
        "HeadObject": Operation("HEAD", k, (("s3:GetObject", key),)),
        "PutObject": Operation("PUT", k + "-new", (("s3:PutObject", new),), b"x"),
        "PutObject with tags": Operation(
            "PUT",
            k + "-tagged",
            (("s3:PutObject", tagged), ("s3:PutObjectTagging", tagged)),
            b"x",
            (("x-amz-tagging", f"class={value}"),),
        ),
        "DeleteObject": Operation("DELETE", k + "-gone", (("s3:DeleteObject", gone),)),
        "DeleteObjects": Operation("POST", b + "?delete", (("s3:DeleteObject", gone),), delete),
        "CopyObject": Operation(
            "PUT",
            k + "-copy",
            (*copied, ("s3:GetObjectTagging", key), ("s3:PutObjectTagging", copy)),
            headers=(("x-amz-copy-source", f"{bucket}/{key}"),),
        ),
        "CreateMultipartUpload": Operation(
            "POST", k + "-up?uploads", (("s3:PutObject", key + "-up"),)
        ),
        "GetObjectTagging": Operation("GET", k + "?tagging", (("s3:GetObjectTagging", key),)),
        "PutObjectTagging": Operation("PUT", k + "?tagging", (("s3:PutObjectTagging", key),), tags),
        "GetObjectAcl": Operation("GET", k + "?acl", (("s3:GetObjectAcl", key),)),
        "GetObjectAttributes": Operation(
            "GET",
            k + "?attributes",
            (("s3:GetObjectAttributes", key), ("s3:GetObject", key)),
            headers=(("x-amz-object-attributes", "ETag"),),
        ),
        "ListObjectsV2": Operation(
            "GET", f"{b}?list-type=2&prefix={quote(key, safe='')}", (("s3:ListBucket", None),)
        ),
        "ListObjects without prefix": Operation("GET", b, (("s3:ListBucket", None),)),
        "ListMultipartUploads": Operation(
            "GET", b + "?uploads", (("s3:ListBucketMultipartUploads", None),)
        ),
        "HeadBucket": Operation("HEAD", b, (("s3:ListBucket", None),)),
        "GetBucketLocation": Operation("GET", b + "?location", (("s3:GetBucketLocation", None),)),
        "GetBucketPolicy": Operation("GET", b + "?policy", (("s3:GetBucketPolicy", None),)),
        "GetBucketAcl": Operation("GET", b + "?acl", (("s3:GetBucketAcl", None),)),
        "GetBucketTagging": Operation("GET", b + "?tagging", (("s3:GetBucketTagging", None),)),
        "PutBucketCors": Operation("PUT", b + "?cors", (("s3:PutBucketCORS", None),), _CORS),
        "CreateBucket": Operation("PUT", b, (("s3:CreateBucket", None),)),
        "DeleteBucket": Operation("DELETE", b, (("s3:DeleteBucket", None),)),
    }


def expected(person: Person, scene: Scene, bucket: str, operation: Operation) -> bool:
    """Whether the reference permits everything that the operation needs."""
    if operation.method == "PUT" and operation.target == f"/{bucket}" and not person.keys:
        return False
    return person.valid and all(
        permitted(
            _held(person, scene, bucket, action, key),
            _asked(person, bucket, operation, action, key),
        )
        for action, key in operation.needs
    )


def _held(person: Person, scene: Scene, bucket: str, action: str, key: str | None) -> Held:
    # A bucket that is yet to be made has no policy and no ACL.
    if action == "s3:CreateBucket":
        return Held(person.policies, person.limit)
    return Held(
        person.policies,
        person.limit,
        in_bucket(scene.policy, bucket),
        scene.bucket_acl[1],
        scene.object_acl[1] if key in TAGS else set(),
    )


def _asked(
    person: Person, bucket: str, operation: Operation, action: str, key: str | None
) -> Asked:
    owner = user_canonical_id(OWNER) if bucket == THEIRS else ROOT_ID
    there = action != "s3:CreateBucket"
    parts = urlsplit(operation.target).query.split("&")
    query = dict(part.partition("=")[::2] for part in parts if part)
    return Asked(
        person.kind,
        person.name if person.kind == "user" else "",
        action,
        bucket,
        key,
        ip="127.0.0.1",
        headers=dict(operation.headers),
        query={name: value.replace("%2F", "/") for name, value in query.items()},
        tags=TAGS.get(key or "", {}),
        canonical_id=person.canonical_id,
        bucket_owner=owner if there else "",
        object_owner=owner if key in TAGS else "",
    )


def ask(send: Send, endpoint: str, keys: Keys, operation: Operation) -> str:
    """Send the request; `allowed`, or the code of its refusal."""
    request = AWSRequest(
        operation.method,
        endpoint + operation.target,
        headers=dict(operation.headers),
        data=operation.body,
    )
    if keys is not None:
        S3SigV4Auth(Credentials(*keys), "s3", "us-east-1").add_auth(request)
    elif operation.target.endswith("?delete"):
        digest = hashlib.md5(operation.body).digest()
        request.headers["Content-MD5"] = base64.b64encode(digest).decode()
    status, body = send(operation.method, operation.target, operation.body, dict(request.headers))
    refused = status == 403 or (status == 200 and b"<Code>AccessDenied" in body)
    assert status in (200, 204, 403, 404, 409), (operation, status, body)
    if not refused:
        return "allowed"
    for code in (b"InvalidAccessKeyId", b"SignatureDoesNotMatch"):
        if code in body:
            return code.decode()
    return "AccessDenied"


def statement_for_all(effect: str, action: Any, bucket: str) -> dict[str, Any]:
    """A bucket policy of one statement about everybody and every key."""
    return _doc(_public(_say(effect, action, f"{bucket}/*")))

"""One request on its way through an operation: what is known of it and what it may use."""

from typing import TYPE_CHECKING

from neve.errors import NoSuchKey, NoSuchVersion
from neve.iam.principals import ACCOUNT, Principal
from neve.s3 import rights
from neve.s3.errors import S3Error, marker_headers
from neve.s3.payload import read_body
from neve.s3.request import Request
from neve.s3.response import Headers, http_date
from neve.s3.routes import Route

if TYPE_CHECKING:
    from neve.catalog.catalog import ObjectRow
    from neve.engine.bucket import Bucket
    from neve.engine.engine import Engine
    from neve.engine.rows import Found
    from neve.s3.pipeline import Pipeline
    from neve.s3.sigv4 import Authenticated


class Call:
    """The argument of every operation. Operations read it and never change it."""

    __slots__ = (
        "auth",
        "bucket",
        "caller",
        "engine",
        "granted",
        "headers",
        "key",
        "name",
        "pipeline",
        "query",
        "request",
        "route",
        "tags",
        "version",
    )
    auth: "Authenticated"
    """What authentication found out, the form of the payload included."""
    bucket: "Bucket"
    """Unset for operations on the service and for CreateBucket."""
    name: str
    """The bucket's name as the request gave it."""
    caller: Principal
    """The authenticated principal."""
    key: str
    granted: "ObjectRow | None"
    """The object whose ACL allowed something to the caller: what then is read of it is this."""

    tags: "dict[str, str] | None"
    """The tags the request would set, when they stand in its body; set before rights are asked."""
    version: str | None
    """The version of the key that the request names; empty for the null version."""

    def __init__(
        self,
        pipeline: "Pipeline",
        request: Request,
        route: Route,
        query: dict[str, str],
        name: str,
    ) -> None:
        self.pipeline = pipeline
        self.engine: Engine = pipeline.engine
        self.request = request
        self.headers = request.headers
        self.route = route
        self.query = query
        self.name = name
        self.key = ""
        self.granted = None
        self.tags = None
        self.version = None

    def allows(
        self, action: str, bucket: "Bucket", key: str = "", version: str | None = None
    ) -> bool:
        """Say whether the caller may do `action` on `key` (or a version of it) of `bucket`."""
        return rights.allows(self, action, bucket, key, version)

    def check(
        self, action: str, bucket: "Bucket", key: str = "", version: str | None = None
    ) -> None:
        """Raise AccessDenied unless the caller may do `action` on `key` of `bucket`."""
        if not rights.allows(self, action, bucket, key, version):
            raise S3Error("AccessDenied")

    @property
    def writer_id(self) -> str:
        """The canonical id that stands as owner of what the caller writes; '': the bucket's, whose
        is also what nobody in particular writes."""
        caller = self.caller
        if caller.kind == "anonymous" or caller.canonical_id == self.bucket.owner:
            return ""
        return caller.canonical_id

    def row(self) -> "ObjectRow":
        """Return the row of the request's object or version, which GET and its kin are about.

        Raises: NoSuchKey, NoSuchVersion for who may list the bucket, else S3Error AccessDenied;
        S3Error MethodNotAllowed for a delete marker.
        """
        if self.granted is None and self.version is None:
            return self.found().row
        row = self.readable(self.bucket, self.key, self.version)
        if not row.etag:
            raise marker_error(row)
        return row

    def found(self) -> "Found":
        """Return the request's object with what is kept of it; for callers that no ACL let in.

        Raises: as `row`.
        """
        try:
            return self.engine.find(self.bucket, self.key)
        except NoSuchKey as error:
            raise self.absent(self.bucket, self.key, error) from error

    def readable(self, bucket: "Bucket", key: str, version: str | None = None) -> "ObjectRow":
        """Return the row for which the caller's right has just been checked, maybe a marker's.

        Raises: as `row`.
        """
        granted = self.granted
        if (
            granted is not None
            and granted.key == key
            and granted.tree == bucket.tree
            and version in (None, granted.version)
        ):
            return granted
        try:
            return self.engine.head(bucket, key, version)
        except (NoSuchKey, NoSuchVersion) as error:
            raise self.absent(bucket, key, error) from error

    def absent(self, bucket: "Bucket", key: str, error: Exception) -> Exception:
        """Return the error, or one that tells no more about the key than the caller may know."""
        # A reader of a public dataset must be able to tell "no such chunk" from "not yours".
        if bucket.options.get("public_404") or rights.may_know_absence(self, bucket, key):
            return error
        return S3Error("AccessDenied")

    async def body(self, limit: int) -> bytes:
        """Return the request's whole body, whose digest has been checked."""
        return await read_body(self, limit)

    def check_owner(self, bucket: "Bucket", expected: bytes) -> None:
        """Raise AccessDenied unless `expected` is the account or canonical id of the owner."""
        if expected.decode("latin-1") not in (ACCOUNT, bucket.owner):
            raise S3Error("AccessDenied")


def version_headers(call: Call, version: str) -> Headers:
    """Return the field of a version id: none in a bucket that was never versioned."""
    if not version and call.bucket.versioning is None and call.version is None:
        return []
    return [(b"x-amz-version-id", version.encode() or b"null")]


def written_headers(row: "ObjectRow") -> Headers:
    """Return the field of a new version's id; AWS has none for a null version."""
    return [(b"x-amz-version-id", row.version.encode())] if row.version else []


def marker_error(row: "ObjectRow") -> S3Error:
    """Return the answer to a request that names a delete marker as if it were an object."""
    error = S3Error("MethodNotAllowed", Method="GET", ResourceType="DeleteMarker")
    error.headers = [
        *marker_headers(row.version),
        (b"allow", b"DELETE"),
        (b"last-modified", http_date(row.mtime_us // 1_000_000)),
    ]
    return error

"""One request on its way through an operation: what is known of it and what it may use."""

from typing import TYPE_CHECKING

from neve.errors import NoSuchKey
from neve.iam.principals import ACCOUNT, Principal
from neve.s3 import rights
from neve.s3.errors import S3Error
from neve.s3.payload import read_body
from neve.s3.request import Request
from neve.s3.routes import Route

if TYPE_CHECKING:
    from neve.catalog.catalog import ObjectRow
    from neve.engine.engine import Bucket, Engine
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

    def allows(self, action: str, bucket: "Bucket", key: str = "") -> bool:
        """Say whether the caller may do `action` on `key` of `bucket`."""
        return rights.allows(self, action, bucket, key)

    def check(self, action: str, bucket: "Bucket", key: str = "") -> None:
        """Raise AccessDenied unless the caller may do `action` on `key` of `bucket`."""
        if not rights.allows(self, action, bucket, key):
            raise S3Error("AccessDenied")

    @property
    def writer_id(self) -> str:
        """The canonical id that stands as owner of what the caller writes; '': the bucket's."""
        caller = self.caller.canonical_id
        return "" if caller == self.bucket.owner else caller

    def row(self) -> "ObjectRow":
        """Return the row of the request's object, which GET and its kin are about.

        Raises: NoSuchKey for who may list the bucket, else S3Error AccessDenied.
        """
        if self.granted is not None:
            return self.readable(self.bucket, self.key)
        return self.found().row

    def found(self) -> "Found":
        """Return the request's object with what is kept of it; for callers that no ACL let in.

        Raises: as `row`.
        """
        try:
            return self.engine.find(self.bucket, self.key)
        except NoSuchKey as error:
            raise self.absent(self.bucket, self.key) from error

    def readable(self, bucket: "Bucket", key: str) -> "ObjectRow":
        """Return the row of an object for which the caller's right has just been checked.

        Raises: as `row`.
        """
        granted = self.granted
        if granted is not None and granted.key == key and granted.tree == bucket.tree:
            return granted
        try:
            return self.engine.head(bucket, key)
        except NoSuchKey as error:
            raise self.absent(bucket, key) from error

    def absent(self, bucket: "Bucket", key: str) -> Exception:
        """Return the error that tells no more about an absent key than the caller may know."""
        # A reader of a public dataset must be able to tell "no such chunk" from "not yours".
        if bucket.options.get("public_404") or rights.may_know_absence(self, bucket, key):
            return NoSuchKey(Key=key)
        return S3Error("AccessDenied")

    async def body(self, limit: int) -> bytes:
        """Return the request's whole body, whose digest has been checked."""
        return await read_body(self, limit)

    def check_owner(self, bucket: "Bucket", expected: bytes) -> None:
        """Raise AccessDenied unless `expected` is the account or canonical id of the owner."""
        if expected.decode("latin-1") not in (ACCOUNT, bucket.owner):
            raise S3Error("AccessDenied")

"""The pages of one bucket's settings: its name, checked, and the tabs that are of use."""

from typing import Any, NamedTuple

from starlette.responses import Response

from neve.errors import InvalidBucketName
from neve.names import check_bucket_name
from neve.panel.upstream import Ask
from neve.panel.visit import Refused, Visit


def _(message: str) -> str:
    """Mark a message for the catalogues."""
    return message


class Tab(NamedTuple):
    """One page of the settings."""

    name: str
    """The end of its path, and the name of its template."""
    label: str
    reads: tuple[str, ...]
    """It is shown to who may do one of these."""


TABS = (
    Tab("overview", _("Overview"), ()),
    Tab("access", _("Access"), ("s3:GetBucketPolicy",)),
    Tab("quota", _("Quota"), ("admin:DataUsageInfo", "s3:ListBucket")),
    Tab("versioning", _("Versions"), ("s3:GetBucketVersioning",)),
    Tab("lifecycle", _("Lifecycle"), ("s3:GetLifecycleConfiguration",)),
    Tab("lock", _("Locks"), ("s3:GetBucketObjectLockConfiguration",)),
    Tab("cors", _("Other sites"), ("s3:GetBucketCORS",)),
    Tab("tags", _("Tags"), ("s3:GetBucketTagging",)),
    Tab("more", _("Advanced"), ("s3:GetBucketPublicAccessBlock", "s3:GetBucketAcl")),
)


def bucket_of(visit: Visit) -> str:
    """Return the bucket that the path names. Raises: Refused when nothing can be called so."""
    name = str(visit.request.path_params["bucket"])
    try:
        check_bucket_name(name)
    except InvalidBucketName as error:
        raise Refused(404, visit._("This bucket does not exist.")) from error
    return name


def path_of(bucket: str, tab: str = "overview") -> str:
    """Return where a page of the settings is."""
    return f"/buckets/{bucket}" + ("" if tab == "overview" else f"/{tab}")


def page(
    visit: Visit, tab: str, template: str = "", problem: str = "", status: int = 200, **values: Any
) -> Response:
    """Return a page of the settings; `problem` says what was refused."""
    bucket = bucket_of(visit)
    asks = [_ask(action, bucket) for each in TABS for action in each.reads]
    allowed = dict(zip(asks, visit.may_all(asks), strict=True))
    tabs = [
        (each.label, path_of(bucket, each.name), each.name == tab)
        for each in TABS
        if not each.reads or any(allowed[_ask(action, bucket)] for action in each.reads)
    ]
    return visit.page(
        template or f"buckets/{tab}.html", status, bucket=bucket, tabs=tabs, problem=problem,
        here=path_of(bucket, tab), **values,
    )  # fmt: skip


def _ask(action: str, bucket: str) -> Ask:
    return Ask(action) if action.startswith("admin:") else Ask(action, bucket)

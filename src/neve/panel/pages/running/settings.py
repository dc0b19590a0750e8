"""The server itself: its settings, health, restart, and export and import of what it was told."""

import shlex
from typing import Any

from starlette.responses import Response

from neve.client.errors import ServerError
from neve.panel.routing import get, post
from neve.panel.upstream import Ask
from neve.panel.visit import Visit

ARCHIVE_BYTES_MAX = 64 << 20
_RIGHTS = (
    "ExportIAM",
    "ImportIAM",
    "ExportBucketMetadata",
    "ImportBucketMetadata",
    "ServiceRestart",
    "ServiceFreeze",
    "ServerInfo",
)
_CHANGEABLE = "quota"


def show(visit: Visit) -> Response:
    """The page."""
    return _page(visit)


def change(visit: Visit) -> Response:
    """Set the quota of new buckets, the setting that holds without a restart."""
    line = " ".join(
        shlex.quote(f"{name}={visit.field(name)}")
        for name in _group(visit, _CHANGEABLE)
        if name in visit.form
    )
    try:
        visit.admin.call(
            "PUT", "set-config-kv", document=f"{_CHANGEABLE} {line}".encode(), sealed=True,
            doing="change settings",
        )  # fmt: skip
    except ServerError as error:
        return _page(visit, visit.sentence(error), error.status)
    visit.tell(visit._("The settings are changed."))
    return visit.go("/server")


def act(visit: Visit) -> Response:
    """Restart, freeze or unfreeze, once it was said that this is meant."""
    action = visit.field("action")
    if action not in ("restart", "freeze", "unfreeze"):
        return visit.go("/server")
    if visit.field("sure") != "yes":
        return visit.page("running/service.html", action=action)
    query = {"action": action, "type": "2"}
    visit.admin.call("POST", "service", query, doing="control the server")
    if action == "restart":
        return visit.page("running/restarting.html")
    said = (
        visit._("The server is frozen: requests of S3 are refused until it is unfrozen.")
        if action == "freeze"
        else visit._("The server answers requests of S3 again.")
    )
    visit.tell(said)
    return visit.go("/server")


def export_iam(visit: Visit) -> Response:
    """Users, groups, policies and access keys as a zip file, secrets included."""
    return _archive(visit, "export-iam", "neve-iam.zip")


def export_buckets(visit: Visit) -> Response:
    """The settings of all buckets as a zip file."""
    return _archive(visit, "export-bucket-metadata", "neve-buckets.zip")


def import_iam(visit: Visit) -> Response:
    """Take what such a file holds, and say what came of it."""
    return _import(visit, "import-iam-v2", visit._("Users, groups, policies and access keys"))


def import_buckets(visit: Visit) -> Response:
    """Take what such a file holds, and say what came of it."""
    return _import(visit, "import-bucket-metadata", visit._("Settings of buckets"))


def _archive(visit: Visit, call: str, name: str) -> Response:
    # A POST, so that no link leads to a file with secrets in it.
    answer = visit.admin.answer("GET", call, doing="export")
    disposition = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(visit.admin.opened(answer), 200, disposition, "application/zip")


def _import(visit: Visit, call: str, what: str) -> Response:
    data = visit.file("archive")
    if not data:
        return _page(visit, visit._("Choose the file of an export."), 400)
    try:
        found = visit.admin.call("PUT", call, document=data, doing="import") or {}
    except ServerError as error:
        return _page(visit, visit.sentence(error), error.status)
    return visit.page("running/imported.html", what=what, found=_flat(found))


def _flat(found: Any, above: str = "") -> list[tuple[str, str]]:
    """The leaves of a JSON document with the way to each."""
    if isinstance(found, dict):
        pairs = [(f"{above}.{name}" if above else str(name), each) for name, each in found.items()]
    elif isinstance(found, list) and any(isinstance(each, dict | list) for each in found):
        pairs = [(f"{above}[{number}]", each) for number, each in enumerate(found)]
    elif isinstance(found, list):
        return [(above, ", ".join(map(str, found)))] if found else []
    else:
        return [(above, str(found))] if found not in (None, "", 0, False) else []
    return [leaf for name, each in pairs for leaf in _flat(each, name)]


def _page(visit: Visit, problem: str = "", status: int = 200) -> Response:
    allowed = visit.may_all([Ask(f"admin:{right}") for right in _RIGHTS])
    may = dict(zip(_RIGHTS, allowed, strict=True))
    info: dict[str, Any] = {}
    if may["ServerInfo"]:
        info = visit.admin.call("GET", "info", doing="read about the server") or {}
    return visit.page(
        "running/settings.html",
        status,
        problem=problem,
        may=may,
        groups=_settings(visit),
        changeable=_CHANGEABLE,
        server=(info.get("servers") or [{}])[0],
    )


def _settings(visit: Visit) -> dict[str, dict[str, str]]:
    answer = visit.admin.answer("GET", "config", doing="read the settings")
    text = visit.admin.opened(answer).decode()
    found: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            group, *words = shlex.split(line)
            pairs = (word.partition("=") for word in words)
            found[group] = {name: value for name, _, value in pairs}
    return found


def _group(visit: Visit, name: str) -> dict[str, str]:
    return _settings(visit).get(name, {})


ROUTES = [
    get("/server", show),
    post("/server", change),
    post("/server/service", act),
    post("/server/export-iam", export_iam),
    post("/server/export-buckets", export_buckets),
    post("/server/import-iam", import_iam, bytes_max=ARCHIVE_BYTES_MAX),
    post("/server/import-buckets", import_buckets, bytes_max=ARCHIVE_BYTES_MAX),
]

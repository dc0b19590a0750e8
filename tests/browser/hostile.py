"""A store full of text that would do harm, were it not only text; and where each page shows it."""

import json
import re
from typing import Any
from urllib.parse import quote, urlencode

from botocore.exceptions import ClientError
from tests.panel.conftest import Visitor

from neve.testing.server import LiveServer

EVIL = "\"'><b data-evil>x</b><img src=x onerror=evil()><script>evil()</script>{{ 7+42 }}"
"""An element of this anywhere in a page tells that it came through; so does a call of `evil`."""
NAME = EVIL.replace("<img src=x onerror=evil()>", "")
"""Names of people have no `=` in them."""
FOLDER = f"{EVIL}/"
HTML = f"<!doctype html><script>document.title='ran'</script>{EVIL}".encode()
SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9" onload="evil()">'
    b"<script>evil()</script><rect width='9' height='9'/></svg>"
)
PDF = (
    b"%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R/OpenAction<</S/JavaScript/JS(app.alert\\(1\\))>>"
    b">>endobj\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n"
    b"3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 99 99]>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)
OBJECTS = {
    "page.html": (HTML, "text/html"),
    "drawing.svg": (SVG, "image/svg+xml"),
    "paper.pdf": (PDF, "application/pdf"),
    "table.csv": (f"a,{EVIL}\n{EVIL},b\n".encode(), "text/html"),
    "data.json": (json.dumps({EVIL: EVIL}).encode(), EVIL),
    "text.txt": (HTML, "text/html; charset=utf-7"),
    f"{EVIL}.txt": (EVIL.encode(), EVIL),
    f"{FOLDER}inside": (b"x", "text/plain"),
    f"z{EVIL}.zarr/.zgroup": (b'{"zarr_format": 2}', "application/json"),
    f"z{EVIL}.zarr/.zattrs": (json.dumps({EVIL: EVIL}).encode(), "application/json"),
}
BUCKET, LOCKED = "hostile", "hostile-locks"
USER = "u\"'><data-evil>{{7+42}}<script>evil()"
"""Names of users have no blanks and slashes either."""
GROUP, POLICY = f"g{NAME}", f"p{NAME}"


def fill(server: LiveServer) -> dict[str, str]:
    """Put it everywhere; return the address of each page of the panel that shows some of it."""
    s3, me = server.client(), Visitor(server).login()
    s3.meta.events.register("before-send", _as_evil_browser)
    s3.create_bucket(Bucket=BUCKET)
    s3.create_bucket(Bucket=LOCKED, ObjectLockEnabledForBucket=True)
    for key, (body, kind) in OBJECTS.items():
        s3.put_object(
            Bucket=BUCKET, Key=key, Body=body, ContentType=kind, ContentDisposition=f"x; {EVIL}",
            ContentLanguage=EVIL, CacheControl=EVIL, Metadata={"note": EVIL, "b'c&d": EVIL},
        )  # fmt: skip
    versions = [
        s3.put_object(Bucket=LOCKED, Key=EVIL, Body=body, Metadata={"v": EVIL})["VersionId"]
        for body in (EVIL.encode(), b"other\n" + EVIL.encode())
    ]
    upload = s3.create_multipart_upload(Bucket=BUCKET, Key=EVIL)["UploadId"]
    s3.upload_part(Bucket=BUCKET, Key=EVIL, UploadId=upload, PartNumber=1, Body=b"1")
    s3.put_object_tagging(Bucket=BUCKET, Key="page.html", Tagging=_tags())
    _fill_settings(s3, me)
    key = _fill_people(me)
    for act in (lambda: s3.get_object(Bucket=BUCKET, Key=f"no{EVIL}"), s3.list_buckets):
        try:
            act()
        except ClientError:
            pass
    return _addresses(versions, key)


def _as_evil_browser(request: Any, **more: Any) -> None:
    request.headers["User-Agent"] = EVIL


def _tags() -> dict[str, Any]:
    return {"TagSet": [{"Key": "a", "Value": "+-=._:/@"}]}


def _fill_settings(s3: Any, me: Visitor) -> None:
    statement = {
        "Sid": EVIL, "Effect": "Allow", "Principal": "*", "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{BUCKET}/{EVIL}*",
        "Condition": {"StringEquals": {"aws:Referer": EVIL}},
    }  # fmt: skip
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps({
        "Version": "2012-10-17", "Statement": [statement],
    }))  # fmt: skip
    s3.put_bucket_lifecycle_configuration(Bucket=BUCKET, LifecycleConfiguration={"Rules": [{
        "ID": EVIL, "Status": "Enabled", "Filter": {"Prefix": EVIL}, "Expiration": {"Days": 9},
    }]})  # fmt: skip
    s3.put_bucket_cors(Bucket=BUCKET, CORSConfiguration={"CORSRules": [{
        "ID": EVIL, "AllowedOrigins": [f"http://{EVIL}"], "AllowedMethods": ["GET"],
        "AllowedHeaders": [EVIL], "ExposeHeaders": [EVIL],
    }]})  # fmt: skip
    s3.put_bucket_tagging(Bucket=BUCKET, Tagging=_tags())
    me.post(f"/buckets/{BUCKET}/quota", what="prefix", prefix=EVIL, bytes="1 TiB")
    me.post("/buckets/_quotas", what="user", name=USER, bytes="1 TiB")


def _fill_people(me: Visitor) -> str:
    """Return the id of an access key."""
    shown = me.post("/users/new", name=USER, role="readonly")
    assert shown.status == 200, shown.words
    shown = me.post("/groups", name=GROUP)
    assert shown.status == 200, shown.words
    me.post("/group/add", name=GROUP, member="nobody")
    document = {"Version": "2012-10-17", "Statement": [{
        "Sid": EVIL, "Effect": "Allow", "Action": ["s3:GetObject"],
        "Resource": [f"arn:aws:s3:::{BUCKET}/{EVIL}"],
        "Condition": {"StringLike": {"aws:UserAgent": EVIL}},
    }]}  # fmt: skip
    me.post("/policy/edit", name=POLICY, document=json.dumps(document))
    me.post("/user/attach", name=USER, policy=POLICY)
    shown = me.post("/keys/new", name="evil", description=EVIL, life="1h", limit="none")
    return re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", shown.text)[0]


def _addresses(versions: list[str], key: str) -> dict[str, str]:
    """By the page's path in `PAGES`, with a mark after it where a page has several faces."""

    def at(path: str, **query: str) -> str:
        return path + (f"?{urlencode(query, quote_via=quote)}" if query else "")

    bucket, object = f"/buckets/{BUCKET}", f"/object/{BUCKET}"
    found = {f"/object/{{bucket}} {name}": at(object, key=name) for name in OBJECTS}
    found |= {
        f"/buckets/{{bucket}}/{tab}": f"{bucket}/{tab}"
        for tab in ("access", "quota", "versioning", "lifecycle", "cors", "tags", "more",
                    "uploads", "empty", "delete")
    }  # fmt: skip
    zarr = f"z{EVIL}.zarr/"
    found |= {
        "/login": at("/login", next=f"/{EVIL}"),
        "/buckets": at("/buckets", q=EVIL),
        "/buckets list": "/buckets",
        "/buckets/_new": "/buckets/_new",
        "/buckets/_quotas": "/buckets/_quotas",
        "/buckets/{bucket}": bucket,
        "/buckets/{bucket}/lock": f"/buckets/{LOCKED}/lock",
        "/buckets/{bucket}/lifecycle edit": at(f"{bucket}/lifecycle", edit="0"),
        "/browse/{bucket}": at(f"/browse/{BUCKET}"),
        "/browse/{bucket} folder": at(f"/browse/{BUCKET}", prefix=FOLDER, starts=EVIL),
        "/browse/{bucket} versions": at(f"/browse/{LOCKED}", versions="1"),
        "/browse/{bucket} sorted": at(f"/browse/{BUCKET}", order="size", desc="1"),
        "/browse/{bucket}/store": at(f"/browse/{BUCKET}/store", prefix=zarr),
        "/browse/{bucket}/code": at(f"/browse/{BUCKET}/code", prefix=zarr),
        "/object/{bucket}/code": at(f"{object}/code", key=f"{EVIL}.txt"),
        "/object/{bucket}/change": at(f"{object}/change", key=f"{EVIL}.txt"),
        "/object/{bucket}/share": at(f"{object}/share", key=f"{EVIL}.txt"),
        "/object/{bucket}/versions": at(f"/object/{LOCKED}/versions", key=EVIL),
        "/object/{bucket}/delete-version": at(
            f"/object/{LOCKED}/delete-version", key=EVIL, version=versions[0]
        ),
        "/object/{bucket}/compare": at(
            f"/object/{LOCKED}/compare", key=EVIL, before=versions[0], after=versions[1]
        ),
        "/users": "/users",
        "/users/new": "/users/new",
        "/user": at("/user", name=USER),
        "/user/remove": at("/user/remove", name=USER),
        "/groups": "/groups",
        "/group": at("/group", name=GROUP),
        "/policies": "/policies",
        "/policy": at("/policy", name=POLICY),
        "/policy/edit": at("/policy/edit", name=POLICY),
        "/keys": at("/keys", all="yes"),
        "/keys/new": at("/keys/new", user=USER),
        "/key": at("/key", id=key),
        "/grant": at("/grant", who=f"user:{USER}", bucket=EVIL, prefix=EVIL),
        "/explain": at("/explain", who=USER, action="s3:GetObject", bucket=BUCKET, key=EVIL),
        "/explain wrong": at("/explain", who=EVIL, action=EVIL, bucket=EVIL, ip=EVIL),
        "/account": "/account",
        "/dashboard": "/dashboard",
        "/upkeep": "/upkeep",
        "/audit": at("/audit", text="evil"),
        "/trace": "/trace",
        "/logs": at("/logs", text=EVIL),
        "/server": "/server",
        "missing": at(f"/no{quote(EVIL)}", a=EVIL),
    }
    return found

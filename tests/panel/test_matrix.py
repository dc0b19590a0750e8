"""Who may see and do what, over all pages: a row for each page, a letter for each kind of person.

People: A administrator; M manages the bucket `of-m` and quotas; W `readwrite`; R reads the bucket
`store`; S `selfservice`; V an auditor who may see everything and change nothing; D was disabled
after logging in; N has not logged in. Each row says who may in a bucket (or with a key) of somebody
else, and who may in their own.
"""

import io
import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from typing import Any, NamedTuple

import pytest
from botocore.exceptions import ClientError
from urllib3 import encode_multipart_formdata

from neve.client.admin import Admin
from neve.client.alias import Alias
from neve.client.s3 import S3
from neve.client.transport import Transport
from neve.panel.pages import PAGES
from neve.testing.server import LiveServer, wait_until

from .conftest import Shown, Visitor

CONTENT = '{"zarr_format": 2}'
SECRET = "secret-of-them-all"
EVERYBODY, LOGGED_IN = "AMWRSVDN", "AMWRSV"


class Row(NamedTuple):
    """What is expected of a page."""

    others: str
    """Who may, where it belongs to somebody else."""
    own: str = ""
    """Who may, where it is theirs."""
    query: str = ""
    form: dict[str, Any] | None = None
    effect: bool = True
    """Whether what a POST does shows in the state of the server."""
    vault: bool = False
    """Whether it is about the bucket of the place whose versions can be locked."""
    script: bool = False
    """Whether only a script asks for it: no page has a link or form."""


ROWS = {
    "GET /": Row(LOGGED_IN + "D"),
    "GET /login": Row(EVERYBODY),
    "POST /login": Row(EVERYBODY, form={}, effect=False),
    "POST /preferences": Row(EVERYBODY, form={"lang": "en"}, effect=False),
    "POST /public": Row(EVERYBODY, form={"bucket": "open"}, effect=False),
    # Before versions are kept, which makes the object another.
    "POST /object/{bucket}/change/metadata": Row(
        "AW", "AMWS", "key=data.txt", {"was": "{was}", "meta": "a", "meta_value": "b"}
    ),
    # Buckets.
    "GET /buckets": Row(LOGGED_IN),
    "GET /buckets/_new": Row(LOGGED_IN),
    "POST /buckets/_new": Row("AWS", form={"name": "new-{who}"}),
    "GET /buckets/{bucket}": Row("AWRV", "AMWS"),
    "GET /buckets/{bucket}/access": Row("AWV", "AMWS"),
    "POST /buckets/{bucket}/access": Row("AW", "AMWS", form={"what": "readable"}),
    # Admin rights are for all buckets.
    "GET /buckets/{bucket}/quota": Row("AMWRV", "AMWS"),
    "POST /buckets/{bucket}/quota": Row("AM", "AM", form={"bytes": "1 TiB"}),
    "GET /buckets/{bucket}/versioning": Row("AWRV", "AMWS"),
    "POST /buckets/{bucket}/versioning": Row("AW", "AMWS", form={"status": "Enabled"}),
    "GET /buckets/{bucket}/lifecycle": Row("AWV", "AMWS"),
    "POST /buckets/{bucket}/lifecycle": Row(
        "AW", "AMWS", form={"what": "save", "days": "9", "enabled": "on"}
    ),
    "GET /buckets/{bucket}/lock": Row("AWRV", "AMWS"),
    "POST /buckets/{bucket}/lock": Row("AW", "AMWS", form={"sure": "on"}),
    "GET /buckets/{bucket}/cors": Row("AWV", "AMWS"),
    "POST /buckets/{bucket}/cors": Row("AW", "AMWS", form={"what": "preset"}),
    "GET /buckets/{bucket}/tags": Row("AWV", "AMWS"),
    "POST /buckets/{bucket}/tags": Row("AW", "AMWS", form={"key": "a", "value": "b"}),
    "GET /buckets/{bucket}/more": Row("AWV", "AMWS"),
    "POST /buckets/{bucket}/more": Row(
        "AW", "AMWS", form={"what": "ownership", "ownership": "ObjectWriter"}
    ),
    "GET /buckets/{bucket}/uploads": Row("AWV", "AMWS"),
    "POST /buckets/{bucket}/uploads": Row("AW", "AMWS", form={"key": "ends", "upload": "{ends}"}),
    "GET /buckets/_quotas": Row("A"),
    "POST /buckets/_quotas": Row("A", form={"what": "default", "bytes": "7 TiB"}),
    # Objects.
    "GET /browse/{bucket}": Row("AWRV", "AMWS"),
    "GET /browse/{bucket}/store": Row("AWRV", "AMWS", "prefix=z.zarr/"),
    "GET /object/{bucket}": Row("AWRV", "AMWS", "key=data.txt"),
    "GET /object/{bucket}/download": Row("AWRV", "AMWS", "key=data.txt"),
    "GET /object/{bucket}/code": Row("AWRV", "AMWS", "key=data.txt"),
    "GET /browse/{bucket}/code": Row(EVERYBODY, "AMWS"),  # nothing is read for it
    "GET /object/{bucket}/change": Row("AWRV", "AMWS", "key=held.txt", vault=True),
    "POST /object/{bucket}/change/tags": Row(
        "AW", "AMWS", "key=data.txt", {"tag": "a", "tag_value": "b"}
    ),
    "POST /object/{bucket}/change/hold": Row(
        "AW", "AMWS", "key=held.txt", {"hold": "off"}, vault=True
    ),
    "POST /object/{bucket}/change/retention": Row(
        "AW", "AMWS", "key=held.txt", {"mode": "", "bypass": "on"}, vault=True
    ),
    "GET /object/{bucket}/share": Row("AWRV", "AMWS", "key=data.txt"),
    "POST /object/{bucket}/share": Row(
        "AWRV", "AMWS", "key=data.txt", {"span": "3600"}, effect=False
    ),
    "GET /object/{bucket}/versions": Row("AWRV", "AMWS", "key=held.txt", vault=True),
    "GET /object/{bucket}/compare": Row(
        "AWRV", "AMWS", "key=held.txt&before={first}&after={second}", vault=True
    ),
    "POST /object/{bucket}/restore": Row(
        "AW", "AMWS", "key=held.txt&version={first}", {}, vault=True
    ),
    "GET /object/{bucket}/delete-version": Row(
        "AW", "AMWS", "key=held.txt&version={first}", vault=True
    ),
    "POST /object/{bucket}/delete-version": Row(
        "AW", "AMWS", "key=held.txt&version={first}", {}, vault=True
    ),
    "GET /folder/{bucket}": Row(LOGGED_IN, query="name=new"),  # nothing is made
    "POST /move/{bucket}": Row(LOGGED_IN, form={"key": "data.txt", "folder": ""}, effect=False),
    "POST /move/{bucket}/now": Row(
        "AW",
        "AMWS",
        form={"key": "data.txt", "to_bucket": "{bucket}", "name": "copy.txt", "do": "copy"},
    ),
    # A link to S3, which judges it.
    "GET /object/{bucket}/image": Row(EVERYBODY, "AMWS", "key=data.txt&type=image/png"),
    "GET /zip/{bucket}": Row("AWRV", "AMWS"),
    "POST /zip/{bucket}": Row("AWRV", "AMWS", form={"key": "data.txt", "folder": ""}, effect=False),
    "POST /upload/sign": Row(
        LOGGED_IN, form={"bucket": "{bucket}", "keys": ["k"]}, effect=False, script=True
    ),
    "POST /upload/begin": Row(
        "AW", "AMWS", form={"bucket": "{bucket}", "key": "begun"}, script=True
    ),
    "POST /upload/parts": Row(
        LOGGED_IN,
        form={"bucket": "{bucket}", "key": "k", "upload": "u", "first": 1, "last": 2},
        effect=False,
        script=True,
    ),
    "POST /upload/complete": Row(
        "AW",
        "AMWS",
        form={"bucket": "{bucket}", "key": "parts", "upload": "{upload}", "etags": ["{etag}"]},
        script=True,
    ),
    "POST /upload/abort": Row(
        "AW", "AMWS", form={"bucket": "{bucket}", "key": "waits", "upload": "{waits}"}, script=True
    ),
    "POST /upload/form": Row("AW", "AMWS", form={"bucket": "{bucket}", "file": b"written"}),
    "POST /remove/{bucket}": Row(
        "AW", "AMWS", form={"key": "data.txt", "folder": ""}, effect=False
    ),
    "POST /remove/{bucket}/now": Row("AW", "AMWS", form={"key": "data.txt"}),
    "POST /undo": Row("A", form={"name": "{undo}"}),
    "GET /tasks/{name}": Row("A"),
    "POST /tasks/{name}": Row("A", form={}, effect=False),
    # The end of a bucket.
    "GET /buckets/{bucket}/empty": Row("AW", "AMWS"),
    "POST /buckets/{bucket}/empty": Row("AW", "AMWS", form={"name": "{bucket}"}),
    "GET /buckets/{bucket}/progress": Row("A", query="job={job}"),
    "POST /buckets/{bucket}/progress": Row("A", form={"job": "{job}"}, effect=False),
    "GET /buckets/{bucket}/delete": Row("AW", "AMWS"),
    "POST /buckets/{bucket}/delete": Row("AW", "AMWS", form={"name": "{bucket}"}),
    # People.
    "GET /users": Row("AV"),
    "GET /users/new": Row("A"),
    "POST /users/new": Row("A", form={"name": "newcomer", "role": "readwrite"}),
    "GET /user": Row("AV", query="name=victim"),
    "POST /user/state": Row("A", form={"name": "victim", "enabled": "no"}),
    "POST /user/secret": Row("A", form={"name": "victim", "secret": "another-secret"}),
    "POST /user/attach": Row("A", form={"name": "victim", "policy": "consoleAdmin"}),
    "POST /user/detach": Row("A", form={"name": "victim", "policy": "readonly"}),
    "POST /user/join": Row("A", form={"name": "victim", "group": "crowd"}),
    "POST /user/leave": Row("A", form={"name": "victim", "group": "victims"}),
    "GET /groups": Row("AV"),
    "POST /groups": Row("A", form={"name": "new-group"}),
    "GET /group": Row("AV", query="name=victims"),
    "POST /group/state": Row("A", form={"name": "victims", "enabled": "no"}),
    "POST /group/add": Row("A", form={"name": "empty", "member": "victim"}),
    "POST /group/take-out": Row("A", form={"name": "crowd", "member": "bystander"}),
    "POST /group/attach": Row("A", form={"name": "crowd", "policy": "consoleAdmin"}),
    "POST /group/detach": Row("A", form={"name": "victims", "policy": "readonly"}),
    "POST /group/remove": Row("A", form={"name": "unused"}),
    "GET /policies": Row("AV"),
    "GET /policy": Row("AV", query="name=policy-spare"),
    "GET /policy/edit": Row("A", query="name=policy-spare"),
    "POST /policy/edit": Row(
        "A",
        form={
            "name": "made-here",
            "document": '{"Version":"2012-10-17","Statement":[{"Effect":"Allow",'
            '"Action":"s3:*","Resource":"arn:aws:s3:::*"}]}',
        },
    ),
    "POST /policy/remove": Row("A", form={"name": "policy-spare"}),
    "GET /grant": Row(LOGGED_IN),
    "POST /grant": Row(
        "A", form={"who": "user:victim", "role": "contributor", "bucket": "{bucket}"}
    ),
    "GET /explain": Row(LOGGED_IN, query="who=victim&action=s3:GetObject"),
    "GET /user/remove": Row("A", query="name=victim"),
    "GET /keys": Row("AV", LOGGED_IN, "user={holder}"),
    "GET /keys/new": Row("A", LOGGED_IN, "user={holder}"),
    "POST /keys/new": Row("A", LOGGED_IN, form={"user": "{holder}", "life": "1h"}),
    "GET /key": Row("AV", LOGGED_IN, "id={key}"),
    "POST /key": Row("A", LOGGED_IN, form={"id": "{key}", "name": "renamed", "life": "7d"}),
    "POST /key/state": Row("A", LOGGED_IN, form={"id": "{key}", "enabled": "no"}),
    "POST /key/remove": Row("A", LOGGED_IN, form={"id": "{key}", "sure": "yes"}),
    "POST /user/remove": Row("A", form={"name": "victim", "typed": "victim"}),
    "GET /account": Row(LOGGED_IN),
    "POST /account/secret": Row(LOGGED_IN, form={"old": "wrong", "new": "short"}, effect=False),
    "POST /account/sessions": Row(LOGGED_IN, form={"mark": "none"}, effect=False),
    # The server.
    "GET /dashboard": Row("AV"),
    "GET /upkeep": Row("AV"),
    "GET /audit": Row("AV"),
    "GET /trace": Row("AV"),
    "GET /trace/stream": Row("AV", script=True),
    "GET /logs": Row("AV"),
    "GET /server": Row("A"),
    "POST /server": Row("A", form={"bytes": "5TiB"}),
    "POST /server/service": Row("A", form={"action": "unfreeze", "sure": "yes"}, effect=False),
    "POST /server/export-iam": Row("A", form={}, effect=False),
    "POST /server/export-buckets": Row("A", form={}, effect=False),
    "POST /server/import-iam": Row("A", form={"archive": b"no zip"}, effect=False),
    "POST /server/import-buckets": Row("A", form={"archive": b"no zip"}, effect=False),
    "POST /logout": Row(LOGGED_IN, form={}, effect=False),
}

POLICIES = {
    "m": [
        {
            "Action": ["s3:*"],
            "Resource": ["arn:aws:s3:::of-m", "arn:aws:s3:::of-m/*", "arn:aws:s3:::of-m-vault*"],
        },
        {"Action": ["s3:ListAllMyBuckets"], "Resource": ["arn:aws:s3:::*"]},
        {"Action": ["admin:SetBucketQuota", "admin:GetBucketQuota", "admin:DataUsageInfo"]},
    ],
    "v": [
        {"Action": ["s3:Get*", "s3:List*"], "Resource": ["arn:aws:s3:::*"]},
        {
            "Action": [
                f"admin:{each}"
                for each in (
                    "List*",
                    "Get*",
                    "ServerInfo",
                    "ServerTrace",
                    "ConsoleLog",
                    "AuditLog",
                    "DataUsageInfo",
                )
            ]
        },
    ],
    "spare": [{"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::x/*"]}],
}
NAMED = {
    "mmm": "policy-m", "www": "readwrite", "rrr": "reader:store", "sss": "selfservice",
    "vvv": "policy-v", "ddd": "readwrite", "victim": "readonly", "bystander": "",
}  # fmt: skip
GROUPS = {
    "victims": "victim", "crowd": "bystander", "empty": "bystander", "unused": "bystander",
}  # fmt: skip
ROOT_BUCKETS = ("store", "open")


class Company:
    """A server with all these people, their buckets and keys, and others' they should not touch."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.s3 = server.client()
        keys = (server.access_key, server.secret_key)
        self.root = Admin(S3(Transport(Alias("root", server.endpoint, *keys, path="on"))))
        self.visitors = {"A": Visitor(server).login(), "N": Visitor(server)}
        self._make_people()
        for bucket in ROOT_BUCKETS:
            self._make_buckets("A", bucket)
        me = self.visitors["A"]
        begun = me.post("/buckets/store/empty", follow=False, name="store").headers["location"]
        wait_until(lambda: "refresh" not in me.get(begun).headers)
        self.places = {"others": self._fill("store", "victim")}
        self.places["others"]["job"] = begun.partition("job=")[2]
        for who in "MWRSVD":
            self.visitors[who] = Visitor(server).login(who.lower() * 3, SECRET)
        for who in "AMWS":
            self._make_buckets(who, f"of-{who.lower()}")
            self.places[who] = self._fill(f"of-{who.lower()}", self.name(who))
        for who in "RV":
            self.places[who] = self.places["others"] | {
                    "key": self._key(self.name(who)), "holder": self.name(who)
                }  # fmt: skip
        self.visitors["A"].post("/user/state", name="ddd", enabled="no")
        self._work()

    def name(self, who: str) -> str:
        return self.server.access_key if who == "A" else who.lower() * 3

    def _client(self, who: str) -> Any:
        if who != "S":  # a bucket of S is its own; M has one of root's
            return self.s3
        keys = {"aws_access_key_id": self.name(who), "aws_secret_access_key": SECRET}
        return self.server.client(**keys)

    def _make_buckets(self, who: str, name: str) -> None:
        self._client(who).create_bucket(Bucket=name)
        self._client(who).create_bucket(Bucket=f"{name}-vault", ObjectLockEnabledForBucket=True)

    def _make_people(self) -> None:
        post = self.visitors["A"].post
        for name, statements in POLICIES.items():
            allow = [{"Effect": "Allow", **each} for each in statements]
            document = json.dumps({"Version": "2012-10-17", "Statement": allow})
            post("/policy/edit", name=f"policy-{name}", document=document)
        for name, policy in NAMED.items():
            shown = post("/users/new", name=name, secret=SECRET, role=policy)
            assert shown.status == 200, shown.words
        post("/user/attach", name="rrr", policy="reader:store-vault")
        for group, member in GROUPS.items():
            post("/group/add", name=group, member=member)
            if member == "bystander":
                post("/group/take-out", name=group, member=member)
        post("/group/add", name="crowd", member="bystander")
        post("/group/attach", name="victims", policy="readonly")

    def _fill(self, bucket: str, holder: str) -> dict[str, str]:
        """Put into a bucket what rows are about; return what stands in braces in them."""
        for key in ("data.txt", "sub/data.txt", "z.zarr/.zgroup"):
            self.s3.put_object(Bucket=bucket, Key=key, Body=CONTENT.encode())
        uploads = {
            key: self.s3.create_multipart_upload(Bucket=bucket, Key=key)["UploadId"]
            for key in ("parts", "waits", "ends")
        }
        shown = self.visitors["A"].get(f"/object/{bucket}/change", key="data.txt")
        was = re.search(r'name="was" value="([^"]+)"', shown.text)
        assert was, shown.words
        part = self.s3.upload_part(
            Bucket=bucket, Key="parts", UploadId=uploads["parts"], PartNumber=1, Body=b"part"
        )
        return {
            "bucket": bucket, "upload": uploads["parts"],
            "was": was[1],
            **self._fill_vault(f"{bucket}-vault"),
            "ends": uploads["ends"], "waits": uploads["waits"],
            "etag": part["ETag"].strip('"'), "holder": holder, "key": self._key(holder),
        }  # fmt: skip

    def _fill_vault(self, bucket: str) -> dict[str, str]:
        versions = [
            self.s3.put_object(Bucket=bucket, Key="held.txt", Body=body)["VersionId"]
            for body in (CONTENT.encode(), b"other", b"third")
        ]
        until = datetime.now(UTC) + timedelta(days=1)
        retention = {"Mode": "GOVERNANCE", "RetainUntilDate": until}
        self.s3.put_object_retention(Bucket=bucket, Key="held.txt", Retention=retention)
        self.s3.put_object_legal_hold(Bucket=bucket, Key="held.txt", LegalHold={"Status": "ON"})
        return {"vault": bucket, "first": versions[0], "second": versions[1], "held": versions[2]}

    def _key(self, holder: str) -> str:
        user = "" if holder == self.server.access_key else holder
        shown = self.visitors["A"].post("/keys/new", user=user, life="7d")
        found = re.search(r"<pre[^>]*><code>(.*?)</code></pre>", shown.text)
        assert found, shown.words
        return found[1]

    def _work(self) -> None:
        """Work of the administrator that nobody else may see, stop or undo."""
        me, place = self.visitors["A"], self.places["others"]
        self.s3.put_bucket_policy(Bucket="open", Policy=json.dumps({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow", "Principal": "*", "Action": ["s3:GetObject", "s3:ListBucket"],
                "Resource": ["arn:aws:s3:::open", "arn:aws:s3:::open/*"],
            }],
        }))  # fmt: skip
        self.s3.put_object(Bucket="open", Key="data.txt", Body=b"1")
        self.s3.put_object(Bucket="open-vault", Key="undone.txt", Body=b"1")
        version = self._fill_vault("open-vault")["held"]
        fields = {"key": "held.txt", "folder": ""}
        shown = me.post("/remove/open-vault/now", follow=False, version=version, **fields)
        place["name"] = shown.headers["location"].removeprefix("/tasks/")
        shown = me.post("/remove/open-vault/now", key="undone.txt", folder="")
        found = re.search(r'name="name" value="([^"]+)"', shown.text)
        assert found, shown.words
        place["undo"] = found[1]
        for each in self.places.values():
            each |= {name: place[name] for name in ("name", "undo", "job")}

    def state(self, bucket: str = "") -> dict[str, Any]:
        """Everything that a page can change; in only one of the buckets if one is given."""
        found: dict[str, Any] = {}
        for call in ("export-iam", "export-bucket-metadata"):
            data = self.root.answer("GET", call).body
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                found |= {name: archive.read(name) for name in archive.namelist()}
        settings = self.visitors["A"].get("/server").text
        found["settings"] = re.findall(r'<input id="f-[^>]*>', settings)
        for row in self.s3.list_buckets()["Buckets"]:
            name = row["Name"]
            found[f"{name}: exists"] = True
            reads = [(read, {}) for read in READS] + [(read, {"Key": key}) for read, key in OF_KEYS]
            for read, of in reads if bucket in ("", name) else ():
                try:
                    answer = getattr(self.s3, read)(Bucket=name, **of)
                except ClientError as error:
                    answer = {"code": error.response["Error"]["Code"]}
                answer.pop("ResponseMetadata", None)
                found[f"{name}: {read}"] = answer
        return found

    def await_change(self, before: dict[str, Any], bucket: str, what: str) -> None:
        """Wait until the state is another: some work is done in the background."""
        try:
            wait_until(lambda: self.state(bucket) != before)
        except AssertionError as error:
            raise AssertionError(what) from error

    def send(self, who: str, page: str, place: dict[str, str]) -> Shown:
        """Do what a page of ours would send as somebody."""
        row, visitor = ROWS[page], self.visitors[who]
        method, path = page.split()
        values = place | {"who": who.lower()} | ({"bucket": place["vault"]} if row.vault else {})
        path = _filled(path, values) + (f"?{_filled(row.query, values)}" if row.query else "")
        if method == "GET":
            return visitor.request("GET", path)
        fields = {"csrf": visitor.csrf} | _filled(row.form, values)
        headers = {"origin": self.server.panel}
        if row.script:
            headers |= {"accept": "application/json", "content-type": "application/json"}
            return visitor.request("POST", path, json.dumps(fields).encode(), headers)
        body, headers["content-type"] = encode_multipart_formdata({
            name: ("name.txt", value) if isinstance(value, bytes) else value
            for name, value in fields.items()
        })  # fmt: skip
        return visitor.request("POST", path, body, headers)


READS = (
    "get_bucket_cors", "get_bucket_ownership_controls", "get_public_access_block",
    "get_bucket_acl", "get_bucket_tagging", "get_object_lock_configuration", "get_bucket_policy",
    "get_bucket_versioning", "get_bucket_lifecycle_configuration", "list_object_versions",
    "list_multipart_uploads",
)  # fmt: skip

OF_KEYS = (
    ("head_object", "data.txt"),
    ("get_object_tagging", "data.txt"),
    ("get_object_retention", "held.txt"),
    ("get_object_legal_hold", "held.txt"),
)


def _filled(value: Any, place: dict[str, str]) -> Any:
    """Put the names of a place where they stand in braces."""
    if isinstance(value, dict):
        return {name: _filled(each, place) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, place) for each in value]
    if not isinstance(value, str):
        return value
    return re.sub(r"\{(\w+)\}", lambda found: place.get(found[1], found[0]), value)


@pytest.fixture(scope="module")
def company(server: LiveServer) -> Company:
    """The people, once for all tests of this module, which run in their order."""
    return Company(server)


def outcome(shown: Shown) -> str:
    """`yes`, `login`, or `no`."""
    if shown.status == 401 or shown.headers.get("location", "").startswith("/login"):
        return "login"
    assert shown.status < 500, shown.text
    return "no" if shown.status in (403, 404) else "yes"


def test_every_page_has_a_row() -> None:
    assert set(ROWS) == {f"{page.method} {page.path}" for page in PAGES}


def cells(method: str) -> list[tuple[str, str, str]]:
    """Page, person and place, for all rows; those without a bucket have only one place."""
    return [
        (page, who, place)
        for page, row in ROWS.items()
        if page.startswith(method)
        for who in EVERYBODY
        for place in ("others", *(who if who in (LOGGED_IN if "R" in row.own else "AMWS") else ""))
        if place == "others" or row.own
    ]


def expected(page: str, who: str, place: str) -> str:
    row = ROWS[page]
    if who in (row.others if place == "others" else row.own):
        return "yes"
    return "no" if who in LOGGED_IN else "login"


def test_pages_are_shown_to_who_may_see_them(company: Company) -> None:
    wrong = []
    for page, who, place in cells("GET"):
        wanted = expected(page, who, place)
        if page == "GET /trace/stream" and wanted == "yes":
            continue  # it does not end
        shown = company.send(who, page, company.places[place])
        assert wanted == "yes" or CONTENT not in shown.text
        if (got := outcome(shown)) != wanted:
            wrong.append(f"{page} as {who} in {place}: {got} ({shown.status})")
    assert not wrong, "\n".join(wrong)


def test_what_is_denied_changes_nothing(company: Company) -> None:
    before = company.state()
    wrong = []
    for page, who, place in cells("POST"):
        wanted = expected(page, who, place)
        if wanted == "yes":
            continue
        shown = company.send(who, page, company.places[place])
        assert CONTENT not in shown.text
        if wanted == "login" and outcome(shown) == "yes":
            wrong.append(f"{page} as {who} in {place}: ({shown.status})")
    assert not wrong, "\n".join(wrong)
    after = company.state()
    assert {name for name in before | after if before.get(name) != after.get(name)} == set()


def test_anonymous_visitors_see_what_is_public_and_no_more(company: Company) -> None:
    visitor, public = company.visitors["N"], company.places["others"] | {"bucket": "open"}
    for page, row in ROWS.items():
        if not page.startswith("GET ") or row.script or row.vault or "store" in page:
            continue
        shown = company.send("N", page, public)
        seen = "N" in row.others or page in PUBLIC
        assert outcome(shown) == ("yes" if seen else "login"), f"{page}: {shown.status}"
        assert not re.search(r"\b(of-[a-z]|victim|bystander)\b", shown.text), page
    assert "data.txt" in visitor.get("/browse/open").words
    assert "data.txt" in visitor.get("/object/open", key="data.txt").words


PUBLIC = {
    "GET /browse/{bucket}", "GET /object/{bucket}", "GET /object/{bucket}/download",
    "GET /object/{bucket}/code", "GET /zip/{bucket}",
}  # fmt: skip


class Offers(HTMLParser):
    """What a page leads to: paths of its links, and of its forms that have a button to press."""

    def __init__(self, text: str, path: str) -> None:
        super().__init__()
        self.found: set[tuple[str, str]] = set()
        self._path = path
        self._action = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag == "a" and (given.get("href") or "").startswith("/"):
            self.found.add(("GET", given["href"] or ""))
        elif tag == "form":
            posts = given.get("method") == "post"
            self._action = (given.get("action") or self._path) if posts else ""
        elif tag == "button" and "disabled" not in given and given.get("type") != "button":
            action = given.get("formaction") or self._action
            if action:
                self.found.add(("POST", action))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._action = ""


PATTERNS = {
    page: re.compile(re.sub(r"\\{\w+\\}", "([^/]+)", re.escape(page)) + r"(\?.*)?\Z")
    for page in sorted(ROWS, key=lambda page: page.count("{"))
}


def test_only_what_is_allowed_is_offered(company: Company) -> None:
    """And all that is allowed is offered somewhere."""
    wrong, offered = set(), set()
    for page, who, place in cells("GET"):
        if expected(page, who, place) != "yes" or ROWS[page].script:
            continue
        shown = company.send(who, page, company.places[place])
        if shown.headers.get("content-type", "").startswith("text/html"):
            for method, path in Offers(
                shown.text, _filled(page.split()[1], company.places[place])
            ).found:
                row = next(
                    row for row, known in PATTERNS.items() if known.match(f"{method} {path}")
                )
                mine = place == who or path in ("/keys", "/keys/new")
                there = ROWS[row].own if ROWS[row].own and mine else ROWS[row].others
                if who not in there and (page, row) not in LET_BE and path != "/":
                    wrong.add(f"{page} in {place} offers {who} {method} {path}")
                offered.add(row)
    assert not wrong, "\n".join(sorted(wrong))
    missing = {page for page, row in ROWS.items() if not row.script} - offered - LED_TO
    assert not missing, "\n".join(sorted(missing))


LET_BE = {
    # Who may list all buckets sees the names of those that they may not enter, as at AWS.
    ("GET /buckets", "GET /browse/{bucket}"),
    ("GET /buckets", "GET /buckets/{bucket}"),
    ("GET /browse/{bucket}/code", "GET /browse/{bucket}"),
    ("GET /buckets/{bucket}/quota", "GET /browse/{bucket}"),
    ("GET /buckets/{bucket}/quota", "GET /buckets/{bucket}"),
    # Whether a bucket may be made can depend on its name.
    ("GET /buckets/_new", "POST /buckets/_new"),
}
LED_TO = {
    "GET /folder/{bucket}", "GET /object/{bucket}/compare",  # from forms that are read
    "POST /move/{bucket}/now",
    "GET /login",  # where one is not logged in
    "GET /browse/{bucket}/store", "GET /object/{bucket}/image",  # from what is no store, no image
    "GET /buckets/{bucket}/progress", "POST /buckets/{bucket}/progress", "GET /tasks/{name}",
    "POST /tasks/{name}", "POST /remove/{bucket}/now", "POST /undo",  # from answers to a POST
    "POST /account/sessions", "POST /group/remove",  # where there are other sessions, no members
}  # fmt: skip
"""What no page here leads to, and where it is led to from."""


@pytest.mark.slow
def test_what_is_allowed_is_done(company: Company) -> None:
    """So that what was denied above was so for want of a right. The last test: it changes all."""
    for page, who, place in cells("POST"):
        row = ROWS[page]
        if expected(page, who, place) != "yes" or (place == "others" and row.own) or who in "DN":
            continue
        bucket = company.places[place]["vault" if row.vault else "bucket"]
        bucket = "open-vault" if page == "POST /undo" else bucket
        before = company.state(bucket) if row.effect else {}
        shown = company.send(who, page, company.places[place])
        led = "login" if page == "POST /logout" else "yes"
        assert outcome(shown) == led, f"{page} as {who}: {shown.words}"
        if row.effect:
            company.await_change(before, bucket, f"{page} as {who}: {shown.words}")

"""Documents made to hurt a parser, sent to every operation that reads one."""

import base64
import encodings.aliases
import hashlib
import json

import pytest
from tests.hostile.wild import Reply, ask, connect, head, receive, render

from neve.testing.live import LiveServer

pytestmark = pytest.mark.usefixtures("watch")

ANSWER_WITHIN_S = 3.0

TARGETS = {
    "Delete": ("POST", "/wild?delete="),
    "CompleteMultipartUpload": ("POST", "/wild/k?uploadId=%s"),
    "CreateBucketConfiguration": ("PUT", "/wild-new"),
    "Tagging": ("PUT", "/wild/k?tagging="),
    "AccessControlPolicy": ("PUT", "/wild/k?acl="),
    "OwnershipControls": ("PUT", "/wild?ownershipControls="),
    "PublicAccessBlockConfiguration": ("PUT", "/wild?publicAccessBlock="),
    "VersioningConfiguration": ("PUT", "/wild?versioning="),
    "CORSConfiguration": ("PUT", "/wild?cors="),
    "LifecycleConfiguration": ("PUT", "/wild?lifecycle="),
    "ObjectLockConfiguration": ("PUT", "/wild-locked?object-lock="),
    "Retention": ("PUT", "/wild-locked/k?retention="),
    "LegalHold": ("PUT", "/wild-locked/k?legal-hold="),
}


def bombs(root: str) -> dict[str, bytes]:
    """Documents with this root element; none may be taken for a good one."""
    name = root.encode()
    laughs = b'<!ENTITY a0 "ha">' + b"".join(
        b'<!ENTITY a%d "%b">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 12)
    )
    many = b"<Object><Key>k</Key></Object>" * 40_000
    return {
        "empty": b"",
        "blank": b" \r\n" * 1000,
        "billion laughs": b"<!DOCTYPE x [" + laughs + b"]><" + name + b">&a11;</" + name + b">",
        "quadratic entity": b'<!DOCTYPE x [<!ENTITY a "' + b"A" * 50_000 + b'">]><%b>' % name
        + b"&a;" * 50_000 + b"</%b>" % name,
        "external entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><%b>&a;</%b>'
        % (name, name),
        "parameter entity": b'<!DOCTYPE x [<!ENTITY %% a SYSTEM "http://127.0.0.1:1/"> %%a;]><%b/>'
        % name,
        "external subset": b'<!DOCTYPE x SYSTEM "http://127.0.0.1:1/x.dtd"><%b/>' % name,
        "deep": b"<%b>" % name + b"<a>" * 100_000 + b"</a>" * 100_000 + b"</%b>" % name,
        "wide": b"<%b>" % name + many + b"</%b>" % name,
        "attributes": b"<%b " % name + b" ".join(b'a%d="1"' % n for n in range(60_000)) + b"/>",
        "namespaces": b"<%b " % name
        + b" ".join(b'xmlns:n%d="u:%d"' % (n, n) for n in range(20_000)) + b"/>",
        "long name": b"<" + b"a" * 900_000 + b"/>",
        "long text": b"<%b><Key>" % name + b"x" * 900_000 + b"</Key></%b>" % name,
        "comments": b"<%b>" % name + b"<!---->" * 100_000 + b"</%b>" % name,
        "instructions": b"<%b>" % name + b"<?a?>" * 100_000 + b"</%b>" % name,
        "open": b"<%b><Object><Key>" % name,
        "two roots": b"<%b/><%b/>" % (name, name),
        "wrong root": b"<Other/>",
        "broken text": b"<%b>\xff\xfe\xfa</%b>" % (name, name),
        "nul": b"<%b>\0</%b>" % (name, name),
        "surrogate": b"<%b><Object><Key>&#xD800;</Key></Object></%b>" % (name, name),
        "control": b"<%b><Object><Key>&#x1;</Key></Object></%b>" % (name, name),
        "utf-16": f'<?xml version="1.0" encoding="utf-16"?><{root}>'.encode("utf-16"),
        "mark only": b"\xef\xbb\xbf",
        "json": b'{"a": 1}',
        "nothing in it": b"<%b></%b>" % (name, name),
        "numbers": b"<%b>" % name + b"".join(
            b"<Part><PartNumber>%b</PartNumber><ETag>x</ETag></Part>" % number
            for number in (b"-1", b"0", b"1e9", b"9" * 5000, b"\xc2\xb2", b"\xd9\xa1", b"")
        ) + b"</%b>" % name,
    }  # fmt: skip


def post(server: LiveServer, root: str, upload: str, body: bytes) -> Reply:
    method, path = TARGETS[root]
    path = path % upload if "%s" in path else path
    digest = base64.b64encode(hashlib.md5(body).digest()).decode()
    return ask(server, method, path, body, {"content-md5": digest})


def begin_upload(server: LiveServer) -> str:
    answer = ask(server, "POST", "/wild/k?uploads=").body
    return answer.partition(b"<UploadId>")[2].partition(b"<")[0].decode()


# A document that says nothing is a good one where everything in it may be left out.
FINE = {
    ("AccessControlPolicy", "empty"),
    ("AccessControlPolicy", "blank"),
    ("CreateBucketConfiguration", "empty"),
    ("CreateBucketConfiguration", "blank"),
    ("CreateBucketConfiguration", "nothing in it"),
}


@pytest.mark.parametrize("root", TARGETS)
def test_bombs_are_refused_in_no_time(server: LiveServer, root: str) -> None:
    upload = begin_upload(server)
    assert ask(server, "PUT", "/wild/k", b"whole").status == 200
    if "locked" in TARGETS[root][1]:
        locked = {"x-amz-bucket-object-lock-enabled": "true"}
        assert ask(server, "PUT", "/wild-locked", b"", locked).status in (200, 409)
        assert ask(server, "PUT", "/wild-locked/k", b"whole").status == 200
    for name, body in bombs(root).items():
        reply = post(server, root, upload, body)
        where = (root, name, reply.status, reply.body[:300])
        assert reply.seconds < ANSWER_WITHIN_S, where
        assert b"root:" not in reply.body, where
        if reply.status == 200:
            assert tolerable(root, name, reply), where
        else:
            assert 400 <= reply.status < 500 or reply.status == 501, where
    assert ask(server, "GET", "/wild/k").body == b"whole"
    assert ask(server, "DELETE", f"/wild/k?uploadId={upload}").status == 204


def tolerable(root: str, name: str, reply: Reply) -> bool:
    """Whether a 200 did no harm: nothing was asked for, or each key was refused alone."""
    if root == "Delete":
        return b"<Deleted>" not in reply.body.replace(b"<Deleted><Key>\x01", b"")
    return (root, name) in FINE or name in ("nothing in it", "comments", "instructions")


@pytest.mark.parametrize("root", ["Delete", "CompleteMultipartUpload", "Tagging"])
def test_every_encoding_is_read_or_refused(server: LiveServer, root: str) -> None:
    names = {*encodings.aliases.aliases, *encodings.aliases.aliases.values(), "idna", "undefined"}
    names |= {"x" * 10_000, "utf-99", "", "../../x", "punycode", "unicode_escape"}
    for name in sorted(names):
        body = f'<?xml version="1.0" encoding="{name}"?><{root}>é</{root}>'.encode()
        reply = post(server, root, "none", body)
        assert 400 <= reply.status < 500 or reply.status == 501, (name, reply.status)


@pytest.mark.parametrize(
    "element",
    [
        "<Key>k</Key><Size>²</Size>",
        "<Key>k</Key><Size>" + "9" * 5000 + "</Size>",
        "<Key>k</Key><Size>-1</Size>",
        "<Key>k</Key><LastModifiedTime>0001-01-01T00:00:00+23:59</LastModifiedTime>",
        "<Key>k</Key><LastModifiedTime>9999-12-31T23:59:59-23:59</LastModifiedTime>",
        "<Key>k</Key><LastModifiedTime>Mon, 99 Foo 999999999 9:9:99 +99999999</LastModifiedTime>",
        "<Key>k</Key><LastModifiedTime></LastModifiedTime>",
        "<Key>k</Key><VersionId>" + "v" * 10_000 + "</VersionId>",
        "<Key>k</Key><VersionId></VersionId>",
        "<Key>k</Key><ETag></ETag>",
        "<Key>" + "k" * 2000 + "</Key>",
        "<Key></Key>",
        "",
        "<Key>k<b/></Key>",
    ],
)
def test_a_nasty_element_is_refused_alone(server: LiveServer, element: str) -> None:
    assert ask(server, "PUT", "/wild/k", b"whole").status == 200
    good = "<Object><Key>other</Key></Object>"
    body = f"<Delete><Object>{element}</Object>{good}</Delete>".encode()
    reply = post(server, "Delete", "", body)
    assert reply.status in (200, 400)
    if reply.status == 200:
        assert b"<Deleted><Key>other</Key></Deleted>" in reply.body
        assert b"InternalError" not in reply.body


def test_a_document_too_large_is_refused_before_it_was_sent(server: LiveServer) -> None:
    upload = begin_upload(server)
    for root, (method, path) in TARGETS.items():
        target = path % upload if "%s" in path else path
        fields = head(server, method, target, {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="})
        for length in (1 << 31, 10**15):
            sized = fields | {"content-length": str(length)}
            with connect(server, ANSWER_WITHIN_S) as sock:
                sock.sendall(render(method, target, sized, b"<" + root.encode() + b">" * 1000))
                reply = receive(sock)
            assert 400 <= reply.status < 500 or reply.status == 501, (root, reply)


POLICIES = {
    "deep": b'{"Statement":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    "deep objects": b'{"Statement":' * 20_000 + b"1" + b"}" * 20_000,
    "long number": b'{"Version":' + b"9" * 20_000 + b"}",
    "float": b'{"Version":1e999999,"Statement":[NaN,Infinity]}',
    "surrogates": b'{"Version":"2012-10-17","Id":"\\ud800","Statement":[]}',
    "twice": b'{"Version":"2012-10-17","Version":"2008-10-17","Statement":[]}',
    "large": b'{"Id":"' + b"x" * 150_000 + b'"}',
    "larger": b'{"Id":"' + b"x" * 3_000_000 + b'"}',
    "not UTF-8": b'{"Id":"\xff"}',
    "utf-16": '{"Version":"2012-10-17"}'.encode("utf-16"),
    "null": b"null",
    "empty": b"",
    "xml": b"<Policy/>",
}


@pytest.mark.parametrize("name", POLICIES)
def test_policies_made_to_hurt_are_refused(server: LiveServer, name: str) -> None:
    reply = ask(server, "PUT", "/wild?policy=", POLICIES[name])
    assert 400 <= reply.status < 500, reply
    assert reply.seconds < ANSWER_WITHIN_S
    assert ask(server, "GET", "/wild?policy=").code == "NoSuchBucketPolicy"


@pytest.mark.parametrize("pattern", ["*a" * 400, "?*" * 500, "*" * 5000, "a*" * 500 + "b"])
def test_a_policy_of_wildcards_does_not_stall_the_requests_it_judges(
    server: LiveServer, pattern: str
) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::wild/{pattern}",
        "Condition": {"StringLike": {"aws:UserAgent": pattern}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement] * 3}).encode()
    assert ask(server, "PUT", "/wild?policy=", document).status in (200, 204, 400)
    fields = {"host": server.address, "user-agent": "a" * 8000}
    data = render("GET", "/wild/" + "a" * 1023, fields)
    with connect(server) as sock:
        sock.sendall(data)
        reply = receive(sock)
    assert reply.status in (403, 404)
    assert reply.seconds < ANSWER_WITHIN_S
    assert ask(server, "DELETE", "/wild?policy=").status == 204

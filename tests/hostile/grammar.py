"""What a fuzz is made of: good requests of every kind, and ways to spoil them."""

import random
from collections.abc import Callable
from typing import NamedTuple

NASTY = (
    b"", b"0", b"-1", b"1", b"1001", b"2147483648", b"9" * 25, b"9" * 5000, b"1e9", b"0x10", b"+1",
    b" ", b"\xc2\xb2", b"\xd9\xa1", b"\xff", b"\xed\xa0\x80", b"%00", b"%", b"%zz", b"%ed%a0%80",
    b"%ff", b"%c2%b2", b"%20", b"%0d%0a", b"*", b'"', b"''", b"<", b"&", b"&amp;", b"]]>", b"{}",
    b"null", b"true", b"a" * 1100, b"\xc3\xa9" * 600, b"..", b"/", b"//", b"?", b"#", b";", b",",
    b"=", b"bytes=0-0", b"bytes=-0", b"bytes=5-1", b"bytes=" + b"9" * 30 + b"-", b"W/\"x\"",
    b"Mon, 23 Nov 2026 07:00:00 GMT", b"Mon, 00 Foo 0000 99:99:99", b"2026-11-23T07:00:00Z",
    b"0001-01-01T00:00:00+23:59", b"AAAA", b"====", b"crc32", b"CRC32", b"SHA256", b"COMPOSITE",
    b"FULL_OBJECT", b"public-read", b"STANDARD", b"REPLACE", b"COPY", b"/fuzz/small", b"fuzz/large",
    b"fuzz/absent", b"fuzz/%ff", b"null", b"en-us", b"url", b"100-continue",
)  # fmt: skip

NUMBERS = (
    b"-1", b"1001", b"2147483648", b"9" * 25, b"9" * 5000, b"1e9", b"0x10", b"+1", b"\xc2\xb2",
    b"\xd9\xa1", b"%c2%b2", b"",
)  # fmt: skip

FIELDS = (
    "acl", "attributes", "continuation-token", "cors", "delete", "delimiter", "encoding-type",
    "encryption", "fetch-owner", "key-marker", "legal-hold", "lifecycle", "list-type", "location",
    "logging", "marker", "max-keys", "max-parts", "max-uploads", "neve-options", "neve-quota",
    "neve-usage", "notification",
    "object-lock", "ownershipControls", "part-number-marker", "partNumber", "policy",
    "policyStatus", "prefix", "publicAccessBlock", "replication", "requestPayment",
    "response-content-type", "response-expires", "restore", "retention", "select", "start-after",
    "tagging", "torrent", "upload-id-marker", "uploadId", "uploads", "version-id-marker",
    "versionId", "versioning", "versions", "website", "X-Amz-Algorithm", "X-Amz-Expires",
    "X-Amz-Signature", "X-Amz-Credential", "x-id", "Signature", "AWSAccessKeyId", "Expires",
)  # fmt: skip

HEADERS = (
    "content-md5", "content-type", "content-encoding", "cache-control", "expires", "expect",
    "if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", "range",
    "x-amz-acl", "x-amz-bucket-object-lock-enabled", "x-amz-checksum-algorithm",
    "x-amz-checksum-crc32", "x-amz-checksum-crc64nvme", "x-amz-checksum-mode",
    "x-amz-checksum-type",
    "x-amz-copy-source", "x-amz-copy-source-if-match", "x-amz-copy-source-if-modified-since",
    "x-amz-copy-source-range", "x-amz-decoded-content-length", "x-amz-expected-bucket-owner",
    "x-amz-grant-read", "x-amz-if-match-size", "x-amz-if-match-last-modified-time", "x-amz-meta-a",
    "x-amz-metadata-directive", "x-amz-mp-object-size", "x-amz-object-attributes",
    "x-amz-max-parts", "x-amz-part-number-marker", "x-amz-object-lock-mode",
    "x-amz-object-ownership", "x-amz-sdk-checksum-algorithm", "x-amz-security-token",
    "x-amz-server-side-encryption", "x-amz-source-expected-bucket-owner", "x-amz-storage-class",
    "x-amz-tagging", "x-amz-tagging-directive", "x-amz-trailer", "x-amz-website-redirect-location",
    "origin", "access-control-request-method", "access-control-request-headers", "user-agent",
)  # fmt: skip

DELETE = b"<Delete><Object><Key>gone</Key><ETag>x</ETag><Size>1</Size></Object></Delete>"
PART = b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>x</ETag></Part>"
PART += b"</CompleteMultipartUpload>"
TAGS = b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>"
GRANT = b'<Grant><Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="Group">'
GRANT += b"<URI>http://acs.amazonaws.com/groups/global/AllUsers</URI></Grantee>"
GRANT += b"<Permission>READ</Permission></Grant>"
ACL = b"<AccessControlPolicy><Owner><ID>x</ID></Owner><AccessControlList>" + GRANT
ACL += b"</AccessControlList></AccessControlPolicy>"
PLACE = b"<CreateBucketConfiguration><LocationConstraint>us-east-1</LocationConstraint>"
PLACE += b"</CreateBucketConfiguration>"
POLICY = b'{"Version":"2012-10-17","Statement":[{"Sid":"1","Effect":"Deny","Principal":'
POLICY += b'{"AWS":"*"},"Action":"s3:GetObjectAcl","Resource":"arn:aws:s3:::fuzz/x*","Condition":'
POLICY += b'{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"},"DateLessThan":{"aws:CurrentTime":'
POLICY += b'"2026-01-01T00:00:00Z"},"NumericLessThan":{"s3:max-keys":"5"}}}]}'
FRAMES = b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n"
FORM = b'--b\r\nContent-Disposition: form-data; name="key"\r\n\r\nform\r\n--b\r\n'
FORM += b'Content-Disposition: form-data; name="file"; filename="x"\r\n\r\ndata\r\n--b--\r\n'


class Ask(NamedTuple):
    """A request before it is signed."""

    method: str
    path: bytes
    query: bytes = b""
    headers: dict[str, bytes] = {}  # noqa: RUF012
    body: bytes = b""


STREAMING = {"x-amz-decoded-content-length": b"5", "x-amz-trailer": b"x-amz-checksum-crc32"}
COPY = {"x-amz-copy-source": b"/fuzz/small"}
ORIGIN = {"origin": b"http://a", "access-control-request-method": b"PUT"}

# {id} stands for an upload in progress.
SEEDS = (
    Ask("GET", b"/"),
    Ask("GET", b"/", b"max-buckets=2&prefix=f"),
    Ask("PUT", b"/fuzz-new", b"", {}, PLACE),
    Ask("DELETE", b"/fuzz-new"),
    Ask("HEAD", b"/fuzz"),
    Ask("GET", b"/fuzz", b"prefix=a&delimiter=%2F&marker=b&max-keys=3&encoding-type=url"),
    Ask("GET", b"/fuzz", b"list-type=2&prefix=a&delimiter=%2F&start-after=b&max-keys=3"),
    Ask("GET", b"/fuzz", b"list-type=2&continuation-token=AAAAAGE%3D&fetch-owner=true"),
    Ask("GET", b"/fuzz", b"versions=&key-marker=a&version-id-marker=b"),
    Ask("GET", b"/fuzz", b"uploads=&key-marker=a&upload-id-marker=b&max-uploads=2"),
    Ask("GET", b"/fuzz", b"location="),
    Ask("POST", b"/fuzz", b"delete=", {}, DELETE),
    Ask("POST", b"/fuzz", b"", {"content-type": b"multipart/form-data; boundary=b"}, FORM),
    Ask("PUT", b"/fuzz", b"policy=", {}, POLICY),
    Ask("GET", b"/fuzz", b"policyStatus="),
    Ask("DELETE", b"/fuzz", b"policy="),
    Ask("PUT", b"/fuzz", b"acl=", {}, ACL),
    Ask("PUT", b"/fuzz", b"tagging=", {}, TAGS),
    Ask("PUT", b"/fuzz", b"ownershipControls=", {}, b"<OwnershipControls/>"),
    Ask("PUT", b"/fuzz", b"neve-options=", {}, b"{}"),
    Ask("PUT", b"/fuzz", b"neve-quota=", {}, b'{"bytes": 1000000000, "prefixes": {"p": {}}}'),
    Ask("GET", b"/fuzz", b"neve-usage="),
    Ask("PUT", b"/", b"neve-quota=", {}, b'{"users": {"u": {"soft": 80}}, "default": {"soft": 8}}'),
    Ask("GET", b"/", b"neve-usage="),
    Ask("PUT", b"/fuzz/put", b"", {"x-amz-meta-a": b"b", "content-type": b"text/x"}, b"hello"),
    Ask("PUT", b"/fuzz/put", b"", {"x-amz-checksum-crc32": b"NhCmhg=="}, b"hello"),
    Ask("PUT", b"/fuzz/put", b"", {"if-none-match": b"*"}, b"hello"),
    Ask("PUT", b"/fuzz/framed", b"", STREAMING, FRAMES),
    Ask("PUT", b"/fuzz/copied", b"", COPY),
    Ask("PUT", b"/fuzz/copied", b"", COPY | {"x-amz-metadata-directive": b"REPLACE"}),
    Ask("PUT", b"/fuzz/large", b"", {}, b"\xa5" * 70_000),
    Ask("GET", b"/fuzz/small", b"response-content-type=a%2Fb", {"range": b"bytes=1-3"}),
    Ask("GET", b"/fuzz/large", b"partNumber=1", {"if-match": b"x", "if-range": b"y"}),
    Ask("HEAD", b"/fuzz/small", b"", {"x-amz-checksum-mode": b"ENABLED"}),
    Ask("GET", b"/fuzz/small", b"attributes=", {"x-amz-object-attributes": b"ETag,ObjectParts"}),
    Ask("PUT", b"/fuzz/small", b"tagging=", {}, TAGS),
    Ask("GET", b"/fuzz/small", b"acl="),
    Ask("DELETE", b"/fuzz/put", b"", {"if-match": b"x", "x-amz-if-match-size": b"5"}),
    Ask("POST", b"/fuzz/parts", b"uploads=", {"x-amz-checksum-algorithm": b"CRC32"}),
    Ask("PUT", b"/fuzz/up", b"partNumber=1&uploadId={id}", {}, b"hello"),
    Ask("PUT", b"/fuzz/up", b"partNumber=2&uploadId={id}", COPY),
    Ask("GET", b"/fuzz/up", b"uploadId={id}&max-parts=1&part-number-marker=0"),
    Ask("POST", b"/fuzz/up", b"uploadId={id}", {}, PART),
    Ask("OPTIONS", b"/fuzz/small", b"", ORIGIN),
    Ask("GET", b"/neve/metrics"),
)

METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "get", "PROPFIND")


def spoil_bytes(chance: random.Random, data: bytes) -> bytes:
    """Change, drop, insert or repeat a few bytes."""
    for _ in range(chance.randint(1, 3)):
        at = chance.randint(0, len(data))
        end = min(len(data), at + chance.choice((0, 1, 1, 2, 10)))
        piece = chance.choice((b"", bytes([chance.randrange(256)]), chance.choice(NASTY)))
        data = data[:at] + piece + data[end:]
    return data


def nasty_for(chance: random.Random, value: bytes) -> bytes:
    """Something nasty; in the place of a number mostly what looks like one."""
    if value.strip().isdigit() and chance.random() < 0.7:
        return chance.choice(NUMBERS)
    return chance.choice(NASTY)


def spoil_document(chance: random.Random, data: bytes) -> bytes:
    """Put something nasty in the place of a text or a value."""
    marked = data.replace(b">", b">\0").replace(b"<", b"\0<").replace(b'"', b'\0"\0')
    pieces = marked.split(b"\0")
    texts = [at for at, piece in enumerate(pieces) if piece and piece[:1] not in b'<"']
    everywhere = chance.random() < 0.2 or not texts
    at = chance.randrange(len(pieces)) if everywhere else chance.choice(texts)
    pieces[at] = nasty_for(chance, pieces[at])
    return b"".join(pieces)


def _query(chance: random.Random, ask: Ask) -> Ask:
    pairs = ask.query.split(b"&") if ask.query else []
    name = chance.choice(FIELDS).encode()
    if pairs and chance.random() < 0.6:
        at = chance.randrange(len(pairs))
        field, _, value = pairs[at].partition(b"=")
        pairs[at] = field + b"=" + nasty_for(chance, value)
    else:
        pairs.insert(chance.randint(0, len(pairs)), name + b"=" + chance.choice(NASTY))
    return ask._replace(query=b"&".join(pairs))


def _headers(chance: random.Random, ask: Ask) -> Ask:
    name = chance.choice(sorted(ask.headers) or HEADERS)
    if chance.random() < 0.5:
        name = chance.choice(HEADERS)
    return ask._replace(headers=ask.headers | {name: chance.choice(NASTY)})


SPOILERS: tuple[Callable[[random.Random, Ask], Ask], ...] = (
    _query,
    _query,
    _headers,
    _headers,
    _headers,
    lambda chance, ask: ask._replace(path=spoil_bytes(chance, ask.path)),
    lambda chance, ask: ask._replace(query=spoil_bytes(chance, ask.query)),
    lambda chance, ask: ask._replace(body=spoil_bytes(chance, ask.body)),
    lambda chance, ask: ask._replace(body=spoil_document(chance, ask.body)),
    lambda chance, ask: ask._replace(body=spoil_document(chance, ask.body)),
    lambda chance, ask: ask._replace(method=chance.choice(METHODS)),
)

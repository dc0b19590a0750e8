"""Comparisons of the server with the model, one per thing that can be asked for."""

import urllib.request
from base64 import b64encode
from collections.abc import Callable
from urllib.parse import quote
from xml.sax.saxutils import escape

from tests.model.wire import Answer, target, text_of
from tests.model.world import DELIMITERS, PREFIXES, Stored, World, entries, md5, ordered

from neve.testing.live import LiveServer

PAGES_MAX = 500


class Checker:
    """Asks through `ask` and compares with `world`."""

    def __init__(self, ask: Callable[..., Answer], world: World) -> None:
        self.ask = ask
        self.world = world

    def object(self, bucket: str, key: str) -> None:
        """GET and HEAD agree with the model, headers and all."""
        stored = self.world.buckets[bucket].get(key)
        sums = {"x-amz-checksum-mode": "ENABLED"}
        got = self.ask("GET", bucket, key, headers=sums)
        head = self.ask("HEAD", bucket, key, headers=sums)
        if stored is None:
            assert (got.outcome, head.status) == ((404, "NoSuchKey"), 404), key
            return
        assert (got.status, head.status) == (200, 200), key
        assert got.body == stored.data, (key, len(got.body), len(stored.data))
        assert head.body == b""
        for answer in (got, head):
            assert answer.etag == stored.etag
            assert answer.headers["content-length"] == str(len(stored.data))
            for name, value in stored.headers.items():
                assert answer.headers.get(name) == value, (key, name)
            meta = {name for name in answer.headers if name.startswith("x-amz-meta-")}
            assert meta == {name for name in stored.headers if name.startswith("x-amz-meta-")}

    def range(self, bucket: str, key: str, start: float, length: int) -> None:
        """A range from a place on, and the suffix of the same length."""
        data = self.world.buckets[bucket][key].data
        first = int(len(data) * start)
        asked = {"range": f"bytes={first}-{first + length - 1}"}
        answer = self.ask("GET", bucket, key, headers=asked)
        if first >= len(data):
            assert answer.outcome == (416, "InvalidRange")
        else:
            piece = data[first : first + length]
            assert (answer.status, answer.body) == (206, piece)
            last = first + len(piece) - 1
            assert answer.headers["content-range"] == f"bytes {first}-{last}/{len(data)}"
        suffix = self.ask("GET", bucket, key, headers={"range": f"bytes=-{length}"})
        if data:
            assert (suffix.status, suffix.body) == (206, data[-length:])
        else:
            assert suffix.outcome == (416, "InvalidRange")
        self._part(bucket, key)

    def _part(self, bucket: str, key: str) -> None:
        stored = self.world.buckets[bucket][key]
        at = 0
        for number, size in stored.parts:
            head = self.ask("HEAD", bucket, key, f"partNumber={number}")
            assert head.status == 206 if size else head.status in (200, 206)
            assert head.headers["x-amz-mp-parts-count"] == str(len(stored.parts))
            assert head.headers["content-length"] == str(size)
            got = self.ask("GET", bucket, key, f"partNumber={number}")
            assert got.body == stored.data[at : at + size]
            at += size
        if stored.parts and 9_999 not in dict(stored.parts):
            answer = self.ask("GET", bucket, key, "partNumber=9999")
            assert answer.outcome == (416, "InvalidPartNumber")

    def conditional_read(self, bucket: str, key: str) -> None:
        stored = self.world.buckets[bucket][key]
        same, other = f'"{stored.etag}"', '"%s"' % ("0" * 32)
        for asked, status in (
            ({"if-none-match": same}, 304),
            ({"if-none-match": other}, 200),
            ({"if-match": same}, 200),
            ({"if-match": other}, 412),
            ({"if-match": same, "if-none-match": same}, 304),
            ({"if-modified-since": "Fri, 01 Jan 2100 00:00:00 GMT"}, 304),
            ({"if-unmodified-since": "Sat, 01 Jan 2000 00:00:00 GMT"}, 412),
        ):
            answer = self.ask("GET", bucket, key, headers=asked)
            assert answer.status == status, (asked, answer.status)
            assert status != 200 or answer.body == stored.data

    def delete_many(self, bucket: str, keys: list[str], quiet: bool) -> None:
        objects = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>{'true' if quiet else 'false'}</Quiet>{objects}</Delete>".encode()
        headers = {"content-md5": b64encode(bytes.fromhex(md5(body))).decode()}
        answer = self.ask("POST", bucket, "", "delete=", body, headers)
        assert answer.outcome == (200, ""), answer.body
        told = [text_of(each, "Key") for each in answer.xml().findall("Deleted")]
        assert told == ([] if quiet else keys)
        for key in keys:
            self.world.buckets[bucket].pop(key, None)
        for key in set(keys):
            self.object(bucket, key)

    def copy_source(self, bucket: str, key: str) -> dict[str, str]:
        return {"x-amz-copy-source": target(bucket, key)}

    def copied(self, source: Stored, given: dict[str, str] | None, answer: Answer) -> Stored:
        """What a copy must be: the same bytes, checksums and parts."""
        sums = {n: v for n, v in source.headers.items() if n.startswith("x-amz-checksum")}
        fields = source.user_headers() if given is None else given
        etag = text_of(answer.xml(), "ETag").strip('"')
        if not source.parts:
            assert etag == source.etag
        return Stored(source.data, etag, fields | sums, source.parts)

    def completion(self, id: str, numbers: list[int]) -> bytes:
        parts = self.world.uploads[id].parts
        inner = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{md5(parts[number])}</ETag></Part>"
            for number in numbers
        )
        return f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()

    def parts(self, id: str, page: int) -> None:
        upload, found, marker = self.world.uploads[id], [], "0"
        for _ in range(PAGES_MAX):
            query = f"uploadId={id}&max-parts={page}&part-number-marker={marker}"
            answer = self.ask("GET", upload.bucket, upload.key, query + "&encoding-type=url")
            assert answer.outcome == (200, "")
            root = answer.xml()
            parts = root.findall("Part")
            assert len(parts) <= page
            found += [(text_of(part, "PartNumber"), text_of(part, "ETag")) for part in parts]
            if text_of(root, "IsTruncated") == "false":
                break
            marker = text_of(root, "NextPartNumberMarker")
        wanted = [(str(n), f'"{md5(data)}"') for n, data in sorted(upload.parts.items())]
        assert found == wanted

    def uploads(self, bucket: str, page: int) -> None:
        found, marker = [], ""
        for _ in range(PAGES_MAX):
            query = f"uploads=&max-uploads={page}&encoding-type=url{marker}"
            answer = self.ask("GET", bucket, "", query)
            assert answer.outcome == (200, "")
            root = answer.xml()
            each = root.findall("Upload")
            assert len(each) <= page
            found += [(text_of(one, "Key", url=True), text_of(one, "UploadId")) for one in each]
            if text_of(root, "IsTruncated") == "false":
                break
            key = text_of(root, "NextKeyMarker", url=True)
            id = text_of(root, "NextUploadIdMarker")
            marker = f"&key-marker={quote(key, safe='')}&upload-id-marker={id}"
        wanted = {(u.key, id) for id, u in self.world.uploads.items() if u.bucket == bucket}
        assert len(found) == len(wanted)
        assert set(found) == wanted
        assert [key for key, _ in found] == ordered(key for key, _ in wanted)

    def listing(
        self, bucket: str, prefix: str, delimiter: str, after: str, page: int, *, version: int
    ) -> None:
        """All pages of a listing, in both of its encodings."""
        wanted = entries(self.world.buckets[bucket], prefix, delimiter, after)
        for url in (True, False):
            found = self._pages(bucket, prefix, delimiter, after, page, version, url)
            assert found == wanted, (prefix, delimiter, after, page, version)

    def _pages(
        self, bucket: str, prefix: str, delimiter: str, after: str, page: int, version: int,
        url: bool,
    ) -> list[tuple[str, bool]]:  # fmt: skip
        question = f"prefix={quote(prefix, safe='')}&delimiter={quote(delimiter, safe='')}"
        question += f"&max-keys={page}" + ("&encoding-type=url" if url else "")
        question += "&list-type=2" if version == 2 else ""
        name = "start-after" if version == 2 else "marker"
        step = f"&{name}={quote(after, safe='')}"
        found: list[tuple[str, bool]] = []
        for _ in range(PAGES_MAX):
            answer = self.ask("GET", bucket, "", question + step)
            assert answer.outcome == (200, ""), answer.body
            root = answer.xml()
            here = self._page(bucket, root, url)
            assert len(here) <= page
            assert version == 1 or text_of(root, "KeyCount") == str(len(here))
            found += here
            if text_of(root, "IsTruncated") == "false":
                return found
            assert here, "a page that says there are more is not empty"
            if version == 2:
                token = quote(text_of(root, "NextContinuationToken"), safe="")
                step = f"&continuation-token={token}&start-after={quote(after, safe='')}"
            else:
                following = text_of(root, "NextMarker", url) if delimiter else here[-1][0]
                step = f"&marker={quote(following, safe='')}"
        raise AssertionError("the pages do not end")

    def _page(self, bucket: str, root: "object", url: bool) -> list[tuple[str, bool]]:
        names: list[tuple[str, bool]] = []
        for each in root.findall("Contents"):  # type: ignore[attr-defined]
            key = text_of(each, "Key", url)
            stored = self.world.buckets[bucket][key]
            assert text_of(each, "ETag") == f'"{stored.etag}"'
            assert text_of(each, "Size") == str(len(stored.data))
            names.append((key, False))
        common = root.findall("CommonPrefixes")  # type: ignore[attr-defined]
        names += [(text_of(each, "Prefix", url), True) for each in common]
        return sorted(names, key=lambda entry: entry[0].encode())

    def everything(self) -> None:
        """Every object, every listing, every upload."""
        for bucket, objects in self.world.buckets.items():
            for key in objects:
                self.object(bucket, key)
            self.uploads(bucket, 1000)
            for prefix in PREFIXES:
                self.listing(bucket, prefix, "/", "", 1000, version=2)
            for delimiter in DELIMITERS:
                self.listing(bucket, "", delimiter, "", 3, version=1)
        for id in self.world.uploads:
            self.parts(id, 1000)


def metered_usage(server: LiveServer) -> dict[str, tuple[int, int]]:
    """(objects, bytes) of every bucket as the metrics tell them."""
    request = urllib.request.Request(f"{server.endpoint}/neve/metrics")
    token = b64encode(f"{server.access_key}:{server.secret_key}".encode()).decode()
    request.add_header("Authorization", f"Basic {token}")
    objects: dict[str, int] = {}
    sizes: dict[str, int] = {}
    with urllib.request.urlopen(request, timeout=10) as answer:
        for line in answer.read().decode().splitlines():
            name, _, rest = line.partition('{bucket="')
            bucket, _, value = rest.partition('"} ')
            if name == "neve_bucket_objects":
                objects[bucket] = int(value)
            elif name == "neve_bucket_bytes":
                sizes[bucket] = int(value)
    return {bucket: (count, sizes[bucket]) for bucket, count in objects.items()}

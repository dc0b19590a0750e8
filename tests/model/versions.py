"""The state machine of versions: the server against a list per key, over both workers.

Buckets in every state (never versioned, enabled, suspended, with object lock); writes, copies,
uploads, deletions with and without a version, tags, retentions and legal holds of versions.
"""

import time
from base64 import b64encode
from dataclasses import dataclass, field
from typing import Any, ClassVar
from urllib.parse import quote
from xml.sax.saxutils import escape

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from tests.model.wire import Answer, Wire, target, text_of, wires
from tests.model.world import MIB, md5, multipart_etag, ordered

from neve.testing.engine import pattern
from neve.testing.live import LiveServer

KEYS = ("a", "a/b", "a/", "b", "é", "\U0001f30a/z")
SIZES = (0, 1, 3000, 3000, MIB + 1)
PAGES_MAX = 200
chances = st.integers(0, 1 << 16)


@dataclass
class Version:
    """A version or a delete marker, as it must be found."""

    id: str
    data: bytes | None
    """None: a delete marker."""
    etag: str = ""
    tags: str = ""
    mode: str = ""
    until: float = 0.0
    hold: bool = False

    def binds(self, bypass: bool) -> bool:
        retained = self.until > time.time() and (self.mode == "COMPLIANCE" or not bypass)
        return self.hold or retained


@dataclass
class Versioned:
    """A bucket: its state, and per key its versions, newest first."""

    state: str = ""
    locks: bool = False
    keys: dict[str, list[Version]] = field(default_factory=dict)

    def write(self, key: str, version: Version) -> None:
        there = self.keys.setdefault(key, [])
        if version.id == "null":
            there[:] = [each for each in there if each.id != "null"]
        there.insert(0, version)

    def remove(self, key: str, id: str) -> None:
        left = [each for each in self.keys.get(key, []) if each.id != id]
        self.keys[key] = left
        if not left:
            del self.keys[key]

    def current(self, key: str) -> Version | None:
        there = self.keys.get(key)
        return there[0] if there and there[0].data is not None else None


class VersionsMachine(RuleBasedStateMachine):
    """Buckets of one example are its own; the last thing it does is to look at all of them."""

    server: ClassVar[LiveServer]
    worlds: ClassVar[list[dict[str, Versioned]]] = []
    lines: ClassVar[list[Wire]] = []

    def __init__(self) -> None:
        super().__init__()
        self.world: dict[str, Versioned] = {}
        self.worlds.append(self.world)
        self.number = len(self.worlds)
        self.step = 0
        if not self.lines:
            self.lines.extend(wires(self.server, per_worker=2))

    def ask(self, *request: Any, **more: Any) -> Answer:
        self.step += 1
        return self.lines[(self.step + self.step // 7) % len(self.lines)].ask(*request, **more)

    @initialize()
    def begin(self) -> None:
        for letter, locks in (("x", False), ("y", True)):
            name = f"versions-{self.number}-{letter}"
            headers = {"x-amz-bucket-object-lock-enabled": "true"} if locks else {}
            assert self.ask("PUT", name, headers=headers).outcome == (200, "")
            self.world[name] = Versioned("Enabled" if locks else "", locks)

    def _place(self, chance: int) -> tuple[str, Versioned, str]:
        names = sorted(self.world)
        # Two of three in the bucket whose state changes.
        name = names[0] if chance % 3 else names[1]
        return name, self.world[name], KEYS[chance // 3 % len(KEYS)]

    def _written(self, bucket: Versioned, answer: Answer) -> str:
        """The id of what was written, which must fit the state of the bucket."""
        id = answer.headers.get("x-amz-version-id", "null")
        assert (id != "null") == (bucket.state == "Enabled")
        assert all(v.id != id or id == "null" for vs in bucket.keys.values() for v in vs)
        return id

    @rule(state=st.sampled_from(("Enabled", "Enabled", "Suspended")))
    def tell(self, state: str) -> None:
        for name, bucket in self.world.items():
            body = f"<VersioningConfiguration><Status>{state}</Status></VersioningConfiguration>"
            answer = self.ask("PUT", name, "", "versioning=", body.encode())
            if bucket.locks and state == "Suspended":
                assert answer.outcome == (409, "InvalidBucketState")
            else:
                assert answer.outcome == (200, "")
                bucket.state = state

    @rule(chance=chances, size=st.sampled_from(SIZES), lock=st.sampled_from(("", "", "hold", "c")))
    def put(self, chance: int, size: int, lock: str) -> None:
        name, bucket, key = self._place(chance)
        data = pattern(size, chance)
        version = Version("", data, md5(data))
        headers = {}
        if bucket.locks and lock == "hold":
            headers, version.hold = {"x-amz-object-lock-legal-hold": "ON"}, True
        elif bucket.locks and lock == "c":
            version.mode, version.until = "COMPLIANCE", time.time() + 86_400
            headers = {
                "x-amz-object-lock-mode": "COMPLIANCE",
                "x-amz-object-lock-retain-until-date": stamp(version.until),
            }
        answer = self.ask("PUT", name, key, body=data, headers=headers)
        assert answer.outcome == (200, "")
        version.id = self._written(bucket, answer)
        bucket.write(key, version)
        self.look(name, key)

    @rule(chance=chances)
    def upload(self, chance: int) -> None:
        name, bucket, key = self._place(chance)
        made = self.ask("POST", name, key, "uploads=")
        id = text_of(made.xml(), "UploadId")
        data = pattern(2000, chance)
        part = self.ask("PUT", name, key, f"partNumber=1&uploadId={id}", data)
        inner = f"<Part><PartNumber>1</PartNumber><ETag>{part.etag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{inner}</CompleteMultipartUpload>".encode()
        answer = self.ask("POST", name, key, f"uploadId={id}", document)
        assert answer.outcome == (200, "")
        bucket.write(key, Version(self._written(bucket, answer), data, multipart_etag([data])))
        again = self.ask("POST", name, key, f"uploadId={id}", document)
        assert again.headers.get("x-amz-version-id") == answer.headers.get("x-amz-version-id")
        self.look(name, key)

    def _some(self, chance: int) -> tuple[str, str, Version] | None:
        every = [
            (name, key, version)
            for name, bucket in sorted(self.world.items())
            for key in ordered(bucket.keys)
            for version in bucket.keys[key]
        ]
        return every[chance % len(every)] if every else None

    @rule(chance=chances, pick=chances)
    def copy_a_version(self, chance: int, pick: int) -> None:
        chosen = self._some(pick)
        if chosen is None:
            return
        source_name, source_key, source = chosen
        name, bucket, key = self._place(chance)
        headers = {
            "x-amz-copy-source": f"{target(source_name, source_key)}?versionId={source.id}",
            "x-amz-tagging-directive": "REPLACE",
        }
        answer = self.ask("PUT", name, key, headers=headers)
        if source.data is None:
            assert answer.outcome == (400, "InvalidRequest")
        else:
            assert answer.outcome == (200, "")
            etag = text_of(answer.xml(), "ETag").strip('"')
            bucket.write(key, Version(self._written(bucket, answer), source.data, etag))
        self.look(name, key)

    @rule(chance=chances)
    def delete(self, chance: int) -> None:
        name, bucket, key = self._place(chance)
        answer = self.ask("DELETE", name, key)
        assert answer.outcome == (204, "")
        marker = answer.headers.get("x-amz-delete-marker")
        if not bucket.state:
            assert marker is None
            bucket.keys.pop(key, None)
        else:
            assert marker == "true"
            bucket.write(key, Version(self._written(bucket, answer), None))
        self.look(name, key)

    @rule(chance=chances, bypass=st.booleans(), many=st.booleans())
    def delete_a_version(self, chance: int, bypass: bool, many: bool) -> None:
        chosen = self._some(chance)
        if chosen is None:
            return
        name, key, version = chosen
        headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
        code = ""
        if many:
            inner = f"<Key>{escape(key)}</Key><VersionId>{version.id}</VersionId>"
            body = f"<Delete><Object>{inner}</Object></Delete>".encode()
            headers["content-md5"] = b64encode(bytes.fromhex(md5(body))).decode()
            answer = self.ask("POST", name, "", "delete=", body, headers)
            assert answer.status == 200
            code = answer.code
        else:
            answer = self.ask("DELETE", name, key, f"versionId={version.id}", headers=headers)
            code = answer.code
            if not code:
                assert answer.headers["x-amz-version-id"] == version.id
        if version.binds(bypass):
            assert code == "AccessDenied"
        else:
            assert code == ""
            self.world[name].remove(key, version.id)
        self.look(name, key)

    @rule(chance=chances, value=st.sampled_from(("", "1", "2")))
    def tag_a_version(self, chance: int, value: str) -> None:
        chosen = self._some(chance)
        if chosen is None:
            return
        name, key, version = chosen
        tags = f"<Tag><Key>t</Key><Value>{value}</Value></Tag>" if value else ""
        body = f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()
        answer = self.ask("PUT", name, key, f"tagging=&versionId={version.id}", body)
        if version.data is None:
            assert answer.outcome == (405, "MethodNotAllowed")
        else:
            assert answer.outcome == (200, "")
            version.tags = value
        self.look(name, key)

    @rule(
        chance=chances,
        mode=st.sampled_from(("GOVERNANCE", "COMPLIANCE")),
        days=st.integers(1, 3),
        bypass=st.booleans(),
    )
    def retain_a_version(self, chance: int, mode: str, days: int, bypass: bool) -> None:
        chosen = self._some(chance)
        if chosen is None or not self.world[chosen[0]].locks or chosen[2].data is None:
            return
        name, key, version = chosen
        until = float(int(time.time()) // 86_400 * 86_400 + (days + 1) * 86_400)
        body = f"<Mode>{mode}</Mode><RetainUntilDate>{stamp(until)}</RetainUntilDate>"
        headers = {"x-amz-bypass-governance-retention": "true"} if bypass else {}
        answer = self.ask(
            "PUT", name, key, f"retention=&versionId={version.id}",
            f"<Retention>{body}</Retention>".encode(), headers,
        )  # fmt: skip
        longer = mode == version.mode and until >= version.until
        held = version.mode == "COMPLIANCE" or (version.mode == "GOVERNANCE" and not bypass)
        if held and not longer:
            assert answer.outcome == (403, "AccessDenied")
        else:
            assert answer.outcome == (200, "")
            version.mode, version.until = mode, until
        self.look(name, key)

    @rule(chance=chances, hold=st.booleans())
    def hold_a_version(self, chance: int, hold: bool) -> None:
        chosen = self._some(chance)
        if chosen is None or not self.world[chosen[0]].locks or chosen[2].data is None:
            return
        name, key, version = chosen
        body = f"<LegalHold><Status>{'ON' if hold else 'OFF'}</Status></LegalHold>".encode()
        answer = self.ask("PUT", name, key, f"legal-hold=&versionId={version.id}", body)
        assert answer.outcome == (200, "")
        version.hold = hold
        self.look(name, key)

    @precondition(lambda self: self.world)
    @rule(chance=chances, page=st.sampled_from((1, 2, 3, 1000)), prefix=st.sampled_from(("", "a")))
    def list_versions(self, chance: int, page: int, prefix: str) -> None:
        name, _, _ = self._place(chance)
        check_listing(self.ask, name, self.world[name], prefix, page)

    def look(self, name: str, key: str) -> None:
        check_key(self.ask, name, self.world[name], key)

    def teardown(self) -> None:
        check_world(self.ask, self.world)


def stamp(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def check_world(ask: Any, world: dict[str, Versioned]) -> None:
    """Every version of every key, and the listings."""
    for name, bucket in world.items():
        for key in KEYS:
            check_key(ask, name, bucket, key)
        for page in (2, 1000):
            check_listing(ask, name, bucket, "", page)


def check_key(ask: Any, name: str, bucket: Versioned, key: str) -> None:
    """The key itself and each of its versions."""
    there, current = bucket.keys.get(key, []), bucket.current(key)
    got = ask("GET", name, key)
    if current is None:
        assert got.outcome == (404, "NoSuchKey")
        marker = there[0].id if there else None
        assert got.headers.get("x-amz-version-id") == marker
        assert got.headers.get("x-amz-delete-marker") == ("true" if there else None)
    else:
        assert (got.status, got.body, got.etag) == (200, current.data, current.etag)
        assert got.headers.get("x-amz-version-id") == (current.id if bucket.state else None)
    for version in there:
        query = f"versionId={version.id}"
        got = ask("GET", name, key, query)
        if version.data is None:
            assert got.outcome == (405, "MethodNotAllowed")
            continue
        head = ask("HEAD", name, key, query)
        assert (got.status, got.body, got.etag) == (200, version.data, version.etag)
        assert head.headers["x-amz-version-id"] == version.id
        assert head.headers.get("x-amz-tagging-count") == ("1" if version.tags else None)
        assert head.headers.get("x-amz-object-lock-mode", "") == version.mode
        hold = head.headers.get("x-amz-object-lock-legal-hold")
        assert (hold == "ON") == version.hold
        tags = ask("GET", name, key, f"tagging=&{query}").xml()
        assert (tags.findtext(".//{*}Value") or "") == version.tags
    absent = ask("GET", name, key, "versionId=absent")
    assert absent.outcome == (404, "NoSuchVersion")


def check_listing(ask: Any, name: str, bucket: Versioned, prefix: str, page: int) -> None:
    """All pages of ListObjectVersions, and ListObjectsV2."""
    wanted = [
        (key, version.id, number == 0, version.data is None, version.etag)
        for key in ordered(bucket.keys)
        if key.startswith(prefix)
        for number, version in enumerate(bucket.keys[key])
    ]
    found: list[tuple[str, str, bool, bool, str]] = []
    step = ""
    for _ in range(PAGES_MAX):
        query = f"versions=&encoding-type=url&prefix={prefix}&max-keys={page}{step}"
        root = ask("GET", name, "", query).xml()
        here = [each for each in root if each.tag in ("Version", "DeleteMarker")]
        assert len(here) <= page
        found += [
            (
                text_of(each, "Key", True),
                text_of(each, "VersionId"),
                text_of(each, "IsLatest") == "true",
                each.tag == "DeleteMarker",
                (each.findtext("ETag") or "").strip('"'),
            )
            for each in here
        ]
        if text_of(root, "IsTruncated") == "false":
            break
        key = quote(text_of(root, "NextKeyMarker", True), safe="")
        step = f"&key-marker={key}&version-id-marker={text_of(root, 'NextVersionIdMarker')}"
    assert found == wanted
    plain = ask("GET", name, "", "list-type=2&encoding-type=url").xml()
    keys = [text_of(each, "Key", True) for each in plain.findall("Contents")]
    assert keys == [key for key in ordered(bucket.keys) if bucket.current(key)]

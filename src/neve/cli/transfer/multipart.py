"""The calls of a multipart upload, in one server's dialect."""

from typing import NamedTuple

from neve.cli.target import Remote
from neve.cli.transfer.body import encoded
from neve.cli.transfer.replica import Replica
from neve.client.errors import ClientError
from neve.client.transport import Transport
from neve.client.xml import document, element, parse


class Sent(NamedTuple):
    """A part that the server has."""

    etag: str
    size: int
    crc32c: str
    """As S3 writes it, '' when the server keeps none."""


class Multipart:
    """One upload in parts to one key."""

    def __init__(self, transport: Transport, target: Remote, upload: str, full: bool) -> None:
        self._transport, self._target = transport, target
        self.upload = upload
        self.full = full
        """Whether the server checks the CRC of the whole object; else that of each part only."""

    @classmethod
    def create(
        cls, transport: Transport, target: Remote, headers: dict[str, str],
        replica: Replica | None = None,
    ) -> "Multipart":  # fmt: skip
        """Begin an upload, maybe of a version of another server."""
        query = {"uploads": ""} | (replica.query if replica else {})
        asked = {"x-amz-checksum-algorithm": "CRC32C", "x-amz-checksum-type": "FULL_OBJECT"}
        answer = transport.request(
            "POST", target.bucket, target.key, query, headers | asked,
            doing="write this object", idempotent=True,
        )  # fmt: skip
        full = answer.headers.get("x-amz-checksum-type", "").upper() == "FULL_OBJECT"
        return cls(transport, target, parse(answer.body).text("UploadId"), full)

    def parts(self) -> dict[int, Sent]:
        """The parts that the server has. Raises: ServerError when it has forgotten the upload."""
        found: dict[int, Sent] = {}
        query = {"uploadId": self.upload}
        while True:
            answer = self._transport.request(
                "GET", self._target.bucket, self._target.key, query, doing="list the parts"
            )
            root = parse(answer.body)
            for node in root.all("Part"):
                row = node.texts()
                etag = row.get("ETag", "").strip('"')
                sent = Sent(etag, int(row.get("Size") or 0), row.get("ChecksumCRC32C", ""))
                found[int(row["PartNumber"])] = sent
            if root.text("IsTruncated") != "true":
                return found
            query["part-number-marker"] = root.text("NextPartNumberMarker")

    def complete(
        self, parts: dict[int, Sent], crc: int | None, replica: Replica | None = None
    ) -> tuple[str, str]:
        """Make the object; `crc` is that of the whole. Return its ETag and version."""
        rows = []
        for number in sorted(parts):
            sent = parts[number]
            fields = [element("PartNumber", str(number)), element("ETag", f'"{sent.etag}"')]
            if sent.crc32c:
                fields.append(element("ChecksumCRC32C", sent.crc32c))
            rows.append(element("Part", fields))
        headers = dict(replica.headers) if replica else {}
        if self.full and crc is not None:
            headers["x-amz-checksum-crc32c"] = encoded(crc)
            headers["x-amz-checksum-type"] = "FULL_OBJECT"
        answer = self._transport.request(
            "POST", self._target.bucket, self._target.key, {"uploadId": self.upload}, headers,
            document("CompleteMultipartUpload", rows), doing="complete this upload",
            idempotent=True,
        )  # fmt: skip
        root = parse(answer.body)
        check_document(root.name, root.text("Code"), root.text("Message"), str(self._target))
        return root.text("ETag").strip('"'), answer.headers.get("x-amz-version-id", "")

    def abort(self) -> None:
        """Give the upload up, with its parts."""
        self._transport.request(
            "DELETE", self._target.bucket, self._target.key, {"uploadId": self.upload},
            doing="give up this upload", accept=(404,),
        )  # fmt: skip


def check_document(name: str, code: str, said: str, target: str) -> None:
    """Raises: ClientError when a success turned out to be a failure: S3 begins its answer early."""
    if name == "Error":
        what = said.rstrip(". ")
        raise ClientError(f"could not write {target}: {what} ({code}).", code, target)

"""The encryption of new objects of a bucket: the result and the calls."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, TypeVar

from neve.cli.output import Result, Style
from neve.cli.target import Remote
from neve.client.errors import ClientError, ServerError
from neve.client.s3 import S3
from neve.client.xml import parse

T = TypeVar("T")


@dataclass(frozen=True)
class Encryption(Result):
    """How new objects of a bucket are encrypted."""

    kind: ClassVar[str] = "encryption"

    bucket: Annotated[str, "alias/bucket"]
    algorithm: Annotated[str, "`AES256`, `aws:kms`, or '' for none"]
    key: Annotated[str, "the key of the KMS, '' when there is none"]

    def text(self, style: Style) -> str:
        """The sentence."""
        name = style.folder(self.bucket)
        if not self.algorithm:
            return f"New objects of {name} are not encrypted by the server."
        key = f" with the key {self.key}" if self.key else ""
        return f"New objects of {name} are encrypted: {self.algorithm}{key}."


def read(server: S3, target: Remote) -> Encryption:
    """Ask."""
    body = server.get_setting(target.bucket, "encryption", "read the encryption")
    name = f"{target.alias}/{target.bucket}"
    rule = parse(body).find("Rule", "ApplyServerSideEncryptionByDefault") if body else None
    if rule is None:
        return Encryption(name, "", "")
    return Encryption(name, rule.text("SSEAlgorithm"), rule.text("KMSMasterKeyID"))


def told(server: S3, call: Callable[[], T]) -> T:
    """Make a call, and say it plainly when the server has no encryption."""
    try:
        return call()
    except ServerError as error:
        if error.code != "NotImplemented":
            raise
        raise ClientError(
            f"this server has no encryption at rest of its own ({server.transport.host}).",
            error.code,
            server.alias.name,
        ) from error

"""Name a server: ask for its keys, check them at once, and say what was found.

Without KEY and SECRET they are asked for; Enter twice makes an anonymous alias, which reads what is
public. When the standard input is no terminal, the keys are its first two lines. Nothing is saved
when the server does not answer or does not accept the keys; --no-check saves in any case.
"""

import argparse
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar

from neve.cli.aliases import PATHS, check_name, check_url
from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result, Style
from neve.cli.prompts import ask
from neve.cli.session import Session
from neve.client.alias import Alias
from neve.client.errors import ClientError, ServerError
from neve.client.s3 import S3

EXAMPLES = """\
examples:
  neve alias set pavics https://minio.example.org
  neve alias set public https://minio.example.org "" ""       # anonymous
  neve alias set local http://127.0.0.1:9000 ACCESS_KEY SECRET_KEY
  printf '%s\\n' "$KEY" "$SECRET" | neve alias set pavics https://minio.example.org
  neve alias set aws https://s3.amazonaws.com --region ca-central-1
"""
_SHOWN = 8


@dataclass(frozen=True)
class AliasSet(Result):
    """An alias was saved."""

    kind: ClassVar[str] = "aliasSet"

    alias: Annotated[str, "its name"]
    url: Annotated[str, "the server's URL"]
    access_key: Annotated[str, "the access key, '' when it is anonymous"]
    server: Annotated[str, "what the server calls itself, '' when it does not say"]
    tls: Annotated[str, "TLS version, '' for plain HTTP"]
    checked: Annotated[bool, "whether the server was asked"]
    buckets: Annotated[list[str] | None, "visible buckets, null when they may not be listed"]

    def text(self, style: Style) -> str:
        """Sentences: the server, the keys, the buckets."""
        lines = [f"{style.folder(self.alias)} is {self.url}{self._server()}."]
        if not self.checked:
            return f"{lines[0]} Nothing was checked."
        if self.access_key:
            lines.append(f"The keys of {self.access_key} are right.")
        else:
            lines.append("Anonymous: it reads what is public.")
        if self.buckets is None:
            lines.append("Buckets may not be listed; name the one you want.")
        elif self.buckets:
            more = len(self.buckets) - _SHOWN
            names = ", ".join(self.buckets[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
            lines.append(f"Buckets: {names}.")
        else:
            lines.append("No bucket is visible yet.")
        return "\n".join(lines)

    def _server(self) -> str:
        parts = [part for part in (self.server, self.tls) if part]
        return f" ({', '.join(parts)})" if parts else ""


RESULTS = (AliasSet, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add name, URL and keys."""
    parser.add_argument("name", metavar="NAME", help="letters, digits, '-' and '_'")
    parser.add_argument("url", metavar="URL", help="http:// or https://, host and port")
    parser.add_argument("access_key", metavar="KEY", nargs="?", help="access key")
    parser.add_argument("secret_key", metavar="SECRET", nargs="?", help="secret key")
    parser.add_argument("--session-token", metavar="TOKEN", default="", help="of temporary keys")
    parser.add_argument("--region", default="", help="region to sign for (default: us-east-1)")
    parser.add_argument(
        "--path", choices=PATHS, default="auto",
        help="bucket in the path (on), in the host name (off), or as the server's kind wants it",
    )  # fmt: skip
    parser.add_argument("--api", choices=["S3v4", "s3v4"], help=argparse.SUPPRESS)
    parser.add_argument("--no-check", action="store_true", help="save without asking the server")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Check and save."""
    name = check_name(options.name.rstrip("/"))
    url = check_url(options.url)
    access_key, secret_key = _keys(options)
    alias = Alias(
        name, url, access_key, secret_key, options.session_token, options.path, options.region
    )
    if options.no_check:
        session.aliases.save(alias)
        yield AliasSet(name, url, access_key, "", "", False, None)
        return
    # Asking for a bucket that does not exist shows whether the keys are right, whatever they may.
    absent = "neve-probe-" + secrets.token_hex(8)
    with session.connect(alias, attempts=2) as server:
        software = _check_keys(server, absent)
        region = server.transport.region(absent)
        if region != server.transport.region():
            alias = replace(alias, region=region)
        buckets = _visible(server)
        tls = server.transport.tls_version()
    session.aliases.save(alias)
    yield AliasSet(name, url, access_key, software, tls, True, buckets)


def _check_keys(server: S3, absent: str) -> str:
    """Return what the server calls itself. Raises: ClientError when the keys are wrong."""
    try:
        answer = server.transport.request(
            "GET", absent, query={"location": ""}, doing="check the keys", accept=(404,)
        )
    except ServerError as error:
        # Refused for lack of rights, not of identity: the keys themselves are right.
        if error.code not in ("AccessDenied", "NoSuchBucket", "AllAccessDisabled"):
            raise
        return ""
    if b"NoSuchBucket" not in answer.body:
        host = server.transport.host
        raise ClientError(f"{host} does not answer as an S3 server: is this its web page's port?")
    return answer.headers.get("server", "")


def _visible(server: S3) -> list[str] | None:
    try:
        return [bucket.name for bucket in server.buckets()]
    except ServerError as error:
        if error.denied:
            return None
        raise


def _keys(options: argparse.Namespace) -> tuple[str, str]:
    """The keys as given, asked for, or read from the standard input."""
    access_key, secret_key = options.access_key, options.secret_key
    if access_key is None:
        access_key = ask("Access key (Enter: anonymous, read-only): ")
    if secret_key is None:
        secret_key = ask("Secret key: ", hidden=True)
    if bool(access_key) != bool(secret_key):
        raise UsageError("an access key and its secret go together; Enter twice is anonymous.")
    return access_key, secret_key

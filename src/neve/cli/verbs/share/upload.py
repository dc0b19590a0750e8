"""Make a command of curl with which anybody can upload an object, for at most seven days.

With -r any object under the prefix: the name of the file becomes the end of the key.
"""

import argparse
import base64
import json
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.target import Remote
from neve.cli.units import iso_time
from neve.cli.verbs.share import _shares
from neve.cli.verbs.share._shares import Share
from neve.client.errors import ClientError
from neve.client.s3 import S3
from neve.client.units import parse_size
from neve.signing import amz_date_of, scope_of, signature, signing_key

EXAMPLES = """\
examples:
  neve share upload pavics/inbox/report.pdf
  neve share upload -r --expire 2h --max-size 1GiB pavics/inbox/from-lab/
"""
RESULTS = (Share, Failure)
_ALGORITHM = "AWS4-HMAC-SHA256"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the target, for how long, and limits."""
    parser.add_argument("target", metavar="TARGET", help="the object to be; a prefix with -r")
    parser.add_argument(
        "-E", "--expire", metavar="TIME", default="7d", help="how long it holds (default: 7d)"
    )
    parser.add_argument("-r", "--recursive", action="store_true", help="any object under a prefix")
    parser.add_argument(
        "-T", "--content-type", metavar="TYPE", default="", help="only objects of this type"
    )
    parser.add_argument("--max-size", metavar="SIZE", default="", help="nothing larger than this")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Make it and write it down."""
    seconds = _shares.expiry_of(options.expire)
    target = session.remote(options.target, "bucket" if options.recursive else "key")
    server = session.server(target.alias)
    if not server.bucket_exists(target.bucket):
        raise ClientError(
            f"there is no bucket {target.bucket!r} at {target.alias}.", "NoSuchBucket", str(target)
        )
    expires = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=seconds)
    fields = _fields(server, target, options, expires)
    url = server.transport.url(target.bucket)
    words = ["curl", url]
    for name, value in fields.items():
        words += ["-F", shlex.quote(f"{name}={value}")]
    made = Share("upload", str(target), url, " ".join([*words, "-F", "file=@FILE"]), expires)
    _shares.add(session.aliases.folder, [made])
    yield made


def _fields(
    server: S3, target: Remote, options: argparse.Namespace, expires: datetime
) -> dict[str, str]:
    """The fields of the form, its policy and signature among them."""
    alias, region = server.alias, server.transport.region(target.bucket)
    if alias.anonymous:
        raise ClientError(
            f"the alias {alias.name!r} has no keys, and a form must be signed.", "Anonymous"
        )
    date = amz_date_of(None)
    scope = scope_of(date[:8].encode(), region.encode()).decode()
    fixed = {
        "bucket": target.bucket,
        "x-amz-algorithm": _ALGORITHM,
        "x-amz-credential": f"{alias.access_key}/{scope}",
        "x-amz-date": date,
    }
    if alias.session_token:
        fixed["x-amz-security-token"] = alias.session_token
    if options.content_type:
        fixed["Content-Type"] = options.content_type
    conditions: list[Any] = [["eq", f"${name}", value] for name, value in fixed.items()]
    conditions.append(["starts-with" if options.recursive else "eq", "$key", target.key])
    if options.max_size:
        conditions.append(["content-length-range", 0, parse_size(options.max_size)])
    document = {"expiration": iso_time(expires), "conditions": conditions}
    policy = base64.b64encode(json.dumps(document).encode())
    key = signing_key(alias.secret_key.encode(), date[:8].encode(), region.encode())
    # The server puts the file's name where a key says so.
    name = f"{target.key}${{filename}}" if options.recursive else target.key
    signed = {"policy": policy.decode(), "x-amz-signature": signature(key, policy).decode()}
    return {"key": name} | fixed | signed

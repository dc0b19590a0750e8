"""Encrypt new objects of a bucket: with keys of the server, or a key of its KMS."""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.encrypt._encryption import Encryption, read, told
from neve.client.xml import document, element

EXAMPLES = """\
examples:
  neve encrypt set sse-s3 pavics/private
  neve encrypt set sse-kms KEY pavics/private
"""
RESULTS = (Encryption, Failure)
_ALGORITHMS = {"sse-s3": "AES256", "sse-kms": "aws:kms"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the kind and the bucket."""
    parser.add_argument("kind", metavar="KIND", choices=list(_ALGORITHMS), help="sse-s3 or sse-kms")
    parser.add_argument("rest", metavar="[KEY] ALIAS/BUCKET", nargs="+", help="key, and bucket")


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Set it."""
    wanted = 2 if options.kind == "sse-kms" else 1
    if len(options.rest) != wanted:
        raise UsageError(f"{options.kind} wants {'KEY and ' if wanted == 2 else ''}ALIAS/BUCKET.")
    target = session.remote(options.rest[-1], "bucket")
    server = session.server(target.alias)
    fields = [element("SSEAlgorithm", _ALGORITHMS[options.kind])]
    if wanted == 2:
        fields.append(element("KMSMasterKeyID", options.rest[0]))
    rule = element("Rule", [element("ApplyServerSideEncryptionByDefault", fields)])
    body = document("ServerSideEncryptionConfiguration", [rule])
    told(server, lambda: server.put_setting(target.bucket, "encryption", body, "encrypt objects"))
    yield read(server, target)

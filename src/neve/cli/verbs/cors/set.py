"""Give a bucket CORS rules, in place of those it has: a ready set, or those of a FILE.

The preset web-viewers lets scripts of every site read what their user may read, with ranges and
conditions, as viewers of Zarr need it. A FILE is S3's XML or the JSON of the AWS CLI.
"""

import argparse
from collections.abc import Iterator

from neve.cli.errors import UsageError
from neve.cli.files import read_document
from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.cors._rules import CorsRules
from neve.client.cors import PRESETS, parse_rules, to_xml

EXAMPLES = """\
examples:
  neve cors set --preset web-viewers pavics/climate
  neve cors set pavics/climate rules.json
  neve cors set pavics/climate --origin https://portal.example.org --method GET --method PUT
"""
RESULTS = (CorsRules, Failure)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the bucket and where the rules come from."""
    parser.add_argument("target", metavar="ALIAS/BUCKET", help="the bucket")
    parser.add_argument("file", metavar="FILE", nargs="?", help="rules as JSON or XML, - for stdin")
    parser.add_argument("--preset", choices=sorted(PRESETS), help="rules that are ready")
    parser.add_argument(
        "--origin", metavar="URL", action="append", help="one rule: pages of this site (repeatable)"
    )
    parser.add_argument(
        "--method", metavar="GET", action="append", help="what they may do (default: GET, HEAD)"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Set them."""
    target = session.remote(options.target, "bucket")
    given = [each for each in (options.file, options.preset, options.origin) if each]
    if len(given) != 1:
        raise UsageError("give one of FILE, --preset and --origin.")
    if options.preset:
        rules = PRESETS[options.preset]
    elif options.origin:
        methods = [method.upper() for method in options.method or ("GET", "HEAD")]
        one = {"AllowedOrigins": options.origin, "AllowedMethods": methods}
        rules = [PRESETS["web-viewers"][0] | one]
        del rules[0]["ID"]
    else:
        rules = parse_rules(read_document(options.file), options.file)
    server = session.server(target.alias)
    server.put_setting(target.bucket, "cors", to_xml(rules), "set CORS rules")
    yield CorsRules(f"{target.alias}/{target.bucket}", rules)

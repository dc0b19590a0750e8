"""Let everybody, without keys, download, upload, do both (public), or nothing (none).

PREFIX means the folder of that name: `public` is `public/…`; to mean every key that begins so, end
it in a star, quoted. A rule for a bucket or prefix is independent of those below it: none takes
away the rule of just this prefix, with -r also those below.
"""

import argparse
from collections.abc import Iterator

from neve.cli.output import Failure, Result
from neve.cli.session import Session
from neve.cli.verbs.anonymous._rule import Rule, prefix_of, rule_of
from neve.client import anonymous

EXAMPLES = """\
examples:
  neve anonymous set download pavics/portail-ing/public/
  neve anonymous set download pavics/climate --no-list       # who knows a key may read it
  neve anonymous set upload pavics/inbox
  neve anonymous set none -r pavics/portail-ing
"""
RESULTS = (Rule, Failure)
_SYNONYMS = {"private": "none", "readonly": "download", "writeonly": "upload"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add permission and target."""
    parser.add_argument(
        "permission", metavar="PERMISSION", choices=[*anonymous.PERMISSIONS, *_SYNONYMS],
        help="none, download, upload or public",
    )  # fmt: skip
    parser.add_argument("target", metavar="ALIAS/BUCKET[/PREFIX]", help="where it holds")
    parser.add_argument("--no-list", action="store_true", help="keys may not be listed")
    parser.add_argument(
        "-r", "--recursive", action="store_true", help="rules of prefixes below go away"
    )


def run(options: argparse.Namespace, session: Session) -> Iterator[Result]:
    """Change this one rule of the policy."""
    target = session.remote(options.target, "bucket")
    server = session.server(target.alias)
    grants = anonymous.read(server, target.bucket)
    prefix = prefix_of(target)
    if options.recursive:
        grants.rules = {
            each: actions for each, actions in grants.rules.items() if not each.startswith(prefix)
        }
    permission = _SYNONYMS.get(options.permission, options.permission)
    actions = set(anonymous.PERMISSIONS[permission])
    grants.rules[prefix] = actions - {anonymous.LIST} if options.no_list else actions
    anonymous.write(server, grants)
    yield rule_of(target, grants, prefix)

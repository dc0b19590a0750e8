"""Serve a folder as an S3 object store, until Ctrl-C.

The folder is created if it is absent. At first start root keys are made, shown, and kept in it;
NEVE_ROOT_USER and NEVE_ROOT_PASSWORD (or MINIO_ROOT_USER and MINIO_ROOT_PASSWORD) set them instead.
Every option can come from the environment: --log-format is NEVE_LOG_FORMAT.
"""

import argparse
from dataclasses import fields

EXAMPLES = """\
examples:
  neve serve ./data
  neve serve /srv/neve --address 0.0.0.0:9000
  neve serve /srv/neve --address :9000 --tls-cert fullchain.pem --tls-key privkey.pem
  neve serve /srv/neve --domain s3.example.org --region ca-east-1
  neve serve /srv/neve --log-format json --access-log /var/log/neve/access.log
  NEVE_ROOT_USER=admin NEVE_ROOT_PASSWORD=change-me-now neve serve ./data

signals:
  TERM, INT   finish requests in flight, then stop; a second one stops at once
  HUP         load the TLS certificate again and reopen the access log
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the folder and a flag for every setting that has one."""
    from neve.config import Config

    parser.add_argument("folder", metavar="DATA", help="the store's folder, on a local disk")
    for item in fields(Config):
        if not item.metadata.get("flag"):
            continue
        flag = "--" + item.name.replace("_", "-")
        if item.default is False:
            parser.add_argument(
                flag, dest=item.name, action="store_const", const="on", help=item.metadata["help"]
            )
        else:
            parser.add_argument(
                flag,
                dest=item.name,
                metavar=item.metadata["metavar"] or item.name.upper(),
                help=item.metadata["help"],
            )


def run(options: argparse.Namespace) -> int:
    """Serve until stopped."""
    from neve.config import load

    given = dict(vars(options))
    config = load(given.pop("folder"), given)
    # Only now the rest: a wrong flag is answered at once.
    from neve.server.serve import serve

    return serve(config)

"""The flags of a rule, which add and edit share."""

import argparse
from xml.etree.ElementTree import Element, SubElement

from neve.cli.errors import UsageError
from neve.cli.units import parse_time
from neve.cli.verbs.tag._tags import parse_tags
from neve.client.lifecycle import Filter, filter_of, set_filter, set_value
from neve.client.units import parse_size

_NUMBERS = {
    "expire_days": "Expiration/Days",
    "noncurrent_expire_days": "NoncurrentVersionExpiration/NoncurrentDays",
    "noncurrent_expire_newer": "NoncurrentVersionExpiration/NewerNoncurrentVersions",
    "abort_upload_days": "AbortIncompleteMultipartUpload/DaysAfterInitiation",
}
_SWITCHES = {
    "expire_delete_marker": "Expiration/ExpiredObjectDeleteMarker",
    "expire_all_object_versions": "Expiration/ExpiredObjectAllVersions",
}
_ACTIONS = ("Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload")


def add_rule_flags(parser: argparse.ArgumentParser) -> None:
    """Add what a rule is about and what it does."""
    about = parser.add_argument_group("which objects")
    about.add_argument("--prefix", help="only keys that begin so")
    about.add_argument("--tags", metavar="NAME=VALUE", help="only objects with all these tags")
    about.add_argument("--size-gt", metavar="SIZE", help="only objects larger than this")
    about.add_argument("--size-lt", metavar="SIZE", help="only objects smaller than this")
    does = parser.add_argument_group("what happens to them (0 takes an action away)")
    does.add_argument(
        "--expire-days", metavar="DAYS", type=int, help="they end so long after being written"
    )
    does.add_argument("--expire-date", metavar="DATE", help="they end from this day on")
    does.add_argument(
        "--expire-delete-marker", action=argparse.BooleanOptionalAction,
        help="delete markers end when no version is behind them",
    )  # fmt: skip
    does.add_argument(
        "--expire-all-object-versions", action=argparse.BooleanOptionalAction,
        help="they end with all their versions (MinIO, Neve)",
    )  # fmt: skip
    does.add_argument(
        "--noncurrent-expire-days", metavar="DAYS", type=int,
        help="old versions end so long after they became old",
    )  # fmt: skip
    does.add_argument(
        "--noncurrent-expire-newer", metavar="NUMBER", type=int,
        help="so many of the newest old versions stay",
    )  # fmt: skip
    does.add_argument(
        "--abort-upload-days", metavar="DAYS", type=int, help="unfinished uploads end after this"
    )


def apply(options: argparse.Namespace, rule: Element, prefix: str) -> None:
    """Change a rule as the flags say. `prefix` is that of the target. Raises: UsageError."""
    about = filter_of(rule)
    if prefix and options.prefix not in (None, prefix):
        raise UsageError(f"the target says {prefix!r} and --prefix {options.prefix!r}: say one.")
    wanted = prefix or options.prefix
    about = Filter(
        about.prefix if wanted is None or (not wanted and options.prefix is None) else wanted,
        about.tags if options.tags is None else parse_tags([options.tags] if options.tags else []),
        about.size_above if options.size_gt is None else parse_size(options.size_gt),
        about.size_below if options.size_lt is None else parse_size(options.size_lt),
    )
    set_filter(rule, about)
    for name, path in _NUMBERS.items():
        number = getattr(options, name)
        if number is not None:
            set_value(rule, path, str(number) if number else None)
    if options.expire_date is not None:
        day = options.expire_date and f"{parse_time(options.expire_date):%Y-%m-%d}T00:00:00Z"
        set_value(rule, "Expiration/Date", day or None)
    for name, path in _SWITCHES.items():
        switch = getattr(options, name)
        if switch is not None:
            set_value(rule, path, "true" if switch else None)
    if not any(rule.find(action) is not None for action in _ACTIONS):
        raise UsageError("a rule must do something: give --expire-days or another action.")


def set_status(rule: Element, enabled: bool) -> None:
    """Enable or disable a rule."""
    status = rule.find("Status")
    if status is None:
        status = SubElement(rule, "Status")
    status.text = "Enabled" if enabled else "Disabled"

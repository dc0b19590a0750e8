"""A bucket as requests see it: its row, read once for all that its options say."""

import logging
from typing import Any

import msgspec

from neve.catalog.catalog import BucketRow
from neve.engine import quota
from neve.engine.lifecycle import rules_of
from neve.engine.versions import LOCK, versioning_of
from neve.errors import MalformedPolicy
from neve.iam.policies import Policy, parse_policy

log = logging.getLogger("neve.engine")


class Bucket:
    """A bucket as requests see it; immutable, replaced when its row changes."""

    __slots__ = (
        "created_us",
        "lifecycle",
        "locks",
        "name",
        "options",
        "owner",
        "policy",
        "policy_document",
        "quota",
        "region",
        "tree",
        "versioning",
    )

    def __init__(self, row: BucketRow) -> None:
        self.name = row.name
        self.tree = row.tree
        self.owner = row.owner
        self.created_us = row.created_us
        self.region = row.region
        self.policy_document = row.policy
        self.policy = stored_policy(row)
        self.options: dict[str, Any] = msgspec.msgpack.decode(row.options) if row.options else {}
        self.lifecycle = rules_of(self.options)
        """None without enabled rules."""
        self.quota = quota.of_options(self.options) if self.options else None
        self.versioning = versioning_of(self.options)
        """None for a bucket that was never versioned."""
        self.locks = LOCK in self.options
        """Whether it has object lock."""


def stored_policy(row: BucketRow) -> Policy | None:
    """The bucket's policy. One that this release cannot read grants nothing to anybody."""
    if not row.policy:
        return None
    try:
        return parse_policy(row.policy, row.name)
    except MalformedPolicy as error:
        log.error("the policy of bucket %s cannot be read and grants nothing: %s", row.name, error)
        return None

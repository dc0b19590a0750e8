"""What `neve.iam.reach` asks of a bucket, and how its answers are called in documents."""

from functools import cache
from typing import TYPE_CHECKING

from neve.iam.reach import May, Place
from neve.s3 import acls

if TYPE_CHECKING:
    from neve.engine.bucket import Bucket
    from neve.engine.engine import Engine

_WORDS = {May.NO: "no", May.DEPENDS: "conditionally", May.PARTLY: "partly", May.YES: "yes"}


def place_of(engine: "Engine", bucket: "Bucket", prefix: str) -> Place:
    """Return the keys of a bucket that begin with a prefix."""

    @cache
    def writers() -> frozenset[str]:
        if acls.acls_are_off(bucket):
            return frozenset((bucket.owner,))
        owners = engine.quotas.owners(bucket)
        return frozenset(owner for owner, used in owners.items() if used.objects)

    policy = bucket.policy
    restricted = policy is not None and policy.is_public and acls.is_blocked(bucket, acls.RESTRICT)
    return Place(bucket.name, prefix, bucket.owner, policy, writers, restricted)


def word_of(may: May) -> str:
    """Return the word for it."""
    return _WORDS[may]

"""Whether something can be read by everybody, as the server itself says."""

from neve.panel.upstream import Ask, ask
from neve.panel.visit import Visit


def is_public(visit: Visit, bucket: str, key: str) -> bool:
    """Whether who has no account may read the object. Raises: ServerError, Unreachable."""
    return bool(ask(visit.nobody, [Ask("s3:GetObject", bucket, key)])[0])

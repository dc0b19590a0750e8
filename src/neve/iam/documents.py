"""Reading a policy document as JSON, strictly: what S3 refuses here it refuses with these words.

Only syntax: one object, UTF-8, no duplicate names, no constants that are not JSON, bounded size and
depth. What the names mean is `neve.iam.policies`.
"""

import json
from typing import Any

from neve.errors import MalformedPolicy

POLICY_BYTES_MAX = 20_480
"""Bound on the normalised document, AWS's for bucket policies."""
BODY_BYTES_MAX = 8 * POLICY_BYTES_MAX
"""Bound on the document as sent: white space and escapes do not count, but must be read."""

_TOO_LARGE = (
    f"Normalized policy document exceeds the maximum allowed size of {POLICY_BYTES_MAX} bytes"
)


def parse_document(document: bytes) -> dict[str, Any]:
    """Return the document's object. Raises: MalformedPolicy."""
    if not document.startswith(b"{"):
        raise MalformedPolicy("Policies must be valid JSON and the first byte must be '{'")
    if len(document) > BODY_BYTES_MAX:
        raise MalformedPolicy(_TOO_LARGE)
    try:
        parsed = json.loads(
            document.decode(), object_pairs_hook=_object, parse_constant=_no_constant
        )
        normalised = json.dumps(parsed, ensure_ascii=False, separators=(",", ":")).encode()
    # Nesting ends in RecursionError; lone surrogates and huge numbers in kinds of ValueError.
    except (ValueError, RecursionError) as error:
        raise MalformedPolicy("This policy contains invalid Json") from error
    if len(normalised) > POLICY_BYTES_MAX:
        raise MalformedPolicy(_TOO_LARGE)
    assert isinstance(parsed, dict)
    return parsed


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("duplicate name")
    return result


def _no_constant(name: str) -> Any:
    raise ValueError(name)

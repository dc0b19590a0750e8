"""Names of objects as pages show and link them.

A key is any text of up to 1,024 bytes: with newlines, `..`, `//`, or characters that turn the
direction of writing. It stands in the query of a link, never in its path, and what cannot be seen
of it is shown by a sign.
"""

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import quote, urlencode

from neve.panel.visit import Refused, Visit

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,254}")
_PLAIN = re.compile(r"[ -~\u00a1-\u02ff]*")


class Crumb(NamedTuple):
    """A folder above, or the one that is shown."""

    name: str
    link: str


def bucket_of(visit: Visit) -> str:
    """Return the bucket that the path names. Raises: Refused."""
    return checked_bucket(visit, str(visit.request.path_params["bucket"]))


def checked_bucket(visit: Visit, name: str) -> str:
    """Return the name if a bucket can have it: no path of another kind is called by it.

    Raises: Refused.
    """
    if not _BUCKET.fullmatch(name):
        raise Refused(404, visit._("This bucket does not exist."))
    return name


def visible(text: str) -> str:
    """Return a text in which every character can be seen, and none changes how others stand."""
    if _PLAIN.fullmatch(text):
        return text
    return "".join(map(_sign, text))


def visible_lines(text: str) -> str:
    """As `visible`, for a text of several lines."""
    return "\n".join(
        "\t".join(map(visible, line.split("\t"))) for line in text.replace("\r\n", "\n").split("\n")
    )


def _sign(character: str) -> str:
    # Format characters, private use and what is not assigned; joiners make up emoji and scripts.
    category = unicodedata.category(character)
    if category in ("Cf", "Cc", "Cn", "Cs", "Zl", "Zp") and character not in "\u200c\u200d":
        return f"⟨U+{ord(character):04X}⟩"
    return character


def header_text(value: str | None) -> str:
    """Return a header as its writer meant it: most write UTF-8."""
    try:
        return (value or "").encode("latin-1").decode("utf-8")
    except UnicodeError:
        return value or ""


def last_name(key: str) -> str:
    """Return the last part of a key: of `a/b` it is `b`, of the folder `a/b/` it is `b`."""
    return key.rstrip("/").rpartition("/")[2] or key


def disposition(name: str) -> str:
    """Return a Content-Disposition with which a browser keeps a file under a name."""
    plain = re.sub(r'[^ -~]|["\\\\%/]', "_", name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def folder_of(key: str) -> str:
    """Return the folder that an object or folder is in, '' for the bucket itself."""
    return key[: key.rfind("/", 0, max(len(key) - 1, 0)) + 1]


def with_query(path: str, **fields: str) -> str:
    """Return a link with those fields that are not empty."""
    given = {name: value for name, value in fields.items() if value}
    return path + (f"?{urlencode(given, safe='/', quote_via=quote)}" if given else "")


def browse_link(bucket: str, prefix: str = "", **fields: str) -> str:
    """Return the link to a folder."""
    return with_query(f"/browse/{bucket}", prefix=prefix, **fields)


def object_link(bucket: str, key: str, version: str = "", **fields: str) -> str:
    """Return the link to an object, or to one version of it."""
    return with_query(f"/object/{bucket}", key=key, version=version, **fields)


def url_of(server: str, bucket: str, key: str) -> str:
    """Return the address of an object, percent-encoded."""
    return f"{server}/{bucket}/{quote(key, safe='/~')}"


def crumbs(bucket: str, folder: str, **fields: str) -> list[Crumb]:
    """The bucket, then every folder down to `folder`."""
    found = [Crumb(bucket, browse_link(bucket, **fields))]
    start = 0
    while (cut := folder.find("/", start)) >= 0:
        name = visible(folder[start:cut]) or "/"
        found.append(Crumb(name, browse_link(bucket, folder[: cut + 1], **fields)))
        start = cut + 1
    return found

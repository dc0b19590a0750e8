"""What the pages of an object are about: its bucket, its key, and perhaps one of its versions."""

from typing import NamedTuple

from neve.panel.pages.objects import names
from neve.panel.visit import Refused, Visit


class Subject(NamedTuple):
    """An object, or a version of it."""

    bucket: str
    key: str
    version: str

    @property
    def name(self) -> str:
        """The last part of the key, as it is shown."""
        return names.visible(names.last_name(self.key))

    def link(self, page: str = "", **fields: str) -> str:
        """Return the link to one of the pages about it."""
        path = f"/object/{self.bucket}" + (f"/{page}" if page else "")
        return names.with_query(path, key=self.key, version=self.version, **fields)

    @property
    def crumbs(self) -> list[names.Crumb]:
        """The way down to it."""
        above = names.crumbs(self.bucket, names.folder_of(self.key))
        return [*above, names.Crumb(self.name, self.link())]


def subject_of(visit: Visit) -> Subject:
    """Return what the query names: also of forms, whose fields would change ends of lines.

    Raises: Refused. Without a key a request would be one about the bucket.
    """
    bucket, key = names.bucket_of(visit), visit.query("key")
    if not key:
        raise Refused(404, visit._("This object does not exist."))
    return Subject(bucket, key, visit.query("version"))

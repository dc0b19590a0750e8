"""A new folder: nothing is written for it, for a folder is what the keys in it begin with.

The empty object that other tools write for one is in the way of Zarr and of listings. So the page
of the folder is opened as if it were there, and what is uploaded there makes it so.
"""

from starlette.responses import Response

from neve.panel.formtext import from_form
from neve.panel.pages.objects import names
from neve.panel.routing import get
from neve.panel.visit import Refused, Visit


def make(visit: Visit) -> Response:
    """Open a folder that is not there yet."""
    bucket, name = names.bucket_of(visit), visit.query("name").strip().strip("/")
    if not name:
        raise Refused(400, visit._("Give the folder a name."))
    return visit.go(f"/browse/{bucket}", prefix=f"{from_form(visit.query('folder'))}{name}/")


ROUTES = [get("/folder/{bucket}", make)]

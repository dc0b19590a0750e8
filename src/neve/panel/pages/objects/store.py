"""What a Zarr store holds: its groups and arrays, from its metadata."""

from starlette.responses import Response

from neve.client.s3 import Prefix
from neve.panel.pages.objects import names
from neve.panel.reading import zarrs
from neve.panel.routing import get
from neve.panel.visit import Refused, Visit

CHILDREN_MAX = 200


def show(visit: Visit) -> Response:
    """The tree of a store."""
    bucket, folder = names.bucket_of(visit), visit.query("prefix")
    folder = folder[: folder.rfind("/") + 1]

    def fetch(key: str) -> bytes | None:
        head = visit.s3.find(bucket, folder + key)
        if head is None or not 0 < head.size <= zarrs.BYTES_MAX:
            return None
        with visit.s3.get(bucket, folder + key, stop=zarrs.BYTES_MAX) as stream:
            return b"".join(stream)

    def children(below: str) -> list[str]:
        start = folder + below
        rows = visit.s3.page(bucket, start, "/", limit=CHILDREN_MAX).rows
        return [row.key[len(start) : -1] for row in rows if isinstance(row, Prefix)]

    store = zarrs.read(fetch, children)
    if store is None:
        raise Refused(404, visit._("This folder is no Zarr store, or its metadata is too large."))
    return visit.page(
        "objects/store.html",
        bucket=bucket,
        folder=folder,
        crumbs=names.crumbs(bucket, folder),
        store=store,
        rows=[
            (node, names.visible(node.name), names.browse_link(bucket, _folder_of(folder, node)))
            for node in store.nodes
        ],
    )


def _folder_of(folder: str, node: zarrs.Node) -> str:
    return f"{folder}{node.path}/" if node.path else folder


ROUTES = [get("/browse/{bucket}/store", show, public=True)]

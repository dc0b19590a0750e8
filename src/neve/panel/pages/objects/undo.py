"""Undoing a deletion: removes exactly the delete markers that it made."""

from starlette.responses import Response

from neve.client.s3 import S3
from neve.panel.pages.objects import tasks
from neve.panel.routing import post
from neve.panel.visit import Refused, Visit


def undo(visit: Visit) -> Response:
    """Bring back what a deletion of this session deleted."""
    session = visit.session
    found = session.undo.pop(visit.field("name"), None) if session else None
    if not isinstance(found, tasks.Undo):
        raise Refused(404, visit._("This cannot be undone any more."))
    bucket, folder, markers = found.bucket, found.folder, found.markers
    server = visit.s3

    def work(task: tasks.Task) -> None:
        _work(server, bucket, markers, task)

    return tasks.run(visit, tasks.UNDO, bucket, folder, markers.count, work)


def _work(server: S3, bucket: str, markers: tasks.Markers, task: tasks.Task) -> None:
    for batch in markers.batches():
        if task.stop.is_set():
            return
        task.count(server.delete_marking(bucket, batch))


ROUTES = [post("/undo", undo)]

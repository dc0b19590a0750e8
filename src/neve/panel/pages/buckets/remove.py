"""Emptying a bucket and deleting it: what will be lost, the name typed, and how far it is.

It is done in the background, a thousand at a time; locked versions stay, and then the bucket too.
"""

from functools import partial
from itertools import islice

from starlette.responses import Response

from neve.client import buckets, s3
from neve.client.errors import ServerError
from neve.client.s3 import S3
from neve.panel.jobs import Job, TooMany
from neve.panel.pages.buckets._forms import PROBLEMS, Wrong, reason
from neve.panel.pages.buckets._settings import bucket_of
from neve.panel.routing import get, post
from neve.panel.visit import Refused, Visit

EMPTY, DELETE = "empty", "delete"
REFRESH_S = 2
ENDING = {"refresh": str(REFRESH_S)}


def ask(visit: Visit) -> Response:
    """Say what will be lost, and ask for the name."""
    return _ask(visit)


def begin(visit: Visit) -> Response:
    """Begin, if the name was typed; what holds nothing is deleted at once."""
    bucket, kind, server = bucket_of(visit), _kind(visit), visit.s3
    try:
        if visit.field("name") != bucket:
            raise Wrong(visit._("This is not the bucket's name: nothing was done."))
        row = buckets.row(server, bucket)
        if kind == DELETE and _holds_nothing(row):
            server.delete_bucket(bucket)
            visit.tell(visit._("The bucket %(bucket)s was deleted.", bucket=bucket))
            return visit.go("/buckets")
        total = row.usage.objects + row.usage.markers if row and row.usage else 0
        job = Job(kind, bucket, visit.user, total)
        job = visit.panel.jobs.begin(job, partial(_work, server))
    except TooMany:
        problem = visit._("Too many buckets are being emptied: wait until one is done.")
        return _ask(visit, problem, 503)
    except PROBLEMS as error:
        return _ask(visit, *reason(visit, error))
    return visit.go(f"/buckets/{bucket}/progress", job=job.name)


def progress(visit: Visit) -> Response:
    """How far it is; the page loads itself again until it is done."""
    job = _job(visit)
    sentences = [_why(visit, code, count) for code, count in job.refused.most_common()]
    return visit.page(
        "buckets/progress.html",
        headers=ENDING if job.runs else None,
        job=job,
        bucket=job.about,
        refused=sentences,
        problem=visit.sentence(job.error) if job.error else "",
    )


def stop(visit: Visit) -> Response:
    """End it where it is."""
    job = _job(visit)
    job.stop.set()
    return visit.go(f"/buckets/{job.about}/progress", job=job.name)


def _work(server: S3, job: Job) -> None:
    """Delete everything in the bucket, and the bucket if that is wanted and nothing is left."""
    bucket = job.about
    _end_uploads(server, job)
    # A bucket that never had versions is emptied by who may delete objects but no versions.
    if buckets.versioning(server, bucket).status:
        rows = server.versions(bucket)
    else:
        rows = server.objects(bucket)
    found = ((row.key, row.version) for row in rows if isinstance(row, s3.Object))
    while not job.stop.is_set() and (batch := list(islice(found, s3.DELETE_MAX))):
        failed = server.delete_many(bucket, batch)
        job.refused.update(each.code for each in failed)
        job.done += len(batch) - len(failed)
    if job.kind == DELETE and not job.refused and not job.stop.is_set():
        server.delete_bucket(bucket)


def _end_uploads(server: S3, job: Job) -> None:
    try:
        for upload in list(server.uploads(job.about)):
            server.abort(job.about, upload.key, upload.upload)
    except ServerError as error:
        # Who may not end uploads may delete objects all the same; a bucket takes them along.
        if not error.denied:
            raise


def _job(visit: Visit) -> Job:
    name = visit.query("job") or visit.field("job")
    job = visit.panel.jobs.get(name, visit.user)
    if job is None or job.about != bucket_of(visit):
        raise Refused(404, visit._("Nothing is known of this any more."))
    return job


def _kind(visit: Visit) -> str:
    return DELETE if visit.request.url.path.endswith(f"/{DELETE}") else EMPTY


def _holds_nothing(row: buckets.Row | None) -> bool:
    return bool(row and row.usage and not row.usage.objects and not row.usage.markers)


def _why(visit: Visit, code: str, count: int) -> str:
    known = visit.sentence(ServerError(code, code, 403, code))
    if code == "AccessDenied":
        known = visit._("They are locked, or your policies do not allow to delete them.")
    return f"{visit.language.number(count)}: {known}"


def _ask(visit: Visit, problem: str = "", status: int = 200) -> Response:
    bucket, kind = bucket_of(visit), _kind(visit)
    if kind == DELETE:
        visit.need("s3:DeleteBucket", bucket)
    else:
        visit.need("s3:DeleteObject", bucket, "any")
    row = buckets.row(visit.s3, bucket)
    if row is None and not visit.s3.bucket_exists(bucket):
        raise Refused(404, visit._("This bucket does not exist."))
    uploads = buckets.usage(visit.s3, bucket)[1] if row and row.usage else 0
    return visit.page(
        "buckets/remove.html", status, bucket=bucket, kind=kind, problem=problem,
        usage=row.usage if row else None, uploads=uploads, uploads_max=s3.PAGE,
        locks=bool(row and row.lock),
    )  # fmt: skip


ROUTES = [
    get("/buckets/{bucket}/empty", ask),
    post("/buckets/{bucket}/empty", begin),
    get("/buckets/{bucket}/delete", ask),
    post("/buckets/{bucket}/delete", begin),
    get("/buckets/{bucket}/progress", progress),
    post("/buckets/{bucket}/progress", stop),
]

"""Move in from MinIO: buckets, objects with all their versions, users, policies and access keys."""

VERBS = {
    "minio-drive": "bring what a MinIO server left on its drive, without MinIO",
}
EXAMPLES = """\
examples:
  neve import minio-drive /srv/minio /srv/neve
"""

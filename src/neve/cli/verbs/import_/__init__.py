"""Move in from MinIO: buckets, objects with all their versions, users, policies and access keys."""

VERBS = {
    "minio": "bring everything from a running MinIO, over S3 and its admin API",
    "minio-drive": "bring what a MinIO server left on its drive, without MinIO",
}
EXAMPLES = """\
examples:
  neve import minio-drive /srv/minio /srv/neve
  neve import minio pavics new
"""

"""Quotas: what buckets, prefixes and users may hold.

At Neve they are exact and hold at once, for bytes and objects; MinIO has one for the bytes of a
bucket.
"""

VERBS = {
    "set": "limit a bucket, a prefix, a user, or new buckets",
    "info": "show limits and what is used of them",
    "clear": "take a limit away",
}
EXAMPLES = """\
examples:
  neve quota set pavics/portail-ing --size 2TiB
  neve quota info pavics/portail-ing
"""

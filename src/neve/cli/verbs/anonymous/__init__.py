"""What everybody may do without keys, per prefix of a bucket.

It is told in the bucket's policy. These verbs change only statements of the plain form that they
(and mc) write; all others stay as they are, and show as `custom`.
"""

VERBS = {
    "set": "let everybody read (download), write (upload), both (public), or nothing (none)",
    "get": "say what everybody may do at a bucket or prefix",
    "ls": "show all rules of a bucket",
    "links": "print URLs of the objects that everybody may read",
    "set-json": "replace the whole policy by a JSON document",
    "get-json": "print the whole policy",
}
EXAMPLES = """\
examples:
  neve anonymous set download pavics/portail-ing/public/
  neve anonymous ls pavics/portail-ing
"""

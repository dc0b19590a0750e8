"""Encryption at rest that a bucket gives new objects. Not every server has it."""

VERBS = {
    "set": "encrypt new objects: sse-s3, or sse-kms with a key",
    "info": "say whether new objects are encrypted",
    "clear": "encrypt new objects no more",
}
EXAMPLES = """\
examples:
  neve encrypt set sse-s3 pavics/private
  neve encrypt info pavics/private
"""

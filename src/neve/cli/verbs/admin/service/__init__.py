"""The server itself: restart, stop, and stop serving for a while."""

VERBS = {
    "restart": "end in order and start again, with new settings and program",
    "stop": "end in order",
    "freeze": "refuse S3 requests for a while",
    "unfreeze": "serve S3 requests again",
}
EXAMPLES = """\
examples:
  neve admin service restart pavics --yes
"""

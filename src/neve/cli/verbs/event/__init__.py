"""Notifications that a server sends when objects change. Not every server has them."""

VERBS = {
    "add": "send notifications of a bucket to a target of the server",
    "ls": "show which notifications a bucket sends",
    "rm": "send them no more",
}
EXAMPLES = """\
examples:
  neve event add pavics/results arn:minio:sqs::primary:webhook --event put,delete
  neve event ls pavics/results
"""

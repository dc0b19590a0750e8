"""Links that need no keys and end by themselves: to read an object, or to upload one.

Who has such a link may do with it what the key that made it may; when that key is removed or
disabled, the link ends too.
"""

VERBS = {
    "download": "make links with which objects can be read",
    "upload": "make a command with which objects can be uploaded",
    "ls": "show the links that were made here and still hold",
}
EXAMPLES = """\
examples:
  neve share download --expire 7d pavics/results/tas.nc
  neve share ls
"""

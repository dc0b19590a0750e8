"""CORS: let scripts of pages on other sites use a bucket. It gives nobody rights."""

VERBS = {
    "set": "give a bucket rules: a ready set, or those of a file",
    "get": "show the rules",
    "rm": "remove the rules",
}
EXAMPLES = """\
examples:
  neve cors set --preset web-viewers pavics/climate
  neve cors get pavics/climate
"""

"""Lifecycle rules of a bucket. The server follows them some time after they fall due."""

VERBS = {
    "add": "add a rule",
    "edit": "change a rule",
    "ls": "show the rules",
    "rm": "remove rules",
    "export": "print all rules as JSON",
    "import": "replace all rules by those of a file",
}
EXAMPLES = """\
examples:
  neve ilm rule add --expire-days 30 pavics/portail-ing/scratch/
  neve ilm rule ls pavics/portail-ing
"""

"""Lifecycle: rules by which old data go by themselves."""

VERBS = {"rule": "rules of a bucket: add, edit, ls, rm, export, import"}
EXAMPLES = """\
examples:
  neve ilm rule add --expire-days 30 pavics/portail-ing/scratch/
  neve ilm rule ls pavics/portail-ing
"""

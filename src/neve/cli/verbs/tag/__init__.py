"""Tags: up to 10 names with values on an object or version, up to 50 on a bucket.

Rules of neve ilm and conditions of policies can ask for them.
"""

VERBS = {
    "set": "give an object or a bucket these tags, in place of those it has",
    "ls": "show tags",
    "rm": "take all tags away",
}
EXAMPLES = """\
examples:
  neve tag set pavics/results/tas.nc project=ouranos state=final
  neve tag ls pavics/results/tas.nc
"""

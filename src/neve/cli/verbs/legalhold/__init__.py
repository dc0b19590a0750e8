"""Legal holds: a version under one cannot be removed until the hold is taken off.

The bucket must have been made with neve mb --with-lock.
"""

VERBS = {
    "set": "put a hold on versions",
    "clear": "take the hold off",
    "info": "say whether a hold is on",
}
EXAMPLES = """\
examples:
  neve legalhold set pavics/records/run-7.nc
  neve legalhold info pavics/records/run-7.nc
"""

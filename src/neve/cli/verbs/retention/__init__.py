"""Lock versions of objects for a time: until then nobody removes them for ever.

In governance mode who may bypass it can end it; in compliance mode nobody can before its date. The
bucket must have been made with neve mb --with-lock.
"""

VERBS = {
    "set": "lock versions for a time, or set the bucket's default",
    "clear": "end a lock in governance mode, or the bucket's default",
    "info": "show the lock of versions, or the bucket's default",
}
EXAMPLES = """\
examples:
  neve retention set compliance 30d pavics/records/run-7.nc
  neve retention set --default governance 1y pavics/records
  neve retention info pavics/records/run-7.nc
"""

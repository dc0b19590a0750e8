"""Administration of a Neve or MinIO server, over its admin API.

Root may do everything; users may what their policies allow (`admin:…`), and manage access keys of
their own.
"""

VERBS = {
    "user": "users: add, ls, info, rm, enable, disable",
    "group": "groups of users: add, ls, info, rm, enable, disable",
    "policy": "policies: create, ls, info, rm, attach, detach, entities",
    "accesskey": "access keys of users: create, ls, info, edit, rm, enable, disable",
    "explain": "say why somebody may do something, or may not",
    "audit": "say who did what, and who was refused",
    "history": "show what a server did over an hour to a month",
    "info": "show the state of a server",
    "quota": "show what buckets and users hold, and their limits",
    "config": "settings of a server: get, set, reset",
    "trace": "show requests as they are answered",
    "logs": "show what the server logs",
    "prometheus": "metrics: generate a scrape configuration, metrics",
    "backup": "say how to back up the store",
    "service": "the server itself: restart, stop, freeze, unfreeze",
}
EXAMPLES = """\
examples:
  neve admin info pavics
  neve admin user add pavics alice
  neve admin policy attach pavics readwrite --user alice
  neve admin explain pavics --user alice --action s3:PutObject --resource results/tas.nc
"""

"""Policies: what users and groups may do. Some are ready: reader, contributor, readwrite, …

At Neve `reader:BUCKET/PREFIX` and `contributor:BUCKET/PREFIX` can be attached without being made.
"""

VERBS = {
    "create": "make or replace a policy from a JSON document",
    "ls": "list policies",
    "info": "print a policy",
    "rm": "remove policies that nobody has",
    "attach": "give policies to a user or a group",
    "detach": "take policies away from a user or a group",
    "entities": "show who has which policies",
}
EXAMPLES = """\
examples:
  neve admin policy attach pavics readwrite --user alice
  neve admin policy create pavics home home.json
"""

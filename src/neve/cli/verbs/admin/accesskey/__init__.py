"""Access keys beside the one that a user is named by: for a program, with an end, with less rights.

A key can never do more than its user. Users manage their own; keys of root are root's alone.
"""

VERBS = {
    "create": "make an access key, and show its secret once",
    "ls": "list access keys",
    "info": "show an access key, its secret aside",
    "edit": "change secret, name, expiry or policy",
    "rm": "remove access keys",
    "enable": "accept requests signed with a key again",
    "disable": "refuse requests signed with a key",
}
EXAMPLES = """\
examples:
  neve admin accesskey create pavics --name nightly --expiry-duration 30d
  neve admin accesskey ls pavics
"""

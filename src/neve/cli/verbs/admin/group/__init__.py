"""Groups of users: what is attached to a group holds for its members."""

VERBS = {
    "add": "add users to a group, which is made when it is new",
    "ls": "list groups",
    "info": "show members, state and policies of a group",
    "rm": "take users out of a group, or remove it",
    "enable": "let the policies of a group hold again",
    "disable": "let a group give its members nothing",
}
EXAMPLES = """\
examples:
  neve admin group add pavics lab alice bob1
  neve admin group info pavics lab
"""

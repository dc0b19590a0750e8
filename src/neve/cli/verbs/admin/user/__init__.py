"""Users of a server. The name of a user is its access key, its secret is its secret key."""

VERBS = {
    "add": "make a user, or give one another secret",
    "ls": "list users with their policies and groups",
    "info": "show one user",
    "rm": "remove users with their access keys",
    "enable": "let users sign requests again",
    "disable": "refuse all requests of users",
}
EXAMPLES = """\
examples:
  neve admin user add pavics alice
  neve admin user ls pavics
"""

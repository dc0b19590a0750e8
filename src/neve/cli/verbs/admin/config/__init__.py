"""Settings of a server. At Neve most come from its command line and its environment.

What can be changed here, the server says: neve admin config get.
"""

VERBS = {
    "get": "show settings",
    "set": "change settings of a group",
    "reset": "give a group its defaults again",
    "export": "print all settings as the server writes them",
    "import": "set what a file says",
}
EXAMPLES = """\
examples:
  neve admin config get pavics
  neve admin config get pavics limits
"""

"""Names for servers, with their keys.

They lie in aliases.json of the settings' folder (NEVE_CONFIG_DIR, else ~/.config/neve), readable by
you alone. NEVE_HOST_<alias>=https://KEY:SECRET@host in the environment makes one without a file;
mc's MC_HOST_<alias> and its config.json are read as well.
"""

VERBS = {
    "set": "name a server and check that its keys are right",
    "ls": "show the aliases and where they come from",
    "rm": "forget aliases",
    "import": "take over aliases of mc or of a file",
    "export": "write an alias as JSON, with its secret",
}
EXAMPLES = """\
examples:
  neve alias set pavics https://minio.example.org
  neve alias ls
  neve alias import
"""

"""Service: restart, stop, freeze and unfreeze the server.

A restart and a stop are answered before they begin; requests in flight have their time to end.
"""

from neve.admin.call import AdminCall, done, json_response
from neve.answer import Response

_ACTIONS = {
    "restart": "admin:ServiceRestart",
    "stop": "admin:ServiceStop",
    "freeze": "admin:ServiceFreeze",
    "unfreeze": "admin:ServiceFreeze",
}


def service(call: AdminCall) -> Response:
    """Do what `action` says; with `dry-run` only say that it could be done."""
    action = call.choice("action", *_ACTIONS)
    call.check(_ACTIONS[action])
    dry = call.flag("dry-run")
    if not dry:
        _act(call, action)
    if call.query.get("type") != "2":
        return done()
    document = {"action": action, "dryRun": dry}
    if action in ("restart", "stop"):
        host = call.headers.get(b"host", b"").decode("latin-1")
        document["results"] = [{"host": host}]
    return json_response(document)


def _act(call: AdminCall, action: str) -> None:
    node = call.node
    if action == "restart":
        node.restart()
    elif action == "stop":
        node.stop()
    else:
        node.freeze(action == "freeze")

"""kill -9 of the whole server while identities change; and again after the catalog was lost.

What was acknowledged holds after each restart: who was let in is let in, who was locked out is not.
"""

import http.client
import random
import threading
import time
from pathlib import Path

import pytest
import urllib3
from minio import MinioAdmin
from minio.credentials import StaticProvider

from neve.engine.rebuild import rebuild
from neve.iam.directory import Directory
from neve.testing.identities import edit_directory
from neve.testing.live import LiveServer

ROUNDS = 4
USERS = [f"user{number}" for number in range(6)]
State = tuple[str | None, bool, bool]
"""(secret or None when there is no such user, enabled, has the policy)."""


class Changer:
    """An administrator who changes one user after the other, and knows what was answered."""

    def __init__(self, server: LiveServer) -> None:
        self.server = server
        self.chance = random.Random(20261128)
        self.possible: dict[str, set[State]] = {name: {(None, False, False)} for name in USERS}
        """Per user what may be found: one state, or two after a change without an answer."""
        self.acknowledged = 0

    def run(self) -> None:
        """Change until the connection breaks."""
        host = self.server.endpoint.removeprefix("http://")
        keys = StaticProvider(self.server.access_key, self.server.secret_key)
        # Without retries: a change that is not answered must not be made again in silence.
        pool = urllib3.PoolManager(retries=False, timeout=20)
        admin = MinioAdmin(endpoint=host, credentials=keys, secure=False, http_client=pool)
        try:
            while True:
                self._change(admin, self.chance.choice(USERS))
        except (OSError, http.client.HTTPException, urllib3.exceptions.HTTPError):
            pass

    def _change(self, admin: MinioAdmin, name: str) -> None:
        (state,) = self.possible[name]
        secret, enabled, attached = state
        kinds = ["put"] if secret is None else ["put", "toggle", "policy", "remove"]
        kind = self.chance.choice(kinds)
        if kind == "put":
            fresh = f"secret-{self.chance.randrange(1 << 30)}"
            self._attempt(name, (fresh, True, attached), lambda: admin.user_add(name, fresh))
        elif kind == "toggle":
            toggle = admin.user_disable if enabled else admin.user_enable
            self._attempt(name, (secret, not enabled, attached), lambda: toggle(name))
        elif kind == "policy":
            change = admin.detach_policy if attached else admin.attach_policy
            self._attempt(
                name, (secret, enabled, not attached), lambda: change(["reader:x"], user=name)
            )
        else:
            self._attempt(name, (None, False, False), lambda: admin.user_remove(name))

    def _attempt(self, name: str, after: State, call: object) -> None:
        before = set(self.possible[name])
        self.possible[name] = before | {after}
        assert callable(call)
        call()
        self.possible[name] = {after}
        self.acknowledged += 1

    def check(self, found: dict[str, State]) -> None:
        """Compare, and take what was found for what is."""
        for name in USERS:
            assert found[name] in self.possible[name], (name, found[name], self.possible[name])
            self.possible[name] = {found[name]}


def states(folder: Path) -> dict[str, State]:
    async def look(directory: Directory) -> dict[str, State]:
        found: dict[str, State] = {}
        for name in USERS:
            user = directory.user(name)
            if user is None:
                found[name] = (None, False, False)
            else:
                found[name] = (user.secret, user.enabled, "reader:x" in user.policies)
        return found

    result: dict[str, State] = edit_directory(folder, look)
    return result


@pytest.mark.slow
def test_acknowledged_changes_of_identities_outlive_kills_and_a_lost_catalog(
    fresh_server: LiveServer,
) -> None:
    changer = Changer(fresh_server)
    for _ in range(ROUNDS):
        thread = threading.Thread(target=changer.run)
        thread.start()
        goal = changer.acknowledged + changer.chance.randrange(10, 60)
        deadline = time.monotonic() + 30
        while changer.acknowledged < goal and thread.is_alive():
            assert time.monotonic() < deadline
            time.sleep(0.001)
        fresh_server.kill()
        thread.join()
        changer.check(states(fresh_server.folder))
        fresh_server.start()
    fresh_server.stop()
    before = states(fresh_server.folder)
    for path in fresh_server.folder.glob("catalog.db*"):
        path.unlink()
    rebuild(str(fresh_server.folder))
    assert states(fresh_server.folder) == before
    assert changer.acknowledged > 40

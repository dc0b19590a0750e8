"""The store's key: secrets of users and access keys lie in the catalog only sealed under it.

A keyring is a small JSON file (mode 0600), in the store's folder or wherever the setting `key_file`
says: `{"current": id, "keys": {id: base64 of 32 bytes}}`. Sealing is AES-256-GCM with the name of
the setting as associated data, so that a sealed secret is worth nothing under another name. While
the key is being changed the file holds both keys; what is sealed says which one it needs.

    sealed secret
    0    1  format, 1
    1    8  id of the key
    9   12  nonce, random
    21   …  ciphertext and tag
"""

import base64
import json
import os
import secrets

from neve.errors import NeveError, StoreRefused
from neve.folder import write_durably

KEY_FILE = "store-key.json"
"""Where the keyring lies in a store's folder, unless the setting `key_file` says otherwise."""

KEY_BYTES = 32
_ID_BYTES = 8
_NONCE_BYTES = 12
_HEADER_BYTES = 1 + _ID_BYTES + _NONCE_BYTES
_FORMAT = b"\1"


class SecretUnreadable(NeveError):
    """A sealed secret cannot be opened: its key is not there, or it was tampered with."""


class Keyring:
    """The keys of a store by id, one of which is current. Sealed with the current one."""

    def __init__(self, keys: dict[bytes, bytes], current: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._keys = keys
        self._ciphers = {id: AESGCM(key) for id, key in keys.items()}
        self.current = current

    @property
    def is_settled(self) -> bool:
        """Whether there is one key only: no change of keys is under way."""
        return len(self._keys) == 1

    def seal(self, name: str, secret: str) -> bytes:
        """Return the secret sealed for the setting `name`."""
        nonce = os.urandom(_NONCE_BYTES)
        text = self._ciphers[self.current].encrypt(nonce, secret.encode(), name.encode())
        return _FORMAT + self.current + nonce + text

    def open(self, name: str, sealed: bytes) -> str:
        """The inverse of `seal`. Raises: SecretUnreadable."""
        from cryptography.exceptions import InvalidTag

        id, nonce = sealed[1 : 1 + _ID_BYTES], sealed[1 + _ID_BYTES : _HEADER_BYTES]
        cipher = self._ciphers.get(id)
        if sealed[:1] != _FORMAT or cipher is None or len(nonce) != _NONCE_BYTES:
            raise SecretUnreadable(f"the secret of {name} is sealed under a key that is not here")
        try:
            return cipher.decrypt(nonce, sealed[_HEADER_BYTES:], name.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise SecretUnreadable(f"the secret of {name} cannot be opened") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether it was sealed with the current key."""
        return sealed[1 : 1 + _ID_BYTES] == self.current

    def with_new_key(self) -> "Keyring":
        """Return a keyring with one more key, which is the current one."""
        id = secrets.token_bytes(_ID_BYTES)
        return Keyring(self._keys | {id: secrets.token_bytes(KEY_BYTES)}, id)

    def settled(self) -> "Keyring":
        """Return a keyring with the current key only."""
        return Keyring({self.current: self._keys[self.current]}, self.current)

    def save(self, file: str) -> None:
        """Write the keyring, so that a crash leaves the old file or the new one."""
        keys = {id.hex(): base64.b64encode(key).decode() for id, key in self._keys.items()}
        write_durably(file, {"current": self.current.hex(), "keys": keys}, mode=0o600)


def new_keyring() -> Keyring:
    """Return a keyring with one new key."""
    return Keyring({}, b"").with_new_key()


def load_keyring(file: str) -> Keyring | None:
    """Read a keyring; None when there is no such file. Raises: StoreRefused."""
    try:
        with open(file, "rb") as stream:
            stored = json.load(stream)
        keys = {
            bytes.fromhex(id): base64.b64decode(key, validate=True)
            for id, key in stored["keys"].items()
        }
        current = bytes.fromhex(stored["current"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise StoreRefused(f"The store's key {file} cannot be read: restore the file.") from error
    sound = all(len(id) == _ID_BYTES and len(key) == KEY_BYTES for id, key in keys.items())
    if not sound or current not in keys:
        raise StoreRefused(f"The store's key {file} is damaged: restore the file.")
    return Keyring(keys, current)


def store_keyring(folder: str, file: str = "") -> Keyring:
    """Return the keyring of the store in `folder`, or in `file`. Raises: StoreRefused."""
    file = file or os.path.join(folder, KEY_FILE)
    keyring = load_keyring(file)
    if keyring is None:
        raise StoreRefused(f"The store's key {file} is missing.")
    return keyring

"""Why a server did not do what it was asked: one sentence with the likely cause.

`code` is the code of S3 or of the admin API where a server gave one, else a word of our own.
"""

from collections.abc import Callable

from neve.errors import NeveError


class ClientError(NeveError):
    """A sentence for the user. `target` is what it is about, as the user would write it."""

    def __init__(self, message: str, code: str = "Failed", target: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.target = target

    def sentence(self) -> str:
        """The message, with what can be found out about the cause. May ask the server."""
        return self.message


class UsageError(ClientError):
    """What the user asks for makes no sense, or cannot be read; exit status 2 of a command."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "Usage")


class Unreachable(ClientError):
    """No answer came: nothing listens, the name is unknown, the certificate is not trusted …"""


class ServerError(ClientError):
    """The server refused or failed. `status` and `code` are its own."""

    def __init__(
        self, message: str, code: str, status: int, said: str = "", target: str = ""
    ) -> None:
        super().__init__(message, code, target)
        self.status = status
        self.said = said
        """The server's own words."""
        self.why: Callable[[], str] | None = None
        """Finds out why, '' when it cannot: costs a request, so for who shows the sentence."""

    def sentence(self) -> str:
        """The message, and why the server says so."""
        why = self.why() if self.why else ""
        return f"{self.message.removesuffix('.')}: {why}." if why else self.message

    @property
    def absent(self) -> bool:
        """Whether what was asked for does not exist."""
        return self.status == 404

    @property
    def denied(self) -> bool:
        """Whether the caller may not do this."""
        return self.status in (401, 403)

"""What is wrong with a command line."""

from neve.client.errors import ClientError


class UsageError(ClientError):
    """The command line asks for what makes no sense; exit status 2."""

    def __init__(self, message: str) -> None:
        super().__init__(message, "Usage")

"""What is wrong with a command line."""

from neve.client.errors import UsageError

__all__ = ["UsageError"]

"""A server as a client knows it: where it is, and with which keys."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Alias:
    """A server and how to talk to it. Without an access key: anonymous."""

    name: str
    url: str
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    path: str = "auto"
    region: str = ""
    source: str = ""
    """Where it was found: a file or a variable."""

    @property
    def anonymous(self) -> bool:
        """Whether requests go out unsigned."""
        return not self.access_key

    def entry(self) -> dict[str, str]:
        """The alias as it stands in a file, with its secret."""
        pairs = {
            "url": self.url,
            "accessKey": self.access_key,
            "secretKey": self.secret_key,
            "sessionToken": self.session_token,
            "api": "s3v4",
            "path": self.path,
            "region": self.region,
        }
        return {name: value for name, value in pairs.items() if value or "Key" in name}

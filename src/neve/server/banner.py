"""What the terminal shows when the server is ready: where it is, the keys, what to type next."""

from neve import __version__
from neve.config import Config
from neve.folder import RootKeys

_HOSTS_ALL = ("", "0.0.0.0", "::")


def endpoint_of(scheme: str, host: str, port: int) -> str:
    """Return the URL for a client on this machine."""
    if host in _HOSTS_ALL:
        host = "localhost"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


def show(config: Config, endpoint: str, panel: str, keys: RootKeys | None) -> None:
    """Print the banner; `keys` None when they came from the environment."""
    print(text(config, endpoint, panel, keys), flush=True)


def text(config: Config, endpoint: str, panel: str, keys: RootKeys | None) -> str:
    """Return the banner. It has the secret key only at the start that made it."""
    fresh = keys is not None and keys.created
    access = config.root_access_key
    secret = config.root_secret_key if fresh else "SECRET_KEY"
    if fresh:
        where = f"{secret}\n              both are kept in {config.folder}/root-credentials.json"
    elif keys is not None:
        where = f"in {config.folder}/root-credentials.json"
    else:
        where = "as set in the environment"
    sync = "on disk before it is answered" if config.durability == "full" else "RELAXED"
    return f"""
Neve {__version__} serves {config.folder}

  S3          {endpoint}
  Panel       {panel}
  Access key  {access}
  Secret key  {where}
  Writes      {sync}; {config.workers} worker processes, region {config.region}

In Python:
  import s3fs
  s3 = s3fs.S3FileSystem(key="{access}", secret="{secret}",
                         client_kwargs={{"endpoint_url": "{endpoint}"}})
  s3.mkdir("my-bucket")
With mc:
  mc alias set neve {endpoint} {access} {secret}

Ctrl-C stops the server.
"""

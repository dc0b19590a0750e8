"""The TLS context of the server: modern defaults, certificates replaceable while it runs."""

import logging
import os
import ssl

from neve.errors import StoreRefused

log = logging.getLogger("neve.tls")


def make_context(cert: str, key: str) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and up that serves the certificate. Raises: StoreRefused."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    _load(context, cert, key)
    return context


def reload(context: ssl.SSLContext, cert: str, key: str) -> None:
    """Serve the certificate as it is now on disk to new connections.

    Files that do not fit together leave the old certificate in service.
    """
    try:
        # A trial context first: OpenSSL would keep a new certificate beside an old key.
        _load(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), cert, key)
        _load(context, cert, key)
    except StoreRefused as refusal:
        log.error("%s The old certificate stays in service.", refusal)
    else:
        log.info("certificate %s is in service", cert)


def _load(context: ssl.SSLContext, cert: str, key: str) -> None:
    try:
        for path in (cert, key):
            # OpenSSL does not say which file it missed.
            with open(path, "rb"):
                pass
        context.load_cert_chain(cert, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise StoreRefused(
            f"The TLS certificate {cert} and key {key} cannot be used together:"
            " both must be PEM, belong together and need no passphrase."
        ) from error
    except OSError as error:
        reason = os.strerror(error.errno or 0)
        raise StoreRefused(f"The TLS file {error.filename} cannot be read: {reason}.") from error


def _no_password() -> str:
    raise ValueError("the key needs a passphrase")

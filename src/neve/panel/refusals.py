"""What an error of the server means, as one sentence in the visitor's language."""

from neve.client.errors import ClientError, ServerError, Unreachable
from neve.panel.language import Language


def _(message: str) -> str:
    """Mark a message for the catalogues."""
    return message


_SENTENCES = {
    "AccessDenied": _("Your policies do not allow this."),
    "NoSuchBucket": _("This bucket does not exist."),
    "NoSuchKey": _("This object does not exist."),
    "NoSuchVersion": _("This version does not exist."),
    "BucketAlreadyOwnedByYou": _("You have a bucket of this name already."),
    "BucketAlreadyExists": _("A bucket of this name exists already and belongs to somebody else."),
    "BucketNotEmpty": _("The bucket is not empty."),
    "InvalidBucketName": _(
        "A bucket's name has 3 to 63 lower-case letters, digits, hyphens and dots."
    ),
    "InvalidAccessKeyId": _("Your access key does not exist any more: log in again."),
    "SignatureDoesNotMatch": _("Your secret key has changed: log in again."),
    "MalformedPolicy": _("This is not a valid policy."),
    "XMinioMalformedIAMPolicy": _("This is not a valid policy."),
    "XMinioAdminNoSuchUser": _("This user does not exist."),
    "XMinioAdminNoSuchGroup": _("This group does not exist."),
    "XMinioAdminNoSuchPolicy": _("This policy does not exist."),
    "XMinioAdminNoSuchAccessKey": _("This access key does not exist."),
    "XMinioInvalidIAMCredentials": _(
        "This name is the administrator's, whose keys the server was started with."
    ),
    "XMinioAdminGroupNotEmpty": _("The group has members: take them out first."),
    "XMinioIAMPolicyInUse": _("Somebody has this policy: detach it first."),
}
_LOGGED_OUT = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
_DETAILED = ("MalformedPolicy", "XMinioMalformedIAMPolicy")


class Refusals:
    """The sentences."""

    def sentence(self, language: Language, error: Exception) -> str:
        """Return what an error means; the server's own words where we have none."""
        if isinstance(error, Unreachable):
            return language.gettext("The server does not answer. Try again in a moment.")
        if isinstance(error, ServerError):
            known = _SENTENCES.get(error.code)
            if known and error.code in _DETAILED and error.said:
                return f"{language.gettext(known)} {error.said}"
            if known:
                return language.gettext(known)
            said = (error.said or error.message).rstrip(". ")
            return f"{said} ({error.code})."
        return error.message if isinstance(error, ClientError) else str(error)

    def ends_session(self, error: Exception) -> bool:
        """Whether the keys of the session are good no more."""
        return isinstance(error, ServerError) and error.code in _LOGGED_OUT

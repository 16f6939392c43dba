"""Everything the janitor raises on purpose.

* JanitorError
  + ConfigError          the operator must fix a file
  + Interrupted          a signal asked us to stop; nothing is wrong
    - NotLeader          another janitor may be at work: this one must not act
  + ProviderError        a provider call failed; carries the provider's own code
    - Transient          worth another try
      . Throttled        the same, and the provider asked for fewer requests
      . Unsent           nothing was sent yet, and it is too late to do it without another look
    - Denied             credentials or permissions; never retried
    - ClockSkewed        our clock and the provider's differ too much
    - WrongIdentity      another account's container answered; never retried
    - ContainerMissing   no such vault or bucket
    - UploadGone         no such upload: aborted, completed or expired
    - Incomplete         a reply that does not prove that it is whole
    - Refused            we did not send it: a guard said no
    - Unexpected         a reply we do not understand
    - DeadlineExceeded   we gave up, not the provider
"""


class JanitorError(Exception):
    """The root of all errors that the janitor raises on purpose."""


class ConfigError(JanitorError):
    """The configuration cannot be used; the message names every problem, its place and remedy."""


class Interrupted(JanitorError):  # noqa: N818  # a stop that was asked for is not an error
    """A stop was requested, and we are between two requests."""


class NotLeader(Interrupted):
    """We do not surely hold the Lease, so somebody else may be acting."""


class ProviderError(JanitorError):
    """A call to a provider failed.

    `code` is the provider's own error code (or a word of ours in lower case
    where the provider gave none), `status` the HTTP status if there was a
    reply, `request_id` what the provider's support asks for.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "unknown",
        status: int | None = None,
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.request_id = request_id


class Transient(ProviderError):  # noqa: N818  # reads better where it is caught
    """Worth another try; `retry_after` is what the provider asked for, in seconds."""

    def __init__(
        self,
        message: str,
        *,
        code: str = "unknown",
        status: int | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(message, code=code, status=status, request_id=request_id)
        self.retry_after = retry_after


class Throttled(Transient):
    """The provider asked for fewer requests."""


class Unsent(Transient):
    """Nothing was sent, because to get ready took so long that all should be looked at again."""


class Denied(ProviderError):  # noqa: N818
    """Credentials or permissions are missing."""


class ClockSkewed(ProviderError):  # noqa: N818
    """Our clock and the provider's differ by more than evidence can bear."""


class WrongIdentity(ProviderError):  # noqa: N818
    """What answered is not the account or container that was asked for."""


class ContainerMissing(ProviderError):  # noqa: N818
    """There is no such vault or bucket."""


class UploadGone(ProviderError):  # noqa: N818
    """There is no such upload any more."""


class Incomplete(ProviderError):  # noqa: N818
    """A reply does not prove that it is whole; it must not be read as 'nothing there'."""


class Refused(ProviderError):  # noqa: N818
    """A guard of ours refused to send the request."""


class Unexpected(ProviderError):  # noqa: N818
    """A reply that we do not understand."""


class DeadlineExceeded(ProviderError):  # noqa: N818
    """Our own deadline for the target or the run has passed."""

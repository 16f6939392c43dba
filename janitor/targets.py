"""What to sweep and how to reach it, as frozen types. Pure: no I/O, no clock, no SDK."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

from janitor.policy import Policy

# What stands for an account's id in the ARN of a role for many accounts.
ACCOUNT = "{account}"
# A worker begins no abort later than so many seconds after its piece was sent: nobody
# may act for us when we do not any more.
LEASE = 15.0


def is_glob(name: str) -> bool:
    """Whether a container's name in the config asks for discovery."""
    return "*" in name or "?" in name


class Secret:
    """A value that can be used but not seen: it prints as stars, whoever prints it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Give the value to the one call that needs it."""
        return self._value

    def __repr__(self) -> str:
        """Show nothing, not even the length."""
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Compare by value, so that settings can be compared."""
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        """Hash by value, like every frozen value."""
        return hash(self._value)

    def __copy__(self) -> Secret:
        """Stay the one object that holds the value."""
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Secret:
        """Let `dataclasses.asdict` and the like carry it along, unseen."""
        return self

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to be pickled: a secret must not travel."""
        msg = "a secret cannot be pickled"
        raise TypeError(msg)


@dataclass(frozen=True, slots=True)
class Credentials:
    """A static key pair, with a session token for temporary ones."""

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class AssumeRole:
    """An IAM role to assume by STS before the first call."""

    role_arn: str
    external_id: str | None = None
    session_name: str = "upload-janitor"
    sts_endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """How to get to an endpoint, whatever it speaks.

    `endpoint_url` None is the provider's own address. Without
    `proxy_from_environment` no proxy variable of the environment is obeyed.
    `proxy_url` is not printed: it may hold a password.
    """

    endpoint_url: str | None = None
    ca_file: str | None = None
    proxy_url: str | None = field(default=None, repr=False)
    proxy_from_environment: bool = False


@dataclass(frozen=True, slots=True)
class AwsIdentity:
    """Whom to be on AWS; all None is the SDK's own credential chain.

    `caller_account` is the account that the credentials must belong to; it is
    asked of STS, whose address `sts_endpoint_url` changes.
    """

    profile: str | None = None
    credentials: Credentials | None = None
    assume_role: AssumeRole | None = None
    caller_account: str | None = None
    sts_endpoint_url: str | None = None


@dataclass(frozen=True, slots=True)
class GlacierOptions:
    """An account and region of Amazon Glacier; `account_id` "-" is the credentials' own.

    `transport` auto is our own way to send requests where it can do it, and the
    provider's SDK elsewhere; sdk is the SDK always.
    """

    region: str
    account_id: str = "-"
    reach: Reach = field(default_factory=Reach)
    identity: AwsIdentity = field(default_factory=AwsIdentity)
    transport: Literal["auto", "sdk"] = "auto"


@dataclass(frozen=True, slots=True)
class S3Options:
    """S3 itself (`reach.endpoint_url` None) or a compatible store.

    `finished_object_check` says whether to hold an upload whose key has a
    newer finished object: `auto` does on every store but AWS itself.
    `transport` is as in GlacierOptions.
    `listing` says whether a large bucket may be listed by several requests at
    once: `auto` does on AWS itself, and `parallel` vouches for the order of the
    store's keys and for its markers.
    """

    region: str | None = None
    reach: Reach = field(default_factory=Reach)
    identity: AwsIdentity = field(default_factory=AwsIdentity)
    addressing: Literal["auto", "path", "virtual"] = "auto"
    signature_version: Literal["s3v4", "s3"] = "s3v4"
    expected_owner: str | None = None
    request_payer: bool = False
    finished_object_check: Literal["auto", "always", "never"] = "auto"
    transport: Literal["auto", "sdk"] = "auto"
    listing: Literal["auto", "parallel", "sequential"] = "auto"


@dataclass(frozen=True, slots=True)
class QingStorOptions:
    """A zone of QingStor; `zone` "" is a host without zones.

    `reach.endpoint_url` stands for protocol, host and port at once and means
    path style. `transport` is as in GlacierOptions.
    """

    zone: str
    credentials: Credentials
    host: str = "qingstor.com"
    port: int = 443
    protocol: Literal["http", "https"] = "https"
    addressing: Literal["path", "virtual"] = "path"
    reach: Reach = field(default_factory=Reach)
    transport: Literal["auto", "sdk"] = "auto"


Options = GlacierOptions | QingStorOptions | S3Options


@dataclass(frozen=True, slots=True)
class Fleet:
    """An entry of the config that stands for one target in each of several accounts.

    `role_arn` has ACCOUNT where the account's id belongs.
    """

    name: str
    role_arn: str


@dataclass(frozen=True, slots=True)
class Target:
    """A named entry of the config.

    `containers` are exact names or globs (a glob means discovery), `exclude`
    are globs that take away again. `page_size` None is the provider's own.
    `price_per_gib_month` None is the price of the whole config. `fleet` is the
    entry that this target is one of several of.
    """

    name: str
    provider: Literal["glacier", "qingstor", "s3"]
    containers: tuple[str, ...]
    options: Options
    policy: Policy
    exclude: tuple[str, ...] = ()
    prefix: str = ""
    page_size: int | None = None
    price_per_gib_month: float | None = None
    fleet: Fleet | None = None


# What AWS documents for each prefix of a bucket on S3, in requests a second.
AWS_READS = 5500.0
AWS_WRITES = 3500.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a target may be asked, in requests a second; None is unlimited.

    `requests` are all of them, evenly spaced; the others are caps for each container.
    """

    requests: float | None = None
    container_reads: float | None = None
    container_writes: float | None = None

    def part(self, share: float) -> Pace:
        """Give a part of it, for one of several that share it."""

        def of(rate: float | None) -> float | None:
            return None if rate is None else rate * share

        return Pace(of(self.requests), of(self.container_reads), of(self.container_writes))


@dataclass(frozen=True, slots=True)
class Dask:
    """A Dask cluster: the address of its scheduler, and the files that TLS takes; paths."""

    scheduler: str
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


@dataclass(frozen=True, slots=True)
class Execution:
    """How hard to work: requests in flight over all targets, rates, and deadlines.

    Rates are in requests a second, None is unlimited; `requests_per_second` is
    for each target. What one container is asked is `auto`: what AWS documents
    for S3, and unlimited elsewhere. `backend` is what makes the requests about
    uploads; `workers` None is as many processes as there are CPUs for us, and
    all workers of a Dask cluster. They share all that is said here.
    """

    concurrency: int = 256
    requests_per_second: float | None = None
    container_reads_per_second: float | Literal["auto"] | None = "auto"
    container_writes_per_second: float | Literal["auto"] | None = "auto"
    connect_timeout: timedelta = timedelta(seconds=5)
    read_timeout: timedelta = timedelta(seconds=60)
    target_timeout: timedelta = timedelta(hours=1)
    run_timeout: timedelta = timedelta(hours=6)
    backend: Literal["threads", "processes", "dask"] = "threads"
    workers: int | None = None
    dask: Dask | None = None

    @property
    def listing_threads(self) -> int:
        """How many targets, and how many containers of one, are listed side by side."""
        return min(64, self.concurrency)

    @property
    def connections(self) -> int:
        """How many connections one client may need at once: every thread of its target."""
        return self.concurrency + self.listing_threads

    def pace(self, target: Target) -> Pace:
        """Tell how fast a target may be asked."""
        options = target.options
        is_aws = isinstance(options, S3Options) and options.reach.endpoint_url is None

        def of(rate: float | Literal["auto"] | None, documented: float) -> float | None:
            if rate == "auto":
                return documented if is_aws else None
            return rate

        return Pace(
            self.requests_per_second,
            of(self.container_reads_per_second, AWS_READS),
            of(self.container_writes_per_second, AWS_WRITES),
        )

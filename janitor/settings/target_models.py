"""The keys of `targets`, provider by provider."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from janitor.settings.fields import (
    NAME,
    REGION,
    ROLE_ARN,
    Account,
    AccountEntry,
    AccountOrOwn,
    Bool,
    Endpoint,
    Entry,
    Host,
    Prefix,
    Proxy,
    SecretText,
    Text,
    Threshold,
    choice,
    number,
    shape,
)
from janitor.settings.policy_models import PolicyModel
from janitor.settings.section import Section, optional, required
from janitor.settings.service_fields import Price

_REGION = shape(REGION, "must be the code of a region: say for example eu-west-1")


class TargetModel(Section):
    """What a target of any provider can say."""

    name: Annotated[
        str,
        shape(NAME, "must be a-z, 0-9, _ . or -, at most 63, as in media or eu-archive.2"),
    ] = required("Names the target in reports and metrics; unlike any other target's name")
    policy: PolicyModel = optional(
        "Where this target differs from the global policy; its rules go first"
    )
    exclude: list[Entry] = optional("Globs of names to leave out of what the globs find", [])
    unsafe_min_age: Threshold | None = optional(
        "Allows thresholds below the floor of 24h, down to this; slow uploads can be lost"
    )
    allow_http: Bool = optional("Allows plain http to hosts other than this machine", default=False)
    endpoint_url: Endpoint | None = optional(
        "Scheme, host and port instead of the provider's own",
        examples=["https://minio.example:9000"],
    )
    ca_file: Text | None = optional("PEM file with the authorities to trust; relative to this file")
    proxy_url: Proxy | None = optional(
        "Proxy for this target, for example http://proxy.example:3128"
    )
    proxy_from_environment: Bool = optional("Obey HTTPS_PROXY and NO_PROXY", default=False)
    transport: Annotated[
        Literal["auto", "sdk"] | None, choice("say auto or sdk", "auto", "sdk")
    ] = optional(
        "What sends the requests; auto: our own fast way where it can, sdk: the provider's SDK",
        "auto",
    )
    price_per_gib_month: Price | None = optional(
        "Price of a GiB for a month, in the currency of prices; null is that of prices"
    )


class KeysModel(TargetModel):
    """Static credentials; every provider that has them takes them like this."""

    access_key_id: SecretText = optional("Static credentials: better is the cloud's own chain")
    access_key_id_file: Text = optional("File with the access key id; relative to this file")
    secret_access_key: SecretText = optional("As ${VARIABLE}; better is secret_access_key_file")
    secret_access_key_file: Text = optional("File with the secret; relative to this file")


class AssumeRoleModel(Section):
    """An IAM role to assume before the first call."""

    role_arn: Annotated[
        str, shape(ROLE_ARN, "must be a role's ARN, as arn:aws:iam::012345678901:role/janitor")
    ] = required("ARN of the role; with accounts, {account} stands for the account's id")
    external_id: (
        Annotated[
            str | None,
            shape(
                r"[A-Za-z0-9_+=,.@:/-]{2,1224}", "must be 2 to 1224 letters, digits or _+=,.@:/-"
            ),
        ]
        | None
    ) = optional("External id that the role's trust policy asks for")
    session_name: Annotated[
        str | None, shape(r"[A-Za-z0-9_+=,.@-]{2,64}", "must be 2 to 64 letters, digits or _+=,.@-")
    ] = optional("Names our sessions in CloudTrail", "upload-janitor")
    sts_endpoint_url: Endpoint | None = optional(
        "STS to ask for the role; instead of the target's sts_endpoint_url, or the region's own"
    )


class AwsModel(KeysModel):
    """What S3 and Glacier share: who to be on AWS."""

    profile: Text | None = optional("Profile of ~/.aws/config")
    assume_role: AssumeRoleModel | None = optional("IAM role to assume before the first call")
    accounts: list[AccountEntry] | None = optional(
        "Accounts to sweep: each is a target of its own, NAME-ACCOUNT, by the role in assume_role",
        minItems=1,
        uniqueItems=True,
    )
    accounts_file: Text = optional("The same as a file, an account in each line; relative to this")
    caller_account: Account | None = optional(
        "Account that the credentials must belong to, asked of STS: 12 digits in quotes"
    )
    sts_endpoint_url: Endpoint | None = optional("STS to ask, instead of the region's own")
    session_token: SecretText = optional("Token of temporary credentials, as ${VARIABLE}")
    session_token_file: Text = optional("File with the token; relative to this file")


class GlacierModel(AwsModel):
    """Vaults of Amazon Glacier."""

    provider: Literal["glacier"] = required("glacier: vaults of Amazon Glacier")
    region: Annotated[str, _REGION] = required("AWS region, for example us-west-2")
    account_id: AccountOrOwn = optional('12 digits in quotes, or "-": the credentials\' own', "-")
    vaults: list[Entry] = required(
        "Names of vaults, or globs (* and ?), which mean discovery", minItems=1, uniqueItems=True
    )
    page_size: Annotated[int | None, number(1, 50)] | None = optional(
        "Uploads per page of a listing"
    )


class QingStorModel(KeysModel):
    """Buckets of QingStor."""

    provider: Literal["qingstor"] = required("qingstor: buckets of QingStor")
    zone: Annotated[
        str | None,
        shape(r"|[a-z0-9][a-z0-9-]{0,62}", "must be the code of a zone: say for example pek3b"),
    ] = optional('Zone, for example pek3b; "" with host: a private cloud without zones')
    host: Host = optional("Domain of the service, without its zone", "qingstor.com")
    port: Annotated[int | None, number(1, 65535)] = optional("Port; 443, or 80 with protocol http")
    protocol: Annotated[
        Literal["http", "https"] | None, choice("say https or http", "https", "http")
    ] = optional("https, or http with allow_http", "https")
    addressing: Annotated[
        Literal["path", "virtual"] | None, choice("say path or virtual", "path", "virtual")
    ] = optional("Where the bucket's name goes: behind the host, or before it", "path")
    buckets: list[Entry] = required(
        "Names of buckets, or globs (* and ?), which mean discovery", minItems=1, uniqueItems=True
    )
    prefix: Prefix = optional("Only keys that begin with this", "")
    page_size: Annotated[int | None, number(1, 1000)] | None = optional(
        "Uploads per page of a listing"
    )


class S3Model(AwsModel):
    """Buckets of S3, and of every store that speaks its protocol."""

    provider: Literal["s3"] = required("s3: buckets of S3 and of compatible stores")
    region: Annotated[str | None, _REGION] | None = optional("Region, for example eu-west-1")
    addressing: Annotated[
        Literal["auto", "path", "virtual"] | None,
        choice("say auto, path or virtual", "auto", "path", "virtual"),
    ] = optional(
        "Where the bucket's name goes: behind the host (path) or before it (virtual)", "auto"
    )
    signature_version: Annotated[
        Literal["s3v4", "s3"] | None, choice("say s3v4 or s3", "s3v4", "s3")
    ] = optional("s3 is the old signature (v2), which only old stores need", "s3v4")
    expected_owner: Account | None = optional(
        "Account that must own the buckets: 12 digits in quotes"
    )
    request_payer: Bool = optional("Pay for requests to requester-pays buckets", default=False)
    finished_object_check: Annotated[
        Literal["auto", "always", "never"] | None,
        choice("say auto, always or never", "auto", "always", "never"),
    ] = optional(
        "Look for a newer finished object before each abort; auto: on every store but AWS itself",
        "auto",
    )
    listing: Annotated[
        Literal["auto", "parallel", "sequential"] | None,
        choice("say auto, parallel or sequential", "auto", "parallel", "sequential"),
    ] = optional(
        "Whether large buckets are listed in several places at once; auto: on AWS itself only,"
        " parallel: this store sorts by key and takes any key as a marker",
        "auto",
    )
    buckets: list[Entry] = required(
        "Names of buckets, access point ARNs, or globs (* and ?), which mean discovery",
        minItems=1,
        uniqueItems=True,
    )
    prefix: Prefix = optional("Only keys that begin with this", "")
    page_size: Annotated[int | None, number(1, 1000)] | None = optional(
        "Uploads per page of a listing"
    )


AnyTarget = Annotated[GlacierModel | QingStorModel | S3Model, Field(discriminator="provider")]

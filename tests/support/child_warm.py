"""Imports what every child needs and reads botocore's models, once before children are forked."""

from __future__ import annotations

from contextlib import closing

from janitor.backends import dask, processes
from janitor.policy import Policy
from janitor.providers import glacier, qingstor, s3
from janitor.targets import (
    AwsIdentity,
    Credentials,
    Execution,
    GlacierOptions,
    Reach,
    S3Options,
    Secret,
    Target,
)
from support import child_sweep
from support.harness import REGION

__all__ = ["child_sweep", "dask", "processes", "qingstor"]

_NOWHERE = Reach(endpoint_url="http://127.0.0.1:9")
_NOBODY = AwsIdentity(credentials=Credentials("nobody", Secret("nothing")))

# Opening a way to a target makes no request, but it reads models: a quarter of a second.
with closing(
    s3.connect(
        Target("s3", "s3", ("x",), S3Options(REGION, _NOWHERE, _NOBODY), Policy()), Execution()
    )
) as _s3:
    _s3.identify()
with closing(
    glacier.connect(
        Target(
            "glacier",
            "glacier",
            ("x",),
            GlacierOptions("us-west-2", reach=_NOWHERE, identity=_NOBODY),
            Policy(),
        ),
        Execution(),
    )
) as _glacier:
    _glacier.identify()

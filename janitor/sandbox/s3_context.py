"""What S3 checks before most of its operations."""

from __future__ import annotations

from janitor.sandbox.context import Context, whole_number
from janitor.sandbox.state import Container, Upload
from janitor.sandbox.wire import Refusal


def bucket(context: Context) -> Container:
    """Find the bucket; check its owner, and that the request was signed for its region."""
    name, found = context.call.container or "", context.found()
    if found is None:
        raise Refusal(
            404, "NoSuchBucket", "The specified bucket does not exist", fields={"BucketName": name}
        )
    expected = context.request.header("x-amz-expected-bucket-owner")
    if expected and expected != found.account_id:
        raise access_denied()
    if context.world.options.check_region and context.caller.region != found.region:
        message = (
            f"The authorization header is malformed; the region '{context.caller.region}' is "
            f"wrong; expecting '{found.region}'"
        )
        raise Refusal(
            400,
            "AuthorizationHeaderMalformed",
            message,
            fields={"Region": found.region},
            headers={"x-amz-bucket-region": found.region},
        )
    return found


def upload(context: Context) -> Upload:
    """Find the upload of the request's key and id."""
    bucket(context)
    found = context.upload()
    if found is None:
        message = (
            "The specified upload does not exist. The upload ID may be invalid, or the upload may "
            "have been aborted or completed."
        )
        raise Refusal(404, "NoSuchUpload", message, fields={"UploadId": context.upload_id})
    return found


def number(context: Context, name: str, default: int, most: int) -> int:
    """Read a number of the query; larger ones than `most` count as `most`."""
    text = context.request.params.get(name, "")
    value = default if not text else whole_number(text)
    if value is None:
        message = f"Provided {name} not an integer or within integer range"
        raise Refusal(
            400,
            "InvalidArgument",
            message,
            fields={"ArgumentName": name, "ArgumentValue": text},
        )
    return min(value, most)


def access_denied() -> Refusal:
    """Make S3's word for "no"."""
    return Refusal(403, "AccessDenied", "Access Denied")

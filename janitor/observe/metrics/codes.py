"""The error codes that may become a label: a closed list, so that no provider can add series."""

from __future__ import annotations

OTHER = "other"

_OURS = frozenset(
    {
        "clock_skew",
        "connection",
        "content_type",
        "crashed",
        "deadline",
        "gap",
        "guard",
        "malformed_entry",
        "no_credentials",
        "no_marker",
        "no_witness",
        "page_cap",
        "repeated_marker",
        "sdk_error",
        "short_body",
        "stale_look",
        "status",
        "unknown",
        "unreadable",
        "unsorted",
        "wrong_account",
        "wrong_bucket",
        "wrong_upload",
        "wrong_vault",
    }
)
_AWS = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountProblem",
        "AllAccessDisabled",
        "AuthorizationHeaderMalformed",
        "BandwidthLimitExceeded",
        "ExpiredToken",
        "ExpiredTokenException",
        "InternalError",
        "InternalFailure",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidParameterValueException",
        "InvalidRequest",
        "InvalidSignatureException",
        "InvalidToken",
        "MethodNotAllowed",
        "MissingAuthenticationTokenException",
        "NoLongerSupportedException",
        "NoSuchBucket",
        "NoSuchUpload",
        "NotImplemented",
        "NotSignedUp",
        "OperationAborted",
        "PermanentRedirect",
        "RequestExpired",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "RequestTimeTooSkewed",
        "RequestTimeout",
        "RequestTimeoutException",
        "ResourceNotFoundException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SignatureDoesNotMatch",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TokenRefreshRequired",
        "TooManyRequestsException",
        "UnrecognizedClientException",
    }
)
_QINGSTOR = frozenset(
    {
        "access_denied",
        "bucket_not_exists",
        "fetch_throttled",
        "internal_error",
        "invalid_access_key_id",
        "max_requests_exceeded",
        "permission_denied",
        "request_expired",
        "signature_not_matched",
        "upload_not_exists",
    }
)
CODES = _OURS | _AWS | _QINGSTOR


def label_of(code: str) -> str:
    """Give the code itself if it is a known one."""
    return code if code in CODES else OTHER

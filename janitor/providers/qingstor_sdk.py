"""Asks QingStor over qingstor-sdk.

The SDK builds and signs each request; we look at it before it goes out, and
send it through the SDK's own session. Reading the reply is not left to it: it
takes one that it cannot read for an empty one.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
from qingstor.sdk.config import Config
from qingstor.sdk.service.qingstor import QingStor
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

from janitor.errors import JanitorError, Refused, Transient, Unexpected
from janitor.providers.qingstor_question import Check, Question, address_of
from janitor.targets import Execution, QingStorOptions
from janitor.wire.line import Reply


class SdkTransport:
    """The SDK's service object with everything switched off that hides a reply."""

    def __init__(self, options: QingStorOptions, execution: Execution) -> None:
        self._zone = options.zone
        self._check = Check(options)
        self._service = QingStor(_config(options))
        self._session: requests.Session = self._service.client
        retries = Retry(
            total=0, redirect=False, raise_on_status=False, respect_retry_after_header=False
        )
        pool = execution.connections
        adapter = HTTPAdapter(pool_connections=4, pool_maxsize=pool, max_retries=retries)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)
        reach = options.reach
        self._session.trust_env = reach.proxy_from_environment
        if reach.proxy_url is not None:
            self._session.proxies = {"http": reach.proxy_url, "https": reach.proxy_url}
        timeout = (
            execution.connect_timeout.total_seconds(),
            execution.read_timeout.total_seconds(),
        )
        self._send = functools.partial(
            self._session.send,
            timeout=timeout,
            allow_redirects=False,
            verify=reach.ca_file or True,
        )

    def ask(self, question: Question) -> Reply:
        """Sign, inspect and send one request."""
        with _errors_of(question.verb):
            prepared = self._request(question).sign()
            self._check.require(question, str(prepared.method), prepared.url or "")
            response: requests.Response = self._send(prepared)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Reply(response.status_code, headers, response.content)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()

    def _request(self, question: Question) -> Any:
        owner: Any = self._service
        if question.bucket is not None:
            owner = owner.Bucket(question.bucket, self._zone)
        build = getattr(owner, f"{question.verb}_request")
        names = () if question.key is None else (question.key,)
        return build(*names, **question.parameters)


def _config(options: QingStorOptions) -> Config:
    root, sdk = logging.getLogger(), logging.getLogger("qingstor-sdk")
    handlers = list(root.handlers)
    credentials = options.credentials
    config = Config(credentials.access_key_id, credentials.secret_access_key.reveal())
    # Config() sets up the logging of the whole process. Take that back; and at
    # debug level the SDK logs signatures.
    for handler in [added for added in root.handlers if added not in handlers]:
        root.removeHandler(handler)
    sdk.setLevel(logging.WARNING)
    config.protocol, config.host, config.port = address_of(options)
    config.enable_virtual_host_style = options.addressing == "virtual"
    config.timeout = 0
    return config


@contextmanager
def _errors_of(verb: str) -> Iterator[None]:
    """Translate what requests raises."""
    try:
        yield
    except JanitorError:
        raise
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
    ) as error:
        message = f"{verb}: {type(error).__name__}: {error}"
        raise Transient(message, code="connection") from error
    except UnicodeEncodeError as error:
        message = f"{verb}: the key cannot be sent: {error.reason}"
        raise Refused(message, code="guard") from error
    except (requests.RequestException, ValueError) as error:
        message = f"{verb}: {type(error).__name__}: {error}"
        raise Unexpected(message, code="sdk_error") from error

"""Certificates, keys and authorities are looked into before a server has to."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import trustme
from support.certificates import write_weak_certificate
from support.settings_samples import Load, Refuse, with_http

from janitor.settings.types import Tls


def test_a_pipe_is_no_certificate(refuse: Refuse, web_directory: Path) -> None:
    """The server reads it again, when the pipe is empty; nothing waits for a writer."""
    os.mkfifo(web_directory / "pipe")

    said = refuse(with_http("tls_cert: web/pipe, tls_key: web/server.key"))

    assert said == (
        "janitor.yaml:2:18: http.tls_cert: is not a regular file: "
        "write it to one, because it is read more than once"
    )


def test_a_certificate_with_its_chain_may_be_in_one_file_with_its_key(
    load_text: Load, tmp_path: Path
) -> None:
    """Many tools write it like this; both keys then name the same file."""
    leaf = trustme.CA().issue_cert("localhost")
    leaf.private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "all.pem"))

    http = load_text(with_http("tls_cert: all.pem, tls_key: all.pem")).http

    assert http.tls == Tls(str(tmp_path / "all.pem"), str(tmp_path / "all.pem"))


ENCRYPTED = (
    "is encrypted, and nobody is there to type its password: "
    "write it without one, by openssl pkey -in OLD -out NEW"
)
BAD_KEYS = {
    "the middle is missing": (
        "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n",
        "is not a key that OpenSSL reads: make it new, with its certificate",
    ),
    "encrypted in the old way": (
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB\n",
        ENCRYPTED,
    ),
    "empty": ("", "has no key in PEM: use a file with -----BEGIN PRIVATE KEY-----"),
}


@pytest.mark.parametrize(("content", "sentence"), BAD_KEYS.values(), ids=BAD_KEYS.keys())
def test_a_key_that_is_none_is_refused_before_a_server_reads_it(
    content: str, sentence: str, refuse: Refuse, web_directory: Path
) -> None:
    """A reload must not find out when it is too late."""
    (web_directory / "bad.key").write_text(content)

    said = refuse(with_http("tls_cert: web/server.pem, tls_key: web/bad.key"))

    assert said == f"janitor.yaml:2:43: http.tls_key: {sentence}"


def test_a_certificate_that_is_not_text_is_refused(refuse: Refuse, web_directory: Path) -> None:
    """Marks of PEM around bytes that are none."""
    pem = b"-----BEGIN CERTIFICATE-----\n\xff\xfe\n-----END CERTIFICATE-----\n"
    (web_directory / "bad.pem").write_bytes(pem)

    said = refuse(with_http("tls_cert: web/bad.pem, tls_key: web/server.key"))

    assert said == (
        "janitor.yaml:2:18: http.tls_cert: is not a certificate that OpenSSL reads: make it new"
    )


def test_words_in_any_language_may_stand_between_certificates(
    load_text: Load, web_directory: Path
) -> None:
    """Bundles name their authorities in comments."""
    bundle = web_directory / "ca.pem"
    bundle.write_bytes("# Főtanúsítvány\n".encode() + b"# \xff\n" + bundle.read_bytes() * 2)
    files = "tls_cert: web/server.pem, tls_key: web/server.key, tls_client_ca: web/ca.pem"

    http = load_text(with_http(files)).http

    assert http.tls is not None
    assert http.tls.client_ca == str(bundle)


def test_a_certificate_that_openssl_finds_too_weak_is_refused(
    refuse: Refuse, web_directory: Path
) -> None:
    """A key of 1024 bits is below what Python asks of OpenSSL."""
    write_weak_certificate(web_directory)

    said = refuse(with_http("tls_cert: web/weak.pem, tls_key: web/weak.key"))

    assert said == (
        "janitor.yaml:2:18: http.tls_cert: is too weak for OpenSSL on this machine: "
        "make a new one, with a new key"
    )

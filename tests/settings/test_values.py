"""Single values: addresses, times, sizes and names at their edges."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.settings_samples import LAKE, MEDIA, Load, Refuse

from janitor.settings import addresses, quantities, timetable
from janitor.settings.quantities import Unusable
from janitor.settings.service_fields import OWN_LABELS
from janitor.settings.types import Election

FORBIDDEN = [
    "169.254.169.254",
    "169.254.0.1",
    "0xA9FEA9FE",
    "0xa9.0xfe.0xa9.0xfe",
    "2852039166",
    "0251.0376.0251.0376",
    "169.254.43518",
    "169.16689662",
    "169.254.169.254.",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[::a9fe:a9fe]",
    "[2002:a9fe:a9fe::1]",
    "[fe80::1]",
    "[febf::1]",
    "[fd00:ec2::254]",
    "[fd20:ce::254]",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "metadata.google.internal",
    "METADATA.Google.Internal.",
    "metadata",
]
LOOPBACK = [
    "localhost",
    "LOCALHOST.",
    "minio.localhost",
    "127.0.0.1",
    "127.8.9.10",
    "127.1",
    "2130706433",
    "0x7f000001",
    "[::1]",
    "[::ffff:127.0.0.1]",
]
ELSEWHERE = [
    "minio",
    "minio.example",
    "localhost.example",
    "notlocalhost",
    "0.0.0.0",  # noqa: S104  # nothing is bound here
    "10.0.0.1",
    "128.0.0.1",
    "[2001:db8::1]",
    "127.0.0.1.example",
]


@pytest.mark.parametrize("host", FORBIDDEN)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_machines_own_address_is_refused_in_every_spelling(host: str, scheme: str) -> None:
    """Metadata services are reached by no endpoint, with http or https."""
    with pytest.raises(Unusable, match="link-local or metadata"):
        addresses.endpoint(f"{scheme}://{host}:80")


@pytest.mark.parametrize("key", ["proxy_url", "host", "sts", "role's sts"])
def test_other_keys_refuse_it_too(key: str, refuse: Refuse) -> None:
    """Proxies, hosts and STS get requests as endpoints do."""
    lines = {
        "proxy_url": f"{LAKE}    proxy_url: http://u:p@169.254.169.254:80\n",
        "host": f"{MEDIA}    host: 169.254.169.254\n",
        "sts": f"{LAKE}    sts_endpoint_url: http://169.254.169.254\n",
        "role's sts": (
            f"{LAKE}    assume_role:\n      role_arn: arn:aws:iam::012345678901:role/j\n"
            "      sts_endpoint_url: https://[fe80::1]\n"
        ),
    }

    assert "is a link-local or metadata address" in refuse(f"version: 1\n{lines[key]}")


@pytest.mark.parametrize("host", LOOPBACK)
def test_plain_http_goes_to_this_machine(host: str, load_text: Load) -> None:
    """Nobody can listen on the way."""
    text = f"version: 1\n{LAKE}    endpoint_url: http://{host}:9000/\n"

    assert load_text(text).targets[0].options.reach.endpoint_url == f"http://{host}:9000"


@pytest.mark.parametrize("host", ELSEWHERE)
def test_plain_http_elsewhere_must_be_allowed(host: str, refuse: Refuse, load_text: Load) -> None:
    """Only allow_http: true sends requests in the clear."""
    text = f"version: 1\n{LAKE}    endpoint_url: HTTP://{host}:9000\n".replace("HTTP", "http")

    assert "would send requests in the clear" in refuse(text)
    assert load_text(f"{text}    allow_http: true\n").targets[0].name == "lake"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///x",
        "ftp://minio.example",
        "minio.example",
        "https://minio.example:0",
        "https://minio.example:65536",
        "https://minio.example:port",
        "https://256.1.1.1",
        "https://1.2.3.4.5",
        "https://[::g]",
        "https://[1.2.3.4]",
        "https://minio example",
        "https://minio.example\\@169.254.169.254",
        "https://%31%36%39.254.169.254",
        "https://\uff11\uff16\uff19.254.169.254",
        "https://user@minio.example",
        "https://minio.example/#",
        "https://minio.example//",
        "javascript:alert(1)",
        "https://[fe80::1%25eth0]",
    ],
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    """Parsers disagree about odd URLs, so none of them is let through."""
    with pytest.raises(Unusable):
        addresses.endpoint(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://pushgateway.example:9091", "http://pushgateway.example:9091"),
        ("https://pushgateway.example/", "https://pushgateway.example"),
        ("http://[2001:db8::1]:9091/a/b_c~1.2//", "http://[2001:db8::1]:9091/a/b_c~1.2"),
        ("http://localhost:9091/metricsgateway", "http://localhost:9091/metricsgateway"),
        ("http://metrics:9091", "http://metrics:9091"),
    ],
)
def test_a_pushgateway_may_be_behind_a_path(url: str, expected: str) -> None:
    """Plain http is common inside a cluster, so it needs no further word."""
    assert addresses.pushgateway(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://",
        "http:///a",
        "ftp://pushgateway.example",
        "http://user@pushgateway.example",
        "http://user:pass@pushgateway.example",
        "http://pushgateway.example:0",
        "http://pushgateway.example:65536",
        "http://pushgateway.example/metrics",
        "http://pushgateway.example/a/metrics/",
        "http://pushgateway.example/metrics/job/a",
        "http://pushgateway.example/a b",
        "http://pushgateway.example/%2e%2e",
        "http://pushgateway.example/?a",
        "http://pushgateway.example/#a",
        "http://pushgateway.example\\@169.254.169.254",
        "http://169.254.169.254",
        "http://0xA9FEA9FE",
    ],
)
def test_what_is_no_pushgateway_is_refused(url: str) -> None:
    """A password in the URL would be shown, and what clients add must not be there twice."""
    with pytest.raises(Unusable):
        addresses.pushgateway(url)


@pytest.mark.parametrize("name", ["a", "0", "upload-janitor", "a.b.c", "a" * 253, "a" * 251 + ".b"])
def test_a_lease_has_a_name_that_kubernetes_takes(name: str, load_text: Load) -> None:
    """Labels of DNS, with dots between them."""
    election = load_text(f"version: 1\nleader_election: {{lease: '{name}'}}\n{LAKE}").election

    assert election == Election(name)


@pytest.mark.parametrize(
    "name", ["-a", "a-", "a..b", ".a", "a.", "a_b", "A", "a" * 254, ".".join(["a" * 63] * 4), "ä"]
)
def test_a_lease_has_no_other_name(name: str, refuse: Refuse) -> None:
    """Kubernetes would refuse it only when the daemon runs."""
    said = refuse(f"version: 1\nleader_election: {{lease: '{name}'}}\n{LAKE}")

    assert "leader_election.lease: must be a name that Kubernetes takes" in said


def test_labels_of_the_janitors_own_metrics_are_known() -> None:
    """The Pushgateway would write a group's label over them."""
    exposition = Path(__file__).parents[1] / "observe" / "golden" / "exposition.txt"

    labels = set(re.findall(r'[{,]([a-z_]+)="', exposition.read_text()))

    assert {"target", "outcome", "le"} <= labels
    assert labels <= OWN_LABELS


@given(st.integers(0, 2**32 - 1))
def test_spellings_of_one_address_are_one_address(number: int) -> None:
    """Decimal, hexadecimal and IPv4-mapped spellings are judged as the dotted one is."""
    dotted = ".".join(str(byte) for byte in number.to_bytes(4))
    spellings = [dotted, str(number), hex(number), f"[::ffff:{dotted}]"]

    answers = {(refused(host), addresses.is_loopback(host)) for host in spellings}

    assert len(answers) == 1


def refused(host: str) -> bool:
    """Whether an endpoint must not be there."""
    try:
        addresses.host(host)
    except Unusable:
        return True
    return False


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:10079", ("127.0.0.1", 10079)),
        ("[::1]:10079", ("::1", 10079)),
        ("0.0.0.0:0", ("0.0.0.0", 0)),  # noqa: S104  # nothing is bound here
        ("localhost:65535", ("localhost", 65535)),
    ],
)
def test_a_listener_is_a_host_and_a_port(text: str, expected: tuple[str, int]) -> None:
    """Brackets belong to the text, not to the address."""
    assert addresses.listen(text) == expected


@pytest.mark.parametrize("text", ["", "10079", ":10079", "::1:1", "[::g]:1", "a:65536", "a:b", "a"])
def test_what_is_no_listener_is_refused(text: str) -> None:
    """A port alone does not say where."""
    with pytest.raises(Unusable):
        addresses.listen(text)


@given(st.integers(1, 36500 * 24))
def test_a_threshold_that_is_written_reads_the_same(hours: int) -> None:
    """What show writes, load reads."""
    length = timedelta(hours=hours)

    assert quantities.threshold(quantities.write_duration(length)) == length


@given(st.integers(0, 2**63 - 1))
def test_a_size_that_is_written_reads_the_same(size: int) -> None:
    """Sizes are whole bytes, whatever their unit; beyond 15 digits nobody writes them."""
    written = quantities.write_size(size)

    assert len(written) > 16 or quantities.size(written) == size


@given(st.integers(0, 100_000_000))
def test_a_share_that_is_written_reads_the_same(millionths: int) -> None:
    """Shares are exact."""
    text = f"{millionths // 10**6}.{millionths % 10**6:06d}%"
    share = quantities.share(text)

    assert quantities.share(quantities.write_share(share)) == share


@pytest.mark.parametrize("text", ["9223372036854775808B", "999999999999PiB", "1XB", "GiB", ""])
def test_what_is_no_size_is_refused(text: str) -> None:
    """A size is a number with a unit that exists, and somebody could store it."""
    with pytest.raises(Unusable):
        quantities.size(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("@hourly", "0 * * * *"),
        ("0 4 ? * 1", "0 4 * * 1"),
        ("0  4  1 * *", "0 4 1 * *"),
        ("0 4 1 * MON", "0 4 1 * MON"),
        ("*/5 0-6/2 * * *", "*/5 0-6/2 * * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 * JUL *", "0 0 * JUL *"),
    ],
)
def test_a_cron_expression_becomes_five_fields(text: str, expected: str) -> None:
    """Names of days, question marks and macros mean what they mean to Kubernetes."""
    assert timetable.cron(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "0 0 0 * *",
        "0 0 * 13 *",
        "0 0 * * 8",
        "0 0 * * FRI-MON",
        "*/0 * * * *",
        "0 0 * * 1#2",
        "0 0 * * 5L",
        "0 0 LW * *",
        "0 0 1,* * *",
        "0 0 1-7 * */2",
        "0 0 5-5/2 * *",
        "@every 1h",
        "TZ=UTC 0 0 * * *",
        "0 0 31 2,4 *",
        "h * * * *",
    ],
)
def test_a_cron_expression_of_other_schedulers_is_refused(text: str) -> None:
    """What Kubernetes refuses, or reads otherwise than we do, is refused."""
    with pytest.raises(Unusable):
        timetable.cron(text)


@pytest.mark.parametrize("name", ["", "Nowhere/City", "../etc/passwd", "/etc/localtime", "America"])
def test_what_is_no_time_zone_is_refused(name: str) -> None:
    """A time zone is the name of a file of the list, not any file."""
    with pytest.raises(Unusable, match="is not a time zone"):
        timetable.timezone(name)

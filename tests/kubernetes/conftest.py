"""One real kube-apiserver for all tests of this folder, or a loud skip where none was built."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.cluster import Cluster, is_built, running


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Run a cluster without nodes."""
    if not is_built():
        pytest.skip("no kube-apiserver was built: run `make test-kubernetes` once")
    with running(tmp_path_factory.mktemp("cluster")) as found:
        yield found

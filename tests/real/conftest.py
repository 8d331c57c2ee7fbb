"""Fixtures of the real tests: the program, Google on loopback, a publishing issuer, the leak scan.

Run them with the cache's own Python, after `tests/real/install`:  $CACHE/venv/bin/pytest tests/real
"""

from __future__ import annotations

import os
import signal
from dataclasses import replace

import pytest

from standins.aws import Aws
from standins.azure import Azure
from standins.issuer import Issuer
from standins.sts import GoogleStandIn
from standins.verify_jwt import OidcPoolProvider
from support import workers
from support.adfs import farm, kerberos, register
from support.clients import Clients
from support.commands import Commands
from support.kubernetes import cluster as running_cluster
from support.leaks import Ledger
from support.places import PROGRAM
from support.program import Program
from support.pysaml2_idp import IdentityProvider
from support.setups import Setups
from support.softhsm import Tokens
from support.terraform import Terraform, bucket

POOL_PROVIDER = "//iam.googleapis.com/projects/123456789012/locations/global/workloadIdentityPools/pool/providers/ci"


def pytest_addoption(parser):
    """Adds the option with which tests/storm also runs what takes too long for every run."""
    parser.addoption("--storm", action="store_true", help="kill runs at every system call, and start crowds of hundreds")


def pytest_configure():
    """Lets programs receive SIGINT and SIGQUIT, which a shell ignores for what it starts in the background."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)


def pytest_xdist_auto_num_workers():
    """The number of tests that run at the same time with `--numprocesses=auto`."""
    return workers.count()


def pytest_xdist_make_scheduler(config, log):
    """Creates the scheduler, which assigns the tests to workers."""
    return workers.Scheduling(config, log)


def pytest_collection_modifyitems(items):
    """Sorts the tests by the order in which they start."""
    items.sort(key=lambda item: not workers.early(item.path.name))


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch):
    """Keeps the requests of the tests on this machine, whatever proxy the environment names."""
    for name in [name for name in os.environ if name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def ledger():
    """The leak scan of this test: it fails the test if a registered secret is shown."""
    found = Ledger()
    yield found
    assert found.check() == []


@pytest.fixture
def storm(request) -> bool:
    """Whether the tests may take as long as tests/storm does."""
    return request.config.getoption("--storm")


@pytest.fixture
def program(tmp_path, ledger) -> Program:
    """The program under test, with an empty HOME."""
    if not PROGRAM.exists():
        pytest.fail(f"{PROGRAM.name} is not built: cargo build --release, or set WIF_TOKEN_BIN", pytrace=False)
    home = tmp_path / "home"
    home.mkdir()
    return Program(home, ledger)


@pytest.fixture
def asked(program, audience) -> Program:
    """The program under test with the variables that a client sets. It shares the home and the leak scan with
    `program`."""
    return replace(program, variables=program.request(audience))


@pytest.fixture
def audience() -> str:
    """The full resource name of the workload identity pool provider of these tests."""
    return POOL_PROVIDER


@pytest.fixture
def sts():
    """Google's token service and service account credentials on loopback, without a pool provider."""
    found = GoogleStandIn()
    yield found
    found.close()


@pytest.fixture
def issuer(sts, audience):
    """An issuer that the token service trusts for `audience`."""
    found = Issuer()
    sts.add(OidcPoolProvider(audience, found.url))
    yield found
    found.close()


@pytest.fixture
def idp(tmp_path, sts, audience) -> IdentityProvider:
    """A SAML identity provider that the token service trusts; it signs for the stand-in of AD FS."""
    found = IdentityProvider(tmp_path, "https:" + audience)
    sts.add(found.pool_provider(audience))
    return found


@pytest.fixture
def aws(ledger):
    """AWS on loopback: one account's keys, its token service, SSO, container and instance metadata."""
    found = Aws(ledger)
    yield found
    found.close()


@pytest.fixture
def azure(tmp_path, ledger):
    """Azure on loopback: a tenant, its token endpoint on https, and the endpoints of managed identities."""
    folder = tmp_path / "azure"
    folder.mkdir()
    found = Azure(folder, ledger)
    yield found
    found.close()


@pytest.fixture(scope="session")
def kdc(tmp_path_factory):
    """A Kerberos realm. Tests do not change it, or create another one."""
    with kerberos(tmp_path_factory.mktemp("kdc")) as found:
        yield found


@pytest.fixture
def adfs(tmp_path, kdc, program, audience, ledger):
    """AD FS behind Apache with Negotiate, for the users of that realm."""
    register(ledger, kdc)
    with farm(tmp_path, kdc, program, audience) as found:
        yield found


@pytest.fixture(scope="module")
def tokens(tmp_path_factory) -> Tokens:
    """SoftHSM tokens with keys."""
    return Tokens(tmp_path_factory.mktemp("softhsm")).make()


@pytest.fixture(scope="session")
def api_server(tmp_path_factory):
    """A Kubernetes API server, in which tests create their own namespaces."""
    with running_cluster(tmp_path_factory.mktemp("kubernetes")) as found:
        yield found


@pytest.fixture
def cluster(api_server, ledger):
    """The API server, whose secrets are registered for the leak scan."""
    for name, token in api_server.people.items():
        ledger.secret(f"the token of {name}", token)
    return api_server


@pytest.fixture
def clients(tmp_path, program, sts) -> Clients:
    """Real Google clients that run the program and send requests to the stand-in."""
    return Clients(tmp_path / "clients", program, sts)


@pytest.fixture
def terraform(tmp_path, clients, sts) -> Terraform:
    """Terraform whose state is in a bucket that accepts the tokens of the stand-in."""
    with bucket(sts) as storage:
        yield Terraform(tmp_path / "terraform", clients, storage)


@pytest.fixture
def commands(tmp_path, program, sts) -> Commands:
    """Runs of the commands that use the subject token, on one configuration."""
    return Commands(tmp_path, program, sts)


@pytest.fixture
def setups(tmp_path, program, sts, issuer, audience):
    """Valid set-ups for `check`, in one folder."""
    found = Setups(tmp_path, program, sts, issuer, audience)
    yield found
    found.close()

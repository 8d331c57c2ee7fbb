"""The `adfs` source with accounts of a real Active Directory domain: Samba's KDC, its account rules, its service names.

Apache has the keytab of the service account, to which the service names are registered; AD FS behind it is the stand-in.
"""

from __future__ import annotations

import pytest

from servers.kdc import REALM
from servers.samba import domain
from support.adfs import CLIENT, farm


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """One domain for this file."""
    with domain(tmp_path_factory.mktemp("domain")) as found:
        yield found


@pytest.fixture
def adfs(tmp_path, directory, program, audience, ledger):
    """AD FS in this domain."""
    for name, password in directory.passwords.items():
        ledger.secret(f"the password of {name}", password)
    with farm(tmp_path, directory, program, audience) as found:
        found.front.clients[CLIENT].users = {f"{name}@{REALM}" for name in directory.passwords}
        yield found


def password_of(adfs, name: str, **env: str) -> dict:
    """The options of a sign-in with a password."""
    return {"auth": "password", "user": f"{name}@{REALM}", "password": "env:S", "env": {"S": adfs.kdc.passwords[name]} | env}


def test_a_ticket(adfs, clients, sts):
    """Google's Python client gets a token with a ticket of the domain."""
    sts.add(adfs.pool_provider())
    configuration = clients.configuration(adfs.audience, "adfs", *adfs.options())
    outcome = clients.run("python", configuration, env=adfs.kdc.env(adfs.kdc.ticket("alice")))
    adfs.register_tickets()
    assert outcome.access_token in sts.issued and sts.exchanges[0].claims["sub"] == f"alice@{REALM}"


def test_a_keytab_and_a_password(adfs):
    """One account signs in with a keytab, and another one with a password."""
    assert adfs.run(keytab=str(adfs.kdc.folder / "robot.keytab")).token
    assert adfs.run(**password_of(adfs, "alice")).token
    assert [leg["x-remote-user"] for leg in adfs.legs() if "x-remote-user" in leg] == [f"robot@{REALM}", f"alice@{REALM}"]


def test_a_service_name_that_the_directory_does_not_know(adfs):
    """The message contains the command that registers this service principal name."""
    adfs.run(spn="HTTP/other.example.test", ccache=adfs.kdc.ticket("alice")).failed("CONFIGURATION", "setspn -S HTTP/other.example.test")


def test_any_name_of_the_service_account(adfs):
    """Both names belong to one account, whose keys decrypt both tickets."""
    assert adfs.run(spn="HTTP/adfs.example.test", ccache=adfs.kdc.ticket("alice")).token


def test_a_disabled_account(adfs):
    """The message names what to check. AD refuses the account before it compares the password."""
    adfs.run(**password_of(adfs, "disabled")).failed("DENIED", "enabled")


def test_an_account_that_is_not_in_the_domain(adfs):
    """The account can be a local user, for example."""
    options = password_of(adfs, "alice") | {"user": f"nobody@{REALM}"}
    adfs.run(**options).failed("DENIED", "--user")


def test_a_wrong_password(adfs):
    """The message contains the reason of AD and the option."""
    wrong = adfs.program.ledger.secret("the wrong password", "Wr0ng-password")
    adfs.run(**password_of(adfs, "robot", S=wrong)).failed("DENIED", "--password")

"""The proxy settings of Windows under Wine: those of the user and of the machine, and what takes precedence.

Everything runs inside a network namespace, including Wine's server, which owns the sockets of the programs. As in test_proxy.py, the
proxy `DEAD` shows the route: a run that succeeds has not used it, a run that fails has not bypassed it.
"""

import struct
from types import SimpleNamespace

import pytest

from servers import squid as proxy
from servers.authority import Authority
from servers.namespace import NAMES, namespace
from servers.nginx import answers, nginx, server
from support.signer import some_token
from support.windows import WindowsProgram, wine

TOKEN = some_token()
OPEN = f"proxy.example.test:{proxy.OPEN}"
GUARDED = f"proxy.example.test:{proxy.GUARDED}"
DEAD = "proxy.example.test:1"
CONNECTIONS = r"Software\Microsoft\Windows\CurrentVersion\Internet Settings\Connections"
USER = ("HKCU\\" + CONNECTIONS, "DefaultConnectionSettings", 0x46)
MACHINE = ("HKLM\\" + CONNECTIONS, "WinHttpSettings", 0x18)
DIRECT, NAMED = 1, 3


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    """nginx on port 443 of a name and of loopback, squid on another address, and Wine in the same namespace."""
    folder = tmp_path_factory.mktemp("inside")
    authority = Authority(folder / "authority")
    good = authority.server("good", "idp.example.test", "localhost", "127.0.0.1")
    blocks = [server(443, answers("/token", TOKEN), good, **where) for where in ({"host": NAMES["idp.example.test"]}, {})]
    with namespace() as space, nginx(folder, blocks, (), prefix=space.prefix), \
            proxy.squid(space, NAMES["proxy.example.test"]) as squid, wine(folder, space.prefix) as running:
        yield SimpleNamespace(squid=squid, wine=running, ca=authority.ca)


@pytest.fixture
def windows(inside, tmp_path, audience, ledger):
    """`fetch` runs the program, and `set` writes a setting as Windows stores it, until the end of the test."""
    home = tmp_path / "home"
    home.mkdir()
    program = WindowsProgram(home, ledger, inside.wine.program)
    env = program.request(audience)

    def fetch(host="idp.example.test", **variables):
        return program.run("url", f"--url=https://{host}/token", f"--ca-file={inside.ca}", env=env | variables)

    def put(place, proxies="", bypass="", flags=NAMED):
        key, name, version = place
        texts = b"".join(struct.pack("<L", len(text)) + text.encode() for text in (proxies, bypass, ""))
        value = struct.pack("<3L", version, 0, flags) + texts
        inside.wine.run("reg", "add", key, "/v", name, "/t", "REG_BINARY", "/d", value.hex(), "/f")

    yield SimpleNamespace(fetch=fetch, set=put)
    for place in (USER, MACHINE):
        put(place, flags=DIRECT)


@pytest.mark.parametrize("proxies", [OPEN, f"http://{OPEN}", f"http={DEAD};https={OPEN}", f"ftp={DEAD};{OPEN}"])
def test_the_setting_of_the_user(inside, windows, proxies):
    """The setting has one proxy for all schemes, or one for each. The log names the proxy."""
    windows.set(USER, proxies)
    done, lines = inside.squid.during(windows.fetch)
    assert done.token == TOKEN and lines == ["CONNECT idp.example.test:443 200"]
    assert "https://idp.example.test/token through the Windows settings" in done.log


def test_the_setting_of_the_machine(inside, windows):
    """The setting of the machine is used if the user has none, such as the accounts of services."""
    windows.set(MACHINE, OPEN)
    done, lines = inside.squid.during(windows.fetch)
    assert done.token == TOKEN and lines == ["CONNECT idp.example.test:443 200"]
    windows.set(USER, DEAD)
    windows.fetch().failed("UNREACHABLE", "the Windows settings")


@pytest.mark.parametrize("bypass", ["*.example.test", "<local>;idp.example.test", "elsewhere.test idp.*", "*"])
def test_the_bypass_list(windows, bypass):
    """Hosts in the list of the user or of the machine are contacted directly."""
    windows.set(USER, DEAD, bypass)
    assert windows.fetch().token == TOKEN
    windows.set(USER, flags=DIRECT)
    windows.set(MACHINE, DEAD, bypass)
    assert windows.fetch().token == TOKEN


@pytest.mark.parametrize("bypass", ["<local>", "example.test", "*.other.test"])
def test_a_bypass_list_without_this_host(windows, bypass):
    """A list without this host changes nothing."""
    windows.set(USER, DEAD, bypass)
    windows.fetch().failed("UNREACHABLE", "the Windows settings", "NO_PROXY")


def test_a_setting_that_is_off(windows):
    """Windows keeps the address of a proxy that is turned off."""
    windows.set(USER, DEAD, flags=DIRECT)
    assert windows.fetch().token == TOKEN


def test_variables_take_precedence(inside, windows):
    """The variables name a proxy, and hosts to contact directly. Windows ignores the case of variable names."""
    windows.set(USER, DEAD)
    done, lines = inside.squid.during(windows.fetch, HTTPS_PROXY=f"http://{OPEN}")
    assert done.token == TOKEN and len(lines) == 1 and "through https_proxy" in done.log.lower()
    assert windows.fetch(NO_PROXY="idp.example.test").token == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_bypasses_the_proxy(windows, host):
    """No setting makes the program use a proxy for loopback."""
    windows.set(USER, DEAD)
    assert windows.fetch(host=host).token == TOKEN


def test_a_proxy_that_requires_a_password(windows):
    """The setting cannot contain one, so the message names the variable that can."""
    windows.set(USER, GUARDED)
    windows.fetch().failed("DENIED", "407", "the Windows settings", "set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT")


def test_a_socks_proxy(windows):
    """The run fails, because SOCKS is not supported, and does not bypass the proxy. The message names the variables to
    set instead."""
    windows.set(USER, f"socks={OPEN}")
    windows.fetch().failed("CONFIGURATION", "the Windows settings", "HTTPS_PROXY", "NO_PROXY")


def test_an_unknown_host(windows):
    """Windows has its own error numbers for host names."""
    windows.fetch(host="nowhere.example.test").failed("UNREACHABLE", "nowhere.example.test", "HTTPS_PROXY")

"""The proxy settings of Windows under Wine: the user's, the machine's, and what comes before them.

All of it runs inside a network namespace, Wine's server too, whose sockets are those of the programs. As in test_proxy.py the
proxy `DEAD` tells the ways apart: a run that succeeds has not used it, a run that fails has not gone past it.
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
    """nginx on port 443 of a name and of loopback, squid on another address, Wine between them."""
    folder = tmp_path_factory.mktemp("inside")
    authority = Authority(folder / "authority")
    good = authority.server("good", "idp.example.test", "localhost", "127.0.0.1")
    blocks = [server(443, answers("/token", TOKEN), good, **where) for where in ({"host": NAMES["idp.example.test"]}, {})]
    with namespace() as space, nginx(folder, blocks, (), prefix=space.prefix), \
            proxy.squid(space, NAMES["proxy.example.test"]) as squid, wine(folder, space.prefix) as running:
        yield SimpleNamespace(squid=squid, wine=running, ca=authority.ca)


@pytest.fixture
def windows(inside, tmp_path, audience, ledger):
    """`fetch` runs the program, `set` writes a setting as Windows keeps it, until the test is over."""
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
    """One proxy for all, or one for each scheme; the log says through what."""
    windows.set(USER, proxies)
    done, lines = inside.squid.during(windows.fetch)
    assert done.token == TOKEN and lines == ["CONNECT idp.example.test:443 200"]
    assert "https://idp.example.test/token through the Windows settings" in done.log


def test_the_setting_of_the_machine(inside, windows):
    """Where the user has none, as the accounts of services."""
    windows.set(MACHINE, OPEN)
    done, lines = inside.squid.during(windows.fetch)
    assert done.token == TOKEN and lines == ["CONNECT idp.example.test:443 200"]
    windows.set(USER, DEAD)
    windows.fetch().failed("UNREACHABLE", "the Windows settings")


@pytest.mark.parametrize("bypass", ["*.example.test", "<local>;idp.example.test", "elsewhere.test idp.*", "*"])
def test_the_bypass_list(windows, bypass):
    """Past the proxy, of the user and of the machine."""
    windows.set(USER, DEAD, bypass)
    assert windows.fetch().token == TOKEN
    windows.set(USER, flags=DIRECT)
    windows.set(MACHINE, DEAD, bypass)
    assert windows.fetch().token == TOKEN


@pytest.mark.parametrize("bypass", ["<local>", "example.test", "*.other.test"])
def test_a_bypass_list_of_others(windows, bypass):
    """Changes nothing."""
    windows.set(USER, DEAD, bypass)
    windows.fetch().failed("UNREACHABLE", "the Windows settings", "NO_PROXY")


def test_a_setting_that_is_off(windows):
    """It is still there, as Windows keeps it."""
    windows.set(USER, DEAD, flags=DIRECT)
    assert windows.fetch().token == TOKEN


def test_variables_take_precedence(inside, windows):
    """A proxy, and the hosts to reach directly; Windows takes the names of variables in any case."""
    windows.set(USER, DEAD)
    done, lines = inside.squid.during(windows.fetch, HTTPS_PROXY=f"http://{OPEN}")
    assert done.token == TOKEN and len(lines) == 1 and "through https_proxy" in done.log.lower()
    assert windows.fetch(NO_PROXY="idp.example.test").token == TOKEN


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_bypasses_the_proxy(windows, host):
    """Whatever the setting says."""
    windows.set(USER, DEAD)
    assert windows.fetch(host=host).token == TOKEN


def test_a_proxy_that_requires_a_password(windows):
    """The setting has no room for one: the variable that has is named."""
    windows.set(USER, GUARDED)
    windows.fetch().failed("DENIED", "407", "the Windows settings", "set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT")


def test_a_socks_proxy(windows):
    """Said, and not gone past."""
    windows.set(USER, f"socks={OPEN}")
    windows.fetch().failed("CONFIGURATION", "the Windows settings", "HTTPS_PROXY", "NO_PROXY")


def test_an_unknown_host(windows):
    """Windows has error numbers of its own for names."""
    windows.fetch(host="nowhere.example.test").failed("UNREACHABLE", "nowhere.example.test", "HTTPS_PROXY")

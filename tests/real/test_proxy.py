"""Proxies: through squid with CONNECT, past it by NO_PROXY, and never for loopback.

All of it runs inside a network namespace, where `idp.example.test` is neither loopback nor link-local. The proxy
`DEAD` shows the route without a log: a run that succeeds has not used it, a run that fails has not bypassed
it.
"""

from types import SimpleNamespace

import pytest

from servers import squid as proxy
from servers.authority import Authority, self_signed
from servers.namespace import NAMES, namespace
from servers.nginx import answers, nginx, server
from support.signer import some_token

TOKEN = some_token()
OPEN = f"http://proxy.example.test:{proxy.OPEN}"
DEAD = "http://proxy.example.test:1"


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    """nginx on port 443 of two names and of loopback, and squid on a third address."""
    folder = tmp_path_factory.mktemp("inside")
    ours = Authority(folder / "ours")
    good = ours.server("good", "idp.example.test", "other.example.test", "localhost", "127.0.0.1")
    token = answers("/token", TOKEN)
    blocks = [server(443, token, good, host=NAMES["idp.example.test"]),
              server(8443, token, self_signed(folder, "idp.example.test"), host=NAMES["idp.example.test"]),
              server(443, token, good, host=NAMES["other.example.test"]), server(443, token, good)]
    with namespace() as space, nginx(folder, blocks, (), prefix=space.prefix) as running, \
            proxy.squid(space, NAMES["proxy.example.test"]) as squid:
        yield SimpleNamespace(prefix=space.prefix, nginx=running, squid=squid, ca=ours.ca)


@pytest.fixture
def fetch(inside, asked):
    """Runs the program in the namespace, with the variables of the proxies."""
    within, trusting = asked.behind(*inside.prefix), (f"--ca-file={inside.ca}",)

    def run(host="idp.example.test", scheme="https", path="/token", options=trusting, **variables):
        return within.run("url", f"--url={scheme}://{host}{path}", *options, env=variables)

    return run


@pytest.fixture
def through(inside, fetch):
    """A run, and the requests that squid received."""
    return lambda **given: inside.squid.during(fetch, **given)


def guarded(user=proxy.USER, password="p%40ss%3Aw%2Frd"):
    return f"http://{user}:{password}@proxy.example.test:{proxy.GUARDED}"


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"])
def test_a_proxy_is_used(through, variable):
    done, lines = through(**{variable: OPEN})
    assert done.token == TOKEN and lines == ["CONNECT idp.example.test:443 200"]


def test_https_proxy_takes_precedence_over_all_proxy(through):
    done, lines = through(HTTPS_PROXY=OPEN, ALL_PROXY=DEAD)
    assert done.token == TOKEN and len(lines) == 1


def test_basic_credentials_reach_the_proxy_and_nobody_else(inside, through):
    done, lines = through(HTTPS_PROXY=guarded())
    assert done.token == TOKEN and lines == ["CONNECT idp.example.test:443 200"]
    assert all("proxy-authorization=[-]" in line for line in inside.nginx.requests(443))


@pytest.mark.parametrize("url", [guarded(password="wrong-fixture"), f"http://proxy.example.test:{proxy.GUARDED}"])
def test_407_names_the_variable_and_no_secret(through, url):
    done, lines = through(HTTPS_PROXY=url)
    message = done.failed("DENIED")
    assert "407" in message and "HTTPS_PROXY" in message and "wrong-fixture" not in message, message
    assert lines == ["CONNECT idp.example.test:443 407"]


def test_403_of_the_proxy_is_not_reported_as_that_of_the_server(through):
    done, lines = through(host=proxy.DENIED_HOST, HTTPS_PROXY=OPEN)
    assert "proxy" in done.failed("DENIED") and lines == [f"CONNECT {proxy.DENIED_HOST}:443 403"]


def test_a_proxy_that_is_down_is_unreachable_and_not_bypassed(inside, fetch):
    assert "HTTPS_PROXY" in fetch(path="/token?bypassed", HTTPS_PROXY=DEAD).failed("UNREACHABLE")
    assert not any("bypassed" in line for line in inside.nginx.requests(443))


def test_the_server_is_verified_through_the_proxy(inside, through):
    stranger, _ = through(options=(), HTTPS_PROXY=OPEN)
    assert "--ca-file" in stranger.failed("CONFIGURATION")
    self_made, lines = through(host="idp.example.test:8443", HTTPS_PROXY=OPEN)
    assert "certificate" in self_made.failed("CONFIGURATION") and "8443" in lines[0]
    assert inside.nginx.requests(8443) == []


@pytest.mark.parametrize("variable", ["NO_PROXY", "no_proxy"])
@pytest.mark.parametrize("hosts", ["idp.example.test", ".example.test", "*", "elsewhere.test,idp.example.test"])
def test_hosts_in_no_proxy_bypass_the_proxy(fetch, variable, hosts):
    assert fetch(HTTPS_PROXY=DEAD, **{variable: hosts}).token == TOKEN


@pytest.mark.parametrize("hosts", ["other.example.test", ".other.test", "dp.example.test", "idp.example", ""])
def test_no_proxy_of_another_host_changes_nothing(fetch, hosts):
    fetch(HTTPS_PROXY=DEAD, NO_PROXY=hosts).failed("UNREACHABLE")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_bypasses_the_proxy(fetch, host):
    assert fetch(host=host, HTTPS_PROXY=DEAD, ALL_PROXY=DEAD).token == TOKEN


def test_an_unknown_host_is_unreachable(fetch):
    assert "nowhere.example.test" in fetch(host="nowhere.example.test").failed("UNREACHABLE")


def test_plain_http_to_another_host_is_refused_before_anything_is_sent(fetch):
    """`--allow-http` allows one host; the run then only fails because no server listens there."""
    def plain(*options):
        return fetch(scheme="http", options=options)

    assert "--allow-http" in plain().failed("CONFIGURATION")
    assert "--allow-http" in plain("--allow-http=example.test").failed("CONFIGURATION")
    plain("--allow-http=idp.example.test").failed("UNREACHABLE")

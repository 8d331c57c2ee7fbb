"""The `adfs` source by OIDC: a ticket, a keytab or a password becomes an access token of AD FS.

Kerberos is MIT's KDC and Apache's mod_auth_gssapi, all real; AD FS behind Apache is a stand-in (standins/adfs.py), whose tokens
are signed with a published key that Google's token service stand-in verifies by discovery.
"""

from __future__ import annotations

import pytest

from standins.adfs_oauth import NOT_ALLOWED, OAuthClient
from standins.adfs_page import error_page
from standins.loopback import Answer
from support.adfs import ALICE, CLIENT, MALLORY, PASSWORDS
from support.signer import new_key, pem


def test_a_ticket_becomes_a_token(adfs, clients, sts):
    """Google's Python client gets a token. AD FS received what MS-OAPX requires, after exactly one challenge."""
    sts.add(adfs.pool_provider())
    configuration = clients.configuration(adfs.audience, "adfs", *adfs.options())
    outcome = clients.run("python", configuration, env=adfs.kdc.env(adfs.kdc.ticket("alice")))
    assert outcome.access_token in sts.issued
    assert (sts.exchanges[0].subject_token, sts.exchanges[0].claims["sub"]) == (adfs.front.issued[-1], ALICE)
    assert adfs.front.requests[-1] == {
        "client_id": CLIENT, "resource": adfs.relying_party, "grant_type": "client_credentials", "scope": "openid",
        "use_windows_client_authentication": "true",
    }  # fmt: skip
    assert [headers.get("authorization", "").partition(" ")[0] for headers in adfs.legs()] == ["", "Negotiate"]
    adfs.register_tickets()


@pytest.mark.parametrize("issuer", ["{}/", "{}"])
def test_the_issuer_with_and_without_a_trailing_slash(adfs, issuer):
    """The AD FS console shows the issuer with a trailing slash; the discovery document does not."""
    assert adfs.run(issuer=issuer.format(adfs.front.issuer), ccache=adfs.kdc.ticket("alice")).token == adfs.front.issued[-1]


@pytest.mark.parametrize("options", [{}, {"principal": ALICE}, {"principal": "alice"}])
def test_a_keytab_by_option(adfs, options):
    """No ticket cache is needed, and none is written."""
    before = set(adfs.kdc.folder.iterdir())
    assert adfs.run(keytab=str(adfs.kdc.folder / "alice.keytab"), **options).token == adfs.front.issued[-1]
    assert set(adfs.kdc.folder.iterdir()) - before <= {adfs.kdc.folder / "kdc.log"}
    assert list(adfs.program.home.iterdir()) == []


def test_a_keytab_by_variable(adfs):
    """KRB5_CLIENT_KTNAME is the variable of Kerberos itself."""
    cache = adfs.kdc.folder / "written-by-the-library"
    env = adfs.kdc.env(cache, client_keytab=adfs.kdc.folder / "alice.keytab")
    assert adfs.run(env=env).token == adfs.front.issued[-1]


def test_a_password(adfs):
    """Negotiate uses the account of the option, and not that of the ticket cache."""
    env = {"SECRET": PASSWORDS["alice"]}
    run = adfs.run(auth="password", user=ALICE, password="env:SECRET", env=env, ccache=adfs.kdc.ticket("mallory"))
    assert run.token == adfs.front.issued[-1]


def test_a_password_from_a_file(adfs, tmp_path):
    """The line break at the end of the file is not a part of the password."""
    (tmp_path / "password").write_text(PASSWORDS["alice"] + "\n")
    assert adfs.run(auth="password", user=ALICE, password=f"file:{tmp_path / 'password'}").token == adfs.front.issued[-1]


def test_a_client_secret(adfs):
    """No Windows account is used."""
    secret = adfs.program.ledger.secret("the client's secret", "s3cret+with/ %chars")
    adfs.front.clients["app"] = OAuthClient(resources={adfs.relying_party}, secret=secret)
    assert adfs.run(auth="client-secret", client_id="app", client_secret="env:S", env={"S": secret}).token == adfs.front.issued[-1]
    assert "use_windows_client_authentication" not in adfs.front.requests[-1]
    assert not any("authorization" in headers for headers in adfs.legs())
    wrong = adfs.program.ledger.secret("a wrong secret", "wr0ng+secret")
    adfs.run(auth="client-secret", client_id="app", client_secret="env:S", env={"S": wrong}).failed("DENIED", "MSIS9622")


def test_a_signed_assertion(adfs, tmp_path):
    """private_key_jwt works, and each assertion can be used once."""
    key = new_key("RSA")
    (tmp_path / "key.pem").write_text(adfs.program.ledger.private_key("the client's key", pem(key)))
    adfs.front.clients["app"] = OAuthClient(resources={adfs.relying_party}, public_key=key.public_key())
    for _ in range(2):
        assert adfs.run(auth="private-key-jwt", client_id="app", client_key=str(tmp_path / "key.pem")).token == adfs.front.issued[-1]
    first, second = (fields["client_assertion"] for fields in adfs.front.requests)
    assert first != second
    (tmp_path / "other.pem").write_text(pem(new_key("RSA")))
    adfs.run(auth="private-key-jwt", client_id="app", client_key=str(tmp_path / "other.pem")).failed("DENIED", "MSIS9622")


# What AD FS refuses

@pytest.mark.parametrize("changes, words", [
    ({"client_id": "no-such-client"}, ("MSIS9607", "--client-id")),
    ({"relying_party": "https://no-such.example.test"}, ("MSIS9602", "--relying-party")),
])  # fmt: skip
def test_an_unknown_name(adfs, changes, words):
    """For an unknown client or resource, the message contains AD FS's text and the option."""
    adfs.run(**changes, ccache=adfs.kdc.ticket("alice")).failed("DENIED", *words)


def test_an_error_of_ad_fs_on_an_html_page(adfs):
    """Some errors are HTML pages. The message contains the MSIS text without markup and entities."""
    adfs.front.errors_as_html = True
    run = adfs.run("--timeout=3", client_id="no-such-client", ccache=adfs.kdc.ticket("alice"))
    assert run.document["code"] in ("DENIED", "UNREACHABLE"), run.described()
    message = run.failed(run.document["code"], "MSIS9607: The 'client_id' parameter in the request is invalid.")
    assert "<div" not in message and "&#" not in message


def test_a_relying_party_is_not_normalised(adfs):
    """Identifiers that differ only in a trailing slash or in case are different."""
    for other in (adfs.relying_party + "/", adfs.relying_party.upper(), adfs.relying_party.replace("//", "//./")):
        adfs.run(relying_party=other, ccache=adfs.kdc.ticket("alice")).failed("DENIED", "MSIS9602")
        assert adfs.front.requests[-1]["resource"] == other


def test_the_client_was_not_granted_the_resource(adfs):
    """The message contains the command that grants it."""
    adfs.front.clients[CLIENT].resources.clear()
    adfs.run(ccache=adfs.kdc.ticket("alice")).failed("DENIED", NOT_ALLOWED.rstrip("."), "Grant-AdfsApplicationPermission")


def test_a_valid_ticket_of_another_account(adfs):
    """A status 401 after Apache has accepted the ticket means that the account is not permitted, or that Extended
    Protection applies.
    """
    run = adfs.run(ccache=adfs.kdc.ticket("mallory"))
    run.failed("DENIED", "ADUserPrincipalName", "ExtendedProtectionTokenCheck")
    assert [headers.get("x-remote-user") for headers in adfs.legs()] == [None, MALLORY], "no request follows the accepted ticket"


def test_a_user_agent_that_is_not_listed(adfs):
    """The user agent of the program is listed by default. Otherwise the message names the setting and the option."""
    adfs.run(user_agent="curl/8", ccache=adfs.kdc.ticket("alice")).failed("DENIED", "WiaSupportedUserAgents", "--user-agent")
    assert adfs.run(user_agent="MSIPC;version=1.0", ccache=adfs.kdc.ticket("alice")).token == adfs.front.issued[-1]
    assert adfs.legs()[-1]["user-agent"] == "MSIPC;version=1.0"


@pytest.mark.parametrize("fault", [Answer(400, ""), Answer(429, "", {"Retry-After": "0"}), Answer(429, ""), Answer(503, "")],
                         ids=["400", "429 with Retry-After", "429", "503"])  # fmt: skip
def test_occasional_failures_are_retried(adfs, fault):
    """A failure before and one after the sign-on are retried."""
    adfs.front.faults = [fault, fault]
    assert adfs.run(ccache=adfs.kdc.ticket("alice")).token == adfs.front.issued[-1]
    assert adfs.front.faults == []


def test_a_persistent_failure_ends_at_the_deadline(adfs):
    """The kind of the failure says that another run may succeed."""
    adfs.front.faults = [Answer(429, "")] * 100
    adfs.run("--timeout=2", ccache=adfs.kdc.ticket("alice")).failed("UNREACHABLE", "429")
    assert 1 < 100 - len(adfs.front.faults) < 40


def test_a_page_instead_of_json(adfs):
    """The message contains the MSIS text of the page without markup."""
    adfs.front.faults = [error_page(500, "MSIS7012: An error occurred while processing the request. <b>&")] * 100
    run = adfs.run("--timeout=3", ccache=adfs.kdc.ticket("alice"))
    assert run.document["code"] in ("UNREACHABLE", "DENIED"), run.described()
    message = run.failed(run.document["code"], "MSIS7012: An error occurred")
    assert "errorMessage" not in message and "<div" not in message


def test_windows_authentication_is_off(adfs):
    """AD FS then refuses every client without another credential."""
    adfs.front.windows_authentication = False
    adfs.run(ccache=adfs.kdc.ticket("alice")).failed("DENIED", "Windows authentication")

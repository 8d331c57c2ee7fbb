"""Runs SimpleSAMLphp as an identity provider: PHP's own web server in front of Debian's package, all settings in one folder.

https://simplesamlphp.org/docs/stable/simplesamlphp-idp . Its user is signed in by configuration (exampleauth:StaticSource), so it only
does what AD FS does after Negotiate: a signed Response about that user for one relying party.
"""

from __future__ import annotations

import base64
import contextlib
import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator

import requests

from standins.verify_saml import SamlPoolProvider
from support.places import SYSTEM_PATH, missing, need
from support.processes import free_port, listens, serving
from support.pysaml2_idp import CONSUMER
from support.signer import certificate, certificate_pem, new_key, pem

PACKAGE = Path("/usr/share/simplesamlphp")
ENTITY_ID = "https://simplesamlphp.example.test/idp"
NAME_ID = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
FILES = {
    "config.php": """<?php $config = [
  'baseurlpath' => '{url}/', 'certdir' => '{folder}/', 'loggingdir' => '{folder}/', 'datadir' => '{folder}/', 'tempdir' => '{folder}/tmp',
  'metadatadir' => '{folder}/metadata', 'logging.handler' => 'file', 'logging.level' => 4, 'secretsalt' => '{salt}',
  'auth.adminpassword' => '{salt}', 'timezone' => 'UTC', 'store.type' => 'phpsession', 'session.phpsession.savepath' => '{folder}/tmp',
  'session.cookie.secure' => false, 'enable.saml20-idp' => true, 'module.enable' => ['exampleauth' => true, 'core' => true, 'saml' => true],
  'metadata.sources' => [['type' => 'flatfile', 'directory' => '{folder}/metadata']],
];""",
    "authsources.php": """<?php $config = ['user' => ['exampleauth:StaticSource', 'uid' => ['{user}']]];""",
    "metadata/saml20-idp-hosted.php": """<?php $metadata['{entity}'] = [
  'host' => '__DEFAULT__', 'privatekey' => 'idp.pem', 'certificate' => 'idp.crt', 'auth' => 'user',
  'NameIDFormat' => '{name_id}', 'signature.algorithm' => 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'authproc' => [10 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'identifyingAttribute' => 'uid', 'Format' => '{name_id}']],
];""",
    "metadata/saml20-sp-remote.php": """<?php $metadata['{audience}'] = ['AssertionConsumerService' => '{consumer}',
  'NameIDFormat' => '{name_id}', 'simplesaml.nameidattribute' => 'uid',
  'saml20.sign.assertion' => true, 'saml20.sign.response' => {sign_response}];""",
    "router.php": """<?php  // PHP's server knows no aliases: every path is a script of the package's www, with the rest as PATH_INFO
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (preg_match('~^(/[^.]*\\\\.php)(/.*)?$~', $path, $found) && is_file('{www}' . $found[1])) {{
  $_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = $found[1];
  $_SERVER['SCRIPT_FILENAME'] = '{www}' . $found[1];
  $_SERVER['PATH_INFO'] = $found[2] ?? '';
  chdir(dirname('{www}' . $found[1]));
  require '{www}' . $found[1];
  return true;
}}
http_response_code(404);""",
}


@dataclass(frozen=True)
class SimpleSamlPhp:
    """A running identity provider with one fixed user."""

    url: str
    audience: str
    certificate: str

    def pool_provider(self, name: str) -> SamlPoolProvider:
        """The pool provider that trusts it."""
        return SamlPoolProvider(name, ENTITY_ID, self.certificate)

    def response(self) -> str:
        """Requests the sign-on page, and returns the Response in it, decoded."""
        page = requests.get(self.url + "/saml2/idp/SSOService.php", params={"spentityid": self.audience}, timeout=20)
        found = re.search(r'name="SAMLResponse" value="([^"]+)"', page.text)
        assert found, page.text[-2000:]
        return base64.b64decode(html.unescape(found[1])).decode()


@contextlib.contextmanager
def simplesamlphp(folder: Path, audience: str, user: str, sign_response: bool = False) -> Iterator[SimpleSamlPhp]:
    """Serves until the block ends."""
    if not PACKAGE.exists():
        missing("simplesamlphp is not installed")
    port, key = free_port(), new_key("RSA")
    shown = certificate_pem(certificate(key, "simplesamlphp.example.test"))
    for name in ("metadata", "tmp"):
        (folder / name).mkdir()
    values = {"url": f"http://127.0.0.1:{port}", "folder": folder, "salt": os.urandom(12).hex(), "user": user, "entity": ENTITY_ID,
              "audience": audience, "consumer": CONSUMER, "name_id": NAME_ID, "www": PACKAGE / "www",
              "sign_response": str(sign_response).lower()}  # fmt: skip
    for name, text in FILES.items():
        (folder / name).write_text(text.format(**values))
    (folder / "idp.pem").write_text(pem(key))
    (folder / "idp.crt").write_text(shown)
    env = {"PATH": SYSTEM_PATH, "HOME": str(folder), "SIMPLESAMLPHP_CONFIG_DIR": str(folder)}
    command = [need("php"), "-d", "display_errors=0", "-S", f"127.0.0.1:{port}", folder / "router.php"]
    with serving(command, folder / "php.log", env, lambda: listens(port)):
        yield SimpleSamlPhp(values["url"], audience, shown)

"""Environments in which AWS credentials are searched for: variables, files of a home, endpoints. test_aws_botocore.py resolves
each of them twice.

In texts, `<user x>` and `<session x>` stand for the lines of a key called x, `<process x>` and `<process-session x>` for the
JSON of a credential_process, `@home@`, `@container@` and so on for what differs from run to run. `expect` begins the id of the
key that botocore finds, or is NOTHING or FAILURE; `because` gives the reason for `ours`, if that differs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Callable

from standins.aws import Aws
from standins.aws_keys import ACCOUNT
from standins.aws_sso import cache_name

NOTHING, FAILURE = "nothing", "failure"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/"
PORTAL = "https://corp.awsapps.example/start"
FORMER = "AWS_SECURITY_TOKEN"
FULL_URI = "AWS_CONTAINER_CREDENTIALS_FULL_URI"
TOKEN = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
TOKEN_FILE = TOKEN + "_FILE"
WEB = {"AWS_ROLE_ARN": ROLE + "webrole", "AWS_WEB_IDENTITY_TOKEN_FILE": "@home@/web-token"}
WEB_FILE = {"web-token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhcHAifQ.d2ViLWlkZW50aXR5"}
SSO_PROFILE = f"sso_account_id = {ACCOUNT}\nsso_role_name = Reader\n"
SSO_SESSION = f"[sso-session corp]\nsso_region = us-east-1\nsso_start_url = {PORTAL}\nsso_registration_scopes = a:b\n"
SSO_LEGACY = f"sso_start_url = {PORTAL}\nsso_region = us-east-1\n" + SSO_PROFILE
EXTERNAL = "external-id-4711"


def role(name: str, source: str) -> str:
    """The lines of a profile that is a role on top of another profile."""
    return f"role_arn = {ROLE}{name}\nsource_profile = {source}\n"


@dataclass(frozen=True)
class Case:
    """One environment."""

    name: str
    expect: str
    config: str = ""
    credentials: str = ""
    env: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    profile: str | None = None  # a profile on the command line
    prepare: Callable[[Aws], None] = lambda aws: None
    ours: str | None = None
    because: str = ""


def expand(text: str, aws: Aws, home) -> str:
    """Replaces the placeholders in a text of a case by the values of one run."""
    def key(found: re.Match) -> str:
        kind, name = found[1], found[2]
        made = aws.keys.session(name) if "session" in kind else aws.keys.user(name)
        if kind == "indented":
            return "".join(f"    {line}\n" for line in made.profile().splitlines())
        if kind == "tight":
            return f"AWS_ACCESS_KEY_ID:{made.id}\naws_secret_access_key={made.secret}\n"
        return json.dumps({"Version": 1} | made.document("SessionToken")) if kind.startswith("process") else made.profile()

    text = re.sub(r"<(user|session|tight|indented|process|process-session) (\w+)>", key, text)
    return text.replace("@home@", str(home)).replace("@container@", aws.container.url).replace("@sts@", aws.sts.url)


def env_of(kind: str, name: str) -> dict[str, str]:
    """Variables that hold a key; the values are filled in like every other text."""
    names = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] + ["AWS_SESSION_TOKEN"] * (kind == "session")
    return dict.fromkeys(names, f"<{kind} {name}>")


def variable_value(variable: str, text: str) -> str:
    """The value of this variable in the lines of a key."""
    lines = dict(line.split(" = ") for line in text.splitlines() if line.startswith("aws_"))
    return lines.get(variable.lower().replace("security", "session"), text)


def container(authorization: str | None = None, **answer) -> Callable[[Aws], None]:
    """A container endpoint that returns a session to clients that send this Authorization."""
    def prepare(aws: Aws):
        aws.container.key, aws.container.authorization = aws.keys.session("container"), authorization
        for name, value in answer.items():
            setattr(aws.container, name, value)

    return prepare


def instance(**faults) -> Callable[[Aws], None]:
    """An instance that has a role."""
    def prepare(aws: Aws):
        aws.imds.key, aws.imds.faults = aws.keys.session("instance"), faults

    return prepare


def both(*steps: Callable[[Aws], None]) -> Callable[[Aws], None]:
    """Applies two settings, one after the other."""
    def prepare(aws: Aws):
        for step in steps:
            step(aws)

    return prepare


def signed_in(session: bool = True, **how) -> dict:
    """A home after `aws sso login`; the portal allows its user the role `read`."""
    path = cache_name("corp" if session else PORTAL)
    return {"files": {path: json.dumps(how)}, "prepare": lambda aws: aws.sso.allow("Reader") and None}


CASES = [
    # The environment.
    Case("keys in variables", "ENVKEYS", env=env_of("user", "envkeys")),
    Case("keys and session token in variables", "ENVKEYS", env=env_of("session", "envkeys")),
    Case("an empty variable is none", "FILE", env={"AWS_ACCESS_KEY_ID": ""}, credentials="[default]\n<user file>"),
    Case("a key id without its secret", FAILURE, env={"AWS_ACCESS_KEY_ID": "AKIAHALF"}, credentials="[default]\n<user file>"),
    Case("variables beat AWS_PROFILE", "ENVKEYS", env=env_of("user", "envkeys") | {"AWS_PROFILE": "x"},
         credentials="[x]\n<user file>"),
    Case("variables beat the files", "ENVKEYS", env=env_of("user", "envkeys"), credentials="[default]\n<user file>"),
    Case("an explicit profile overrides variables", "FILE", env=env_of("user", "envkeys"), credentials="[x]\n<user file>",
         profile="x"),
    Case("an explicit profile overrides AWS_PROFILE", "FILE", env={"AWS_PROFILE": "y"},
         credentials="[x]\n<user file>\n[y]\n<user other>", profile="x"),
    Case("the session token's former variable", "ENVKEYS",
         env=env_of("session", "envkeys") | {"AWS_SESSION_TOKEN": "", FORMER: "<session envkeys>"},
         ours="ENVKEYS", because="Of the SDKs only botocore still reads this name."),
    Case("variables that are over", FAILURE,
         env=env_of("session", "envkeys") | {"AWS_CREDENTIAL_EXPIRATION": "2020-01-01T00:00:00Z"}),
    Case("variables whose expiry is not a time", FAILURE, env=env_of("session", "envkeys") | {"AWS_CREDENTIAL_EXPIRATION": "soon"},
         ours="ENVKEYS", because="The expiry only makes the message better: AWS itself refuses keys that have expired."),
    # Which profile.
    Case("both variables of the profile", "FILE", env={"AWS_PROFILE": "y", "AWS_DEFAULT_PROFILE": "x"},
         credentials="[y]\n<user other>\n[x]\n<user file>",
         ours="OTHER",
         because="AWS_DEFAULT_PROFILE is botocore's former name for it; other SDKs know AWS_PROFILE alone."),
    Case("a profile of both files", "FILE", env={"AWS_PROFILE": "x"}, config="[profile x]\nregion = us-east-1\n",
         credentials="[x]\n<user file>"),
    Case("the default profile", "FILE", credentials="[default]\n<user file>\n[x]\n<user other>"),
    Case("AWS_PROFILE", "FILE", env={"AWS_PROFILE": "x"}, credentials="[default]\n<user other>\n[x]\n<user file>"),
    Case("AWS_DEFAULT_PROFILE", "FILE", env={"AWS_DEFAULT_PROFILE": "x"},
         credentials="[default]\n<user other>\n[x]\n<user file>"),
    Case("an explicit profile that is not there", FAILURE, credentials="[default]\n<user file>", profile="x"),
    Case("AWS_PROFILE names none", FAILURE, env={"AWS_PROFILE": "x"}, credentials="[default]\n<user file>"),
    Case("files elsewhere", "FILE",
         env={"AWS_CONFIG_FILE": "@home@/c", "AWS_SHARED_CREDENTIALS_FILE": "~/s", "AWS_PROFILE": "x"},
         credentials="[x]\n<user other>", files={"c": "[profile x]\nregion = us-east-1\n", "s": "[x]\n<user file>"}),
    # The syntax of the files.
    Case("[profile x] in config", "FILE", env={"AWS_PROFILE": "x"}, config="[profile x]\n<user file>"),
    Case("[x] in config is no profile", FAILURE, env={"AWS_PROFILE": "x"}, config="[x]\n<user file>"),
    Case("[default] in config", "FILE", config="[default]\n<user file>"),
    Case("[profile default] in config", "FILE", config="[profile default]\n<user file>"),
    Case("a quoted name with a blank", "FILE", env={"AWS_PROFILE": "a b"}, config='[profile "a b"]\n<user file>'),
    Case("a session token in credentials", "FILE", credentials="[default]\n<session file>"),
    Case("credentials beat config", "FILE", config="[default]\n<user other>", credentials="[default]\n<user file>"),
    Case("comments", "FILE",
         credentials="# a\n; b\n[default] # c\n# aws_access_key_id = x\n<user file>\n; aws_access_key_id = y\n"),
    Case("CRLF", "FILE", config="[default]\r\nregion = us-east-1\r\n",
         credentials="[default]\n<user file>".replace("\n", "\r\n")),
    Case("nested settings and continuation lines", "FILE",
         config="[default]\ns3 =\n  max_concurrent_requests = 3\n  aws_access_key_id = inner\n"
         "cli_pager = less\n    -R\n<user file>"),
    Case("keys that are all indented", "FILE", credentials="[default]\n<indented file>"),
    Case("keys that are indented less and less", "FILE",
         credentials="[default]\n      region = us-east-1\n  <indented file>[other]\n  <indented other>"),
    Case("a section indented deeper than the key before it", NOTHING, credentials="[other]\nregion = us-east-1\n  [default]\n<user file>"),
    Case("blank keys in variables", "", env={"AWS_ACCESS_KEY_ID": " ", "AWS_SECRET_ACCESS_KEY": " "},
         credentials="[default]\n<user file>", ours="FILE", because="No SDK could sign with spaces; botocore would try."),
    Case("unknown keys and sections", "FILE",
         config="[plugins]\nx = y\n[preview]\n[default]\nno_such_key = 1\n<user file>\n[services z]\n"),
    Case("colons, no spaces, capitals", "FILE", credentials="[default]\n<tight file>"),
    Case("empty files", NOTHING, files={".aws/config": "", ".aws/credentials": ""}),
    Case("a section twice", FAILURE, credentials="[default]\nregion = us-east-1\n[default]\n<user file>", ours="FILE",
         because="Python's configparser refuses a repeated section; other SDKs merge it, and so can we."),
    Case("keys without a section", FAILURE, credentials="<user file>"),
    Case("a section without its bracket", FAILURE, credentials="[default]\n<user file>[other\n<user other>"),
    Case("a line without an equals sign", FAILURE, credentials="[default]\nrole_arn arn\n<user file>"),
    Case("a key without a name", FAILURE, credentials="[default]\n= x\n<user file>"),
    Case("a nested line without an equals sign", FAILURE, credentials="[default]\n<user file>s3 =\n  x\n"),
    Case("a key on the line after its name", FAILURE, credentials="[default]\n<user file>role_arn =\n  arn\n"),
    Case("[profile default] after [default]", "FILE", config="[default]\n<user other>[profile default]\n<user file>"),
    Case("[default] after [profile default]", NOTHING, config="[profile default]\n<user other>[default]\noutput = json\n"),
    Case("a profile with and without quotes", "FILE", env={"AWS_PROFILE": "x"},
         config='[profile x]\n<user other>[profile y]\n[profile "x"]\n<user file>'),
    Case("a session token in the other file", "FILE", config="[default]\naws_session_token = other\n",
         credentials="[default]\n<user file>"),
    Case("a session token beside no key", "FILE", config="[default]\n<session file>",
         credentials="[default]\naws_session_token = other\n"),
    Case("a secret in the other file", FAILURE, config="[default]\naws_secret_access_key = other\n",
         credentials="[default]\naws_access_key_id = AKIAHALF\n"),
    Case("$HOME in the paths of the files", "FILE", credentials="[x]\n<user other>",
         env={"AWS_CONFIG_FILE": "$HOME/c", "AWS_SHARED_CREDENTIALS_FILE": "${HOME}/s", "AWS_PROFILE": "x"},
         files={"c": "[profile x]\nregion = us-east-1\n", "s": "[x]\n<user file>"}),
    Case("spaces in the brackets", NOTHING, credentials="[ default ]\n<user file>", ours="FILE",
         because="To botocore, the spaces are part of the name; the other SDKs trim it."),
    Case("a section [DEFAULT]", "OTHER", credentials="[default]\n[DEFAULT]\n<user other>", ours=NOTHING,
         because="Python's configparser adds its keys to every section; to other SDKs it is a profile like any other."),
    Case("AWS_SECURITY_TOKEN in a file", "FILE", credentials=f"[default]\n<user file>{FORMER.lower()} = x\n", ours="FILE",
         because="Of the SDKs only botocore still reads this name."),
    Case("an empty role", FAILURE, credentials="[default]\nrole_arn =\ncredential_source = Environment\n<user file>"),
    Case("an empty AWS_CONFIG_FILE", NOTHING, env={"AWS_CONFIG_FILE": ""}, config="[default]\n<user file>", ours="FILE",
         because="An empty variable is not set; botocore would read no file."),
    Case("an empty AWS_PROFILE", FAILURE, env={"AWS_PROFILE": ""}, credentials="[default]\n<user file>", ours="FILE",
         because="An empty variable is not set; botocore looks for a profile without a name."),
    Case("keys in variables and AWS_PROFILE names none", FAILURE, env=env_of("user", "envkeys") | {"AWS_PROFILE": "x"}, ours="ENVKEYS",
         because="The variables need no profile, and take precedence over it."),
    # Roles.
    Case("an explicit profile's role overrides variables", "ROLEA", env=env_of("user", "envkeys"), profile="a",
         credentials="[s]\n<user file>",
         config=f"[profile a]\n{role('roleA', 's')}"),
    Case("a role that wants a code", FAILURE, credentials="[s]\n<user file>",
         config=f"[default]\n{role('roleA', 's')}mfa_serial = arn:aws:iam::{ACCOUNT}:mfa/me\n"),
    Case("a role and its source", "ROLEA", config=f"[default]\n{role('roleA', 's')}",
         credentials="[s]\n<user file>"),
    Case("a role whose source has a session", "ROLEA", config=f"[default]\n{role('roleA', 's')}",
         credentials="[s]\n<session file>"),
    Case("a role with all its settings", "ROLEA", credentials="[s]\n<user file>",
         config=f"[default]\n{role('roleA', 's')}"
         f"external_id = {EXTERNAL}\nrole_session_name = ci-7\nduration_seconds = 1800\n",
         prepare=lambda aws: aws.sts.external_ids.update({ROLE + "roleA": EXTERNAL})),
    Case("a role with a lifetime that is not a number", "ROLEA", credentials="[s]\n<user file>",
         config=f"[default]\n{role('roleA', 's')}duration_seconds = 3600s\n"),
    Case("a chain of roles", "ROLEA", env={"AWS_PROFILE": "a"}, credentials="[c]\n<user file>",
         config=f"[profile a]\n{role('roleA', 'b')}[profile b]\n{role('roleB', 'c')}"),
    Case("a role whose source is itself", "ROLEA",
         config=f"[default]\n{role('roleA', 'default')}<user file>"),
    Case("a role in the credentials file", "ROLEA",
         credentials=f"[default]\n{role('roleA', 's')}[s]\n<user file>"),
    Case("a source with keys and a role of its own", "ROLEA", env={"AWS_PROFILE": "a"},
         config=f"[profile a]\nrole_arn = {ROLE}roleA\n"
         f"source_profile = b\n[profile b]\n{role('roleB', 'c')}<user file>\n[profile c]\n<user other>"),
    Case("a source that is itself without keys", FAILURE,
         config=f"[default]\n{role('roleA', 'default')}"),
    Case("a loop of sources", FAILURE, env={"AWS_PROFILE": "a"},
         config=f"[profile a]\n{role('roleA', 'b')}[profile b]\n{role('roleB', 'a')}"),
    Case("a source that is not there", FAILURE, config=f"[default]\n{role('roleA', 's')}"),
    Case("a role without a source", FAILURE, config=f"[default]\nrole_arn = {ROLE}roleA\n"),
    Case("a role with two sources", FAILURE, credentials="[s]\n<user file>",
         config=f"[default]\n{role('roleA', 's')}credential_source = Environment\n"),
    Case("a role that is refused", FAILURE, config=f"[default]\n{role('roleA', 's')}",
         credentials="[s]\n<user file>",
         prepare=lambda aws: aws.sts.external_ids.update({ROLE + "roleA": EXTERNAL})),
    Case("credential_source Environment", "ROLEA", env=env_of("user", "envkeys"), profile="a",
         config=f"[profile a]\nrole_arn = {ROLE}roleA\ncredential_source = Environment\n"),
    Case("credential_source Ec2InstanceMetadata", "ROLEA", prepare=instance(),
         config=f"[default]\nrole_arn = {ROLE}roleA\ncredential_source = Ec2InstanceMetadata\n"),
    Case("credential_source EcsContainer", "ROLEA", prepare=both(container(), instance()), env={FULL_URI: "@container@/c"},
         config=f"[default]\nrole_arn = {ROLE}roleA\ncredential_source = EcsContainer\n"),
    Case("credential_source Environment without variables", FAILURE,
         config=f"[default]\nrole_arn = {ROLE}roleA\ncredential_source = Environment\n"),
    Case("credential_source unknown", FAILURE, config=f"[default]\nrole_arn = {ROLE}roleA\ncredential_source = Cloud\n"),
    # Processes.
    Case("a process without an end", "PROCESS", config="[default]\ncredential_process = cat @home@/p\n",
         files={"p": "<process process>"}),
    Case("a process with an end", "PROCESS", config="[default]\ncredential_process = cat @home@/p\n",
         files={"p": "<process-session process>"}),
    Case("a process in the credentials file", "PROCESS", credentials="[default]\ncredential_process = cat @home@/p\n",
         files={"p": "<process process>"}),
    Case("a process with quoted words", "PROCESS", config="[default]\ncredential_process = cat \"@home@/a b\"\n",
         files={"a b": "<process process>"}),
    Case("a process with a number sign", FAILURE, config="[default]\ncredential_process = cat @home@/p # x\n",
         files={"p": "<process process>"}),
    Case("a process with a backslash in quotes", "PROCESS", config="[default]\ncredential_process = cat \"@home@/a\\b\"\n",
         files={"a\\b": "<process process>"}),
    Case("a process as source", "ROLEA", config=f"[default]\n{role('roleA', 's')}[profile s]\n"
         "credential_process = cat @home@/p\n", files={"p": "<process process>"}),
    Case("a process beside keys in credentials", "FILE", config="[default]\ncredential_process = cat @home@/p\n",
         credentials="[default]\n<user file>",
         files={"p": "<process process>"}),
    Case("a process beside keys in config", "PROCESS", config="[default]\ncredential_process = cat @home@/p\n<user file>",
         files={"p": "<process process>"}),
    Case("a process that fails", FAILURE, config="[default]\ncredential_process = cat @home@/absent\n"),
    Case("a process of version 2", FAILURE, config="[default]\ncredential_process = cat @home@/p\n",
         files={"p": '{"Version": 2}'}),
    Case("a process without a secret", FAILURE, config="[default]\ncredential_process = cat @home@/p\n",
         files={"p": '{"Version": 1, "AccessKeyId": "A"}'}),
    Case("a process whose keys are over", FAILURE, config="[default]\ncredential_process = cat @home@/p\n",
         files={"p": '{"Version": 1, "AccessKeyId": "ASIAOVER", "SecretAccessKey": "s", "Expiration": "2020-01-01T00:00:00Z"}'}),
    # Web identity.
    Case("a role in variables alone", "FILE", env={"AWS_ROLE_ARN": ROLE + "webrole"}, credentials="[default]\n<user file>"),
    Case("web identity whose file ends a line", FAILURE, env=WEB, files={"web-token": WEB_FILE["web-token"] + "\n"}, ours="WEBROLE",
         because="botocore sends the line end, which no token holds; like other SDKs the program trims it."),
    Case("web identity in variables", "WEBROLE", env=WEB, files=WEB_FILE),
    Case("web identity overrides keys in files", "WEBROLE", env=WEB | {"AWS_ROLE_SESSION_NAME": "pod-7"}, files=WEB_FILE,
         credentials="[default]\n<user file>"),
    Case("keys in variables beat web identity", "ENVKEYS", env=WEB | env_of("user", "envkeys"), files=WEB_FILE),
    Case("an explicit profile overrides web identity", "FILE", env=WEB, files=WEB_FILE, credentials="[x]\n<user file>",
         profile="x"),
    Case("web identity in a profile", "WEBROLE",
         config=f"[default]\nrole_arn = {ROLE}webrole\nweb_identity_token_file = @home@/web-token\n"
         "role_session_name = pod-7\n", files=WEB_FILE),
    Case("web identity as source", "ROLEA", config=f"[default]\n{role('roleA', 's')}[profile s]\n"
         f"role_arn = {ROLE}webrole\nweb_identity_token_file = @home@/web-token\n", files=WEB_FILE),
    Case("web identity without its file", FAILURE, env=WEB, credentials="[default]\n<user file>"),
    Case("web identity without a role", FAILURE, env={"AWS_WEB_IDENTITY_TOKEN_FILE": "@home@/web-token"}, files=WEB_FILE),
    Case("web identity in variables and a role in the profile", "ROLEA", env=WEB, files=WEB_FILE,
         config=f"[default]\n{role('roleA', 's')}", credentials="[s]\n<user file>"),
    Case("web identity in variables and AWS_PROFILE a role", "ROLEA", env=WEB | {"AWS_PROFILE": "a"}, files=WEB_FILE,
         config=f"[profile a]\n{role('roleA', 's')}", credentials="[s]\n<user file>"),
    Case("web identity in variables and AWS_PROFILE keys", "WEBROLE", env=WEB | {"AWS_PROFILE": "a"}, files=WEB_FILE,
         credentials="[a]\n<user file>"),
    Case("web identity in variables and in the profile", "WEBROLE", env=WEB, files=WEB_FILE,
         config=f"[default]\nrole_arn = {ROLE}roleA\nweb_identity_token_file = @home@/none\n"),
    Case("web identity in variables and a process in the profile", "WEBROLE", env=WEB, files=WEB_FILE | {"p": "<process process>"},
         config="[default]\ncredential_process = cat @home@/p\n"),
    Case("web identity in variables and a role of the pod", "ROLEA", env=WEB | {"AWS_PROFILE": "a"}, files=WEB_FILE,
         config=f"[profile a]\n{role('roleA', 'pod')}[profile pod]\nrole_arn = {ROLE}webrole\n"
         "web_identity_token_file = @home@/web-token\n"),
    Case("web identity in the profile and its role in a variable", "WEBROLE", env={"AWS_ROLE_ARN": ROLE + "webrole"}, files=WEB_FILE,
         config=f"[default]\nrole_arn = {ROLE}roleA\nweb_identity_token_file = @home@/web-token\n"),
    Case("web identity in a variable and its role in the profile", "ROLEA", env={"AWS_WEB_IDENTITY_TOKEN_FILE": "@home@/web-token"},
         files=WEB_FILE, config=f"[default]\nrole_arn = {ROLE}roleA\nweb_identity_token_file = @home@/none\n"),
    Case("an explicit profile with web identity and a role in a variable", "ROLEA", env={"AWS_ROLE_ARN": ROLE + "webrole"},
         files=WEB_FILE, profile="x", config=f"[profile x]\nrole_arn = {ROLE}roleA\nweb_identity_token_file = @home@/web-token\n"),
    # IAM Identity Center.
    Case("an SSO session", "SSOREADER", config=f"[default]\nsso_session = corp\n{SSO_PROFILE}{SSO_SESSION}", **signed_in()),
    Case("an SSO session that is renewed", "SSOREADER", config=f"[default]\nsso_session = corp\n{SSO_PROFILE}{SSO_SESSION}",
         **signed_in(token="sso-access-token-over-9", seconds=-60, refresh=True)),
    Case("an SSO session that is over", FAILURE, config=f"[default]\nsso_session = corp\n{SSO_PROFILE}{SSO_SESSION}",
         **signed_in(token="sso-access-token-over-9", seconds=-60)),
    Case("SSO in the legacy form", "SSOREADER", config=f"[default]\n{SSO_LEGACY}", **signed_in(session=False)),
    Case("SSO in the legacy form that is over", FAILURE, config=f"[default]\n{SSO_LEGACY}",
         **signed_in(session=False, seconds=-60)),
    Case("SSO beside keys", "SSOREADER", config=f"[default]\n{SSO_LEGACY}", credentials="[default]\n<user file>",
         **signed_in(session=False)),
    Case("SSO as source", "ROLEA",
         config=f"[default]\n{role('roleA', 's')}[profile s]\nsso_session = corp\n"
         f"{SSO_PROFILE}{SSO_SESSION}", **signed_in()),
    Case("SSO without a login", FAILURE, config=f"[default]\nsso_session = corp\n{SSO_PROFILE}{SSO_SESSION}"),
    Case("SSO without its session", FAILURE, config=f"[default]\nsso_session = corp\n{SSO_PROFILE}"),
    Case("SSO whose session says otherwise", FAILURE,
         config=f"[default]\nsso_session = corp\nsso_region = eu-west-1\n{SSO_PROFILE}{SSO_SESSION}", **signed_in()),
    Case("SSO incomplete", FAILURE, config="[default]\nsso_role_name = Reader\nsso_region = us-east-1\n"),
    # Containers.
    Case("a container", "CONTAINER", env={FULL_URI: "@container@/c"}, prepare=container()),
    Case("a container with a token", "CONTAINER", env={FULL_URI: "@container@/c", TOKEN: "container-token-1"},
         prepare=container("container-token-1")),
    Case("a container with a token file", "CONTAINER", env={FULL_URI: "@container@/c", TOKEN_FILE: "@home@/t", TOKEN: "wrong"},
         files={"t": "container-token-2"}, prepare=container("container-token-2")),
    Case("a container with a token file that ends a line", FAILURE, env={FULL_URI: "@container@/c", TOKEN_FILE: "@home@/t"},
         files={"t": "container-token-2\n"}, prepare=container("container-token-2"), ours="CONTAINER",
         because="botocore refuses the line end; other SDKs trim it, and a token cannot hold one."),
    Case("a container on a foreign host", FAILURE, env={FULL_URI: "http://192.0.2.1/c"}, prepare=instance()),
    Case("a container that says no", FAILURE, env={FULL_URI: "@container@/c", TOKEN: "wrong"},
         prepare=both(container("container-token-1"), instance())),
    Case("a container whose keys are over", FAILURE, env={FULL_URI: "@container@/c"},
         prepare=both(container(), lambda aws: setattr(aws.container, "key", aws.keys.session("container", seconds=-60)))),
    Case("files beat a container", "FILE", env={FULL_URI: "@container@/c"}, prepare=container(),
         credentials="[default]\n<user file>"),
    Case("a container overrides an instance", "CONTAINER", env={FULL_URI: "@container@/c"}, prepare=both(container(), instance())),
    # Instances.
    Case("an instance", "INSTANCE", prepare=instance()),
    Case("an instance in a mode that does not exist", FAILURE, env={"AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE": "ipv5"},
         prepare=instance()),
    Case("an instance behind a profile without credentials", "INSTANCE", env={"AWS_PROFILE": "x"},
         config="[profile x]\nregion = us-east-1\n", prepare=instance()),
    Case("an instance that is switched off", NOTHING, env={"AWS_EC2_METADATA_DISABLED": "TRUE"}, prepare=instance()),
    Case("an instance without a role", NOTHING),
    Case("an instance without IMDSv2", NOTHING, prepare=instance(put=404, list=404, role=404)),
    Case("an instance that says no", NOTHING, prepare=instance(put=403, list=403, role=403)),
    Case("an instance whose role gives nothing", NOTHING, ours=FAILURE,
         prepare=both(instance(), lambda aws: setattr(aws.imds, "document", {"Code": "AssumeRoleUnauthorizedAccess", "Message": "no"})),
         because="botocore passes over it; the role is there and broken, so that the chain stops and names its code."),
    Case("an instance without IMDSv2, but with version 1", NOTHING, prepare=instance(put=404)),
]  # fmt: skip

//! The source `adfs` against a loopback front: what it sends, and what it says when refused. Signing
//! on by Kerberos is proved by the real tests.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::server::{Request, Server, json, response};
use common::{SECRETS, World, jwt};

const SAML2: &str = "urn:ietf:params:oauth:token-type:saml2";
const VARIABLES: [(&str, &str); 1] = [("SECRET", SECRETS[0])];

fn front(answer: impl Fn(&Request) -> Vec<u8> + Send + Sync + 'static) -> Server {
    Server::new(move |request| {
        let host = request.header("host").unwrap();
        match request.line.contains("/.well-known/openid-configuration") {
            true => json(&format!(
                r#"{{"issuer":"http://{host}/adfs","token_endpoint":"http://{host}/adfs/oauth2/token"}}"#
            )),
            false => answer(request),
        }
    })
}

fn line(server: &Server, options: &str) -> String {
    let saml = if options.contains("--protocol") {
        format!("--token-type={SAML2}")
    } else {
        String::new()
    };
    format!(
        "adfs --issuer={}/adfs/ --relying-party=urn:RP/%41 --log-file={{dir}}/log {saml} {options}",
        server.url
    )
}

/// A SAML response that ends in the year 2999.
fn saml() -> String {
    let protocol = "urn:oasis:names:tc:SAML:2.0:protocol";
    let assertion = "urn:oasis:names:tc:SAML:2.0:assertion";
    format!(
        "<p:Response xmlns:p='{protocol}'><a:Assertion xmlns:a='{assertion}' \
         IssueInstant='2999-01-01T00:00:00Z'/></p:Response>"
    )
}

fn html(status: &str, body: &str) -> Vec<u8> {
    response(status, "text/html", body)
}

#[test]
fn oidc_asks_for_the_windows_account_first_without_a_token() {
    let world = World::new();
    let token = jwt(3600);
    let server = front(move |_| json(&format!(r#"{{"access_token":"{token}"}}"#)));
    world.run(&line(&server, "--client-id=app")).document();
    let request = server.requests().pop().unwrap();
    assert_eq!(
        request.body,
        "grant_type=client_credentials&resource=urn%3ARP%2F%2541&client_id=app&scope=openid\
         &use_windows_client_authentication=true"
    );
    assert!(request.header("user-agent").unwrap().ends_with("Trident/7.0)"));
    assert_eq!(request.header("authorization"), None);

    world.run(&line(&server, "--client-id=app --user-agent=mine")).document();
    assert_eq!(server.requests().pop().unwrap().header("user-agent"), Some("mine"));

    let secret = line(&server, "--client-id=app --auth=client-secret --client-secret=env:SECRET");
    world.run_with(&secret, &VARIABLES).document();
    assert_eq!(
        server.requests().pop().unwrap().body,
        format!(
            "grant_type=client_credentials&resource=urn%3ARP%2F%2541&client_id=app&client_secret={}",
            SECRETS[0]
        )
    );
}

#[test]
fn saml_post_reads_the_response_from_the_form() {
    let world = World::new();
    let value = STANDARD.encode(saml());
    let escaped = value.replace('=', "&#x3d;");
    let page = format!("<form><input type=hidden name=SAMLResponse value=\"{escaped}\"></form>");
    let server = front(move |_| html("200 OK", &page));
    let document = world.run(&line(&server, "--protocol=saml-post")).document();
    assert_eq!(document["saml_response"], value.as_str());
    let request = server.requests().pop().unwrap();
    assert!(request.line.starts_with("GET /adfs/ls/?SAMLRequest="), "{}", request.line);
}

#[test]
fn ws_trust_passes_the_assertion_on_as_it_came() {
    let world = World::new();
    let assertion =
        "<A xmlns='urn:oasis:names:tc:SAML:2.0:assertion' />".replace("A ", "Assertion ");
    let answer = format!(
        "<e><t:RequestedSecurityToken xmlns:t='urn:t'>{assertion}</t:RequestedSecurityToken></e>"
    );
    let server = front(move |_| response("200 OK", "application/soap+xml", &answer));
    let options = "--protocol=ws-trust --auth=password --user=EXAMPLE\\u --password=env:SECRET";
    let document = world.run_with(&line(&server, options), &VARIABLES).document();
    assert_eq!(document["saml_response"], STANDARD.encode(assertion));
    let request = server.requests().pop().unwrap();
    assert_eq!(request.line, "POST /adfs/services/trust/13/usernamemixed HTTP/1.1");
    for part in [
        "<o:Username>EXAMPLE\\u</o:Username>",
        "#PasswordText\">hunter2-client-secret</o:Password>",
        "<a:Address>urn:RP/%41</a:Address>",
        "ws-trust/200512/RST/Issue</a:Action>",
        "<u:Created>",
    ] {
        assert!(request.body.contains(part), "{part} in {}", request.body);
    }
}

#[test]
fn refusals_name_what_to_change_in_ad_fs() {
    let world = World::new();
    let soap = |code: &str| {
        let fault = format!(
            "<s:Fault xmlns:s='urn:s'><s:Code><s:Value>s:Sender</s:Value><s:Subcode>\
             <s:Value>a:{code}</s:Value></s:Subcode></s:Code><s:Reason><s:Text>ID1</s:Text>\
             </s:Reason></s:Fault>"
        );
        response("500 Fault", "application/soap+xml", &fault)
    };
    let refused = |error: &str, text: &str| {
        let body = format!(r#"{{"error":"{error}","error_description":"{text}"}}"#);
        response("400 Bad Request", "application/json", &body)
    };
    let oidc = "--client-id=app";
    let saml = "--protocol=saml-post";
    let trust = "--protocol=ws-trust --auth=password --user=u --password=env:SECRET";
    let windows = "enable it in AD FS for the intranet, reach AD FS itself and not its proxy (WAP), and \
                   let its WiaSupportedUserAgents hold a part of --user-agent";
    let cases: Vec<(Vec<u8>, &str, i32, String)> = vec![
        (
            refused("invalid_client", "MSIS9607: wrong client"),
            oidc,
            5,
            "{url}/oauth2/token answered 400: MSIS9607: wrong client; check --client-id \
             (Get-AdfsServerApplication), and that this account is its ADUserPrincipalName or its \
             secret is right"
                .to_owned(),
        ),
        (
            refused("invalid_resource", "MSIS9602: unknown"),
            oidc,
            5,
            "{url}/oauth2/token answered 400: MSIS9602: unknown; check --relying-party \
             (Get-AdfsWebApiApplication)"
                .to_owned(),
        ),
        (
            refused("unauthorized_client", "MSIS9605: no permission"),
            oidc,
            5,
            "{url}/oauth2/token answered 400: MSIS9605: no permission; run \
             Grant-AdfsApplicationPermission -ClientRoleIdentifier CLIENT-ID -ServerRoleIdentifier \
             RELYING-PARTY -ScopeNames openid"
                .to_owned(),
        ),
        (
            html("401 Unauthorized", "login"),
            oidc,
            5,
            format!("{{url}}/oauth2/token offers no Windows authentication; {windows}"),
        ),
        (
            json("{}"),
            oidc,
            7,
            "the answer of {url}/oauth2/token has no access_token; check --relying-party and the Web \
             API's application permissions"
                .to_owned(),
        ),
        (
            html("200 OK", "<form><input type=password name=Password></form>"),
            saml,
            5,
            "{url}/ls/ shows its login form; enable Windows authentication in AD FS for the intranet, \
             reach AD FS itself and not its proxy (WAP), and let its WiaSupportedUserAgents hold a \
             part of --user-agent"
                .to_owned(),
        ),
        (
            html("200 OK", "<p>Error: <b>MSIS7042: The same client</b></p>"),
            saml,
            5,
            "{url}/ls/ refused the request: MSIS7042: The same client; check --relying-party \
             (Get-AdfsRelyingPartyTrust), --acs-url and --signing-key"
                .to_owned(),
        ),
        (
            html("200 OK", "<p>nothing</p>"),
            saml,
            7,
            "the answer of {url}/ls/ holds no SAMLResponse: status 200; check --issuer, and that the \
             relying party trust has a SAML assertion consumer endpoint for --acs-url"
                .to_owned(),
        ),
        (
            soap("InvalidScope"),
            trust,
            3,
            "{url}/services/trust/13/usernamemixed refused the request: InvalidScope: ID1; check \
             --relying-party: it has to be an identifier of a relying party trust \
             (Get-AdfsRelyingPartyTrust), letter by letter"
                .to_owned(),
        ),
        (
            soap("FailedAuthentication"),
            trust,
            5,
            "{url}/services/trust/13/usernamemixed refused the request: FailedAuthentication: ID1; \
             check --user and --password, or the account of this process"
                .to_owned(),
        ),
        (
            soap(SECRETS[0]),
            trust,
            5,
            "{url}/services/trust/13/usernamemixed refused the request: [secret]: ID1; check the \
             issuance authorization rules of the relying party trust"
                .to_owned(),
        ),
        (
            html("503 Gone", ""),
            trust,
            3,
            "{url}/services/trust/13/usernamemixed is not enabled: status 503; run \
             Enable-AdfsEndpoint -TargetAddressPath /adfs/services/trust/13/usernamemixed and restart \
             AD FS"
                .to_owned(),
        ),
        (
            html("200 OK", "<html>"),
            trust,
            7,
            "the answer of {url}/services/trust/13/usernamemixed holds no assertion; check --issuer, \
             and that a proxy (WAP) does not stand in front of AD FS"
                .to_owned(),
        ),
    ];
    for (answer, options, status, message) in cases {
        let server = front(move |_| answer.clone());
        let run = world.run_with(&line(&server, options), &VARIABLES);
        let url = format!("{}/adfs", server.url);
        assert_eq!(run.stderr, message.replace("{url}", &url) + "\n");
        assert_eq!(run.status, status);
    }
    common::holds_no_secret(&world.read("log"));
}

#[test]
fn an_answer_without_a_reason_is_asked_for_again() {
    let world = World::new();
    let token = jwt(3600);
    let server = front({
        let asked = std::sync::atomic::AtomicUsize::new(0);
        move |_| match asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => html("400 Bad Request", ""),
            1 => html("429 Too Many Requests", ""),
            _ => json(&format!(r#"{{"access_token":"{token}"}}"#)),
        }
    });
    world.run(&line(&server, "--client-id=app")).document();
    assert_eq!(server.count(), 4);
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let world = World::new();
    let server = front(|_| Vec::new());
    for (options, status, message) in [
        ("", 2, "--client-id is missing; add --client-id=…"),
        ("--client-id=a --auth=password --user=u", 2, "--password is missing; add --password=…"),
        (
            "--protocol=ws-trust --ws-trust-endpoint=windowsmixed",
            2,
            "windowsmixed negotiates inside of SOAP messages, which only WCF speaks; use \
             windowstransport (Enable-AdfsEndpoint -TargetAddressPath \
             /adfs/services/trust/13/windowstransport), or --protocol=saml-post",
        ),
        (
            "--protocol=ws-trust --ws-trust-endpoint=usernamemixed",
            2,
            "usernamemixed does not fit --auth; usernamemixed goes with --auth=password, \
             certificatemixed with --auth=certificate, windowstransport with the others",
        ),
        (
            "--protocol=saml-post --auth=client-secret --client-secret=env:A",
            2,
            "--auth and --protocol do not fit together; certificate goes with ws-trust, \
             client-secret and private-key-jwt with oidc",
        ),
        (
            "--protocol=saml-post --signing-certificate=CN=app",
            2,
            "--signing-certificate takes a thumbprint, 40 hexadecimal digits; \
             dir Cert:\\CurrentUser\\My, Cert:\\LocalMachine\\My in PowerShell shows them",
        ),
        (
            "--client-id=a --signing-key=k.pem",
            2,
            "--signing-key is for --protocol=saml-post; leave it out, or add --protocol=saml-post",
        ),
        (
            "--protocol=saml-post --signing-key=k.pem \
             --signing-certificate=00112233445566778899aabbccddeeff01234567",
            2,
            "--signing-key and --signing-certificate are two keys; give one of them",
        ),
        #[cfg(not(windows))]
        (
            "--protocol=saml-post \
             --signing-certificate=00112233445566778899aabbccddeeff01234567",
            3,
            "--signing-certificate is for the certificate store of Windows; \
             give the key as --signing-key=PEM here",
        ),
    ] {
        let run = world.run(&line(&server, options));
        assert_eq!((run.status, run.stderr), (status, format!("{message}\n")));
    }
    let jwt_for_saml =
        format!("adfs --issuer={} --relying-party=r --protocol=saml-post", server.url);
    let run = world.run(&jwt_for_saml);
    assert_eq!(run.status, 3);
    assert!(run.stderr.contains(SAML2), "{}", run.stderr);
    assert_eq!(server.count(), 0, "nothing was sent");
}

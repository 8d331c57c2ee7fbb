//! The source `azure` against loopback endpoints: what it sends, which environment it finds, and what
//! it says when refused. The key files of Azure Arc lie in a folder of the system: see tests/real.

mod common;

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use common::server::{Request, Server, json, response};
use common::{AUDIENCE, Run, SECRETS, World, jwt, jwt_until, now};

const RUN: &str = "azure --resource=api://wif --log-file={dir}/log";
/// No instance metadata: nothing listens there.
const NOBODY: (&str, &str) = ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:1");

/// A run that can reach nothing but what the variables name.
fn run(world: &World, options: &str, variables: &[(&str, &str)]) -> Run {
    let run = world.run_with(&format!("{RUN} {options}"), &[&[NOBODY], variables].concat());
    common::holds_no_secret(&world.read("log"));
    run
}

fn token(text: &str) -> Vec<u8> {
    json(&format!(r#"{{"access_token":"{text}","token_type":"Bearer","expires_on":"4102444800"}}"#))
}

/// Gives a token to every request that is no probe of the instance metadata.
fn giver() -> (Server, String) {
    let good = jwt(3600);
    let answer = token(&good);
    let server = Server::new(move |request| match is_probe(request) {
        true => response("400 Bad Request", "application/json", r#"{"error":"invalid_request"}"#),
        false => answer.clone(),
    });
    (server, good)
}

fn is_probe(request: &Request) -> bool {
    request.line.starts_with("GET /metadata/") && request.header("metadata").is_none()
}

/// A key and its certificate, made by openssl for this test alone.
const CERTIFIED: &str = include_str!("vectors/azure/certified.pem");
/// openssl x509 -in certified.pem -outform DER | openssl dgst -sha256 -binary | basenc --base64url
const THUMBPRINT: &str = "QngmbFESe-wY4QEVB3kREDmVExmsxo0uf583CbhLH9w";

#[test]
fn service_principals_and_workload_identities_ask_entra() {
    let world = World::new();
    world.write("token", format!(" {}\n", SECRETS[1]));
    world.write("cert.pem", CERTIFIED);
    let (server, good) = giver();
    let post = |options: &str, variables: &[(&str, &str)]| {
        let host = ("AZURE_AUTHORITY_HOST", server.url.as_str());
        let run = run(&world, options, &[&[host], variables].concat());
        assert_eq!(run.token(), good);
        let request = server.requests().last().unwrap().clone();
        let line = "POST /tenant.example/oauth2/v2.0/token HTTP/1.1";
        assert_eq!(request.line, line);
        let fields =
            "grant_type=client_credentials&scope=api%3A%2F%2Fwif%2F.default&client_id=app&";
        request.body.strip_prefix(fields).unwrap_or_else(|| panic!("{}", request.body)).to_owned()
    };
    let account = [("AZURE_TENANT_ID", "tenant.example"), ("AZURE_CLIENT_ID", "app")];
    let with = |variable| [&account[..], &[variable]].concat();

    let secret = format!("client_secret={}", SECRETS[0]);
    assert_eq!(post("", &with(("AZURE_CLIENT_SECRET", SECRETS[0]))), secret);
    let options = "--client-secret=env:S --tenant-id=tenant.example --client-id=app";
    let others = [("S", SECRETS[0]), ("AZURE_TENANT_ID", "x"), ("AZURE_CLIENT_SECRET", "x")];
    assert_eq!(post(options, &others), secret, "options beat variables");

    let kind =
        "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer";
    let federated = format!("{kind}&client_assertion={}", SECRETS[1]);
    assert_eq!(post("", &with(("AZURE_FEDERATED_TOKEN_FILE", "{dir}/token"))), federated);
    assert_eq!(post("--federated-token-file={dir}/token", &account), federated);

    let body = post("", &with(("AZURE_CLIENT_CERTIFICATE_PATH", "{dir}/cert.pem")));
    let assertion = body.strip_prefix(&format!("{kind}&client_assertion=")).unwrap();
    let part = |index| -> serde_json::Value {
        let part = assertion.split('.').nth(index).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    };
    let header = serde_json::json!({"alg": "PS256", "typ": "JWT", "x5t#S256": THUMBPRINT});
    assert_eq!(part(0), header);
    let claims = part(1);
    assert_eq!((&claims["iss"], &claims["sub"]), (&"app".into(), &"app".into()));
    assert_eq!(claims["aud"], format!("{}/tenant.example/oauth2/v2.0/token", server.url));
    let life = claims["exp"].as_i64().unwrap() - claims["nbf"].as_i64().unwrap();
    assert!((life, claims["nbf"].as_i64().unwrap() <= now()) == (300, true), "{claims}");

    let options = "--client-cert={dir}/cert.pem --client-key={dir}/cert.pem";
    let again = post(options, &account);
    assert_ne!(again.rsplit('.').next(), body.rsplit('.').next(), "each assertion is new");
}

#[test]
fn the_authority_may_lack_its_scheme() {
    let world = World::new();
    let account =
        [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "a"), ("AZURE_CLIENT_SECRET", "s")];
    let host = ("AZURE_AUTHORITY_HOST", "127.0.0.1:1/");
    let run = run(&world, "", &[&account[..], &[host]].concat());
    assert!(run.stderr.contains("https://127.0.0.1:1/t/oauth2/v2.0/token"), "{}", run.stderr);
}

#[test]
fn managed_identities_are_asked_for_as_their_endpoints_want() {
    let world = World::new();
    let (server, good) = giver();
    let app = format!("{}/msi/token", server.url);
    let agent = format!("{}/metadata/identity/oauth2/token", server.url);
    let app_service = [("IDENTITY_ENDPOINT", app.as_str()), ("IDENTITY_HEADER", SECRETS[1])];
    let arc = [("IDENTITY_ENDPOINT", agent.as_str()), ("IMDS_ENDPOINT", server.url.as_str())];
    let host = format!("{}/", server.url);
    let imds = [("AZURE_POD_IDENTITY_AUTHORITY_HOST", host.as_str())];
    let both = [&app_service[..], &imds].concat();
    let resource_id = "--identity-resource-id=/subscriptions/s/x";
    let sent_id = "res_id=%2Fsubscriptions%2Fs%2Fx";
    let by_variable = [&imds[..], &[("AZURE_CLIENT_ID", "c")]].concat();
    for (options, variables, path, version, identity) in [
        ("", &app_service[..], "/msi/token", "2019-08-01", ""),
        ("--client-id=c", &app_service, "/msi/token", "2019-08-01", "&client_id=c"),
        ("--object-id=o", &app_service, "/msi/token", "2019-08-01", "&object_id=o"),
        (resource_id, &app_service, "/msi/token", "2019-08-01", &format!("&mi_{sent_id}")),
        ("", &arc, "/metadata/identity/oauth2/token", "2020-06-01", ""),
        ("", &imds, "/metadata/identity/oauth2/token", "2018-02-01", ""),
        ("--client-id=c", &imds, "/metadata/identity/oauth2/token", "2018-02-01", "&client_id=c"),
        (
            "--object-id=o",
            &by_variable,
            "/metadata/identity/oauth2/token",
            "2018-02-01",
            "&object_id=o",
        ),
        ("", &by_variable, "/metadata/identity/oauth2/token", "2018-02-01", "&client_id=c"),
        (
            resource_id,
            &imds,
            "/metadata/identity/oauth2/token",
            "2018-02-01",
            &format!("&msi_{sent_id}"),
        ),
        ("--environment=imds", &both, "/metadata/identity/oauth2/token", "2018-02-01", ""),
    ] {
        assert_eq!(run(&world, options, variables).token(), good);
        let request = server.requests().last().unwrap().clone();
        let query = format!("api-version={version}&resource=api%3A%2F%2Fwif{identity}");
        assert_eq!(request.line, format!("GET {path}?{query} HTTP/1.1"));
        assert_eq!(request.header("metadata"), Some("true"));
        let header = (path == "/msi/token").then_some(SECRETS[1]);
        assert_eq!(request.header("x-identity-header"), header);
    }
}

#[test]
fn environments_are_asked_in_the_order_of_the_sdks() {
    let world = World::new();
    world.write("token", "x");
    let (server, _) = giver();
    let url = server.url.as_str();
    let all = [
        ("AZURE_AUTHORITY_HOST", url),
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s"),
        ("AZURE_CLIENT_CERTIFICATE_PATH", "{dir}/none"),
        ("AZURE_FEDERATED_TOKEN_FILE", "{dir}/token"),
        ("IDENTITY_ENDPOINT", url),
        ("IDENTITY_HEADER", "h"),
        ("IMDS_ENDPOINT", url),
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", url),
    ];
    let mut options = String::new();
    for (without, found) in [
        ("", "service-principal"),
        ("AZURE_CLIENT_SECRET AZURE_CLIENT_CERTIFICATE_PATH", "workload-identity"),
        ("AZURE_FEDERATED_TOKEN_FILE", "app-service"),
        ("IDENTITY_HEADER", ""),
        ("IMDS_ENDPOINT", "imds"),
    ] {
        options = format!("{options} {without}");
        let left: Vec<_> = all.into_iter().filter(|(name, _)| !options.contains(name)).collect();
        let _ = std::fs::remove_file(world.path("log"));
        let run = run(&world, "", &left);
        let log = world.read("log");
        if found.is_empty() {
            // The agent of Arc would have confirmed the identity.
            assert!(run.stderr.contains("did not confirm"), "{}", run.stderr);
        } else {
            assert!(log.contains(&format!("Azure environment: {found}\n")), "{log}");
        }
    }
}

#[test]
fn options_choose_among_the_environments() {
    let world = World::new();
    let (server, good) = giver();
    let everywhere = [
        ("AZURE_TENANT_ID", "t"),
        ("AZURE_CLIENT_ID", "c"),
        ("AZURE_CLIENT_SECRET", "s"),
        ("IDENTITY_ENDPOINT", server.url.as_str()),
        ("IDENTITY_HEADER", "h"),
    ];
    assert_eq!(run(&world, "--object-id=o", &everywhere).token(), good);
    for (options, message) in [
        (
            "--client-secret=env:S --environment=imds",
            "--client-secret has no meaning beside the other options; \
             it is for --environment=service-principal",
        ),
        (
            "--federated-token-file=f --object-id=o",
            "--object-id has no meaning beside the other options; \
             it is for --environment=app-service, arc, imds",
        ),
        (
            "--client-id=c --object-id=o",
            "--client-id and --object-id exclude each other; give one of them",
        ),
        (
            "--client-secret=env:S --client-cert=c",
            "--client-secret and --client-cert exclude each other; give one of them",
        ),
        ("--client-key=k", "--client-cert is missing; add --client-cert=…"),
    ] {
        let run = world.run(&format!("azure --resource=api://wif {options}"));
        assert_eq!((run.status, run.stderr), (2, format!("{message}\n")));
    }
}

#[test]
fn the_pool_provider_has_to_trust_the_tenant() {
    let config = format!(
        "config azure --resource=api://wif --pool-provider={AUDIENCE} --out={{dir}}/c.json"
    );
    for (options, tenant) in [
        ("", "TENANT_ID"),
        ("--tenant-id=1-2-3", "1-2-3"),
        ("--tenant-id=example.com", "TENANT_ID"),
    ] {
        let run = World::new().run(&format!("{config} {options}"));
        let words = format!(
            "--issuer-uri=https://sts.windows.net/{tenant}/ --allowed-audiences=api://wif "
        );
        assert!(run.stdout.contains(&words), "{run:?}");
    }
}

#[test]
fn what_is_not_there_is_listed() {
    let world = World::new();
    let none = run(&world, "", &[("IDENTITY_ENDPOINT", "http://127.0.0.1:1/")]);
    assert_eq!(
        none.stderr,
        "there is no Azure identity here: service-principal: none of --client-secret, \
         --client-cert, AZURE_CLIENT_SECRET and AZURE_CLIENT_CERTIFICATE_PATH is set, \
         workload-identity: neither --federated-token-file nor AZURE_FEDERATED_TOKEN_FILE is set, \
         app-service: IDENTITY_HEADER is not set, \
         arc: IDENTITY_ENDPOINT and IMDS_ENDPOINT are not both set, and there is no \
         /opt/azcmagent/bin/himds, imds: no answer from http://127.0.0.1:1 within a second; \
         set up one of these, or choose another --environment\n"
    );
    assert_eq!(none.status, 4);
    let alone = |why: &str| {
        format!(
            "there is no Azure identity here: {why}; \
             set up one of these, or choose another --environment\n"
        )
    };
    let forbidden = Server::text("403 Forbidden", "text/plain", "unreachable network");
    let fabric =
        [("IDENTITY_ENDPOINT", "x"), ("IDENTITY_HEADER", "x"), ("IDENTITY_SERVER_THUMBPRINT", "x")];
    for (options, variables, why) in [
        (
            "--environment=service-principal --client-id=c",
            &[("AZURE_CLIENT_SECRET", "s")][..],
            "service-principal: neither --tenant-id nor AZURE_TENANT_ID is set",
        ),
        (
            "--environment=app-service",
            &fabric,
            "app-service: IDENTITY_SERVER_THUMBPRINT is set: Service Fabric is not supported",
        ),
        (
            "--environment=imds",
            &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", forbidden.url.as_str())],
            &format!("imds: {} is not Azure's (403)", forbidden.url),
        ),
    ] {
        let run = run(&world, options, variables);
        assert_eq!((run.status, run.stderr), (4, alone(why)), "{options}");
    }
}

#[test]
fn instance_metadata_that_never_answer_cost_a_second() {
    let world = World::new();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = format!("http://{}", silent.local_addr().unwrap());
    let began = Instant::now();
    let run = run(&world, "", &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &host)]);
    assert_eq!(run.status, 4, "{}", run.stderr);
    assert!(began.elapsed().as_millis() < 2500);
}

#[test]
fn instance_metadata_that_are_being_updated_are_asked_again() {
    let world = World::new();
    let good = jwt(3600);
    let (answer, asked) = (token(&good), AtomicUsize::new(0));
    let server = Server::new(move |request| match is_probe(request) {
        true => response("400 Bad Request", "text/plain", ""),
        false => match asked.fetch_add(1, Ordering::SeqCst) {
            0 => response("404 Not Found", "text/plain", ""),
            1 => response("410 Gone", "text/plain", ""),
            _ => answer.clone(),
        },
    });
    let run = run(&world, "", &[("AZURE_POD_IDENTITY_AUTHORITY_HOST", &server.url)]);
    assert_eq!(run.token(), good);
    assert_eq!(server.count(), 4);
}

#[test]
fn the_end_of_the_token_may_stand_in_text() {
    let world = World::new();
    let without_exp = format!("e30.e30.{}", SECRETS[2]);
    for member in [format!(r#""expires_on":"{}""#, now() + 600), r#""expires_in":"600""#.to_owned()]
    {
        let answer = json(&format!(r#"{{"access_token":"{without_exp}",{member}}}"#));
        let server = Server::new(move |_| answer.clone());
        let variables = [("IDENTITY_ENDPOINT", server.url.as_str()), ("IDENTITY_HEADER", "h")];
        let document = run(&world, "", &variables).document();
        let left = document["expiration_time"].as_i64().unwrap() - now();
        assert!((600 - 60 - 5..=600 - 60).contains(&left), "{left}");
    }
}

#[test]
fn entra_says_what_to_change() {
    let world = World::new();
    let account = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c"), ("S", SECRETS[0])];
    let refused = |code: u32| {
        let words = format!("AADSTS{code}: Not {}. Trace ID: 1", SECRETS[0]);
        let body = format!(
            r#"{{"error":"e","error_description":"{words}\r\nTime: 2","error_codes":[{code}]}}"#
        );
        response("400 Bad Request", "application/json", &body)
    };
    for (code, status, hint) in [
        (90002, 3, "check --tenant-id or AZURE_TENANT_ID (az account show --query tenantId)"),
        (700_016, 3, "check --client-id or AZURE_CLIENT_ID"),
        (7_000_229, 3, "az ad sp create --id CLIENT_ID"),
        (7_000_112, 5, "enable the application"),
        (
            7_000_215,
            5,
            "check --client-secret or AZURE_CLIENT_SECRET: the value of the secret, not its id",
        ),
        (7_000_222, 8, "make a new secret: az ad app credential reset"),
        (700_027, 5, "check that --client-cert and --client-key belong together"),
        (
            700_024,
            8,
            "set this host's clock, or let whatever writes --federated-token-file renew it",
        ),
        (70021, 5, "az ad app federated-credential create"),
        (700_213, 5, "az ad app federated-credential create"),
        (500_011, 3, "check --resource: it is the application ID URI"),
        (501_051, 5, "assign this identity to the application of --resource"),
        (53003, 5, "a Conditional Access policy blocks this identity"),
        (1, 5, "check --tenant-id, --client-id and its credentials"),
    ] {
        let answer = refused(code);
        let server = Server::new(move |_| answer.clone());
        let options = format!("--client-secret=env:S --authority-host={}", server.url);
        let run = run(&world, &options, &account);
        let url = format!("{}/t/oauth2/v2.0/token", server.url);
        let what =
            format!("{url} answered 400: e: AADSTS{code}: Not [secret]. Trace ID: 1 Time: 2; ");
        let rest = run.stderr.strip_prefix(&what).unwrap_or_else(|| panic!("{}", run.stderr));
        assert!(rest.contains(hint), "{rest}");
        assert_eq!(run.status, status, "{code}");
    }
}

#[test]
fn managed_identities_say_what_to_change() {
    let world = World::new();
    let words = |text: &str| format!(r#"{{"error":"e","error_description":"{text}"}}"#);
    let several = "Multiple user assigned identities exist, please specify the clientId";
    let app_unknown = r#"{"statusCode":400,"message":"No User Assigned or Delegated Managed Identity found for x."}"#;
    for (environment, options, answered, body, status, hint) in [
        ("imds", "", "400 No", words(several), 3, "name the one that is meant with --client-id=…"),
        (
            "imds",
            "",
            "400 No",
            words("Identity not found"),
            4,
            "give this machine or app an identity (az vm",
        ),
        ("imds", "--client-id=c", "400 No", words("Identity not found"), 3, "or check --client-id"),
        ("imds", "--object-id=c", "400 No", words("Identity not found"), 3, "or check --object-id"),
        (
            "imds",
            "",
            "400 No",
            words("AADSTS500011: unknown"),
            3,
            "check --resource: it is the app",
        ),
        ("imds", "", "400 No", words("invalid resource"), 3, "check --resource"),
        ("imds", "", "410 Gone", String::new(), 6, "the instance metadata are being updated"),
        (
            "imds",
            "--client-id=c",
            "404 No",
            String::new(),
            6,
            "the instance metadata are being updated",
        ),
        (
            "app-service",
            "--client-id=c",
            "400 No",
            app_unknown.to_owned(),
            3,
            "az webapp identity assign",
        ),
        (
            "app-service",
            "",
            "401 No",
            String::new(),
            5,
            "check IDENTITY_HEADER: the platform changes it",
        ),
        ("app-service", "", "500 No", String::new(), 6, "try again later, and check --resource"),
        ("app-service", "", "503 No", String::new(), 6, "try again later"),
        ("arc", "--client-id=c", "404 No", String::new(), 3, "or check --client-id"),
        (
            "arc",
            "",
            "403 No",
            String::new(),
            5,
            "check that the Azure Connected Machine agent works",
        ),
    ] {
        let answer = response(answered, "application/json", &body);
        let server = Server::new(move |request| match is_probe(request) {
            true => response("400 No", "text/plain", ""),
            false => answer.clone(),
        });
        let url = server.url.as_str();
        let variables = [
            ("AZURE_POD_IDENTITY_AUTHORITY_HOST", url),
            ("IDENTITY_ENDPOINT", url),
            ("IDENTITY_HEADER", SECRETS[1]),
            ("IMDS_ENDPOINT", url),
        ];
        let options = format!("--environment={environment} {options}");
        let run = run(&world, &options, &variables);
        assert!(run.stderr.contains(hint), "{run:?}");
        assert_eq!(run.status, status, "{run:?}");
    }
}

#[test]
fn answers_without_a_token_are_refused() {
    let world = World::new();
    for (answer, status, message) in [
        (json("{}"), 7, "the answer of {url} has no access_token; check that Azure answers there"),
        (json("[]"), 7, "{url} answered with no JSON object; check IDENTITY_ENDPOINT"),
        (json("<html>"), 7, "{url} answered with HTML; a login page or a proxy may have answered"),
        (token("opaque"), 7, "the access_token of {url} holds no subject token: it is opaque"),
        (
            token(&jwt_until(1_795_276_800)),
            8,
            "the token in the access_token of {url} ended at 2026-11-21T16:00:00Z; \
             the clocks of this host and of Azure may differ",
        ),
    ] {
        let server = Server::new(move |_| answer.clone());
        let variables = [("IDENTITY_ENDPOINT", server.url.as_str()), ("IDENTITY_HEADER", "h")];
        let run = run(&world, "", &variables);
        let url = format!("{}/", server.url);
        assert!(run.stderr.starts_with(&message.replace("{url}", &url)), "{}", run.stderr);
        assert_eq!(run.status, status);
    }
}

#[test]
fn a_file_that_is_no_key_of_the_agent_is_never_read() {
    let world = World::new();
    let elsewhere = world.write("stolen.key", SECRETS[0]);
    let another = "the agent names a file that is not one of its keys; check IDENTITY_ENDPOINT";
    for (challenge, message) in [
        (format!("Basic realm={}", elsewhere.display()), another),
        (format!("Basic realm=/var/opt/azcmagent/tokens/..{}", elsewhere.display()), another),
        ("Basic realm=/var/opt/azcmagent/tokens/../x.key".to_owned(), another),
        ("Basic realm=/var/opt/azcmagent/tokens/a/x.key".to_owned(), another),
        ("Basic realm=/var/opt/azcmagent/tokens/x.txt".to_owned(), another),
        ("Basic realm=/var/opt/azcmagent/tokens/.key".to_owned(), another),
        ("Basic realm=/var/opt/azcmagent/tokens2/x.key".to_owned(), another),
        ("Basic realm=tokens/x.key".to_owned(), another),
        ("Basic realm=".to_owned(), another),
        ("Negotiate".to_owned(), "the agent names no key file"),
        (
            "basic realm=\"/var/opt/azcmagent/tokens/wif-token-test-none.key\"".to_owned(),
            "cannot read /var/opt/azcmagent/tokens/wif-token-test-none.key: ",
        ),
    ] {
        let answer = format!(
            "HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\
             Connection: close\r\n\r\n"
        );
        let server = Server::new(move |_| answer.clone().into_bytes());
        let url = server.url.as_str();
        let run = run(&world, "", &[("IDENTITY_ENDPOINT", url), ("IMDS_ENDPOINT", url)]);
        assert!(run.stderr.starts_with(message), "{challenge}: {}", run.stderr);
        assert_eq!(server.count(), 1, "{challenge}: nothing is sent");
    }
    let run =
        run(&world, "", &[("IDENTITY_ENDPOINT", "https://idp.example/"), ("IMDS_ENDPOINT", "x")]);
    let message = "IDENTITY_ENDPOINT names idp.example, which is not this host; \
                   correct IDENTITY_ENDPOINT: the agent listens here\n";
    assert_eq!((run.status, run.stderr.as_str()), (3, message));
}

#[test]
fn credentials_that_cannot_be_used_are_named() {
    let world = World::new();
    world.write("empty", "\n");
    world.write("text.pem", "no certificate");
    world.write("cert.pfx", b"\x30\x82\xff\xff");
    let certificate = &CERTIFIED[CERTIFIED.find("-----BEGIN CERTIFICATE").unwrap()..];
    world.write("cert.pem", certificate);
    let made = world.run(
        "key --key={dir}/ec.pem --generate --issuer=https://i.example --subject=s --audience=a",
    );
    assert_eq!(made.status, 0);
    let account = [("AZURE_TENANT_ID", "t"), ("AZURE_CLIENT_ID", "c")];
    let convert = "make PEM of a PFX file: openssl pkcs12 -in FILE.pfx -out FILE.pem -nodes";
    let path = "AZURE_CLIENT_CERTIFICATE_PATH";
    let whose = "its credentials are here; for a pod, annotate the service account with \
                 azure.workload.identity/client-id";
    for (options, variables, message) in [
        (
            "--federated-token-file={dir}/none",
            vec![],
            "cannot read {dir}/none: it does not exist; check --federated-token-file",
        ),
        (
            "--client-secret=env:S",
            vec![("AZURE_TENANT_ID", "")],
            &format!("neither --tenant-id nor AZURE_TENANT_ID is set; {whose}"),
        ),
        (
            "",
            vec![("AZURE_FEDERATED_TOKEN_FILE", "{dir}/empty"), ("AZURE_CLIENT_ID", "")],
            &format!("neither --client-id nor AZURE_CLIENT_ID is set; {whose}"),
        ),
        (
            "",
            vec![("AZURE_FEDERATED_TOKEN_FILE", "{dir}/empty")],
            "the file {dir}/empty is empty; \
             check AZURE_FEDERATED_TOKEN_FILE and whatever writes it",
        ),
        (
            "",
            vec![(path, "{dir}/text.pem")],
            &format!("{{dir}}/text.pem holds no certificate in PEM form; check {path}; {convert}"),
        ),
        (
            "--client-cert={dir}/cert.pfx",
            vec![],
            &format!("{{dir}}/cert.pfx is not UTF-8 text; {convert}"),
        ),
        (
            "",
            vec![(path, "{dir}/cert.pem"), ("AZURE_CLIENT_CERTIFICATE_PASSWORD", SECRETS[0])],
            &format!(
                "AZURE_CLIENT_CERTIFICATE_PASSWORD is not supported; {convert}; \
                 then unset AZURE_CLIENT_CERTIFICATE_PASSWORD"
            ),
        ),
        (
            "--client-cert={dir}/cert.pem",
            vec![],
            "{dir}/cert.pem holds no usable private key: it is not PEM or a JWK; \
             give an RSA key of 2048 to 4096 bits or a P-256 key (--client-cert)",
        ),
        (
            "--client-cert={dir}/cert.pem --client-key={dir}/ec.pem",
            vec![],
            "Entra ID takes no P-256 signature; give an RSA key (--client-key)",
        ),
        (
            "--client-secret=env:NONE",
            vec![],
            "the variable NONE is not set; set it or change --client-secret",
        ),
        (
            "--client-secret=env:S --tenant-id=a/b",
            vec![("S", SECRETS[0])],
            "the tenant is neither an id nor a domain; \
             check --tenant-id and AZURE_TENANT_ID (az account show --query tenantId)",
        ),
        (
            "--client-secret=env:S",
            vec![("S", SECRETS[0]), ("AZURE_AUTHORITY_HOST", "ftp://x")],
            "AZURE_AUTHORITY_HOST takes an absolute https:// address; \
             correct AZURE_AUTHORITY_HOST, such as https://login.microsoftonline.com",
        ),
    ] {
        let host = ("AZURE_AUTHORITY_HOST", "http://127.0.0.1:1");
        let variables = [&account[..], &[host], &variables].concat();
        let run = run(&world, options, &variables);
        assert_eq!((run.status, run.stderr), (3, world.fill(message) + "\n"), "{options}");
    }
}

//! What the commands say when Google refuses, byte for byte.

mod common;

use common::google::*;
use common::server::{Server, json, response};
use common::{AUDIENCE, SECRETS};
use serde_json::{Value, json as object};

#[test]
fn a_failure_in_json_is_a_document_too() {
    let server = google(&[("token", response("503 Busy", "text/plain", ""))]);
    let world = world(&server);
    let run = run(&world, "access-token --format=json");
    let message = format!("{}/v1/token answered 503; try again later", server.url);
    assert_eq!((run.status, run.stderr), (6, format!("{message}\n")));
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (&document["code"], &document["message"]),
        (&object!("UNREACHABLE"), &message.into())
    );
}

/// The refusals that public reports quote, and others of the same service.
#[test]
fn the_token_service_is_translated() {
    let gcloud = |verb: &str| {
        format!(
            "gcloud iam workload-identity-pools providers {verb} \
             projects/1/locations/global/workloadIdentityPools/p/providers/q"
        )
    };
    let (describe, update) = (gcloud("describe"), gcloud("update-oidc"));
    let check = "wif-token check";
    for (error, description, status, hint) in [
        (
            "invalid_request",
            r#"Invalid value for \"audience\". This value should be the full resource name of the Identity Provider."#,
            3,
            format!("audience has to be the full name of the pool provider: run {check}"),
        ),
        (
            "invalid_target",
            r#"The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn't exist."#,
            3,
            format!(
                "the pool or provider does not exist, is disabled or deleted: run {describe}; \
                 a new one takes up to 5 minutes"
            ),
        ),
        (
            "invalid_grant",
            "The audience in ID Token [x] does not match the expected audience.",
            5,
            format!(
                "allow the aud of the token: {update} --allowed-audiences=AUD, \
                 or get a token for the audience https:{AUDIENCE}"
            ),
        ),
        (
            "invalid_grant",
            "`issuer` claim in OIDC discovery document does not match the issuer specified in the request.",
            3,
            format!(
                "the issuer's own metadata name another issuer: set the pool provider's to the \
                 token's iss, {update} --issuer-uri=ISS"
            ),
        ),
        (
            "invalid_grant",
            "The issuer in ID Token https://i.example does not match the expected ones.",
            3,
            format!("the token's iss is not the pool provider's issuer: {update} --issuer-uri=ISS"),
        ),
        (
            "invalid_grant",
            "Error connecting to the given credential's issuer.",
            5,
            format!(
                "Google has to reach the issuer's metadata over public https; else upload its keys: \
                 {update} --jwk-json-path=FILE"
            ),
        ),
        (
            "invalid_grant",
            "ID Token issued at 1795276800 is stale to sign-in.",
            8,
            "the token is too old: check the clock of its issuer and of this host, and renew it"
                .to_owned(),
        ),
        (
            "invalid_grant",
            "ID Token expired at 1795276800.",
            8,
            "renew the token, and check the clock of its issuer and of this host".to_owned(),
        ),
        (
            "invalid_grant",
            "The size of mapped attribute exceeds the 127 bytes limit.",
            3,
            format!(
                "map something shorter to google.subject: \
                 {update} --attribute-mapping=google.subject=…"
            ),
        ),
        (
            "unauthorized_client",
            "The given credential is rejected by the attribute condition.",
            5,
            format!("compare the claims ({check} shows them) with the condition: {describe}"),
        ),
        (
            "invalid_grant",
            "Invalid format of AWS credentials: Error at line 1:1",
            3,
            "the subject token is no signed AWS request: subject_token_type and the source do not \
             match"
                .to_owned(),
        ),
        (
            "invalid_grant",
            "Unable to verify the ID Token signature.",
            5,
            format!(
                "the issuer's keys have changed, or uploaded ones are old: \
                 {update} --jwk-json-path=FILE"
            ),
        ),
        (
            "invalid_grant",
            "The mapped attribute must be of type STRING.",
            3,
            format!("the attribute mapping does not fit the claims: {describe}"),
        ),
        ("invalid_target", "new words", 3, format!("check the pool provider: {describe}")),
        ("unauthorized_client", "new words", 5, format!("check the pool provider: {describe}")),
        ("invalid_grant", "new words", 5, format!("{check} shows what the token holds")),
        ("invalid_request", "new words", 3, format!("run {check}")),
        ("invalid_scope", "new words", 3, "check --scope".to_owned()),
        (
            "invalid_client",
            "The OAuth client was not found.",
            3,
            "check client_id and client_secret in the configuration; for a workload pool remove them"
                .to_owned(),
        ),
    ] {
        let answer = format!(r#"{{"error":"{error}","error_description":"{description}"}}"#);
        let server = google(&[("token", response("400 Bad", "application/json", &answer))]);
        let words = description.replace("\\\"", "\"");
        let message =
            format!("{{url}}/v1/token refused the subject token: {error}: {words}; {hint}");
        fails(&world(&server), &server.url, "access-token", status, &message);
    }
}

#[test]
fn an_audience_that_is_no_pool_provider_is_taken_apart() {
    let answer = r#"{"error":"invalid_target","error_description":"The target service indicated by the \"audience\" parameters is invalid."}"#;
    let server = google(&[("token", response("400 Bad", "application/json", answer))]);
    let world = world(&server);
    for (from, to, hint) in [
        (
            "/projects/1/",
            "/projects/my-project/",
            "the audience names the project by its id, not its number; put the number there: \
             gcloud projects describe my-project --format='value(projectNumber)'",
        ),
        (
            "//iam",
            "https://iam",
            "the audience begins with a scheme; set audience to \
             //iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        ),
    ] {
        let audience = AUDIENCE.replacen(from, to, 1);
        configure(&world, &server, |config| config["audience"] = audience.as_str().into());
        let run = run(&world, "access-token");
        assert_eq!(run.status, 3);
        assert!(run.stderr.ends_with(&format!("is invalid.; {hint}\n")), "{}", run.stderr);
    }
}

#[test]
fn a_refusal_by_a_wrong_clock_says_so_first() {
    let answer = r#"{"error":"invalid_grant","error_description":"ID Token issued at 1 is stale to sign-in."}"#;
    let answer = String::from_utf8(response("400 Bad", "application/json", answer)).unwrap();
    let dated = answer.replacen("\r\n", "\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n", 1);
    let server = google(&[("token", dated.into_bytes())]);
    let run = run(&world(&server), "access-token");
    assert!(run.stderr.contains("is stale to sign-in.; this host's clock is "), "{}", run.stderr);
    assert!(run.stderr.contains(" s ahead: set it (chronyc"), "{}", run.stderr);
}

#[test]
fn what_is_no_refusal_of_the_token_service_is_told_apart() {
    for (answer, status, message) in [
        (
            response("200 OK", "text/html", "<html>log in</html>"),
            7,
            "{url}/v1/token answered with HTML; \
             a login page or a proxy may have answered: check token_url",
        ),
        (
            json(r#"{"expires_in":3599}"#),
            7,
            "the answer of {url}/v1/token has no token; check token_url",
        ),
        (
            response("404 Not Found", "text/html", "<html>"),
            3,
            "{url}/v1/token answered 404; check the path in token_url",
        ),
        (
            response("429 Slow", "application/json", r#"{"error":{"code":429,"message":"Quota"}}"#),
            6,
            "{url}/v1/token answered 429: Quota; try again later",
        ),
        (
            response("503 Busy", "application/json", r#"{"error":"internal_failure"}"#),
            6,
            "{url}/v1/token answered 503: internal_failure; try again later",
        ),
    ] {
        let server = google(&[("token", answer)]);
        fails(&world(&server), &server.url, "access-token", status, message);
    }
}

fn api_error(status: &str, code: u16, message: &str) -> Vec<u8> {
    let body = object!({"error": {"code": code, "message": message, "status": "WORD"}});
    response(status, "application/json", &body.to_string())
}

#[test]
fn a_service_account_that_refuses_names_the_command_to_run() {
    let denied = |permission: &str| {
        let text = format!(
            "Permission 'iam.serviceAccounts.{permission}' denied on resource (or it may not exist)."
        );
        (api_error("403 No", 403, &text), text)
    };
    let pool = "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p";
    let bind = |on: &str, role: &str, member: &str| {
        let project = if on == EMAIL { " --project=example-project" } else { "" };
        format!(
            "gcloud iam service-accounts add-iam-policy-binding {on} --role=roles/iam.{role} \
             --member={member}{project}"
        )
    };
    let me = format!("principal:{pool}/subject/s");
    let alone = |role: &str| {
        format!(
            "if the account exists, let the workload use it: {}; a change takes up to 5 minutes",
            bind(EMAIL, role, &me)
        )
    };
    let creator = "serviceAccountTokenCreator";
    let chain = format!(
        "each of the chain needs the right on the next: {} && {} && {}",
        bind("a@x.example", creator, &me),
        bind("b@x.example", creator, "serviceAccount:a@x.example"),
        bind(EMAIL, creator, "serviceAccount:b@x.example"),
    );
    let (access, access_text) = denied("getAccessToken");
    let (id, id_text) = denied("getOpenIdToken");
    let (jwt, jwt_text) = denied("signJwt");
    let (blob, blob_text) = denied("signBlob");
    let disabled = "IAM Service Account Credentials API has not been used in project 1 before or it is disabled.";
    let short = "Request contains an invalid argument.";
    let unknown =
        "Not found; Gaia id not found for email app@example-project.iam.gserviceaccount.com";
    let cases: Vec<(&str, &'static str, Vec<u8>, i32, String)> = vec![
        (
            "access-token",
            "generateAccessToken",
            access.clone(),
            5,
            format!("403: {access_text}; {}", alone("workloadIdentityUser")),
        ),
        (
            "id-token --for=a",
            "generateIdToken",
            id,
            5,
            format!("403: {id_text}; {}", alone("workloadIdentityUser")),
        ),
        (
            "sign-jwt --payload={dir}/claims",
            "signJwt",
            jwt,
            5,
            format!("403: {jwt_text}; {}", alone(creator)),
        ),
        (
            "sign-blob --file={dir}/claims",
            "signBlob",
            blob,
            5,
            format!("403: {blob_text}; {}", alone(creator)),
        ),
        (
            "access-token --delegate=a@x.example --delegate=b@x.example",
            "generateAccessToken",
            access,
            5,
            format!("403: {access_text}; {chain}"),
        ),
        (
            "access-token",
            "generateAccessToken",
            api_error("403 No", 403, disabled),
            5,
            format!(
                "403: {disabled}; enable the API: \
                 gcloud services enable iamcredentials.googleapis.com --project=PROJECT"
            ),
        ),
        (
            "access-token --lifetime=7200",
            "generateAccessToken",
            api_error("400 Bad", 400, short),
            3,
            format!(
                "400: {short}; check --scope and the lifetime: above 3600 s the organisation policy \
                 iam.allowServiceAccountCredentialLifetimeExtension has to list the account"
            ),
        ),
        (
            "sign-jwt --payload={dir}/claims",
            "signJwt",
            api_error("400 Bad", 400, short),
            3,
            format!("400: {short}; check what is sent, and every --delegate"),
        ),
        (
            "access-token",
            "generateAccessToken",
            api_error("401 No", 401, "Request had invalid authentication credentials."),
            5,
            "401: Request had invalid authentication credentials.; the federated token is not taken \
             there: the universe of token_url and of service_account_impersonation_url may differ"
                .to_owned(),
        ),
        (
            "access-token",
            "generateAccessToken",
            api_error("404 No", 404, unknown),
            3,
            format!(
                "404: {unknown}; check the service account: \
                 gcloud iam service-accounts describe {EMAIL} --project=example-project"
            ),
        ),
        (
            "access-token",
            "generateAccessToken",
            response("503 Busy", "text/plain", ""),
            6,
            "503; try again later".to_owned(),
        ),
    ];
    for (line, name, answer, status, words) in cases {
        let server = google(&[(name, answer)]);
        let world = world(&server);
        world.write("claims", "{}");
        let path = format!("{{url}}/v1/projects/-/serviceAccounts/{EMAIL}:{name}");
        fails(&world, &server.url, line, status, &format!("{path} answered {words}"));
    }
}

#[test]
fn an_answer_without_what_was_asked_for_is_no_success() {
    for (line, name, member) in [
        ("access-token", "generateAccessToken", "accessToken"),
        ("id-token --for=a", "generateIdToken", "token"),
        ("sign-jwt --payload={dir}/claims", "signJwt", "signedJwt"),
        ("sign-blob --file={dir}/claims", "signBlob", "signedBlob"),
    ] {
        let server = google(&[(name, json("{}"))]);
        let world = world(&server);
        world.write("claims", "{}");
        let message = format!(
            "the answer for the service account has no {member}; \
             check service_account_impersonation_url"
        );
        fails(&world, &server.url, line, 7, &message);
    }
}

#[test]
fn a_delegation_that_is_refused_names_where_to_grant_it() {
    let console = "authorise the account's client id for these scopes: Admin console, Security, \
                   API controls, domain-wide delegation";
    for (status_line, error, hint) in [
        ("401 No", "unauthorized_client", console),
        ("403 No", "access_denied", console),
        ("400 Bad", "invalid_grant", "check --subject: it has to be a person of the domain"),
        ("400 Bad", "invalid_scope", "check --scope"),
    ] {
        let body = format!(r#"{{"error":"{error}","error_description":"no for {SIGNED}"}}"#);
        let server = google(&[("oauth", response(status_line, "application/json", &body))]);
        let message = format!(
            "{{url}}/oauth answered {}: {error}: no for [secret]; {hint}",
            &status_line[..3]
        );
        fails(&world(&server), &server.url, PERSON, 5, &message);
    }
    let server = google(&[("oauth", json("{}"))]);
    let message = "the answer of {url}/oauth has no access_token; check --oauth-endpoint";
    fails(&world(&server), &server.url, PERSON, 7, message);
}

#[test]
fn an_echo_shows_nothing() {
    for status in ["400 Bad", "401 No", "403 No", "500 Oops"] {
        for name in ["token", "generateAccessToken", "signJwt", "oauth"] {
            let server = Server::new(move |request| {
                if method(request) == name {
                    let all = format!("{:?}", request);
                    let echo = object!({"error": all, "error_description": all, "message": all});
                    return response(status, "application/json", &echo.to_string());
                }
                let value = object!({"access_token": FEDERATED, "accessToken": IMPERSONATED, "signedJwt": SIGNED});
                json(&value.to_string())
            });
            let world = world(&server);
            configure(&world, &server, |config| {
                config["client_id"] = "id".into();
                config["client_secret"] = SECRETS[0].into();
            });
            let lines = ["access-token".to_owned(), PERSON.replace("{url}", &server.url)];
            for line in lines {
                let run = run(&world, &line);
                assert!(!run.stderr.contains("hunter2"), "{}", run.stderr);
                let asked = server.requests().last().is_some_and(|last| method(last) == name);
                assert_eq!(run.status != 0, asked, "{run:?}");
            }
        }
    }
}

/// A header holds more than the secret; a far end may repeat the secret alone.
#[test]
fn a_part_of_a_header_is_not_shown() {
    let refusal = |part: &str| {
        let value = object!({"error": "invalid_client", "error_description": format!("no {part}")});
        response("401 No", "application/json", &value.to_string())
    };
    for (name, answer, shown) in [
        ("token", refusal(SECRETS[0]), "invalid_client: no [secret]; "),
        ("generateAccessToken", refusal(FEDERATED), "invalid_client: no [secret]; "),
    ] {
        let server = google(&[(name, answer)]);
        let world = world(&server);
        configure(&world, &server, |config| {
            config["client_id"] = "id".into();
            config["client_secret"] = SECRETS[0].into();
        });
        let run = run(&world, "access-token");
        assert!(run.stderr.contains(shown), "{}", run.stderr);
    }
}

//! The parts of the manual that no table of the parser contains: description, environment, files
//! and examples.

/// The day on which this file was last changed.
pub(super) const DATE: &str = "2026-11-30";

/// Everything before the sources, in the macros of man(7).
pub(super) const HEAD: &str = r#".ad l
.nh
.SH NAME
wif\-token \- get a subject token for Google Cloud workload identity federation
.SH SYNOPSIS
.B wif\-token
.I SOURCE
.RI [ \-\-option=value ]...
.br
.B wif\-token
.I COMMAND
.RI [ \-\-option=value ]...
.br
.B wif\-token helper
.I HELPER
.RI [ WORD ]...
.RI [ \-\-option=value ]...
.br
.B wif\-token help
.RI [ SOURCE | COMMAND |\fBhelper\fR " " HELPER ]
.SH DESCRIPTION
.B wif\-token
is the executable in a credential configuration for workload identity
federation.
gcloud, Terraform and the Google client libraries run it, read one version-1
JSON document from its standard output, and exchange the subject token in the
document for an access token.
.PP
A successful run writes nothing to standard error.
A failure prints a document on standard output and the same message as one line
on standard error, and exits with a status that depends on the kind of failure.
.PP
Write each option as one word,
.BR \-\-name=value ,
because clients split the command of a credential configuration at spaces, and
few of them interpret quotes.
Write values with spaces to an arguments file
.RB ( \-\-args\-file ),
one argument per line.
The value of an option for a secret is
.BI env: NAME
or
.BI file: PATH ,
never the secret itself.
.PP
A helper provides credentials to another tool, such as docker.
.PP
To start, create a configuration with
.BR "wif\-token config" ,
then test it with
.BR "wif\-token check" .
"#;

/// Everything after the examples.
pub(super) const TAIL: &str = r#".SH SEE ALSO
.UR https://cloud.google.com/iam/docs/workload\-identity\-federation
Workload identity federation
.UE
"#;

/// Variables that sources, commands and clients use, and their meaning. The variables of the
/// contract are in [`wif_token::contract::request::VARIABLES`].
pub(super) const VARIABLES: &[(&[&str], &str)] = &[
    (
        &["GOOGLE_APPLICATION_CREDENTIALS"],
        "credential file that clients, commands and helpers read; --credentials overrides it",
    ),
    (
        &["GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES"],
        "must be 1 for clients, commands and helpers to use the executable of a configuration, even \
         if it is wif-token",
    ),
    (
        &["HTTPS_PROXY", "ALL_PROXY", "http_proxy", "NO_PROXY"],
        "proxy for https requests, for all requests, and for plain http requests; NO_PROXY lists \
         the hosts to reach without a proxy. The names can be in lower case; HTTP_PROXY in upper case is ignored",
    ),
    (
        &["SSL_CERT_FILE", "SSL_CERT_DIR"],
        "certificate authorities to trust instead of those of the platform, on Linux; --ca-file \
         overrides them",
    ),
    (
        &["HOME", "USERPROFILE"],
        "home directory of the user, on Unix and on Windows, which contains .aws, .kube, \
         .vault-token, .cache and .config/gcloud",
    ),
    (
        &["XDG_CACHE_HOME", "LOCALAPPDATA"],
        "directory that contains the private cache and the output files that config sets, on Unix \
         (default: ~/.cache) and on Windows",
    ),
    (
        &["CLOUDSDK_CONFIG", "APPDATA"],
        "directory of the settings of gcloud, which contains application_default_credentials.json \
         and certificate_config.json (default: ~/.config/gcloud, or gcloud in APPDATA on Windows)",
    ),
    (
        &["GOOGLE_API_CERTIFICATE_CONFIG"],
        "certificate configuration, for credentials with an X.509 certificate",
    ),
    (
        &["GCE_METADATA_HOST", "NO_GCE_CHECK"],
        "host of the metadata server of Google Cloud; NO_GCE_CHECK=true prevents its use",
    ),
    (
        &["GCE_METADATA_IP", "GCE_METADATA_ROOT", "METADATA_SERVER_DETECTION"],
        "set by exec for its command, with GCE_METADATA_HOST; docs/commands/exec.md lists the variables \
         that exec removes",
    ),
    (
        &["PATH", "PATHEXT"],
        "directories in which programs are searched for, and on Windows the suffixes of programs",
    ),
    (
        &["NO_COLOR", "TERM", "WT_SESSION"],
        "check prints no color if NO_COLOR is set or TERM is dumb, and on Windows without WT_SESSION",
    ),
    (
        &["LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET"],
        "set by systemd: the socket of serve, and the socket to which keep reports its state",
    ),
    (&["KUBERNETES_EXEC_INFO"], "set by kubectl: the request to the helper kubernetes"),
    (
        &["SOFTHSM2_CONF", "TPM2_PKCS11_STORE"],
        "settings of PKCS#11 modules; a cached token is used only with the same settings",
    ),
    (
        &["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"],
        "AWS credentials; AWS_CREDENTIAL_EXPIRATION is their expiry",
    ),
    (
        &["AWS_PROFILE", "AWS_DEFAULT_PROFILE"],
        "profile in the AWS configuration; --profile overrides it",
    ),
    (
        &["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"],
        "AWS configuration files (default: ~/.aws/config and ~/.aws/credentials)",
    ),
    (&["AWS_REGION", "AWS_DEFAULT_REGION"], "AWS region; --region overrides it"),
    (
        &["AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_SESSION_NAME"],
        "AWS role to assume with a web identity token, such as in EKS",
    ),
    (
        &["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"],
        "endpoint for AWS credentials in a container; AWS_CONTAINER_AUTHORIZATION_TOKEN or \
         AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE contains its token",
    ),
    (
        &["AWS_EC2_METADATA_DISABLED", "AWS_EC2_METADATA_SERVICE_ENDPOINT"],
        "whether the EC2 instance metadata service is used, and its URL; \
         AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE selects IPv4 or IPv6",
    ),
    (
        &["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS"],
        "URL of AWS services, which AWS_IGNORE_CONFIGURED_ENDPOINT_URLS disables; the same for \
         AWS_ENDPOINT_URL_SSO, AWS_ENDPOINT_URL_SSO_OIDC and AWS_ENDPOINT_URL_SIGNIN. \
         AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT select other public endpoints",
    ),
    (
        &["AWS_LOGIN_CACHE_DIRECTORY"],
        "directory of the credentials of aws login (default: ~/.aws/login/cache)",
    ),
    (
        &["AZURE_TENANT_ID", "AZURE_CLIENT_ID"],
        "tenant and application (client) ID of a service principal or managed identity; --tenant-id \
         and --client-id override them",
    ),
    (
        &["AZURE_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_FEDERATED_TOKEN_FILE"],
        "credential of the Azure service principal: a client secret, a certificate with its key in \
         PEM, or the token of AKS workload identity",
    ),
    (
        &["AZURE_TOKEN_CREDENTIALS"],
        "environments in which an Azure identity is searched for, as in the Azure SDKs; \
         --environment overrides it. AZURE_USERNAME, AZURE_PASSWORD and AZURE_CLIENT_CERTIFICATE_PASSWORD are \
         not supported, and an error if the SDKs would use them",
    ),
    (
        &["AZURE_AUTHORITY_HOST"],
        "Microsoft Entra endpoint of a sovereign cloud; --authority-host overrides it",
    ),
    (
        &["IDENTITY_ENDPOINT", "IDENTITY_HEADER", "IMDS_ENDPOINT"],
        "managed identity endpoint of Azure App Service, Functions, Container Apps or Azure Arc, \
         and, with IDENTITY_SERVER_THUMBPRINT, of Service Fabric; \
         AZURE_POD_IDENTITY_AUTHORITY_HOST is the URL of the instance metadata service. ProgramFiles and ProgramData \
         locate the agent of Azure Arc on Windows",
    ),
    (
        &["MSI_ENDPOINT", "MSI_SECRET"],
        "managed identity endpoint of Azure Machine Learning and, without the secret, of the Cloud \
         Shell",
    ),
    (
        &["VAULT_ADDR", "VAULT_TOKEN", "VAULT_NAMESPACE", "VAULT_CACERT"],
        "address, token, namespace and certificate authorities of Vault; --address, --token, \
         --namespace and --ca-file override them. VAULT_AGENT_ADDR is the address of an agent",
    ),
    (
        &["BAO_ADDR", "BAO_TOKEN", "BAO_NAMESPACE", "BAO_CACERT"],
        "the same for OpenBao, with BAO_AGENT_ADDR; they override those of Vault",
    ),
    (&["KUBECONFIG"], "kubeconfig files (default: ~/.kube/config); --kubeconfig overrides them"),
    (
        &["KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT"],
        "address of the Kubernetes API server in a pod",
    ),
    (
        &["GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"],
        "set in jobs of GitHub Actions and Forgejo Actions that may request an ID token; ACT, \
         GITEA_ACTIONS and FORGEJO_ACTIONS identify other runners",
    ),
    (
        &["TF_BUILD", "SYSTEM_OIDCREQUESTURI", "SYSTEM_ACCESSTOKEN"],
        "set in jobs of Azure Pipelines; the job must pass on SYSTEM_ACCESSTOKEN",
    ),
    (
        &["GITLAB_CI", "GITLAB_OIDC_TOKEN"],
        "set in jobs of GitLab; declare the token in id_tokens of the job",
    ),
    (
        &["CIRCLECI", "CIRCLE_OIDC_TOKEN_V2"],
        "set in jobs of CircleCI, as is CIRCLE_WORKFLOW_JOB_ID, which distinguishes the cached \
         tokens of jobs",
    ),
    (&["BITBUCKET_BUILD_NUMBER", "BITBUCKET_STEP_OIDC_TOKEN"], "set in steps of Bitbucket"),
    (
        &["BUILDKITE"],
        "set in jobs of Buildkite, as are BUILDKITE_JOB_ID, BUILDKITE_AGENT_ACCESS_TOKEN and \
         BUILDKITE_AGENT_ENDPOINT",
    ),
    (&["TFC_RUN_ID", "TFC_WORKLOAD_IDENTITY_TOKEN"], "set in runs of HCP Terraform"),
    (&["TF_VAR_spacelift_run_id", "SPACELIFT_OIDC_TOKEN"], "set in runs of Spacelift"),
    (&["SEMAPHORE", "SEMAPHORE_OIDC_TOKEN"], "set in jobs of Semaphore"),
    (&["ENV0_ENVIRONMENT_ID", "ENV0_OIDC_TOKEN"], "set in deployments of env0"),
    (&["CF_OIDC_REQUEST_URL", "CF_OIDC_REQUEST_TOKEN"], "set in builds of Codefresh"),
    (&["VERCEL", "VERCEL_OIDC_TOKEN"], "set in builds of Vercel"),
    (&["FLY_MACHINE_ID"], "set in machines of Fly.io"),
    (&["MODAL_IDENTITY_TOKEN"], "set in containers of Modal"),
    (
        &["KRB5CCNAME", "KRB5_CLIENT_KTNAME", "KRB5_CONFIG"],
        "ticket cache, client keytab and configuration of Kerberos, for AD FS; --keytab overrides \
         the client keytab. The library can also read KRB5_KTNAME",
    ),
];

/// Files that are read or written, and their meaning.
pub(super) const FILES: &[(&str, &str)] = &[
    (
        "CREDENTIALS.json",
        "credential configuration, which clients read and config writes (--out). It contains no \
         secrets",
    ),
    (
        "CREDENTIALS.args",
        "arguments file next to the configuration, which config writes if clients would split the \
         command in different ways",
    ),
    (
        "ARGS_FILE",
        "arguments file (--args-file) with one argument per line. Lines that begin with # are \
         comments",
    ),
    (
        "OUTPUT_FILE",
        "the document, cached for later runs (--output-file, or executable.output_file in the \
         configuration). The mode is 0600, and the file is always replaced completely. Until the \
         token expires, runs with the same audience, token type, source and options use it",
    ),
    (
        "OUTPUT_FILE.lock",
        "lock that allows only one of several concurrent runs to fetch a token. The file also \
         contains the last failure",
    ),
    (
        "OUTPUT_FILE.refresh-token",
        "refresh token of oidc with --flow=device (--refresh-token-file). The mode is 0600, and a \
         lock is next to it",
    ),
    ("CACHE_FILE", "access token that access-token caches (--cache-file), with a lock next to it"),
    (
        "KEY.jwks.json",
        "public keys for the pool provider, which key --generate writes next to the private key",
    ),
    ("LOG_FILE", "log of the runs (--log-file). The mode is 0600. It contains no secrets"),
    (
        "~/.cache/wif-token/, %LOCALAPPDATA%\\wif-token\\",
        "private cache of access tokens and ID tokens, and the output files that config sets, on \
         Unix and on Windows",
    ),
    (
        "~/.config/gcloud/application_default_credentials.json",
        "credentials that gcloud auth application-default login writes, which commands and helpers read \
         if no credential file is named; in %APPDATA%\\gcloud on Windows",
    ),
    (
        "~/.config/gcloud/certificate_config.json",
        "certificate configuration, which credentials with an X.509 certificate name by default",
    ),
    (
        "~/.aws/, ~/.kube/config, ~/.vault-token",
        "files of the AWS, Kubernetes and Vault tools, which the sources aws, kubernetes and vault \
         read",
    ),
];

/// Tasks, and the command lines for them.
pub(super) const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "create a configuration for a token in a file, and print the gcloud commands that create \
         the pool provider",
        &[
            "wif-token config file --path=/run/secrets/token \\",
            "    --pool-provider=projects/1/locations/global/workloadIdentityPools/POOL/providers/ID \\",
            "    --service-account=app@my-project.iam.gserviceaccount.com \\",
            "    --out=/etc/my-app/credentials.json",
        ],
    ),
    (
        "find out whether the configuration works, and how to fix it",
        &[
            "export GOOGLE_APPLICATION_CREDENTIALS=/etc/my-app/credentials.json",
            "export GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1",
            "wif-token check",
        ],
    ),
    (
        "call a Google Cloud API",
        &[
            "curl -H \"$(wif-token access-token --format=header)\" \\",
            "    https://storage.googleapis.com/storage/v1/b/my-bucket/o",
        ],
    ),
    (
        "write only the token to a file, for clients that do not run executables",
        &[
            "wif-token url --url=https://tokens.example.com/subject --format=text \\",
            "    --output-file=/run/my-app/subject-token",
        ],
    ),
    (
        "keep the file /run/wif-token/my-app/subject-token up to date with systemd. The source and its \
         options are in /etc/wif-token/my-app.args",
        &["systemctl enable --now wif-token@my-app.service"],
    ),
];

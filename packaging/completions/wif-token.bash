# bash completion for wif-token, written by cargo run --example documents

_wif_token_words() {
    # shellcheck disable=SC2207  # none of these words has a blank
    COMPREPLY=($(compgen -W "$1" -- "${whole##*[=:]}"))
    case ${COMPREPLY[0]-} in *[=:]) compopt -o nospace ;; esac
}

_wif_token() {
    local line=${COMP_LINE:0:COMP_POINT} whole='' first='' word words
    case $line in *' -- '*) compopt -o default && return ;; esac
    read -ra words <<<"$line"
    case $line in *' ') ;; *) whole=${words[-1]} && unset 'words[-1]' ;; esac
    for word in "${words[@]:1}"; do
        case $word in
            -*) ;;
            config) first=$word ;;
            *) first=$word && break ;;
        esac
    done
    case $first:$whole in
        file:--path=*) compopt -o default ;;
        ci:--system=*) _wif_token_words 'github azure-pipelines buildkite circleci gitlab bitbucket terraform-cloud' ;;
        oidc:--flow=*) _wif_token_words 'client-credentials device' ;;
        oidc:--auth=*) _wif_token_words 'basic post private-key-jwt mtls none' ;;
        oidc:--client-secret=file:*) compopt -o default ;;
        oidc:--client-secret=env:*) : ;;
        oidc:--client-secret=*) _wif_token_words 'env: file:' ;;
        oidc:--client-key=*) compopt -o default ;;
        oidc:--client-cert=*) compopt -o default ;;
        oidc:--use=*) _wif_token_words 'access_token id_token' ;;
        oidc:--refresh-token-file=*) compopt -o default ;;
        vault:--login=*) _wif_token_words 'token approle kubernetes jwt userpass none' ;;
        vault:--token=file:*) compopt -o default ;;
        vault:--token=env:*) : ;;
        vault:--token=*) _wif_token_words 'env: file:' ;;
        vault:--secret-id=file:*) compopt -o default ;;
        vault:--secret-id=env:*) : ;;
        vault:--secret-id=*) _wif_token_words 'env: file:' ;;
        vault:--jwt=file:*) compopt -o default ;;
        vault:--jwt=env:*) : ;;
        vault:--jwt=*) _wif_token_words 'env: file:' ;;
        vault:--password=file:*) compopt -o default ;;
        vault:--password=env:*) : ;;
        vault:--password=*) _wif_token_words 'env: file:' ;;
        aws:--mode=*) _wif_token_words 'jwt caller-identity' ;;
        azure:--environment=*) _wif_token_words 'service-principal workload-identity app-service arc imds' ;;
        azure:--client-secret=file:*) compopt -o default ;;
        azure:--client-secret=env:*) : ;;
        azure:--client-secret=*) _wif_token_words 'env: file:' ;;
        azure:--client-cert=*) compopt -o default ;;
        azure:--client-key=*) compopt -o default ;;
        azure:--federated-token-file=*) compopt -o default ;;
        adfs:--protocol=*) _wif_token_words 'oidc saml-post ws-trust' ;;
        adfs:--auth=*) _wif_token_words 'integrated password certificate client-secret private-key-jwt' ;;
        adfs:--password=file:*) compopt -o default ;;
        adfs:--password=env:*) : ;;
        adfs:--password=*) _wif_token_words 'env: file:' ;;
        adfs:--client-secret=file:*) compopt -o default ;;
        adfs:--client-secret=env:*) : ;;
        adfs:--client-secret=*) _wif_token_words 'env: file:' ;;
        adfs:--client-key=*) compopt -o default ;;
        adfs:--client-cert=*) compopt -o default ;;
        adfs:--keytab=*) compopt -o default ;;
        adfs:--ws-trust-endpoint=*) _wif_token_words 'windowstransport usernamemixed certificatemixed windowsmixed' ;;
        adfs:--signing-key=*) compopt -o default ;;
        kubernetes:--kubeconfig=*) compopt -o default ;;
        kubernetes:--path=*) compopt -o default ;;
        key:--key=*) compopt -o default ;;
        access-token:--credentials=*) compopt -o default ;;
        access-token:--cache-file=*) compopt -o default ;;
        access-token:--format=*) _wif_token_words 'text json header' ;;
        id-token:--credentials=*) compopt -o default ;;
        id-token:--format=*) _wif_token_words 'text json header' ;;
        sign-jwt:--credentials=*) compopt -o default ;;
        sign-jwt:--payload=*) compopt -o default ;;
        sign-jwt:--format=*) _wif_token_words 'text json' ;;
        sign-blob:--credentials=*) compopt -o default ;;
        sign-blob:--file=*) compopt -o default ;;
        sign-blob:--format=*) _wif_token_words 'text json' ;;
        config:--program=*) compopt -o default ;;
        config:--out=*) compopt -o default ;;
        check:--credentials=*) compopt -o default ;;
        check:--format=*) _wif_token_words 'text json' ;;
        *:--output-file=*) compopt -o default ;;
        *:--format=*) _wif_token_words 'json text' ;;
        *:--args-file=*) compopt -o default ;;
        *:--ca-file=*) compopt -o default ;;
        *:--log-file=*) compopt -o default ;;
        *:-*=*) : ;;
        help:*) _wif_token_words 'file url env command ci github azure-pipelines oidc vault aws azure adfs kubernetes key access-token id-token sign-jwt sign-blob config check' ;;
        file:*) _wif_token_words '--path= --field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        url:*) _wif_token_words '--url= --header= --field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        env:*) _wif_token_words '--name= --field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        command:*) _wif_token_words '--field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        ci:*) _wif_token_words '--system= --name= --service-connection= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        github:*) _wif_token_words '--audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        azure-pipelines:*) _wif_token_words '--service-connection= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        oidc:*) _wif_token_words '--issuer= --client-id= --flow= --auth= --client-secret= --client-key= --client-cert= --assertion-audience= --scope= --resource= --param= --use= --refresh-token-file= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        vault:*) _wif_token_words '--role= --address= --namespace= --login= --token= --login-mount= --login-role= --role-id= --secret-id= --jwt= --user= --password= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        aws:*) _wif_token_words '--mode= --profile= --region= --duration= --tag= --sts-endpoint= --role-arn= --role-session-name= --external-id= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        azure:*) _wif_token_words '--resource= --environment= --tenant-id= --client-id= --object-id= --identity-resource-id= --client-secret= --client-cert= --client-key= --federated-token-file= --authority-host= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        adfs:*) _wif_token_words '--issuer= --relying-party= --protocol= --client-id= --auth= --user= --password= --client-secret= --client-key= --client-cert= --keytab= --principal= --spn= --user-agent= --ws-trust-endpoint= --acs-url= --signing-key= --signing-certificate= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        kubernetes:*) _wif_token_words '--account= --namespace= --kubeconfig= --context= --token-lifetime= --path= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        key:*) _wif_token_words '--key= --issuer= --subject= --claim= --lifetime= --generate --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        access-token:*) _wif_token_words '--credentials= --scope= --lifetime= --delegate= --subject= --oauth-endpoint= --cache-file= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        id-token:*) _wif_token_words '--credentials= --for= --include-email --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        sign-jwt:*) _wif_token_words '--credentials= --payload= --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        sign-blob:*) _wif_token_words '--credentials= --file= --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        config:*) _wif_token_words 'file url env command ci github azure-pipelines oidc vault aws azure adfs kubernetes key --pool-provider= --service-account= --service-account-lifetime= --workforce-pool-user-project= --universe-domain= --program= --out= --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        check:*) _wif_token_words '--credentials= --offline --mapping= --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file=' ;;
        :-*) _wif_token_words '--audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file= --help --version' ;;
        :*) _wif_token_words 'file url env command ci github azure-pipelines oidc vault aws azure adfs kubernetes key access-token id-token sign-jwt sign-blob config check help' ;;
    esac
}
complete -F _wif_token wif-token

# bash completion for wif-token, written by cargo run --example documents

_wif_token_words() {
    # shellcheck disable=SC2207  # none of these words has a blank
    COMPREPLY=($(compgen -W "$1" -- "${whole##*[=:]}"))
    case ${COMPREPLY[0]-} in *[=:]) compopt -o nospace ;; esac
}

_wif_token() {
    local line=${COMP_LINE:0:COMP_POINT} whole='' source='' word words
    case $line in *' -- '*) compopt -o default && return ;; esac
    read -ra words <<<"$line"
    case $line in *' ') ;; *) whole=${words[-1]} && unset 'words[-1]' ;; esac
    for word in "${words[@]:1}"; do
        case $word in -*) ;; *) source=$word && break ;; esac
    done
    case $source:$whole in
        *:--output-file=*) compopt -o default ;;
        *:--args-file=*) compopt -o default ;;
        *:--ca-file=*) compopt -o default ;;
        *:--log-file=*) compopt -o default ;;
        *:--format=*) _wif_token_words 'json text' ;;
        file:--path=*) compopt -o default ;;
        oidc:--auth=*) _wif_token_words 'basic post private-key-jwt mtls none' ;;
        oidc:--client-secret=file:*) compopt -o default ;;
        oidc:--client-secret=env:*) : ;;
        oidc:--client-secret=*) _wif_token_words 'env: file:' ;;
        oidc:--client-key=*) compopt -o default ;;
        oidc:--client-cert=*) compopt -o default ;;
        oidc:--use=*) _wif_token_words 'access_token id_token' ;;
        aws:--mode=*) _wif_token_words 'jwt caller-identity' ;;
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
        key:--key=*) compopt -o default ;;
        *:-*=*) : ;;
        help:*) _wif_token_words 'file url env command oidc aws adfs key' ;;
        file:*) _wif_token_words '--path= --field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        url:*) _wif_token_words '--url= --header= --field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        env:*) _wif_token_words '--name= --field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        command:*) _wif_token_words '--field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        oidc:*) _wif_token_words '--issuer= --client-id= --auth= --client-secret= --client-key= --client-cert= --assertion-audience= --scope= --resource= --param= --use= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        aws:*) _wif_token_words '--mode= --profile= --region= --duration= --tag= --sts-endpoint= --role-arn= --role-session-name= --external-id= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        adfs:*) _wif_token_words '--issuer= --relying-party= --protocol= --client-id= --auth= --user= --password= --client-secret= --client-key= --client-cert= --keytab= --principal= --spn= --user-agent= --ws-trust-endpoint= --acs-url= --signing-key= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        key:*) _wif_token_words '--key= --issuer= --subject= --claim= --lifetime= --generate --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero' ;;
        :-*) _wif_token_words '--audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero --help --version' ;;
        :*) _wif_token_words 'file url env command oidc aws adfs key help' ;;
    esac
}
complete -F _wif_token wif-token

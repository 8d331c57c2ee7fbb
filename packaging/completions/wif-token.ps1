# PowerShell completion for wif-token, written by cargo run --example documents

Register-ArgumentCompleter -Native -CommandName wif-token -ScriptBlock {
    param($word, $line, $cursor)
    $before = $line.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { $_.ToString() }
    $words = @($before | Where-Object { -not $_.StartsWith('-') })
    $first = if ($words.Count -gt 1 -and $words[0] -in 'config') { $words[1] } else { $words[0] }
    $start = ''
    $offer = switch -Wildcard -CaseSensitive ("${first}:$word") {
        'ci:--system=*' { $start = '--system='; 'github azure-pipelines buildkite circleci gitlab bitbucket terraform-cloud'; break }
        'oidc:--flow=*' { $start = '--flow='; 'client-credentials device'; break }
        'oidc:--auth=*' { $start = '--auth='; 'basic post private-key-jwt mtls none'; break }
        'oidc:--client-secret=*' { $start = '--client-secret='; 'env: file:'; break }
        'oidc:--use=*' { $start = '--use='; 'access_token id_token'; break }
        'vault:--login=*' { $start = '--login='; 'token approle kubernetes jwt userpass none'; break }
        'vault:--token=*' { $start = '--token='; 'env: file:'; break }
        'vault:--secret-id=*' { $start = '--secret-id='; 'env: file:'; break }
        'vault:--jwt=*' { $start = '--jwt='; 'env: file:'; break }
        'vault:--password=*' { $start = '--password='; 'env: file:'; break }
        'aws:--mode=*' { $start = '--mode='; 'jwt caller-identity'; break }
        'azure:--environment=*' { $start = '--environment='; 'service-principal workload-identity app-service arc imds'; break }
        'azure:--client-secret=*' { $start = '--client-secret='; 'env: file:'; break }
        'adfs:--protocol=*' { $start = '--protocol='; 'oidc saml-post ws-trust'; break }
        'adfs:--auth=*' { $start = '--auth='; 'integrated password certificate client-secret private-key-jwt'; break }
        'adfs:--password=*' { $start = '--password='; 'env: file:'; break }
        'adfs:--client-secret=*' { $start = '--client-secret='; 'env: file:'; break }
        'adfs:--ws-trust-endpoint=*' { $start = '--ws-trust-endpoint='; 'windowstransport usernamemixed certificatemixed windowsmixed'; break }
        'access-token:--format=*' { $start = '--format='; 'text json header'; break }
        'id-token:--format=*' { $start = '--format='; 'text json header'; break }
        'sign-jwt:--format=*' { $start = '--format='; 'text json'; break }
        'sign-blob:--format=*' { $start = '--format='; 'text json'; break }
        'check:--format=*' { $start = '--format='; 'text json'; break }
        '*:--format=*' { $start = '--format='; 'json text'; break }
        '*:--*=*' { ''; break }
        'help:*' { 'file url env command ci github azure-pipelines oidc vault aws azure adfs kubernetes key access-token id-token sign-jwt sign-blob config check'; break }
        'file:*' { '--path= --field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'url:*' { '--url= --header= --field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'env:*' { '--name= --field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'command:*' { '--field= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'ci:*' { '--system= --name= --service-connection= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'github:*' { '--audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'azure-pipelines:*' { '--service-connection= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'oidc:*' { '--issuer= --client-id= --flow= --auth= --client-secret= --client-key= --client-cert= --assertion-audience= --scope= --resource= --param= --use= --refresh-token-file= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'vault:*' { '--role= --address= --namespace= --login= --token= --login-mount= --login-role= --role-id= --secret-id= --jwt= --user= --password= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'aws:*' { '--mode= --profile= --region= --duration= --tag= --sts-endpoint= --role-arn= --role-session-name= --external-id= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'azure:*' { '--resource= --environment= --tenant-id= --client-id= --object-id= --identity-resource-id= --client-secret= --client-cert= --client-key= --federated-token-file= --authority-host= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'adfs:*' { '--issuer= --relying-party= --protocol= --client-id= --auth= --user= --password= --client-secret= --client-key= --client-cert= --keytab= --principal= --spn= --user-agent= --ws-trust-endpoint= --acs-url= --signing-key= --signing-certificate= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'kubernetes:*' { '--account= --namespace= --kubeconfig= --context= --token-lifetime= --path= --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'key:*' { '--key= --issuer= --subject= --claim= --lifetime= --generate --audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'access-token:*' { '--credentials= --scope= --lifetime= --delegate= --subject= --oauth-endpoint= --cache-file= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'id-token:*' { '--credentials= --for= --include-email --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'sign-jwt:*' { '--credentials= --payload= --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'sign-blob:*' { '--credentials= --file= --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'config:*' { 'file url env command ci github azure-pipelines oidc vault aws azure adfs kubernetes key --pool-provider= --service-account= --service-account-lifetime= --workforce-pool-user-project= --universe-domain= --program= --out= --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        'check:*' { '--credentials= --offline --mapping= --delegate= --format= --args-file= --timeout= --ca-file= --allow-http= --log-file='; break }
        ':-*' { '--audience= --token-type= --output-file= --expiry-margin= --format= --exit-zero --args-file= --timeout= --ca-file= --allow-http= --log-file= --help --version'; break }
        ':*' { 'file url env command ci github azure-pipelines oidc vault aws azure adfs kubernetes key access-token id-token sign-jwt sign-blob config check help'; break }
    }
    -split $offer | ForEach-Object { "$start$_" } | Where-Object { $_.StartsWith($word) } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}

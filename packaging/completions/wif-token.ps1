# PowerShell completion for wif-token, written by cargo run --example documents

Register-ArgumentCompleter -Native -CommandName wif-token -ScriptBlock {
    param($word, $line, $cursor)
    $before = $line.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -lt $cursor } | ForEach-Object { $_.ToString() }
    $source = $before | Where-Object { -not $_.StartsWith('-') } | Select-Object -First 1
    $start = ''
    $offer = switch -Wildcard -CaseSensitive ("${source}:$word") {
        '*:--format=*' { $start = '--format='; 'json text'; break }
        'oidc:--auth=*' { $start = '--auth='; 'basic post private-key-jwt mtls none'; break }
        'oidc:--client-secret=*' { $start = '--client-secret='; 'env: file:'; break }
        'oidc:--use=*' { $start = '--use='; 'access_token id_token'; break }
        'aws:--mode=*' { $start = '--mode='; 'jwt caller-identity'; break }
        'adfs:--protocol=*' { $start = '--protocol='; 'oidc saml-post ws-trust'; break }
        'adfs:--auth=*' { $start = '--auth='; 'integrated password certificate client-secret private-key-jwt'; break }
        'adfs:--password=*' { $start = '--password='; 'env: file:'; break }
        'adfs:--client-secret=*' { $start = '--client-secret='; 'env: file:'; break }
        'adfs:--ws-trust-endpoint=*' { $start = '--ws-trust-endpoint='; 'windowstransport usernamemixed certificatemixed windowsmixed'; break }
        '*:--*=*' { ''; break }
        'help:*' { 'file url env command oidc aws adfs key'; break }
        'file:*' { '--path= --field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        'url:*' { '--url= --header= --field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        'env:*' { '--name= --field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        'command:*' { '--field= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        'oidc:*' { '--issuer= --client-id= --auth= --client-secret= --client-key= --client-cert= --assertion-audience= --scope= --resource= --param= --use= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        'aws:*' { '--mode= --profile= --region= --duration= --tag= --sts-endpoint= --role-arn= --role-session-name= --external-id= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        'adfs:*' { '--issuer= --relying-party= --protocol= --client-id= --auth= --user= --password= --client-secret= --client-key= --client-cert= --keytab= --principal= --spn= --user-agent= --ws-trust-endpoint= --acs-url= --signing-key= --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        'key:*' { '--key= --issuer= --subject= --claim= --lifetime= --generate --audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero'; break }
        ':-*' { '--audience= --token-type= --output-file= --args-file= --timeout= --expiry-margin= --ca-file= --allow-http= --log-file= --format= --exit-zero --help --version'; break }
        ':*' { 'file url env command oidc aws adfs key help'; break }
    }
    -split $offer | ForEach-Object { "$start$_" } | Where-Object { $_.StartsWith($word) } |
        ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}

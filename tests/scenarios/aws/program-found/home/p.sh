[ "$1" = "an argument" ] || exit 1
echo '{"Version":1,"AccessKeyId":"AKIDPROC","SecretAccessKey":"hunter2-secret-key","SessionToken":"hunter2-session","Expiration":"2999-01-01T00:00:00Z"}'

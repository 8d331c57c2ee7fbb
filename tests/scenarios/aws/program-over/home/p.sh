echo '{"Version":1,"AccessKeyId":"AKIDPROC","SecretAccessKey":"hunter2-secret-key","Expiration":"2026-11-21T16:00:00Z"}'

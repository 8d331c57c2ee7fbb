echo '{"Version":2,"AccessKeyId":"A","SecretAccessKey":"hunter2-secret-key"}'

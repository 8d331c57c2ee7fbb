echo '{"Version":1,"AccessKeyId":"AKIDPROC","SecretAccessKey":"hunter2-secret-key"}'

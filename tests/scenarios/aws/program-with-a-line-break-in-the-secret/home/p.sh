printf '%s' '{"Version":1,"AccessKeyId":"AKIDPROG","SecretAccessKey":"hunter2-secret-key","SessionToken":"hunter2-session\ntwo"}'

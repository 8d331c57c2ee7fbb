echo '{"Version":1,"AccessKeyId":"A"}'

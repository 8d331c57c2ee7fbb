echo '{"Version":1,"AccessKeyId":"A","SessionToken":"hunter2-session"}'

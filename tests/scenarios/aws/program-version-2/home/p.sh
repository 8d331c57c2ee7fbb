echo '{"Version":2}'

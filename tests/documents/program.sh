#!/bin/sh
# In the place of the program. No server can be reached here: a run that finds nothing (4) or reaches
# nothing (6) is as good as a success; any other failure is noted, and fails the block.
root="{root}" program="{program}"
# A tool starts its helper by a name of its own.
case ${0##*/} in
wif-token*) ;;
*) mkdir -p "$root/named" && ln -sf "$program" "$root/named/${0##*/}" && program=$root/named/${0##*/} ;;
esac
[ -z "$SHOWN" ] || exec "$program" "$@"
said=$root/said.$$
# It runs until it is stopped.
[ "$1" != keep ] || set -- /usr/bin/timeout --preserve-status 1 "$program" "$@"
[ "$1" = /usr/bin/timeout ] || set -- "$program" "$@"
"$@" >"$said" 2>"$said.error"
status=$?
case $status in
0 | 4 | 6) ;;
*) printf '%s: %s\n%s\n' "$*" "$(cat "$said.error")" "$(grep '^error' "$said")" >>"$root/wrong" ;;
esac
cat "$said"
rm "$said" "$said.error"

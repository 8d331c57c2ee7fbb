#!/bin/sh
# Replaces the program in the blocks. No server can be reached from them, so a run that finds no source (4) or reaches
# no server (6) counts as a success. Any other failure is written to the file `wrong`, and the block fails.
root="{root}" program="{program}"
# A tool starts the program under the name of its helper.
case ${0##*/} in
wif-token*) ;;
*) mkdir -p "$root/named" && ln -sf "$program" "$root/named/${0##*/}" && program=$root/named/${0##*/} ;;
esac
[ -z "$SHOWN" ] || exec "$program" "$@"
said=$root/said.$$
# `keep` runs until it is stopped.
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

#!/bin/sh
# Downloads wif-token @version@ for this machine, verifies its checksum, and installs it.
#
#   install.sh [FOLDER]     /usr/local/bin by default
#
# DOWNLOADURL is a URL with the files of the release, such as a mirror. Needs curl or wget, tar or unzip, and sha256sum or shasum.
set -eu

folder=${1:-/usr/local/bin}
fail() { echo "install.sh: $*" >&2 && exit 1; }
has() { command -v "$1" >/dev/null 2>&1; }

case $(uname -s) in
Linux) system=linux ;;
Darwin) system=macos ;;
MINGW* | MSYS*) system=windows ;;
*) fail "this release has no program for $(uname -s): build it with cargo install wif-token" ;;
esac
machine=$(uname -m)
[ "$machine" != arm64 ] || machine=aarch64
# On Arm, Git for Windows is a program for x86-64, so uname says x86_64.
[ "$system/${RUNNER_ARCH:-}" != windows/ARM64 ] || machine=aarch64

suffix=tar.gz
case $system-$machine in
linux-x86_64) sum=@linux-x86_64@ ;;
linux-aarch64) sum=@linux-aarch64@ ;;
# @if macos-aarch64@
macos-x86_64) sum=@macos-x86_64@ ;;
macos-aarch64) sum=@macos-aarch64@ ;;
# @end@
windows-x86_64) sum=@windows-x86_64@ suffix=zip ;;
# @if windows-aarch64@
windows-aarch64) sum=@windows-aarch64@ suffix=zip ;;
# @end@
*) fail "this release has no program for $system-$machine: build it with cargo install wif-token" ;;
esac

name=wif-token-@version@-$system-$machine
url=${DOWNLOADURL:-@download@}/$name.$suffix
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if has curl; then
  curl --fail --silent --show-error --location --retry 3 --max-time 300 --output "$work/archive" "$url" || fail "cannot download $url"
elif has wget; then
  wget --quiet --tries=3 --timeout=60 --output-document="$work/archive" "$url" || fail "cannot download $url"
else
  fail "curl and wget are missing: install one of them"
fi
if has sha256sum; then found=$(sha256sum "$work/archive"); else found=$(shasum -a 256 "$work/archive"); fi
# If the path contains a backslash, sha256sum begins the line with a backslash.
found=${found#\\}
[ "${found%% *}" = "$sum" ] || fail "the checksum of $url is wrong: check that the mirror has the files of version @version@"

mkdir -p "$folder"
if [ $suffix = zip ]; then
  unzip -q "$work/archive" -d "$work"
  cp "$work/$name"/*wif-token* "$folder/"
else
  tar -xzf "$work/archive" -C "$work"
  cp -P "$work/$name"/*wif-token "$folder/"
fi

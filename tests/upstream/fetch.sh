#!/bin/sh
# SPDX-License-Identifier: MIT
# fetch.sh DIRECTORY: the source of Debian's redis package, with its test suite, goes there, if it
# is not there yet. apt's own lists and sources stay as they are: this has its own, and needs no
# root.
set -eu
directory=$1
[ ! -f "$directory/tests/test_helper.tcl" ] || exit 0

own=$(mktemp -d)
trap 'rm -rf "$own"' EXIT
mkdir -p "$own/lists/partial" "$own/cache/archives/partial" "$own/parts" "$own/source"
cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
    sed -n 's/^deb /deb-src /p' >"$own/sources.list"
for file in /etc/apt/sources.list.d/*.sources; do
    [ ! -f "$file" ] || sed 's/^Types:.*/Types: deb-src/' "$file" >"$own/parts/${file##*/}"
done
ours() {
    apt-get -qq -o Dir::Etc::sourcelist="$own/sources.list" -o Dir::Etc::sourceparts="$own/parts" \
        -o Dir::State::Lists="$own/lists" -o Dir::Cache="$own/cache" \
        -o APT::Sandbox::User=root "$@"
}
ours update || true # one source of several may be away: the next line tells
cd "$own/source"
ours source redis >"$own/log" 2>&1 || { tail -n 5 "$own/log" >&2; exit 1; }
cd - >/dev/null
mkdir -p "$(dirname "$directory")"
rm -rf "$directory"
mv "$own"/source/redis-*/ "$directory"

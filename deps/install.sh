#!/bin/sh
# SPDX-License-Identifier: MIT
# deps/install.sh [GROUP...]: installs those packages of deps/packages.txt that are missing or too
# old. Without a group, what `make test` needs.
set -eu
list="$(dirname "$0")/packages.txt"
[ $# -gt 0 ] || set -- build test bench

die() { echo "deps: $*" >&2; exit 1; }

installed() { # PACKAGE LEAST_VERSION
    set -- "$2" "$(dpkg-query -W -f='${db:Status-Status} ${Version}\n' "$1" 2>/dev/null)"
    case "$2" in
    "installed "*) dpkg --compare-versions "${2#installed }" ge "$1" ;;
    *) return 1 ;;
    esac
}

command -v dpkg-query >/dev/null || die "this is not Debian: install by hand what $list names"
for group; do
    grep -q "^$group " "$list" || die "no such group: $group (see $list)"
done

missing=
count=0
for group; do
    while read -r of package version _; do
        [ "$of" = "$group" ] || continue
        count=$((count + 1))
        installed "$package" "$version" || missing="$missing $package"
    done <"$list"
done
if [ -z "$missing" ]; then
    echo "deps: $*: all $count packages are there"
    exit 0
fi

root=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || die "missing:$missing: run this as root, or install them"
    root=sudo
fi
echo "deps: $*: installing$missing"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086 # words are meant
if ! { $root apt-get -q update && $root env DEBIAN_FRONTEND=noninteractive \
    apt-get -qy install --no-install-recommends $missing; } >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    die "apt-get failed"
fi
for group; do
    while read -r of package version _; do
        [ "$of" != "$group" ] || installed "$package" "$version" ||
            die "$package is older than $version"
    done <"$list"
done

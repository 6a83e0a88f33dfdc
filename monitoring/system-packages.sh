#!/bin/sh
# Puts the programs of Prometheus, its node exporter and Alertmanager into build/system, from Debian's packages, where
# they are not installed.
# The packages are unpacked, not installed: no daemon is started, and nothing outside build/ changes.
set -eu
cd "$(dirname "$0")/.."
place=$PWD/build/system

missing() {
    for tool in prometheus promtool prometheus-node-exporter prometheus-alertmanager amtool; do
        PATH=$PATH:$place/usr/bin command -v "$tool" >/dev/null || return 0
    done
    return 1
}

give_up() {
    echo "system-packages: $1; the tests that need them are skipped" >&2
    if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then exit 1; fi
    exit 0
}

fetch() {
    apt-get download -qq prometheus prometheus-node-exporter prometheus-alertmanager >/dev/null 2>&1
}

missing || exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "this is no Debian"
mkdir -p "$place/packages"
cd "$place/packages"
if ! fetch; then
    # Without lists of what there is nothing can be fetched; only root may bring them up to date.
    [ "$(id -u)" = 0 ] || give_up "the packages cannot be fetched (as root: apt-get update)"
    apt-get update -qq >/dev/null 2>&1 && fetch || give_up "the packages cannot be fetched"
fi
for package in *.deb; do dpkg-deb -x "$package" "$place"; done
! missing || give_up "the packages lack a program"

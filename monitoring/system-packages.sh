#!/bin/sh
# Unpacks Debian's Prometheus, node exporter, Alertmanager and SoftHSM into build/system, unless they are installed.
# Unpacking is not installing: no daemon is started, and nothing outside build/ changes.
set -eu
cd "$(dirname "$0")/.."
target=$PWD/build/system

missing() {
    for tool in prometheus promtool prometheus-node-exporter prometheus-alertmanager amtool softhsm2-util; do
        PATH=$PATH:$target/usr/bin command -v "$tool" >/dev/null || return 0
    done
    [ -e /usr/lib/softhsm/libsofthsm2.so ] || [ -e "$target/usr/lib/softhsm/libsofthsm2.so" ] || return 0
    return 1
}

give_up() {
    echo "system-packages: $1; tests that need these programs are skipped" >&2
    if [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ]; then exit 1; fi
    exit 0
}

fetch() {
    apt-get download -qq prometheus prometheus-node-exporter prometheus-alertmanager softhsm2 libsofthsm2 \
        >/dev/null 2>&1
}

missing || exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "this system is not Debian"
mkdir -p "$target/packages"
cd "$target/packages"
if ! fetch; then
    # Package lists may be missing; only root can update them.
    [ "$(id -u)" = 0 ] || give_up "the packages cannot be downloaded (as root, run: apt-get update)"
    apt-get update -qq >/dev/null 2>&1 && fetch || give_up "the packages cannot be downloaded"
fi
for package in *.deb; do dpkg-deb -x "$package" "$target"; done
! missing || give_up "a program is missing from the packages"

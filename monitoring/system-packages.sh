#!/bin/sh
# Unpacks into build/system what tests need and what is not installed: Debian's Prometheus, node exporter, Alertmanager,
# SoftHSM, and Chromium with its driver, libraries and fonts; and axe-core from npm.
# Unpacking is not installing: no daemon is started, and nothing outside build/ changes.
set -eu
cd "$(dirname "$0")/.."
target=$PWD/build/system
programs="prometheus prometheus-node-exporter prometheus-alertmanager softhsm2 libsofthsm2"
browser="chromium chromium-driver fonts-dejavu-core fonts-liberation"
axe=axe-core-4.14.1
axe_sha512=1477dafa598d8d065f273d6af302aa203c02e83131707b7fa648cd41bd3d6b734f8c22a0dab86ee6a6f64b8afbe804b214d36db85a2826965edfb3a0b9d546b5
given_up=

give_up() {
    echo "system-packages: $1; tests that need $2 are skipped" >&2
    given_up=yes
}

finds() {
    for tool in "$@"; do
        PATH=$PATH:$target/usr/bin command -v "$tool" >/dev/null || return 1
    done
}

has_programs() {
    finds prometheus promtool prometheus-node-exporter prometheus-alertmanager amtool softhsm2-util || return 1
    [ -e /usr/lib/softhsm/libsofthsm2.so ] || [ -e "$target/usr/lib/softhsm/libsofthsm2.so" ]
}

has_browser() {
    finds chromium chromedriver
}

has_axe() {
    [ -e "$target/axe-core/$axe" ]
}

# What an installation would add: the packages, and those of their dependencies that this system lacks.
list_missing() {
    apt-get install --simulate --no-install-recommends "$@" | sed -n 's/^Inst \([^ ]*\) .*/\1/p'
}

fetch() {
    all=
    has_programs || all=$programs
    if ! has_browser; then
        missing=$(list_missing $browser 2>/dev/null)
        [ -n "$missing" ] || return 1
        all="$all $missing"
    fi
    rm -f ./*.deb
    apt-get download -qq $all >/dev/null 2>&1
}

unpack_packages() {
    command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || { reason="this system is not Debian"; return 1; }
    mkdir -p "$target/packages"
    cd "$target/packages"
    if ! fetch; then
        # Package lists may be missing; only root can update them.
        reason="the packages cannot be downloaded (as root, run: apt-get update)"
        [ "$(id -u)" = 0 ] || return 1
        reason="the packages cannot be downloaded"
        apt-get update -qq >/dev/null 2>&1 && fetch || return 1
    fi
    for package in *.deb; do dpkg-deb -x "$package" "$target"; done
    rm -f ./*.deb
    reason="a program is missing from the packages"
}

unpack_axe() {
    command -v npm >/dev/null || { reason="npm is not installed"; return 1; }
    reason="$axe cannot be downloaded"
    mkdir -p "$target/packages" "$target/axe-core"
    cd "$target/packages"
    npm pack --silent "axe-core@${axe#axe-core-}" >/dev/null 2>&1 || return 1
    reason="$axe is not what it was"
    echo "$axe_sha512  $axe.tgz" | sha512sum --check --status || return 1
    tar -xzf "$axe.tgz" -C "$target/axe-core" --strip-components=1 package/axe.min.js package/LICENSE
    touch "$target/axe-core/$axe"
}

has_programs && has_browser || unpack_packages || true
has_programs || give_up "$reason" "Prometheus, Alertmanager or SoftHSM"
has_browser || give_up "$reason" "Chromium"
has_axe || unpack_axe || give_up "$reason" "axe-core"
[ -z "$given_up" ] || [ "${CI:-}" != true ] || [ "$(id -u)" != 0 ] || exit 1

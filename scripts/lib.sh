# SPDX-License-Identifier: MIT
# shellcheck shell=dash
# What the scripts share: saying, becoming root, building. Sourced by plain sh
# with `local` (a bare Alpine has no bash); does nothing by itself.

root=$(cd "$(dirname "$0")/.." && pwd)

# Installed but outside the path of an ordinary user (sgdisk, mkfs).
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
	say "$*"
	exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# Run a command as root: directly, by sudo or by doas.
as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif have sudo; then
		sudo "$@"
	elif have doas; then
		doas "$@"
	else
		die "'$*' needs root: run it as root, or install sudo"
	fi
}

# Cores this process may use.
cores() { nproc 2>/dev/null || echo 2; }

# configure_and_build DIRECTORY CMAKE-ARGUMENT... : says nothing when all is
# well, everything when not, and then returns 1.
configure_and_build() {
	local directory=$1 log=$1/build.log
	shift

	mkdir -p "$directory"
	if ! { (cd "$root" && cmake -B "$directory" -G Ninja "$@") &&
		cmake --build "$directory" -j "$(cores)"; } >"$log" 2>&1; then
		cat "$log" >&2
		say "the build in $directory failed"
		return 1
	fi
}

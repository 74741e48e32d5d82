#!/bin/sh
# Runs every test of this archive and says what passed. On FreeBSD, as root; nothing of the host's
# own network is touched, as each test has a jail with a network stack of its own.
set -u
cd "$(dirname "$0")" || exit 1
if [ "$(id -u)" != 0 ]; then
	echo "run.sh needs root" >&2
	exit 1
fi
TMPDIR=${TMPDIR:-/tmp}
VRRPD=$(pwd)/bin/vrrpd
export TMPDIR VRRPD
for module in if_epair if_bridge ng_socket ng_ether ng_bridge ng_eiface; do
	kldstat -q -m "$module" || kldload -n "$module" 2>/dev/null
done
passed= failed=
for test in tests/*; do
	name=${test##*/}
	echo "=== $name"
	if "$test"; then
		passed="$passed $name"
	else
		failed="$failed $name"
	fi
done
echo
echo "passed:${passed:- none}"
echo "failed:${failed:- none}"
[ -z "$failed" ]

# shellcheck shell=dash
# Writes vrrpd.conf from /etc/config/vrrpd, with the words of OpenWrt's /lib/functions.sh and, for names
# of networks, /lib/functions/network.sh.

vrrpd_section=
vrrpd_globals=
vrrpd_enabled=1
vrrpd_list=
vrrpd_values=

# Ends a list: its values stand in one line.
vrrpd_end_list() {
	[ -z "$vrrpd_list" ] || printf '%s = %s\n' "$vrrpd_list" "$vrrpd_values"
	vrrpd_list=
	vrrpd_values=
}

# The section of the daemon itself stands first, and has the paths of OpenWrt.
vrrpd_global() {
	[ -n "$vrrpd_globals" ] || printf '[GLOBAL]\ncontrolsocket = %s/vrrpd.sock\nruntimedir = %s\n' "$RUN" "$RUN"
	vrrpd_globals=1
}

# OpenWrt calls this for each section, and once more at the end, with nothing.
config_cb() {
	vrrpd_end_list
	vrrpd_section=$1
	case $1 in
	'' | global) ;;
	*) vrrpd_global && printf '\n[%s]\n' "$1" ;;
	esac
	# A section after those of virtual routers is an error, which vrrpd tells.
	[ "$1" != global ] || [ -z "$vrrpd_globals" ] || printf '\n[GLOBAL]\n'
	[ "$1" != global ] || vrrpd_global
}

option_cb() {
	local device value
	vrrpd_end_list
	# A value stays in its line.
	value=$(printf '%s' "$2" | tr '\n' ' ')
	case $vrrpd_section.$1 in
	# OpenWrt's own, and the paths from above.
	.* | global.controlsocket | global.runtimedir) ;;
	global.enabled) vrrpd_enabled=$value ;;
	vrid.interface)
		network_get_device device "$value" || device=$value
		printf 'interface = %s\n' "$device"
		;;
	*) printf '%s = %s\n' "$1" "$value" ;;
	esac
}

list_cb() {
	if [ "$vrrpd_list" = "$1" ]; then
		vrrpd_values="$vrrpd_values, $2"
	else
		vrrpd_end_list
		vrrpd_list=$1
		vrrpd_values=$2
	fi
}

# Writes the file $1; fails if the service is not enabled.
vrrpd_write() {
	mkdir -p "${1%/*}" "$RUN"
	vrrpd_enabled=1
	vrrpd_globals=
	(umask 077 && echo '# Made from /etc/config/vrrpd at each start and reload.' > "$1.new")
	config_load vrrpd >> "$1.new"
	config_cb '' >> "$1.new"
	[ "$vrrpd_enabled" = 1 ] && mv "$1.new" "$1"
}

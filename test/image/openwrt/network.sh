# Stands for OpenWrt's network.sh in tests: one network has an address.
network_get_ipaddr() {
	[ "$2" = lan ] || return 1
	export "$1=127.0.0.1"
}

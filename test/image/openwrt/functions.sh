# Stands for OpenWrt's functions.sh and procd.sh in tests: options of /etc/config/PACKAGE checked by the types that we use.

option() {
	sed -n "s/^[[:space:]]*option $2 '\(.*\)'\$/\1/p" "/etc/config/$1" | tail -n 1
}

fits() {
	local low high word
	case "$1" in
	bool) case "$2" in 0 | 1 | true | false | yes | no | on | off) ;; *) return 1 ;; esac ;;
	string) ;;
	uciname) case "$2" in '' | *[!A-Za-z0-9_]*) return 1 ;; esac ;;
	port) fits 'range(0,65535)' "$2" ;;
	range\(*)
		case "$2" in '' | *[!0-9]*) return 1 ;; esac
		low=${1#*\(} high=${1#*,}
		[ "$2" -ge "${low%%,*}" ] && [ "$2" -le "${high%)}" ]
		;;
	or\(*) case "$1" in *\""$2"\"*) ;; *) return 1 ;; esac ;;
	*)
		echo "unknown type $1" >&2
		return 1
		;;
	esac
}

uci_load_validate() {
	local package=$1 type=$2 section=$3 callback=$4 result=0 name kind fallback value rest
	shift 4
	if [ -z "$callback" ]; then
		echo "declared $package $type $*"
		return 0
	fi
	for rest in "$@"; do
		name=${rest%%:*} rest=${rest#*:}
		kind=${rest%%:*} fallback=
		[ "$kind" = "$rest" ] || fallback=${rest#*:}
		value=$(option "$package" "$name")
		[ -n "$value" ] || value=$fallback
		[ -z "$value" ] || fits "$kind" "$value" || result=1
		eval "local $name; $name=\$value"
	done
	"$callback" "$section" "$result"
}

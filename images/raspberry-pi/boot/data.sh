# The data partition: made on the first boot, checked on every other, never wiped once it carried its label. Sourced by init.
data=${part}4
# Makes the file system under another name first and names it HL-DATA at the end, so that a cut between leaves one that is made again.
make_data() {
  say 'making the data partition'
  /tools/mke2fs -q -F -t ext4 -m 1 -L HL-NEW -E nodiscard,lazy_itable_init=1 "$data" && sync && /tools/tune2fs -L HL-DATA "$data" > /dev/null && sync
}
label=$(dd if="$data" bs=1 skip=1144 count=7 2> /dev/null | tr -d '\0')
magic=$(dd if="$data" bs=1 skip=1080 count=2 2> /dev/null | hexdump -e '1/2 "%04x"')
if [ "$magic" = 0000 ] || [ "$label" = HL-NEW ]; then
  make_data || say 'the data partition cannot be made'
else
  /tools/e2fsck -p "$data" > /run/fsck.log 2>&1
  if [ $? -ge 4 ]; then
    say 'the data partition is damaged, repairing it'
    /tools/e2fsck -y "$data" > /run/fsck.log 2>&1 || /tools/e2fsck -y -b 32768 "$data" > /run/fsck.log 2>&1
  fi
  have=$(/tools/dumpe2fs -h "$data" 2> /dev/null | sed -n 's/^Block count: *//p')
  bytes=$(/tools/dumpe2fs -h "$data" 2> /dev/null | sed -n 's/^Block size: *//p')
  if [ -n "$have" ] && [ $((have * (bytes / 512) + 65536)) -lt "$(cat "/sys/class/block/${data##*/}/size")" ]; then
    /tools/e2fsck -f -p "$data" > /run/fsck.log 2>&1
    /tools/resize2fs "$data" > /run/resize.log 2>&1 && say 'the data file system has grown with its partition'
  fi
fi
if ! mount -t ext4 -o noatime,nodev,nosuid,errors=remount-ro,commit=5 "$data" /root/data; then
  say 'the data partition cannot be used; running from memory until the card is written anew'
  mount -t tmpfs -o mode=0755,size=64m data /root/data
  : > /run/data-in-memory
fi
mkdir -p /root/data/log/journal /root/data/lib /root/data/update /root/data/hearthline /root/data/hearthline-net
chown 990:990 /root/data/hearthline /root/data/hearthline-net
chown 0:990 /root/data/update && chmod 0770 /root/data/update
# How far each boot of a slot came, one line a stage: attempt, stage, seconds since power-on. Kept short: the last 100 lines.
log=/root/data/log/boot-$slot.log
mark() { echo "$attempt $1 $(uptime_s)" >> "$log"; sync; }
if [ -f "$log" ] && [ "$(wc -l < "$log")" -gt 100 ]; then tail -n 60 "$log" > "$log.new" && mv "$log.new" "$log"; fi
mark kernel
id=/root/data/lib/machine-id
if ! grep -qE '^[0-9a-f]{32}$' "$id" 2> /dev/null; then
  tr -d - < /proc/sys/kernel/random/uuid > "$id.new" && sync && mv "$id.new" "$id"
fi
[ -e /root/etc/machine-id ] && mount --bind "$id" /root/etc/machine-id

# A container that has an address, as its page tells an operator to run it: healthy, killed, and stopped.
# Arguments: an empty folder, the folder of the image's files, the Containerfile.
exec 2>&1
folder=$1 built=$2 file=$3

mount -t tmpfs tmpfs /run
ip link add segment type bridge
ip link set segment up
ip addr add 10.10.10.6/24 dev segment
ip netns add b
ip link add port-b type veth peer name eth0 netns b
ip link set port-b master segment up
ip -n b addr add 10.10.10.2/24 dev eth0
ip -n b link set eth0 up

# An engine that knows no other containers, and leaves none. It has no systemd, and makes no control groups, but
# crun starts nothing where it finds both versions of these.
mount -t cgroup2 none /sys/fs/cgroup
cat > "$folder/containers.conf" <<CONF
[containers]
cgroups = "disabled"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
export CONTAINERS_CONF="$folder/containers.conf" DISABLE_HC_SYSTEMD=true
podman() {
    command podman --root "$folder/storage" --runroot /run/containers --tmpdir /run/libpod --storage-driver vfs "$@"
}
# The commands that the Containerfile names, with a folder of ours in the place of the host's /etc.
documented() { # COMMAND NAME
    sed -n 's/^# *//p' "$file" | sed ':more; /\\$/ { N; s/\\\n//; b more }' | sed -n "/^podman $1 /p" |
        sed "s|/etc/vrrpd.conf:|$folder/$2.conf:|; s|--name vrrpd|--name $2|; s|vrrpd:/var/lib|$2:/var/lib|"
}
config() { # NAME INTERFACE PRIORITY
    printf '%s\n' '[GLOBAL]' 'lease = 2' '[VRID]' 'serverid = 1' "interface = $2" "priority = $3" \
        'advertinterval = 0.1' 'addr = 10.10.10.80/32' > "$folder/$1.conf"
}
soon() {
    tries=0
    until "$@" > "$folder/last" 2>&1; do
        tries=$((tries + 1))
        if [ $tries -ge 300 ]; then
            echo "waited in vain: $*"
            cat "$folder/last"
            podman logs vrrpd || true
            exit 1
        fi
        sleep 0.1
    done
}
master() { podman exec "$1" vrrpctl is-master 1; }
there() { ip -o address show to 10.10.10.80 | grep -q .; }
gone() { ! there; }
pid() { podman inspect --format '{{.State.Pid}}' "$1"; }
# The other host, without a container.
b() { ip netns exec b chroot "$folder/b" /usr/sbin/vrrpctl is-master 1; }

echo "== built by the Containerfile"
cd "$built"
eval "$(documented build vrrpd | sed "s|-f [^ ]*|-f $file|")" > "$folder/built" 2>&1 || { cat "$folder/built"; exit 1; }
podman images --noheading --format '{{.Repository}} {{.Size}}'

echo "== the other host has the address"
mkdir -p "$folder/b/run" "$folder/b/proc" "$folder/b/dev" "$folder/b/etc" "$folder/b/var/lib/vrrpd"
image=$(podman image mount vrrpd)
cp -a "$image/." "$folder/b"
podman image unmount vrrpd > /dev/null
mknod -m 666 "$folder/b/dev/null" c 1 3
config b eth0 100
cp "$folder/b.conf" "$folder/b/etc/vrrpd.conf"
mount -t proc proc "$folder/b/proc"
ip netns exec b chroot "$folder/b" /usr/sbin/vrrpd -F -f /etc/vrrpd.conf > "$folder/b.log" 2>&1 &
soon b

echo "== a container with the host's network takes it, and is healthy"
config vrrpd segment 250
eval "$(documented run vrrpd)" > /dev/null
soon master vrrpd
there
soon podman healthcheck run vrrpd
soon ip netns exec b ping -q -c 1 -W 1 10.10.10.80

echo "== killed, it is started again, and the address is nowhere twice"
first=$(pid vrrpd)
kill -KILL "$first"
again() { now=$(pid vrrpd); [ "$now" != 0 ] && [ "$now" != "$first" ]; }
soon again
soon master vrrpd

echo "== killed for good, its address is taken away by the kernel"
podman kill --signal KILL vrrpd > /dev/null
soon gone
soon b

echo "== stopped, it hands the address over"
podman start vrrpd > /dev/null
soon master vrrpd
podman stop vrrpd > /dev/null
gone
b
podman rm vrrpd > /dev/null

echo "== a network of its own goes with the container, and the address with it"
config own eth0 250
eval "$(documented run own | sed 's/--network host/--network none/')" > /dev/null
container=$(pid own)
ip link add port-own type veth peer name moved
ip link set moved netns "$container" name eth0
ip link set port-own master segment up
nsenter --target "$container" --net ip addr add 10.10.10.7/24 dev eth0
nsenter --target "$container" --net ip link set eth0 up
soon master own
soon ping -q -c 1 -W 1 10.10.10.80
podman kill --signal KILL own > /dev/null
soon b
soon ping -q -c 1 -W 1 10.10.10.80
podman rm own > /dev/null
echo "== well"

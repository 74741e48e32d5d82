# The life of the service under systemd, as an operator sees it. Runs in a container that systemd has booted, with
# the packages in /story. Its output is the test's.
set -eu

soon() {
    tries=0
    until "$@"; do
        tries=$((tries + 1))
        if [ $tries -ge 300 ]; then
            echo "waited in vain: $*"
            systemctl status --no-pager --full vrrpd || true
            exit 1
        fi
        sleep 0.1
    done
}
expect() {
    if [ "$2" != "$3" ]; then
        echo "$1: expected '$2', found '$3'"
        journalctl --no-pager --unit vrrpd --lines 30 || true
        exit 1
    fi
}
fails() { if "$@"; then echo "worked: $*"; exit 1; fi; }
property() { systemctl show --value --property "$1" vrrpd; }
said() { journalctl --no-pager --output cat --since "$since" --unit vrrpd | grep -q -e "$1"; }
not_said() { ! said "$1"; }
# What is said from here on.
listen() { journalctl --sync; since=$(date '+%Y-%m-%d %H:%M:%S.%6N'); }
master() { vrrpctl is-master 1 > /dev/null 2>&1; }
there() { [ -n "$(ip -o address show to 10.10.10.80)" ]; }
gone() { ! there; }
running() { [ "$(property ActiveState)" = active ]; }
worker() {
    for one in $(cat "/proc/$1/task/$1/children"); do
        if grep -qx vrrpd-worker "/proc/$one/comm"; then echo "$one"; fi
    done
}
key() { vrrpctl auth | sed -n 's/.* \(key [0-9]*\) of .*/\1/p'; }
drop_in() {
    mkdir -p /etc/systemd/system/vrrpd.service.d
    cat > "/etc/systemd/system/vrrpd.service.d/$1"
    systemctl daemon-reload
}

ip link add eth0 type veth peer name eth1
ip address add 10.10.10.6/24 dev eth0
ip link set eth0 up
ip link set eth1 up

echo "== installed, and waits for a configuration"
dpkg --install /story/vrrpd_*.deb > /dev/null
expect enabled enabled "$(systemctl is-enabled vrrpd)"
systemctl start vrrpd
expect state inactive "$(property ActiveState)"

echo "== a configuration with a mistake fails the unit once, with its line"
listen
printf '[VRID]\nserverid = 300\ninterface = eth0\naddr = 10.10.10.80/24\n' > /etc/vrrpd.conf
fails systemctl start vrrpd 2> /dev/null
expect state failed "$(property ActiveState)"
expect status 78 "$(property ExecMainStatus)"
expect restarts 0 "$(property NRestarts)"
soon said 'vrrpd.conf:2: serverid: expected a number from 1 to 255'

echo "== a credential that systemd is not told of"
cat > /etc/vrrpd.conf <<END
[GLOBAL]
metrics = 127.0.0.1:9112
[CHECK]
name = web
http = http://127.0.0.1:9112/metrics
interval = 1
[CHECK]
name = command
command = /usr/local/bin/check
interval = 1
[VRID]
serverid = 1
interface = eth0
advertinterval = 0.1
addr = 10.10.10.80/24
route = 10.20.0.0/16 via 10.10.10.2 dev eth0
masterscript = /usr/local/bin/master
check = web, command
auth = hmac
credential = 7:vrrp.key
antireplay = monotonic
END
# Scripts and checks tell how they run.
cat > /usr/local/bin/master <<'END'
#!/bin/sh
{ cat /proc/self/oom_score_adj; chrt -p $$ | sed -n 's/.*policy: //p'; } > /run/master
END
printf '#!/bin/sh\ncat /proc/self/oom_score_adj > /tmp/check\n' > /usr/local/bin/check
chmod 755 /usr/local/bin/master /usr/local/bin/check
listen
fails systemctl start vrrpd 2> /dev/null
expect status 78 "$(property ExecMainStatus)"
soon said 'credential: key 7, credential vrrp.key: expected the variable CREDENTIALS_DIRECTORY'

echo "== a credential from a file"
(umask 077; echo 'the first key, of thirty-two octets' > /etc/vrrp.key)
printf '[Service]\nLoadCredential=vrrp.key:/etc/vrrp.key\n' | drop_in key.conf
systemctl start vrrpd
soon master
soon there
expect type notify "$(property Type)"
serves() { [ "$(property StatusText)" = "1 master, 0 backup, 0 waiting" ]; }
soon serves
expect key "key 7" "$(key)"
expect route "10.20.0.0/16 via 10.10.10.2 dev eth0" "$(ip route show proto 112 | sed 's/ proto.*//; s/ *$//')"
main=$(property MainPID)
worker=$(worker "$main")
# A machine of CI may lack CAP_SYS_RESOURCE itself, and OOMScoreAdjust= has no effect then.
protected=0
if (echo -900 > /proc/self/oom_score_adj) 2> /dev/null; then protected=-900; fi
expect "OOM score of the parent" $protected "$(cat "/proc/$main/oom_score_adj")"
expect "OOM score of the worker" $protected "$(cat "/proc/$worker/oom_score_adj")"
expect "user of the worker" "$(id -u _vrrp)" "$(sed -n 's/^Uid:.//p' "/proc/$worker/status" | cut -f1)"
[ $protected = 0 ] || expect "findings about memory" "" "$(vrrpctl doctor | grep oom_score_adj || true)"
soon [ -s /run/master ]
expect "OOM score of a script" 0 "$(sed -n 1p /run/master)"
expect "policy of a script" SCHED_OTHER "$(sed -n 2p /run/master)"
count() { tail -n 1 /var/lib/vrrpd/boot-count; }

echo "== a reload"
listen
sed -i 's/^priority.*//; $apriority = 150' /etc/vrrpd.conf
before=$(count)
systemctl reload vrrpd
soon said 'priority 100 -> 150'
[ "$(count)" -gt "$before" ]
expect state active "$(property ActiveState)"
expect "PID" "$main" "$(property MainPID)"
listen
sed -i 's/^priority.*/priority = 300/' /etc/vrrpd.conf
fails systemctl reload vrrpd 2> /dev/null
expect state active "$(property ActiveState)"
soon said 'priority: expected a number from 1 to 255'
master
sed -i 's/^priority.*/priority = 150/' /etc/vrrpd.conf
systemctl reload vrrpd

echo "== another key comes with a restart, and a reload keeps the one of before"
(umask 077; echo 'another key, of thirty-two octets..' > /etc/vrrp.key)
systemctl reload vrrpd
systemctl restart vrrpd
soon master
before=$(count)
rm /etc/vrrp.key
fails systemctl restart vrrpd 2> /dev/null
expect result exit-code "$(property Result)"
soon gone
(umask 077; echo 'short' > /etc/vrrp.key)
listen
systemctl reset-failed vrrpd
fails systemctl restart vrrpd 2> /dev/null
soon said 'expected a key of 32 to 64 octets, found 5'

echo "== an encrypted credential"
(umask 077; echo 'the third key, of thirty-two octets' > /run/plain)
systemd-creds --with-key=host --name=vrrp.key encrypt /run/plain /etc/vrrp.cred
printf '[Service]\nLoadCredentialEncrypted=vrrp.key:/etc/vrrp.cred\n' | drop_in key.conf
systemctl reset-failed vrrpd
systemctl start vrrpd
soon master

echo "== killed"
listen
there
systemctl kill --signal KILL --kill-who main vrrpd
# systemd 252 hides the credential from ExecStopPost=.
soon said 'virtual routers without their keys are not handed over'
soon running
soon master
expect restarts 1 "$(property NRestarts)"
# The worker alone.
main=$(property MainPID)
kill -KILL "$(worker "$main")"
soon said 'worker'
soon master
expect PID "$main" "$(property MainPID)"

echo "== the watchdog"
listen
kill -STOP "$(property MainPID)"
soon said 'Watchdog timeout'
soon running
soon master

echo "== stopped"
systemctl stop vrrpd
gone
expect state inactive "$(property ActiveState)"
expect result success "$(property Result)"

echo "== without scripts"
(umask 077; echo 'the third key, of thirty-two octets' > /etc/vrrp.key)
sed -i '/^masterscript/d; s|^credential.*|keyfile = 7:/etc/vrrp.key|' /etc/vrrpd.conf
cp /usr/share/doc/vrrpd/without-scripts.conf /etc/systemd/system/vrrpd.service.d/
systemctl daemon-reload
listen
rm -f /tmp/check
systemctl start vrrpd
soon master
soon there
systemctl reload vrrpd
not_said 'seccomp here'
not_said 'cannot'
systemctl kill --signal KILL --kill-who main vrrpd
soon said 'handed over by priority 0'
soon running
soon master

echo "== upgraded while it runs"
main=$(property MainPID)
dpkg --install /story/vrrpd_*.deb > /dev/null
soon running
[ "$main" != "$(property MainPID)" ]
soon master

echo "== removed and purged while it runs"
dpkg --remove vrrpd > /dev/null
gone
fails pgrep -x vrrpd
rm -r /etc/systemd/system/vrrpd.service.d
dpkg --purge vrrpd > /dev/null
fails [ -e /etc/vrrpd.conf ]
fails [ -e /var/lib/vrrpd ]
fails id _vrrp 2> /dev/null
echo "== well"

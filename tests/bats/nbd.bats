#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# NBD in and out, with real servers on Unix sockets and on loopback.

load helper
load images

prepare() {
	built_with nbd || {
		refuses 69 "nbd://localhost/x: built without libnbd*" \
			nbd://localhost/x out.raw
		skip_rest=yes
		return
	}
	need qemu-nbd nbdkit nbdcopy
	make_odd_disk disk.raw
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	servers=()
}

here() { [ -z "${skip_rest:-}" ]; }

teardown() {
	[ -z "${servers[*]:-}" ] || kill "${servers[@]}" 2>/dev/null || true
	wait
	rm -f "$(socket_of '')"*
}

# Socket names are short, whatever the folder is called.
socket_of() { printf '/tmp/imgconv-%s-%s' "$$" "$1"; }
url_of() { printf 'nbd+unix:///%s?socket=%s' "${2:-}" "$(socket_of "$1")"; }

# appears SOCKET: as soon as it listens.
appears() {
	local i
	for i in {1..100}; do
		[ ! -S "$1" ] || return 0
		sleep 0.05
	done
	fail "$1 does not listen: $(cat kit.log qemu.log 2>&1)"
}

# kit NAME ARGUMENTS...: an nbdkit on the socket of that name.
kit() {
	local socket
	socket=$(socket_of "$1")
	shift
	rm -f "$socket"
	nbdkit -f -U "$socket" "$@" >kit.log 2>&1 3>&- &
	servers+=($!)
	appears "$socket"
}

qemu() {
	local socket
	socket=$(socket_of "$1")
	shift
	rm -f "$socket"
	qemu-nbd -t -e 8 -k "$socket" "$@" >qemu.log 2>&1 3>&- &
	servers+=($!)
	appears "$socket"
}

@test "from a server, by random access, with its extents" {
	here || return 0
	qemu a -r -f qcow2 disk.qcow2
	runs 0 "$(url_of a)" out.qcow2
	runs 0 compare out.qcow2 disk.raw
	runs 0 compare "$(url_of a)" disk.raw
	runs 0 info "$(url_of a)"
	[[ $output == *5242880* ]]
	# What the server calls a hole takes no room.
	runs 0 "$(url_of a)" out.raw
	same_bytes disk.raw out.raw
	[ "$(stat -c %b out.raw)" -lt $(((5 << 20) / 512)) ]
	# An image of any format may lie in an export.
	qemu b -r -f raw disk.qcow2
	runs 0 --force "$(url_of b)" out.raw
	same_bytes disk.raw out.raw
	runs 0 check "$(url_of b)"
	runs 0 map "$(url_of b)"
	runs 0 measure "$(url_of b)"
}

@test "to a server: zeros and data, whatever was there" {
	here || return 0
	head -c 8M /dev/urandom >target.img
	cp target.img old.img
	kit a file target.img
	runs 0 --verify disk.qcow2 "$(url_of a)"
	cmp -n "$(size_of disk.raw)" disk.raw target.img
	# What is behind the image stays.
	cmp -i "$(size_of disk.raw)" old.img target.img
	runs 0 -O qcow2 disk.raw "$(url_of a)"
	qemu-img check -q target.img || qemu-img check -q -f qcow2 target.img
	runs 0 compare target.img disk.raw -f qcow2
}

@test "servers that can do little" {
	here || return 0
	local filters
	for filters in "--filter=nozero" \
		"--filter=nozero --filter=noextents" \
		"--filter=multi-conn" "--filter=blocksize-policy"; do
		head -c 5M /dev/urandom >target.img
		# shellcheck disable=SC2086
		kit a $filters file target.img \
			$([[ $filters != *multi* ]] ||
				echo multi-conn-mode=disable) \
			$([[ $filters != *policy* ]] || echo \
				blocksize-minimum=4096 \
				blocksize-error-policy=error)
		runs 0 disk.qcow2 "$(url_of a)"
		same_bytes disk.raw target.img
		runs 0 --force "$(url_of a)" out.raw
		same_bytes disk.raw out.raw
		kill "${servers[@]}"
		wait
		servers=()
	done
}

@test "structures that are smaller than the server's blocks" {
	here || return 0
	local format
	head -c 8M /dev/urandom >target.img
	kit a --filter=blocksize-policy file target.img \
		blocksize-minimum=4096 blocksize-error-policy=error
	for format in vdi vmdk qed; do
		runs 0 -O $format disk.raw "$(url_of a)"
		runs 0 compare -f $format target.img disk.raw
		runs 0 compare "$(url_of a)" disk.raw
	done
}

@test "from server to server, on loopback, by export's name" {
	here || return 0
	local port=$((20000 + $$ % 20000))
	qemu-nbd -r -t -e 8 -f raw -x 'a disk' -b 127.0.0.1 -p $port disk.raw \
		>qemu.log 2>&1 3>&- &
	servers+=($!)
	head -c 5M /dev/urandom >target.img
	kit b file target.img
	local i
	for i in {1..100}; do
		! nbdinfo --size "nbd://127.0.0.1:$port/a%20disk" \
			>/dev/null 2>&1 || break
		sleep 0.05
	done
	runs 0 "nbd://127.0.0.1:$port/a%20disk" "$(url_of b)"
	same_bytes disk.raw target.img
	refuses 66 "nbd://127.0.0.1:$port/b: nbd: there is no export \"b\"; there are: \"a disk\"" \
		info "nbd://127.0.0.1:$port/b"
}

@test "what is refused before anything is written" {
	here || return 0
	head -c 1M /dev/urandom >target.img
	cp target.img old.img
	kit a file target.img
	fails 73 "*needs 5242880 bytes, but the output has room for 1048576" \
		disk.raw "$(url_of a)"
	same_bytes old.img target.img
	kit b -r file disk.raw
	fails 73 "*the export is read-only" disk.raw "$(url_of b)"
	runs 0 --dry-run disk.raw "$(url_of a)"
	same_bytes old.img target.img
	refuses 64 "*such a URL is nbd+unix:///EXPORT?socket=PATH" info \
		nbd+unix:///x
	refuses 64 "*parameter x=1 is not known" info 'nbd://h/?x=1'
	fails 66 "*No such file*" info "nbd+unix:///?socket=/nonexistent"
	fails 75 "*Connection refused" info nbd://127.0.0.1:1/
}

@test "the input's own export, blocks of other sizes, a silent server" {
	here || return 0
	cp disk.raw same.img
	kit a file same.img
	fails 73 "*is the input itself*" "$(url_of a)" "$(url_of a)"
	same_bytes disk.raw same.img
	head -c 5M /dev/urandom >target.img
	kit b --filter=blocksize-policy file target.img \
		blocksize-maximum=65536 blocksize-error-policy=error
	runs 0 disk.qcow2 "$(url_of b)"
	same_bytes disk.raw target.img
	runs 0 "$(url_of b)" out.raw
	same_bytes disk.raw out.raw
	kit c --filter=noextents --filter=delay file disk.raw rdelay=20
	fails 75 "*" --timeout 1 "$(url_of c)" none.raw
	nothing_at none.raw
}

@test "a server's errors, and its end in the middle" {
	here || return 0
	kit a --filter=error file disk.raw error-pread=EIO \
		error-pread-rate=100%
	fails 74 "*nbd: read at *Input/output error" "$(url_of a)" out.raw
	nothing_at out.raw
	truncate -s 200M large.raw
	kit b --filter=noextents --filter=delay file large.raw rdelay=30ms
	"$IMGCONV" "$(url_of b)" out.raw 2>errors &
	local run=$! status=0
	sleep 0.5
	kill -KILL "${servers[1]}"
	wait $run || status=$?
	equal 75 $status "status ($(cat errors))"
	nothing_at out.raw
	# The same while writing: no head, so nobody takes it for a disk.
	head -c 200M /dev/urandom >data.raw
	truncate -s 200M target.img
	kit c --filter=delay file target.img wdelay=30ms
	"$IMGCONV" data.raw "$(url_of c)" 2>errors &
	run=$! status=0
	sleep 0.5
	kill -KILL "${servers[2]}"
	wait $run || status=$?
	equal 75 $status "status ($(cat errors))"
	cmp -n 1048576 target.img /dev/zero
}

@test "TLS by a shared key and by certificates" {
	here || return 0
	need psktool certtool
	psktool -u tester -p keys >/dev/null 2>&1
	kit a --tls=require --tls-psk="$PWD/keys" file disk.raw
	local socket
	socket=$(socket_of a)
	runs 0 "nbds+unix://tester@/?socket=$socket&tls-psk-file=$PWD/keys" \
		out.raw
	same_bytes disk.raw out.raw
	psktool -u tester -p others >/dev/null 2>&1
	fails 75 "*nbd: *" info \
		"nbds+unix://tester@/?socket=$socket&tls-psk-file=$PWD/others"
	fails 77 "*perhaps the server wants TLS*" info \
		"nbd+unix:///?socket=$socket"
}

@test "TLS by certificates: the server's name is looked at" {
	here || return 0
	need certtool
	local one port=$((20000 + RANDOM % 20000))
	printf 'cn = "ca"\nca\ncert_signing_key\n' >ca.tmpl
	printf 'cn = "localhost"\ndns_name = "localhost"\n%s\n' \
		tls_www_server >server.tmpl
	certtool --generate-privkey --key-type ecdsa --outfile ca-key.pem \
		2>/dev/null
	certtool --generate-self-signed --load-privkey ca-key.pem \
		--template ca.tmpl --outfile ca-cert.pem 2>/dev/null
	certtool --generate-privkey --key-type ecdsa --outfile server-key.pem \
		2>/dev/null
	certtool --generate-certificate --load-privkey server-key.pem \
		--load-ca-certificate ca-cert.pem --load-ca-privkey ca-key.pem \
		--template server.tmpl --outfile server-cert.pem 2>/dev/null
	nbdkit -f -p $port -i 127.0.0.1 --tls=require \
		--tls-certificates="$PWD" file disk.raw >kit.log 2>&1 3>&- &
	servers+=($!)
	for one in {1..100}; do
		! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
		sleep 0.05
	done
	runs 0 "nbds://localhost:$port/?tls-certificates=$PWD" out.raw
	same_bytes disk.raw out.raw
	fails 77 "*certificate verification*" info \
		"nbds://127.0.0.1:$port/?tls-certificates=$PWD"
}

@test "interrupted, the server's disk has no head" {
	here || return 0
	head -c 100M /dev/urandom >data.raw
	head -c 100M /dev/urandom >target.img
	kit a --filter=delay file target.img wdelay=50ms
	"$IMGCONV" data.raw "$(url_of a)" 2>errors &
	local run=$! status=0
	sleep 0.5
	kill -TERM $run
	wait $run || status=$?
	equal 143 $status
	cmp -n 1048576 target.img /dev/zero
}

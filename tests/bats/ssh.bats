#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Inputs at the other end of SSH, with a real sshd on loopback.

load helper
load images

prepare() {
	need sshd ssh-keygen nbdkit sftp
	make_odd_disk disk.raw
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	ssh-keygen -q -t ed25519 -N '' -f host
	ssh-keygen -q -t ed25519 -N '' -f key
	cp key.pub authorized
	# An unprivileged sshd wants this folder, and a port that is free.
	[ "$(id -u)" -ne 0 ] || mkdir -p /run/sshd
	local i
	for i in {1..20}; do
		port=$((20000 + (RANDOM % 20000)))
		cat >sshd.conf <<-END
			Port $port
			ListenAddress 127.0.0.1
			HostKey $PWD/host
			AuthorizedKeysFile $PWD/authorized
			PidFile none
			StrictModes no
			UsePAM no
			PasswordAuthentication no
			KbdInteractiveAuthentication no
			Subsystem sftp internal-sftp
		END
		"$(type -P sshd)" -D -f "$PWD/sshd.conf" -E sshd.log 3>&- &
		server=$!
		wait_for_port && break
	done
	printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 host.pub)" >known
	cat >config <<-END
		Host *
		  IdentityFile $PWD/key
		  IdentitiesOnly yes
		  UserKnownHostsFile $PWD/known
		  GlobalKnownHostsFile /dev/null
		  StrictHostKeyChecking yes
	END
	url=ssh://$(id -un)@127.0.0.1:$port$PWD
}

wait_for_port() {
	local i
	for i in {1..60}; do
		if (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then return 0; fi
		kill -0 $server 2>/dev/null || return 1
		sleep 0.05
	done
	return 1
}

teardown() {
	[ -z "${server:-}" ] || kill $server 2>/dev/null || true
	wait
}

# With sftp alone: nothing else of nbdkit's is found.
by_sftp() {
	mkdir -p only
	local tool
	for tool in sftp ssh; do ln -sf "$(type -P $tool)" only/$tool; done
	run --separate-stderr env PATH="$PWD/only" "$IMGCONV" --ssh-config config "$@"
	equal 0 "$status" "status ($stderr)"
}

@test "through nbdkit: at random, as the plan says" {
	built_with nbd || return 0
	runs 0 plan --ssh-config config "$url/disk.qcow2" out.raw
	[[ $output == *nbdkit-ssh* ]] || fail "$output"
	runs 0 --ssh-config config "$url/disk.qcow2" out.raw
	same_bytes disk.raw out.raw
	xz -k disk.raw
	runs 0 --force --ssh-config config "$url/disk.raw.xz" out.raw
	same_bytes disk.raw out.raw
	runs 0 info --ssh-config config "$url/disk.qcow2"
	[[ $output == *qcow2* ]]
	runs 0 compare --ssh-config config "$url/disk.qcow2" disk.raw
}

@test "through sftp, where there is no nbdkit" {
	by_sftp plan "$url/disk.qcow2" out.raw
	[[ $output == *sftp* ]] || fail "$output"
	by_sftp "$url/disk.qcow2" out.raw
	same_bytes disk.raw out.raw
	by_sftp --force "$url/disk.raw" out.raw
	same_bytes disk.raw out.raw
}

@test "hosts that are not known, files that are not there" {
	local program
	mv known known.right
	printf '[127.0.0.1]:%s %s\n' "$port" "$(cut -d' ' -f1,2 key.pub)" >known
	if built_with nbd; then
		fails 77 "*" --ssh-config config "$url/disk.qcow2" out.raw
	fi
	mkdir only
	for program in sftp ssh; do
		ln -s "$(type -P $program)" only/$program
	done
	run --separate-stderr env PATH="$PWD/only" "$IMGCONV" --ssh-config config \
		"$url/disk.qcow2" out.raw
	equal 77 "$status" "$stderr"
	mv known.right known
	if built_with nbd; then
		fails 66 "*No such file*" --ssh-config config "$url/none" \
			out.raw
	fi
	run --separate-stderr env PATH="$PWD/only" "$IMGCONV" --ssh-config config \
		"$url/none" out.raw
	equal 66 "$status" "$stderr"
	nothing_at out.raw
	fails 69 "*nothing is written to a server of this kind*" disk.raw \
		"$url/out.raw"
}

@test "neither is installed" {
	mkdir nothing
	run --separate-stderr env PATH="$PWD/nothing" "$IMGCONV" "$url/disk.raw" \
		out.raw
	equal 69 "$status"
	[[ $stderr == *"install one of them"* ]] || fail "$stderr"
}

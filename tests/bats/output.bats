#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# The output appears whole or not at all.

load helper
load images

prepare() {
	need qemu-img python3 strace
}

@test "an output that is there is refused, and stays as it was" {
	make_odd_disk in.raw
	echo precious >out.raw
	fails 73 "*out.raw*--force*" in.raw out.raw
	equal precious "$(cat out.raw)"
	nothing_beside out.raw
	runs 0 --force in.raw out.raw
	same_bytes in.raw out.raw
	nothing_beside out.raw
}

@test "--force replaces only by a whole file" {
	make_pattern in.raw text:2M
	xz -k in.raw
	head -c "$(($(size_of in.raw.xz) / 2))" in.raw.xz >cut.raw.xz
	echo precious >out.raw
	fails 65 "*" --force cut.raw.xz out.raw
	equal precious "$(cat out.raw)"
	nothing_beside out.raw
}

@test "--force keeps the mode and follows a symbolic link" {
	make_odd_disk in.raw
	mkdir elsewhere
	echo old >elsewhere/real.raw
	chmod 600 elsewhere/real.raw
	ln -s elsewhere/real.raw out.raw
	runs 0 --force in.raw out.raw
	[ -L out.raw ]
	equal 600 "$(stat -c %a elsewhere/real.raw)"
	same_bytes in.raw elsewhere/real.raw
	nothing_beside elsewhere/real.raw
}

@test "a new output has the mode that the mask leaves" {
	make_odd_disk in.raw
	(umask 027 && "$IMGCONV" in.raw out.raw)
	equal 640 "$(stat -c %a out.raw)"
	(umask 000 && "$IMGCONV" in.raw open.raw)
	equal 666 "$(stat -c %a open.raw)"
}

@test "input and output the same file: refused, by any name, even forced" {
	make_odd_disk in.raw
	cp in.raw before
	ln -s in.raw symbolic.raw
	ln in.raw hard.raw
	for out in in.raw ./in.raw symbolic.raw hard.raw; do
		run --separate-stderr "$IMGCONV" --force in.raw $out
		[ "$status" -ge 64 ] || fail "$out: status $status"
		[[ $stderr == "imgconv: $out: "*input* ]] || fail "$stderr"
		same_bytes before in.raw
	done
}

@test "an output that is a folder, in no folder, or in one without rights" {
	make_odd_disk in.raw
	mkdir folder
	fails 73 "*folder*" in.raw -O raw folder
	fails 73 "*folder*" --force in.raw -O raw folder
	equal "" "$(files folder)"
	fails 73 "*" in.raw absent/out.raw
	if [ "$(id -u)" != 0 ]; then
		chmod 500 folder
		run --separate-stderr "$IMGCONV" in.raw folder/out.raw
		[ "$status" = 73 ] || [ "$status" = 77 ]
	fi
}

@test "no space: a small filesystem leaves nothing behind" {
	make_pattern in.raw data:8M
	# A file size limit stands in where no small filesystem can be had.
	run --separate-stderr bash -c 'trap "" XFSZ; ulimit -f 2048
		"$1" in.raw out.raw' - "$IMGCONV"
	[ "$status" -ge 73 ] && [ "$status" -le 74 ]
	[[ $stderr == "imgconv: "* ]]
	nothing_at out.raw
}

@test "a full device is an error" {
	[ -c /dev/full ] || lack /dev/full
	make_pattern in.raw data:1M
	run --separate-stderr "$IMGCONV" in.raw -O raw /dev/full
	[ "$status" -ge 69 ]
	[[ $stderr == "imgconv: "* ]]
}

@test "SIGTERM in the middle: dies of it, leaves nothing" {
	make_pattern part.raw data:3M
	for out in out.raw out.qcow2 out.raw.gz; do
		run -0 python3 "$fixtures/interrupt.py" SIGTERM part.raw \
			"$IMGCONV" -f raw - $out
		[ "${lines[-1]}" = "signal 15" ] || fail "$output"
		nothing_at $out
	done
}

@test "Ctrl-C in the middle: dies of SIGINT, leaves nothing" {
	make_pattern part.raw data:3M
	run -0 python3 "$fixtures/interrupt.py" group:SIGINT part.raw \
		"$IMGCONV" -f raw - out.raw
	[ "${lines[-1]}" = "signal 2" ] || fail "$output"
	nothing_at out.raw
}

@test "SIGKILL in the middle: nothing at the name; the next run cleans up" {
	make_pattern part.raw data:3M
	run -0 python3 "$fixtures/interrupt.py" SIGKILL part.raw \
		"$IMGCONV" -f raw - out.raw
	[ "${lines[-1]}" = "signal 9" ] || fail "$output"
	[ ! -e out.raw ]
	echo old >out.raw
	python3 "$fixtures/interrupt.py" SIGKILL part.raw \
		"$IMGCONV" -f raw --force - out.raw
	equal old "$(cat out.raw)"
	runs 0 --force part.raw out.raw
	same_bytes part.raw out.raw
	nothing_beside out.raw
}

@test "a worker that dies is reported, and leaves nothing" {
	make_pattern part.raw data:3M
	run --separate-stderr python3 - "$IMGCONV" <<-'END'
		import os, signal, subprocess, sys, time
		reader, writer = os.pipe()
		run = subprocess.Popen([sys.argv[1], "-f", "raw", "-", "out.raw"],
		                       stdin=reader)
		os.close(reader)
		os.write(writer, open("part.raw", "rb").read(2 << 20))
		children = f"/proc/{run.pid}/task/{run.pid}/children"
		os.kill(int(open(children).read().split()[0]), signal.SIGKILL)
		sys.exit(run.wait())
	END
	[ "$status" -ge 64 ] && [ "$status" -lt 128 ]
	[[ $stderr == "imgconv: "* ]]
	nothing_at out.raw
}

@test "synced before it has its name, file and folder; --no-sync does not" {
	make_odd_disk in.raw
	export ASAN_OPTIONS=detect_leaks=0
	strace -f -qq -e trace=fsync,fdatasync,linkat,renameat,renameat2,rename \
		-o calls "$IMGCONV" in.raw out.raw
	grep -q 'sync(' calls
	# The first sync is before the name appears, the last one after it.
	[ "$(grep -nE 'linkat|rename' calls | head -n 1 | cut -d: -f1)" -gt \
		"$(grep -n 'sync(' calls | head -n 1 | cut -d: -f1)" ]
	[ "$(grep -nE 'linkat|rename' calls | tail -n 1 | cut -d: -f1)" -lt \
		"$(grep -n 'sync(' calls | tail -n 1 | cut -d: -f1)" ]
	strace -f -qq -e trace=fsync,fdatasync -o calls "$IMGCONV" --no-sync \
		in.raw fast.raw
	! grep -q 'sync(' calls
}

@test "the input is never opened for writing" {
	make_odd_disk in.raw
	qemu-img convert -O qcow2 in.raw in.qcow2
	for name in in.raw in.qcow2; do
		ASAN_OPTIONS=detect_leaks=0 strace -f -qq \
			-e trace=open,openat -o calls \
			"$IMGCONV" --force $name -O raw out.raw
		grep -q "$name" calls
		! grep -F "\"$name\"" calls | grep -E 'O_WRONLY|O_RDWR'
	done
}

@test "--dry-run does nothing" {
	make_odd_disk in.raw
	runs 0 --dry-run in.raw out.qcow2
	nothing_at out.qcow2
	equal "in.raw " "$(files)"
}

@test "--consume leaves no input, after success only" {
	make_odd_disk in.raw
	cp in.raw right.raw
	runs 0 --consume in.raw out.raw
	[ ! -e in.raw ]
	same_bytes right.raw out.raw
	make_qcow2 bad.qcow2 cut=70000
	fails 65 "*" --consume bad.qcow2 out.qcow2
	[ -e bad.qcow2 ]
}

@test "an unknown suffix or - needs -O" {
	make_odd_disk in.raw
	fails 64 "*-O*" in.raw out.bin
	fails 64 "*-O*" in.raw -
	nothing_at out.bin
}

@test "reading and writing raw, in memory that is bounded" {
	case ${IMGCONV_VARIANT:-} in
	asan | tsan) return 0 ;; # the sanitizer's own memory counts
	esac
	need /usr/bin/time
	make_pattern in.raw data:300M
	for out in out.raw out.qcow2 out.raw.gz; do
		run -0 --separate-stderr /usr/bin/time -f %M "$IMGCONV" \
			--no-sync in.raw $out
		[ "${stderr_lines[-1]}" -le 262144 ] || fail "$out: $stderr"
		rm $out
	done
}

@test "an image and its data file appear together or not at all" {
	pattern in.raw 3M 0 100000 head
	mkfifo pipe
	"$IMGCONV" -q -O qcow2 - out.qcow2 -s 3M -o data_file=out.data <pipe \
		2>message &
	local pid=$!
	{
		head -c 1M in.raw
		# The name is taken while the run is on its way.
		sleep 0.5
		echo taken >out.qcow2
		tail -c +1048577 in.raw
	} >pipe
	local status=0
	wait "$pid" || status=$?
	equal 73 "$status"
	grep -q "out.qcow2: appeared meanwhile" message
	equal taken "$(cat out.qcow2)"
	equal "in.raw message out.qcow2 pipe " "$(files)"
}

@test "what fails after the output has its name takes it back" {
	make_odd_disk in.raw
	echo old >old.raw
	fails 73 "none/out.d: *" -MF none/out.d in.raw out.raw
	fails 73 "none/out.d: *" -MF none/out.d --force in.raw old.raw
	# A monolithic one, and two files that appear together.
	for out in out.qcow2 "-o subformat=twoGbMaxExtentFlat out.vmdk"; do
		# shellcheck disable=SC2086
		run -74 bash -c '"$@" >/dev/full' - "$IMGCONV" -q --digest \
			in.raw $out
	done
	run -74 bash -c '"$@" >/dev/full' - "$IMGCONV" -q --digest --force \
		in.raw old.raw
	equal old "$(cat old.raw)"
	equal "in.raw old.raw " "$(files)"
}

@test "an image is not its own data file" {
	pattern in.raw 3M 0 100000 head
	ln -s . here
	refuses 73 "*: is the output itself; it needs another name" \
		in.raw out.qcow2 -o data_file=here/out.qcow2
	refuses 73 "*: is the output itself; it needs another name" \
		create qcow2 out.qcow2 3M -o data_file=out.qcow2
	equal "here in.raw " "$(files)"
}

@test "--consume takes regular files alone" {
	pattern in.raw 3M 0 100000 head
	ln -s in.raw link.raw
	mkfifo pipe
	refuses 64 "--consume needs a regular file, and link.raw is a symbolic link; name the file itself" \
		--consume link.raw out.raw
	cat in.raw >pipe &
	refuses 64 "--consume needs a regular file, and pipe is none" \
		--consume -O raw pipe out.raw
	wait
	equal "in.raw link.raw pipe " "$(files)"
}

@test "what the input is made of is no output, nor -MF or --trace of either" {
	local name
	make_odd_disk base.raw
	cp base.raw before
	ln base.raw hard.raw
	ln -s base.raw symbolic.raw
	make_qcow2 top.qcow2 backing=base.raw
	truncate -s 5M flat.raw
	python3 -B "$fixtures/make_vmdk.py" text base.raw flat.vmdk \
		'line=RW 10240 FLAT "base.raw" 0'
	for name in base.raw ./base.raw hard.raw symbolic.raw; do
		fails 73 "$name: is a file that the input is made of*" --force \
			--allow-references -O raw top.qcow2 $name
		fails 73 "$name: is a file that the input is made of*" --force \
			--allow-references -O raw flat.vmdk $name
		same_bytes before base.raw
	done
	# What tells of a run is not written over its images.
	for name in base.raw ./hard.raw symbolic.raw out.raw; do
		fails 64 "-MF: $name is an image*" --force -MF $name base.raw \
			out.raw
		fails 64 "--trace: $name is an image*" --force --trace $name \
			base.raw out.raw
		same_bytes before base.raw
		[ ! -e out.raw ]
	done
	fails 64 "*-MF: ./out.raw is an image*" -MF ./out.raw base.raw out.raw
	[ ! -e out.raw ]
	fails 64 "-MF: base.raw is an image*" --allow-references -MF base.raw \
		top.qcow2 out.raw
	same_bytes before base.raw
}

@test "a name that leads nowhere is made where it leads" {
	make_odd_disk in.raw
	mkdir there
	ln -s there/real.raw out.raw
	runs 0 in.raw out.raw
	[ -L out.raw ]
	same_bytes in.raw there/real.raw
	ln -s absent/real.raw lost.raw
	fails 73 "*lost.raw*" in.raw lost.raw
	ln -s loop.raw loop.raw
	run --separate-stderr "$IMGCONV" in.raw loop.raw
	[ "$status" -ge 64 ] && [ "$status" -le 77 ]
}

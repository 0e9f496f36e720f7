#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Images written into archives, and appliances: judged by the programs that
# unpack them.

load helper
load images

prepare() {
	make_odd_disk disk.raw
	qemu-img convert -O qcow2 disk.raw disk.qcow2
}

# unpacked NAME: what was unpacked is the disk.
unpacked() {
	runs 0 compare "$1" disk.raw
	rm -f "$1"
}

@test "tar: one pass into a file, sized in front" {
	runs 0 plan disk.qcow2 out.qcow2.tar
	[[ $output == *"pack tar"* && $output == *"temp: 0"* ]]
	local name
	for name in raw qcow2 vhd vmdk; do
		runs 0 disk.qcow2 out.$name.tar
		equal "out.$name" "$(tar -tf out.$name.tar)"
		tar -xf out.$name.tar
		same_disk $name out.$name raw disk.raw || [ $name = vhd ]
		unpacked out.$name
		! built_with archive || runs 0 compare out.$name.tar disk.raw
		equal 0 $(($(size_of out.$name.tar) % 10240))
	done
	nothing_beside out.raw.tar
}

@test "tar in a compression: raw in one pass, others by way of a file" {
	local name
	for name in raw.tar.gz raw.tgz raw.tar.xz qcow2.tar.gz vhd.tar.xz; do
		runs 0 disk.raw out.$name
		mkdir x
		tar -C x -xf out.$name
		equal "out.${name%%.*} " "$(files x)"
		unpacked "x/out.${name%%.*}"
		rmdir x
	done
	runs 0 plan disk.raw out.raw.tar.gz --force
	[[ $output == *"temp: 0"* ]] || fail "$output"
	runs 0 plan --force --rewrite disk.qcow2 out.qcow2.tar.gz
	[[ $output == *"convert-aside"* ]] || fail "$output"
	# Of a raw stream nobody knows the length before.
	run -0 --separate-stderr "$IMGCONV" plan -f raw - piped.raw.tar.gz \
		<disk.raw
	run -0 "$IMGCONV" -f raw - piped.raw.tar.gz < <(cat disk.raw)
	tar -xf piped.raw.tar.gz
	same_bytes disk.raw piped.raw
	# A pipe cannot be changed later either.
	"$IMGCONV" -O qcow2.tar disk.qcow2 - >piped.tar
	tar -xf piped.tar
	unpacked disk.qcow2
}

@test "the member's name, the dialect, the time" {
	runs 0 --member-name disk.raw --tar-format gnu disk.qcow2 out.tar.gz
	tar --numeric-owner -tvf out.tar.gz >list
	grep -q '^-rw-r--r-- 0/0 *5242880 1970-01-01 00:00 disk.raw$' list ||
		fail "$(cat list)"
	equal "ustar  " "$(gzip -dc out.tar.gz | dd bs=1 skip=257 count=7 \
		status=none)"
	SOURCE_DATE_EPOCH=86400 runs 0 -O raw disk.qcow2 dated.tar
	tar -tvf dated.tar | grep -q '1970-01-02 00:00 dated.raw$'
	equal "ustar" "$(dd if=dated.tar bs=1 skip=257 count=5 status=none)"
	refuses 64 "--member-name: *is no name*" --member-name ../x \
		disk.qcow2 no.tar
	refuses 64 "--member-name needs an OUTPUT that is an archive*" \
		--member-name x disk.qcow2 no.raw
	refuses 64 "--tar-format: \"pax\" is not ustar or gnu" \
		--tar-format pax disk.qcow2 no.tar
	refuses 64 "*the image's name in the archive is longer than 100 bytes*" \
		--member-name "$(printf 'a%.0s' {1..99}).raw" disk.qcow2 no.tar
	refuses 64 "*holds the image itself" disk.raw no.raw.tar.tar
	refuses 64 "*is compressed already" disk.raw no.raw.zip.gz
}

@test "the same bytes for any number of threads" {
	local name
	for name in raw.tar raw.tar.gz qcow2.tar.gz ova; do
		runs 0 --threads 1 disk.qcow2 a.$name
		mv a.$name one
		runs 0 --threads 4 disk.qcow2 a.$name
		same_bytes one a.$name
	done
}

@test "more than 8 GiB, sparse" {
	truncate -s 9G large.raw
	runs 0 large.raw out.raw.tar
	equal $((9 << 30)) "$(tar -tvf out.raw.tar | awk '{print $3}')"
	[ "$(stat -c %b out.raw.tar)" -lt 1000 ]
	equal large.raw "$(python3 -c '
import tarfile
with tarfile.open("out.raw.tar") as tar:
    (member,) = tar.getmembers()
    assert member.size == 9 << 30 and member.isreg()
print("large.raw")')"
	built_with archive || return 0
	runs 0 info out.raw.tar
	[[ $output == *9663676416* ]] || fail "$output"
}

@test "zip, checked by its own programs" {
	built_with archive || {
		fails 69 "*zip: built without libarchive*" disk.raw out.raw.zip
		nothing_at out.raw.zip
		return
	}
	need unzip 7z
	local name
	for name in raw qcow2; do
		runs 0 disk.qcow2 out.$name.zip
		unzip -tq out.$name.zip
		7z t out.$name.zip >/dev/null
		unzip -q out.$name.zip
		unpacked out.$name
		"$IMGCONV" -O $name.zip --member-name in.$name disk.qcow2 - \
			>piped.zip
		unzip -tq piped.zip
		runs 0 compare piped.zip disk.raw
	done
}

@test "what is asked of the writer is not lost in front of a wrap" {
	local name
	for name in qcow2.gz qcow2.tar qcow2.tar.gz; do
		runs 0 -o cluster_size=1M disk.qcow2 out.$name
		case $name in
		qcow2.gz) gzip -dc out.$name >back.qcow2 ;;
		*) tar -xOf out.$name >back.qcow2 ;;
		esac
		qemu-img info back.qcow2 | grep -q 'cluster_size: 1048576' ||
			fail "$name: $(qemu-img info back.qcow2)"
	done
}

# taken_apart OVA: its members in x, the manifest right, XML well-formed.
taken_apart() {
	rm -rf x
	mkdir x
	tar -C x -xf "$1"
	if type -P xmllint >/dev/null; then
		xmllint --nonet --noout x/*.ovf
	fi
	[ ! -e x/*.mf ] || (cd x && sed \
		's/^SHA[0-9]*(\(.*\))= \(.*\)$/\2  \1/' ./*.mf |
		"${2:-sha256}sum" -c --quiet)
}

@test "an appliance of one disk" {
	runs 0 disk.qcow2 out.ova
	! built_with archive || runs 0 --force --verify disk.qcow2 out.ova
	taken_apart out.ova
	equal "out.ovf out.mf out-disk1.vmdk " "$(tar -tf out.ova | tr '\n' ' ')"
	same_disk vmdk x/out-disk1.vmdk raw disk.raw
	! built_with archive || runs 0 compare out.ova disk.raw
	# The sizes it says are those it has.
	grep -q "ovf:size=\"$(size_of x/out-disk1.vmdk)\"" x/out.ovf
	grep -q "ovf:capacity=\"$(size_of disk.raw)\"" x/out.ovf
	if built_with json; then
		equal "$(size_of out.ova)" "$("$IMGCONV" measure --json \
			-O ova disk.qcow2 | jq .required)"
	fi
}

@test "an appliance of several disks, from any inputs" {
	gzip -k disk.raw
	tar -cf in.tar disk.qcow2
	runs 0 disk.qcow2 disk.raw.gz disk.raw out.ova
	taken_apart out.ova
	equal 5 "$(tar -tf out.ova | wc -l)"
	local i
	for i in 1 2 3; do
		same_disk vmdk x/out-disk$i.vmdk raw disk.raw
	done
	if built_with archive; then
		for i in 0 1 2; do
			runs 0 --force --member $i -O raw out.ova back.raw
			runs 0 compare back.raw disk.raw
		done
	fi
	fails 66 "*missing.raw*" disk.qcow2 missing.raw none.ova
	nothing_at none.ova
	refuses 64 "\"c.raw\" is too much*only an appliance*" disk.raw \
		disk.raw c.raw
}

@test "an appliance's machine as the options say" {
	local kind
	for kind in sha1 sha512; do
		runs 0 --force -o manifest=$kind disk.raw out.ova
		taken_apart out.ova $kind
	done
	runs 0 --force -o manifest=none disk.raw out.ova
	equal "out.ovf out-disk1.vmdk " "$(tar -tf out.ova | tr '\n' ' ')"
	runs 0 --force -o 'name=a<b>&c,cpus=4,memory=2G,os=debian' \
		-o firmware=efi,nic=vmxnet3,ovf=2.0,adapter_type=buslogic \
		disk.raw out.ova
	taken_apart out.ova
	local text
	for text in '<Name>a&lt;b&gt;&amp;c</Name>' 'ovf/envelope/2' \
		'<rasd:VirtualQuantity>4<' '<rasd:VirtualQuantity>2048<' \
		'ovf:id="96"' 'vmw:value="efi"' VmxNet3 buslogic; do
		grep -qF "$text" x/out.ovf || fail "no $text: $(cat x/out.ovf)"
	done
	# A number is any of CIM's; a name is a text; members have plain names.
	runs 0 -o 'name=say "hi",os=36' disk.raw ./.out.ova
	equal "_out.ovf _out.mf _out-disk1.vmdk " \
		"$(tar -tf .out.ova | tr '\n' ' ')"
	tar -xOf .out.ova _out.ovf >text
	grep -qF '<OperatingSystemSection ovf:id="36">' text
	grep -qF '<Name>say &quot;hi&quot;</Name>' text
	refuses 64 "*cpus=0: allowed are 1..768" -o cpus=0 disk.raw no.ova
	refuses 64 "*nic=x: allowed are *" -o nic=x disk.raw no.ova
	refuses 64 "*memory=1500K: allowed are *" -o memory=1500K disk.raw no.ova
	refuses 64 "*os=N: allowed are *" -o os=N disk.raw no.ova
	refuses 64 "*os=70000: allowed are *" -o os=70000 disk.raw no.ova
	refuses 64 "*name: longer than *" -o "name=$(printf '%0300d' 0)" \
		disk.raw no.ova
	refuses 64 "*name: has a control character" -o $'name=a\tb' \
		disk.raw no.ova
	refuses 64 "*are VMDK, not qcow2*" -O qcow2 disk.raw no.ova
	refuses 64 "*are streamOptimized, not *" \
		-o subformat=monolithicSparse disk.raw no.ova
	refuses 64 "an appliance is written to a file*" -O ova disk.raw - \
		>/dev/null
}

@test "nothing is left of a run that failed" {
	head -c 100000 disk.qcow2 >cut.qcow2
	local name
	for name in raw.tar raw.tar.gz ova; do
		never_succeeds out.$name cut.qcow2 out.$name
	done
	never_succeeds out.ova disk.raw cut.qcow2 out.ova
}

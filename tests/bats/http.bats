#!/usr/bin/env bats
# SPDX-License-Identifier: MIT
# Inputs over HTTP: nginx for what is right, fixtures/bad_http.py for what is
# not. What is made from a URL is what is made from curl's output.
load helper
load images

# shellcheck disable=SC2154 # bats sets output and stderr

# wait_for COMMAND...: until it succeeds; servers are up in a moment.
wait_for() {
	for _ in {1..500}; do
		"$@" && return 0
		command sleep 0.01
	done
	fail "waited for $*"
}

free_port() {
	python3 -c 'import socket
s = socket.create_server(("127.0.0.1", 0))
print(s.getsockname()[1])'
}

make_certificates() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 \
		-nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
		-subj /CN=127.0.0.1 -keyout server.key -out server.csr
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes \
		-subj /CN=me -keyout me.key -out me.csr
	openssl x509 -req -days 2 -in me.csr -CA ca.pem -CAkey ca.key \
		-set_serial 3 -out me.pem
	openssl x509 -req -days 2 -in server.csr -CA ca.pem -CAkey ca.key \
		-set_serial 2 -out server.pem \
		-extfile <(echo subjectAltName=IP:127.0.0.1)
} 2>/dev/null

start_nginx() {
	local port=$1 tls=$2 kind places=""
	for kind in client_body proxy fastcgi uwsgi scgi; do
		places+="${kind}_temp_path $PWD/nginx;"
	done
	mkdir -p nginx
	printf 'me:%s\n' "$(openssl passwd -apr1 secret)" >passwords
	cat >nginx.conf <<-END
		daemon off;
		user $(id -un) $(id -gn);
		pid $PWD/nginx/pid;
		error_log $PWD/nginx/errors;
		events { worker_connections 64; }
		http {
		access_log $PWD/nginx/log;
		$places
		server {
			listen 127.0.0.1:$port;
			root $PWD;
			location /whole/ { alias $PWD/; max_ranges 0; }
			location /moved/ {
				rewrite ^/moved/(.*) /\$1 redirect;
			}
			location /private/ {
				alias $PWD/;
				auth_basic x;
				auth_basic_user_file passwords;
			}
			location /elsewhere/ {
				rewrite ^/elsewhere/(.*)
				 https://127.0.0.1:$tls/private/\$1 redirect;
			}
		}
		server {
			listen 127.0.0.1:$tls ssl;
			root $PWD;
			ssl_certificate server.pem;
			ssl_certificate_key server.key;
			ssl_client_certificate ca.pem;
			ssl_verify_client optional;
			location /members/ {
				if (\$ssl_client_verify != SUCCESS) {
					return 403;
				}
				alias $PWD/;
			}
			location /down/ {
				rewrite ^/down/(.*)
				 http://127.0.0.1:$port/\$1 redirect;
			}
			location /private/ {
				alias $PWD/;
				auth_basic x;
				auth_basic_user_file passwords;
			}
		}
		}
	END
	nginx -e nginx/errors -p "$PWD" -c nginx.conf 3>&- >/dev/null 2>&1 &
	local pid=$!
	until curl -sfo /dev/null "http://127.0.0.1:$port/small"; do
		# Somebody else was faster at a port.
		kill -0 $pid 2>/dev/null || return 1
		command sleep 0.01
	done
	echo $pid >>servers
}

setup_file() {
	local at=$BATS_FILE_TMPDIR
	built_with curl || return 0
	cd "$at" || return 1
	for tool in nginx curl python3 openssl qemu-img xz; do
		command -v $tool >/dev/null || return 0
	done
	head -c 1000 /dev/urandom >small
	: >empty
	make_pattern disk.raw data:3M hole:1M data:1500K zero:500K data:2M
	truncate -s 8M disk.raw
	qemu-img convert -O qcow2 disk.raw disk.qcow2
	qemu-img convert -O vmdk disk.raw disk.vmdk
	xz -0k disk.qcow2
	gzip -1k disk.raw
	make_certificates
	python3 "$fixtures/bad_http.py" "$at" 3>&- >bad.log 2>&1 &
	echo $! >>servers
	wait_for test -e port
	for _ in {1..5}; do
		free_port >http_port
		free_port >https_port
		! start_nginx "$(cat http_port)" "$(cat https_port)" || return 0
	done
	fail "nginx does not start: $(cat nginx/errors)"
}

teardown_file() {
	local pid
	[ -e "$BATS_FILE_TMPDIR/servers" ] || return 0
	while read -r pid; do kill "$pid" || true; done \
		<"$BATS_FILE_TMPDIR/servers"
}

prepare() {
	built_with curl || {
		refuses 69 "http://localhost/x: built without libcurl*" \
			info http://localhost/x
		skip_rest=yes
		return 0
	}
	need nginx curl python3 openssl qemu-img xz
	at=$BATS_FILE_TMPDIR
	web=http://127.0.0.1:$(cat "$at/http_port")
	tls=https://127.0.0.1:$(cat "$at/https_port")
	bad=http://127.0.0.1:$(cat "$at/port")
	: >"$at/requests"
	: >"$at/nginx/log"
	unset http_proxy https_proxy all_proxy HTTP_PROXY HTTPS_PROXY ALL_PROXY
}

# here: the variant has HTTP at all.
here() { [ -z "${skip_rest:-}" ]; }

# requests PATTERN: how many the bad server got that match.
requests() { grep -c -- "$1" "$at/requests" || true; }

# gets URL: the disk comes, whatever happens on the way.
gets() {
	runs 0 "$@" out.raw
	cmp out.raw "$at/disk.raw"
	rm out.raw
}

# breaks STATUS MESSAGE URL: one line, and no output.
breaks() {
	refuses "$@" out.raw
	nothing_at out.raw
}

@test "from a URL as from curl's pipe: the same bytes" {
	here || return 0
	local name base
	for name in disk.qcow2.xz disk.qcow2 disk.raw disk.raw.gz disk.vmdk; do
		curl -s "$web/$name" | "$IMGCONV" - -O qcow2 pipe.qcow2
		same_disk qcow2 pipe.qcow2 raw "$at/disk.raw"
		for base in "$web" "$web/whole"; do
			runs 0 "$base/$name" -O qcow2 url.qcow2
			same_bytes url.qcow2 pipe.qcow2
			rm url.qcow2
		done
		rm pipe.qcow2
	done
}

@test "every command takes a URL" {
	here || return 0
	runs 0 info "$web/disk.qcow2"
	[[ $output == *"format: qcow2"* ]]
	runs 0 check "$web/disk.qcow2"
	runs 0 map "$web/disk.qcow2"
	runs 0 compare "$web/disk.qcow2" "$web/whole/disk.qcow2.xz"
	equal "Images are identical." "$output"
	runs 0 measure -O raw "$web/disk.qcow2"
	runs 0 plan "$web/disk.qcow2" out.raw
	[[ $output == *convert* ]]
	runs 0 --digest "$web/disk.raw" out.qcow2
	equal "$(sha256sum <"$at/disk.raw" | cut -d' ' -f1)" \
		"$(grep -oE '[0-9a-f]{64}' <<<"$output")"
}

@test "nothing is written over HTTP" {
	here || return 0
	refuses 69 "http://me@x/out.qcow2: nothing is written*" \
		"$at/disk.raw" 'http://me:secret@x/out.qcow2?key=1'
	refuses 69 "https://x/y: nothing is written*" resize https://x/y 1G
	refuses 69 "https://x/y.qcow2: nothing is written*" \
		create qcow2 https://x/y.qcow2 1G
}

@test "a look at a large file is a few small requests" {
	here || return 0
	runs 0 info "$web/disk.qcow2"
	[ "$(awk '{n += $10} END {print n}' "$at/nginx/log")" -lt 2000000 ]
	[ "$(wc -l <"$at/nginx/log")" -lt 10 ]
	grep -q '"imgconv/[0-9.]*"' "$at/nginx/log"
}

@test "read to its end it is read once, in large pieces" {
	here || return 0
	runs 0 -f raw "$web/disk.raw" out.raw
	cmp out.raw "$at/disk.raw"
	equal "$(stat -c %s "$at/disk.raw")" \
		"$(awk '{n += $10} END {print n}' "$at/nginx/log")" "bytes"
	[ "$(wc -l <"$at/nginx/log")" -lt 20 ]
	rm out.raw
	# One request is all where there are no ranges.
	: >"$at/nginx/log"
	gets "$web/whole/disk.raw"
	equal 1 "$(wc -l <"$at/nginx/log")" requests
}

@test "with little memory what was read makes room, not what is waited for" {
	here || return 0
	make_pattern big.raw data:20M hole:5M data:9M
	imgconv -q -o cluster_size=64K big.raw "$at/mixed.qcow2"
	python3 "$fixtures/shuffle_qcow2.py" "$at/mixed.qcow2"
	# A quarter of it is for what came: less than the image.
	runs 0 --memory 16M -m 2 "$web/mixed.qcow2" out.raw
	cmp big.raw out.raw
	rm "$at/mixed.qcow2"
}

@test "ends: nothing, one byte, what one request brings" {
	here || return 0
	local size
	runs 0 -f raw -O raw "$web/empty" -
	for size in 1 262143 262144 262145 327680; do
		head -c $size "$at/disk.raw" >"$at/ends"
		for base in "$web" "$web/whole" "$bad/good"; do
			"$IMGCONV" -f raw -O raw --no-pad "$base/ends" - >out \
				2>said || fail "$size: $(cat said)"
			cmp -n $size out "$at/ends"
		done
	done
}

@test "redirects are followed once, and kept" {
	here || return 0
	gets "$web/moved/disk.qcow2"
	equal 1 "$(grep -c ' 302 ' "$at/nginx/log")" redirects
	breaks 66 "*circles*" "$bad/loop/disk.raw"
	breaks 77 "*neither http nor https*" "$bad/file/disk.raw"
}

@test "a place that is good for some time only is asked for again" {
	here || return 0
	gets -f raw --connections 1 --memory 64M "$bad/expiring/disk.raw"
	[ "$(requests 'ticket[0-9]* 403')" -ge 1 ]
	[ "$(requests '^expiring 302')" -ge 2 ]
	breaks 77 "*403 Forbidden*" "$bad/forbidden/disk.raw"
	breaks 66 "*410 Gone*" "$bad/gone/disk.raw"
	breaks 66 "$web/nothing: *404 Not Found*" "$web/nothing"
}

@test "TLS: the certificate is believed or it is not; never back to http" {
	here || return 0
	breaks 77 "$tls/disk.raw: http: *certificate*--cacert*" \
		"$tls/disk.raw"
	gets --cacert "$at/ca.pem" "$tls/disk.qcow2"
	breaks 77 "*from https to http*" --cacert "$at/ca.pem" \
		"$tls/down/disk.raw"
	breaks 77 "*403*" --cacert "$at/ca.pem" "$tls/members/disk.raw"
	gets --cacert "$at/ca.pem" --cert "$at/me.pem" --key "$at/me.key" \
		"$tls/members/disk.qcow2"
	breaks 64 "--cacert: \"nowhere\" cannot be read" --cacert nowhere \
		"$tls/disk.raw"
}

@test "passwords: in the URL, in a file, for their own host only" {
	here || return 0
	breaks 77 "$web/private/disk.raw: *401*" "$web/private/disk.raw"
	gets "${web/:\/\//://me:secret@}/private/disk.qcow2"
	echo "machine 127.0.0.1 login me password secret" >secrets
	gets --netrc-file secrets "$web/private/disk.qcow2"
	HOME=$PWD
	mv secrets .netrc
	gets --netrc "$web/private/disk.qcow2"
	breaks 77 "*401*" "$web/private/disk.raw"
	# Another port is another place.
	breaks 77 "${web/:\/\//://me@}/elsewhere/disk.raw: *401*" \
		--cacert "$at/ca.pem" \
		"${web/:\/\//://me:secret@}/elsewhere/disk.raw"
	[[ $stderr != *secret* ]]
}

@test "secrets are in no message, no plan and no process list" {
	here || return 0
	local url="${bad/:\/\//://me:secret@}/slow/disk.raw?key=secret2"
	runs 0 plan "${web/:\/\//://me:secret@}/disk.raw?key=secret2" o.qcow2
	[[ $output$stderr != *secret* ]]
	runs 0 info -v "${web/:\/\//://me:secret@}/disk.raw?key=secret2"
	[[ $output$stderr != *secret* ]]
	"$IMGCONV" -f raw "$url" out.raw 3>&- 2>said &
	local pid=$! seen
	wait_for grep -q '^slow 200' "$at/requests"
	seen=$(tr '\0' ' ' <"/proc/$pid/cmdline")
	seen+=$(pgrep -P $pid | xargs -I{} cat /proc/{}/cmdline | tr '\0' ' ')
	kill $pid
	wait $pid || true
	[[ $seen == *"me:xxxxxx@127.0.0.1"* ]] || fail "$seen"
	[[ $seen != *secret* ]] || fail "$seen"
}

@test "a proxy is asked where one is named" {
	here || return 0
	# nginx answers what a proxy is asked as its own.
	http_proxy=$web run -0 --separate-stderr "$IMGCONV" info \
		http://far.example/disk.qcow2
	runs 0 info --proxy "$web" http://far.example/disk.qcow2
	equal 2 "$(grep -c 'GET http://far.example/disk.qcow2 HTTP' \
		"$at/nginx/log" | awk '{print ($1 >= 2) ? 2 : $1}')"
	no_proxy=127.0.0.1 http_proxy=http://127.0.0.1:1 run -0 \
		"$IMGCONV" info "$web/disk.qcow2"
}

@test "broken transfers go on where they broke" {
	here || return 0
	local size
	for how in drop reset bits; do
		gets -f raw "$bad/$how/disk.raw"
		[ "$(requests "^$how 206")" -ge 50 ]
		# In proof of the version, and no byte twice.
		equal 1 "$(requests "^$how 206 bytes=.* -")" "without If-Range"
		equal "$(requests "^$how 206")" \
			"$(sort -u "$at/requests" | grep -c "^$how 206")" twice
	done
}

@test "busy servers are asked again, as they wish; then it is enough" {
	here || return 0
	gets -f raw "$bad/busy/disk.raw"
	equal 1 "$(requests '^busy 503')"
	breaks 75 "*: http: *500 Internal Server Error" --retries 0 \
		"$bad/ill/disk.raw"
	breaks 75 "*tried 2 times: *500 Internal Server Error" --retries 1 \
		"$bad/ill/disk.raw"
	equal 3 "$(requests '^ill 500')"
	breaks 75 "*" --retries 0 "$bad/mute/disk.raw"
	breaks 75 "*: http: *onnect*" --retries 0 \
		"http://127.0.0.1:1/disk.raw"
	breaks 75 "*: http: *resolve*" "http://nowhere.invalid/disk.raw"
}

@test "silence is a failure after --timeout" {
	here || return 0
	breaks 75 "*silent for 1 seconds" --retries 0 --timeout 1 \
		"$bad/silent/disk.raw"
	breaks 75 "*the transfer broke*" --timeout 1 "$bad/stalling/disk.raw"
}

@test "another version is never mixed in" {
	here || return 0
	local how
	for how in edited edited_untold grown shrunk; do
		breaks 75 "*changed meanwhile*" -f raw "$bad/$how/disk.raw"
	done
	breaks 75 "*no ranges any more*" --retries 0 -f raw \
		"$bad/forgetful/disk.raw"
}

@test "answers that are not what they say: refused" {
	here || return 0
	breaks 74 "*bytes * where * were asked for" -f raw \
		"$bad/start/disk.raw"
	breaks 74 "*the server says*" "$bad/longer/disk.raw"
	breaks 74 "*more than it said" "$bad/longer_chunked/disk.raw"
	breaks 74 "*the server says*" "$bad/shorter/disk.raw"
	breaks 74 "*" "$bad/noise/disk.raw"
}

@test "streams: whole by length or chunks, or an error" {
	here || return 0
	gets "$bad/whole/disk.raw"
	gets "$bad/chunked/disk.qcow2"
	gets "$bad/unsatisfied/disk.qcow2.xz"
	gets "$bad/packed/disk.raw.gz"
	breaks 75 "*the transfer broke*" -f raw "$bad/whole_cut/disk.raw"
	breaks 75 "*the transfer broke*" -f raw "$bad/chunked_cut/disk.raw"
	breaks 69 "*cannot be trusted; download it first" \
		"$bad/endless/disk.raw"
	equal 1 "$(requests '^whole 200')"
}

@test "a server killed in the middle: status 75 and no output" {
	here || return 0
	local server pid result=0
	mkdir own
	cp "$at/disk.raw" own
	python3 "$fixtures/bad_http.py" own 3>&- &
	server=$!
	wait_for test -e own/port
	"$IMGCONV" --retries 0 -f raw \
		"http://127.0.0.1:$(cat own/port)/slow/disk.raw" out.raw \
		3>&- 2>said &
	pid=$!
	wait_for grep -q '^slow 200' own/requests
	kill -9 $server
	wait $pid || result=$?
	equal 75 "$result" "$(cat said)"
	nothing_at out.raw
}

# alive PID...: those of them that run.
alive() { ps -o pid= -o stat= -p "$(tr ' ' , <<<"$*")" | grep -v Z; }

@test "interrupted or killed: three processes end, no output" {
	here || return 0
	local pid children number
	for number in INT TERM KILL; do
		: >"$at/requests"
		python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execv(sys.argv[1], sys.argv[1:])' "$IMGCONV" -f raw "$bad/slow/disk.raw" \
			out.raw 3>&- 2>said &
		pid=$!
		wait_for grep -q '^slow 200' "$at/requests"
		children=$(pgrep -P $pid | tr '\n' ' ')
		equal 2 "$(wc -w <<<"$children")" "children"
		kill -$number $pid
		wait $pid || true
		wait_for eval "! alive $children >/dev/null"
		nothing_at out.raw
	done
}

@test "the network process killed: status 70, one line, no output" {
	here || return 0
	local pid result=0
	"$IMGCONV" -f raw "$bad/slow/disk.raw" out.raw 3>&- 2>said &
	pid=$!
	wait_for grep -q '^slow 200' "$at/requests"
	# The elder of the two.
	kill -9 "$(pgrep -P $pid | sort -n | head -n 1)"
	wait $pid || result=$?
	equal 70 "$result" "$(cat said)"
	equal 1 "$(wc -l <said)" lines
	grep -q 'network process is gone' said
	nothing_at out.raw
}

@test "--resume: goes on with the same version, and with no other" {
	here || return 0
	local url
	cp "$at/disk.raw" "$at/changing.raw"
	for url in "$web/changing.raw" "$web/whole/disk.raw.gz"; do
		run -74 bash -c 'trap "" XFSZ; ulimit -f 4000; exec "$@"' - "$IMGCONV" \
			--resume "$url" out.qcow2
		runs 0 --resume "$url" out.qcow2
		[[ $stderr == *'goes on behind the '* ]] || fail "$stderr"
		same_disk qcow2 out.qcow2 raw "$at/disk.raw"
		rm out.qcow2
	done
	run -74 bash -c 'trap "" XFSZ; ulimit -f 4000; exec "$@"' - "$IMGCONV" \
		--resume "$web/changing.raw" out.qcow2
	# As long as before.
	printf changed | dd of="$at/changing.raw" bs=1 seek=7M conv=notrunc \
		status=none
	touch -d '+10 seconds' "$at/changing.raw"
	runs 0 --resume "$web/changing.raw" out.qcow2
	[[ $stderr != *'goes on'* ]] || fail "$stderr"
	same_disk qcow2 out.qcow2 raw "$at/changing.raw"
	rm out.qcow2
	# With a digest to be met, of what is not read again as well.
	run -74 bash -c 'trap "" XFSZ; ulimit -f 4000; exec "$@"' - "$IMGCONV" --resume \
		--checksum "$(sha256sum <"$at/disk.raw" | cut -d" " -f1)" \
		"$web/disk.raw" out.qcow2
	runs 0 --resume \
		--checksum "$(sha256sum <"$at/disk.raw" | cut -d" " -f1)" \
		"$web/disk.raw" out.qcow2
	[[ $stderr == *'goes on behind the '* ]] || fail "$stderr"
	same_disk qcow2 out.qcow2 raw "$at/disk.raw"
}

@test "--checksum: the file of digests has a URL, the input too" {
	here || return 0
	(cd "$at" && sha256sum disk.qcow2 disk.raw >SUMS &&
		sed 's/^../ff/' SUMS >WRONG)
	gets --checksum "$web/SUMS" "$web/disk.qcow2"
	gets --checksum "$web/whole/SUMS" "$web/whole/disk.qcow2"
	breaks 65 "*the SHA-256 is * (from $web/WRONG)" \
		--checksum "$web/WRONG?key=1" "$web/disk.qcow2"
	breaks 66 "--checksum: $web/nothing: http: *404*" \
		--checksum "$web/nothing" "$web/disk.qcow2"
	breaks 65 "*no file of checksums" --checksum "$bad/whole/disk.raw" \
		"$web/disk.qcow2"
	breaks 75 "*the transfer broke*" \
		--checksum "$bad/whole_cut/disk.raw" "$web/disk.qcow2"
}

@test "progress is told" {
	here || return 0
	runs 0 -p "$web/disk.qcow2" out.raw
	[[ $stderr == *"100 % ("* ]]
}

@test "the network process opens no file by an image's word" {
	here || return 0
	need strace
	ASAN_OPTIONS=detect_leaks=0 strace -f -qq -o trace -e trace=%file,bind \
		"$IMGCONV" "$web/disk.qcow2" out.raw
	[ -z "$(grep -E 'O_WRONLY|O_RDWR|O_CREAT' trace |
		grep -vE '/dev/null|O_TMPFILE')" ]
}

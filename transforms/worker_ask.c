/* SPDX-License-Identifier: MIT */
/* Owns the exchange of a name for a descriptor. Does not know what for. */
#include "transforms/worker_ask.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "io/channel.h"
#include "transforms/protocol.h"

static int hear_descriptor(int channel, int *fd, struct err *err)
{
	struct channel_message message;
	int result = channel_receive(channel, &message, err);

	if (result <= 0)
		return result < 0 ? -1 : err_set(err, ERR_IO,
						 "the conductor is gone");
	if (message.type == PROTOCOL_FILE && message.fd >= 0) {
		*fd = message.fd;
		message.fd = -1; /* ours now */
		result = 0;
	} else if (message.type == PROTOCOL_NO_FILE &&
		   message.len == sizeof *err) {
		memcpy(err, message.body, sizeof *err);
		result = -1;
	} else {
		result = err_set(err, ERR_BUG, "unexpected answer %u",
				 message.type);
	}
	channel_message_clear(&message);
	return result;
}

int worker_ask_reference(int channel, uint32_t from, const char *name, int *fd,
			 struct err *err)
{
	AUTO_FREE struct protocol_refer *refer = mem_zalloc(sizeof *refer);

	refer->from = from;
	snprintf(refer->name, sizeof refer->name, "%s", name);
	if (channel_send(channel, PROTOCOL_REFER, refer, sizeof *refer, -1,
			 err) < 0)
		return -1;
	return hear_descriptor(channel, fd, err);
}

int worker_ask_part(int channel, const char *name, int *fd, struct err *err)
{
	AUTO_FREE struct protocol_name *part = mem_zalloc(sizeof *part);

	snprintf(part->text, sizeof part->text, "%s", name);
	if (channel_send(channel, PROTOCOL_PART, part, sizeof *part, -1,
			 err) < 0)
		return -1;
	return hear_descriptor(channel, fd, err);
}

int worker_ask_connection(int channel, uint32_t which, int *fd,
			  struct err *err)
{
	if (channel_send(channel, PROTOCOL_CONNECT, &which, sizeof which, -1,
			 err) < 0)
		return -1;
	return hear_descriptor(channel, fd, err);
}

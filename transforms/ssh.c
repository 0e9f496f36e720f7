/* SPDX-License-Identifier: MIT */
/*
 * Transitions: reach a file at the other end of SSH. nbdkit serves it at
 * random while the run lasts, and was started for the probe; sftp fetches all
 * of it into a temporary file first. Only the conductor starts them.
 */
#include "transforms/costs.h"
#include "transforms/how.h"
#include "transforms/tags.h"

static void reach_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;

	costs_serial(out, costs_stored(list, pricing->before),
		     list->coefficients->ssh);
}

static bool nbdkit_ssh_cost(const struct pricing *pricing, struct cost *out)
{
	reach_cost(pricing, out);
	return true;
}

static bool sftp_cost(const struct pricing *pricing, struct cost *out)
{
	const struct price_list *list = pricing->context;
	double bytes = costs_stored(list, pricing->before);

	reach_cost(pricing, out);
	/* nbdkit was started for the probe already. */
	out->fixed += list->coefficients->process_us +
		      list->coefficients->ssh_us;
	costs_keep(list, bytes, out);
	out->barrier = true;
	return true;
}

const struct transition transition_nbdkit_ssh = {
	.name = "nbdkit-ssh",
	.title = "read a file at the other end of SSH as nbdkit serves it",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_PLACE, NEED_IS, "ssh" },
		{ TAG_SSH, NEED_IS, "nbdkit|both" },
	},
	.sets = {
		{ TAG_PLACE, SET_TO, "input" },
	},
	.cost = nbdkit_ssh_cost,
	.how = &(const struct how){ .where = HOW_PIPELINE },
};

const struct transition transition_sftp = {
	.name = "sftp",
	.title = "fetch a file from the other end of SSH into a temporary file",
	.detail = GROUPS_MAX,
	.needs = {
		{ TAG_PLACE, NEED_IS, "ssh" },
		{ TAG_SSH, NEED_IS, "sftp|both" },
	},
	.sets = {
		{ TAG_PLACE, SET_TO, "temp" },
		{ TAG_TEMPLATE, SET_TO, "" },
	},
	.cost = sftp_cost,
	.how = &(const struct how){ .where = HOW_FETCH },
};

/* SPDX-License-Identifier: MIT */
/* Owns the words of it in JSON. */
#include "cmd/posture.h"

struct json *posture_json(const struct sandbox_posture *posture)
{
	struct json *json = json_object_open();

	json_put_bool(json, "no-new-privileges", posture->no_new_privileges);
	json_put_number(json, "landlock", posture->landlock);
	json_put_bool(json, "seccomp", posture->seccomp);
	return json;
}

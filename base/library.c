/* SPDX-License-Identifier: MIT */
/* Owns the loading of libraries at run time. Knows none of them. */
#include "base/library.h"

#include <dlfcn.h>

int library_load(const char *soname, const char *const *names, void *out,
		 struct err *err)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	void **slot = out;

	if (!library)
		return err_set(err, ERR_UNSUPPORTED,
			       "%s is needed for this, and cannot be loaded: "
			       "install it", soname);
	for (; *names; names++, slot++) {
		*slot = dlsym(library, *names);
		if (!*slot)
			return err_set(err, ERR_UNSUPPORTED,
				       "%s has no %s: it is another version "
				       "than this program was built for",
				       soname, *names);
	}
	return 0;
}

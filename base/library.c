/* SPDX-License-Identifier: MIT */
/* Owns the loading of libraries at run time. Of what they do it knows nothing. */
#include "base/library.h"

#include <dlfcn.h>

int library_load(const char *soname, const char *const *names, void *out,
		 struct err *err)
{
	void *library = dlopen(soname, RTLD_NOW | RTLD_LOCAL);
	void **slot = out;

	if (!library)
		return err_set(err, ERR_LIBRARY,
			       "%s is needed for this, and cannot be loaded: "
			       "install it", soname);
	for (; *names; names++, slot++) {
		*slot = dlsym(library, *names);
		if (!*slot)
			return err_set(err, ERR_LIBRARY,
				       "%s has no %s: it is another version "
				       "than this program was built for",
				       soname, *names);
	}
	return 0;
}

void library_preload(unsigned set)
{
	/* One that is not there is missed by who needs it. */
#ifdef HAVE_ARCHIVE
	if (set & LIBRARY_ARCHIVE)
		dlopen(ARCHIVE_SONAME, RTLD_NOW | RTLD_LOCAL);
#endif
#ifdef HAVE_XML
	if (set & LIBRARY_XML)
		dlopen(XML_SONAME, RTLD_NOW | RTLD_LOCAL);
#endif
#ifdef HAVE_NBD
	if (set & LIBRARY_NBD)
		dlopen(NBD_SONAME, RTLD_NOW | RTLD_LOCAL);
#endif
	(void)set;
}

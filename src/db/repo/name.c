/* SPDX-License-Identifier: ISC */
/* The rule for names. SQL function name_ok() has the same rule. */
#include "db/repo/name.h"

#include "leaf.h"

static const char *const reserved[] = {
#define RESERVED(word) #word,
#include "db/repo/reserved.def"
#undef RESERVED
};

bool name_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' ||
	    c == '-';
}

const char *name_fault(struct pl_str name)
{
	bool digits = true;

	if (name.ptr == NULL || name.len < 1 || name.len > NAME_MAX_BYTES) {
		/* a UUID has 36 characters and is too long for a name, so its form needs no check */
		return "A name must have 1 to 32 characters.";
	}
	for (size_t i = 0; i < name.len; i++) {
		char c = name.ptr[i];

		if (!name_char(c))
			return "A name must have letters, digits, '_', '.', and '-' only.";
		digits = digits && c >= '0' && c <= '9';
	}
	if (digits)
		return "A name cannot be all digits.";
	for (size_t i = 0; i < PL_COUNT(reserved); i++) {
		if (pl_str_ieq(name, pl_str(reserved[i])))
			return "This name is reserved.";
	}
	return NULL;
}

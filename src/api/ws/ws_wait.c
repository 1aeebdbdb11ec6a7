/* SPDX-License-Identifier: ISC */
/* A queue of frames that wait. */
#include "api/ws/ws_wait.h"

bool ws_wait_push(struct ws_wait *wait, int max, struct ws_frame *f)
{
	struct ws_frame **at = &wait->first;

	if (wait->count >= max)
		return false;
	while (*at != NULL)
		at = &(*at)->next;
	f->next = NULL;
	*at = f;
	wait->count++;
	ws_frame_hold(f);
	return true;
}

struct ws_frame *ws_wait_pop(struct ws_wait *wait)
{
	struct ws_frame *f = wait->first;

	if (f != NULL) {
		wait->first = f->next;
		wait->count--;
	}
	return f;
}

void ws_wait_clear(struct ws_wait *wait)
{
	struct ws_frame *f;

	while ((f = ws_wait_pop(wait)) != NULL)
		ws_frame_end(f);
}

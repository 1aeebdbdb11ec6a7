/* SPDX-License-Identifier: ISC */
/*
 * Figures that change, for /ws/metrics, /ws/sessions and the native topics of these names.
 */
#ifndef API_WS_FEED_H
#define API_WS_FEED_H

#include "api/ws/ws_client.h"

struct ws_feed;

enum ws_feed_kind { WS_FEED_METRICS, WS_FEED_SESSIONS, WS_FEEDS };

/* The client is known, or setting `anonymous` names it. */
bool ws_feed_may(const struct ws_client *client, enum ws_feed_kind kind);
/*
 * topic: what its frames name as theirs, or NULL; kept. `shut` is called when the client may not have it any more, and
 * must free it or close the socket. Freed before the client, and when its socket is gone.
 */
struct ws_feed *ws_feed_new(struct ws_client *client, enum ws_feed_kind kind, const char *topic,
    void (*shut)(void *arg), void *arg);
/* Sends the data as soon as they are there, whether they changed or not. */
void ws_feed_show(struct ws_feed *feed);
/* Looks now instead of at the next turn. */
void ws_feed_look(struct ws_feed *feed);
void ws_feed_free(struct ws_feed **feed);

#endif

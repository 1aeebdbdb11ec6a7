/* SPDX-License-Identifier: ISC */
/*
 * Periodic figures for /ws/metrics, /ws/sessions, and the native topics with these names.
 */
#ifndef API_WS_FEED_H
#define API_WS_FEED_H

#include "api/ws/ws_client.h"

struct ws_feed;

enum ws_feed_kind { WS_FEED_METRICS, WS_FEED_SESSIONS, WS_FEEDS };

/* The client is authenticated, or setting `anonymous` names the feed. */
bool ws_feed_may(const struct ws_client *client, enum ws_feed_kind kind);
/*
 * topic: the topic in its frames, or NULL; the pointer is kept. `shut` is called when the client loses its permission,
 * and must free the feed or close the socket. Free it before the client, and when its socket has closed.
 */
struct ws_feed *ws_feed_new(struct ws_client *client, enum ws_feed_kind kind, const char *topic,
    void (*shut)(void *arg), void *arg);
/* Sends the data as soon as they are available, even if they did not change. */
void ws_feed_show(struct ws_feed *feed);
/* Checks now instead of at the next interval. */
void ws_feed_look(struct ws_feed *feed);
void ws_feed_free(struct ws_feed **feed);

#endif

/* SPDX-License-Identifier: ISC */
/*
 * Topics of native sockets: what each kind does when it is subscribed to, and how the server ends one. A kind is a row
 * of topics.def and one file.
 *
 *   subscribe -> parse -> [close the one that is open under this name] -> open -> ... -> close -> freed
 */
#ifndef API_WS_TOPIC_H
#define API_WS_TOPIC_H

#include "api/ws/ws_frame.h"
#include "leaf.h"

#define TOPIC_BYTES (PL_UUID_LEN + 16)

struct topic_ops;

/* A topic as a frame names it. */
struct topic_name { const struct topic_ops *ops; int64_t number; char text[TOPIC_BYTES]; };

/* An open topic of one client, the first member of what its kind keeps; made and freed by ws_topic.c. */
struct ws_topic {
	const struct topic_ops *ops;
	struct ws_client *client;
	struct ws_topic *next;
	int64_t number;			/* of room:7 and the like */
	char name[TOPIC_BYTES];		/* in its one form, which answers carry */
};

/* State of a native client. */
struct ws_topics { struct ws_topic *first; };

/* Members from `parse` on may be NULL. */
struct topic_ops {
	const char *name;		/* whole, or as far as the colon */
	size_t bytes;			/* of what begins with struct ws_topic */
	int max;			/* of one socket */
	const char *too_many;		/* the rule that one more breaks */
	bool counted;			/* in the gauge of subscriptions */
	/* Zeroed but for its ws_topic. Answers f, now or later; may drop the topic. */
	void (*open)(struct ws_topic *topic, struct ws_frame *f);
	/* What is behind the name: writes name->text whole, and name->number. false: nothing can be called that. */
	bool (*parse)(struct pl_str rest, struct topic_name *name);
	/* Subscribed to once more. NULL: the old one is closed and a new one opened. */
	void (*again)(struct ws_topic *topic, struct ws_frame *f);
	/* Releases everything; a request without an answer yet gets `cancelled`. */
	void (*close)(struct ws_topic *topic);
	/* The socket has taken all that waited. */
	void (*resume)(struct ws_topic *topic);
	/* Its user is no member of a room any more. */
	void (*left)(struct ws_topic *topic, int64_t room_id);
	/* A frame about its user. */
	void (*about_user)(struct ws_topic *topic, struct pl_str frame);
	/* Somebody logged in, for the first time or again. */
	void (*revisit)(struct ws_topic *topic);
	/* May a client that is not logged in subscribe to it? NULL: no. */
	bool (*is_open)(const struct ws_client *client);
};

#define TOPIC(name, called, text) extern const struct topic_ops topic_##name;
#include "api/ws/topics.def"
#undef TOPIC

/* parse of "room:NUMBER" and of "session:UUID" (lower case, as PostgreSQL writes them). */
bool ws_topic_number(struct pl_str rest, struct topic_name *name);
bool ws_topic_uuid(struct pl_str rest, struct topic_name *name);

/* The frame's topic is of kind ops. false: it has failed, if it is of no kind with that rule. */
bool ws_topic_is(struct ws_frame *f, const struct topic_ops *ops, const char *rule, struct topic_name *name_r)
    PL_MUSTCHECK;
/* The one that is open under the frame's topic, of kind ops; NULL: none. */
struct ws_topic *ws_topic_of(const struct ws_frame *f, const struct topic_ops *ops);
/* {"type":"subscribed","topic",...} with the head of a log, to be finished. */
struct pl_jw ws_topic_subscribed(struct ws_topic *topic, struct pl_str id, struct pl_buf *buf,
    const struct hub_subscribed *head);
/* The whole of it, for topics without a log: what they carry can be read elsewhere. */
void ws_topic_opened(struct ws_topic *topic, struct ws_frame *f);
/* What comes next cannot be read now; the server tries again: {"type":"error","topic",...}. */
void ws_topic_stalled(struct ws_topic *topic, const struct pl_err *err);
/* Closes and frees it. */
void ws_topic_drop(struct ws_topic *topic);
/* The same, and tells the client: {"type":"unsubscribed","topic","code"}. */
void ws_topic_end(struct ws_topic *topic, enum pl_code code);

/* For the native dialect. */
/* May it be answered although nobody is logged in? Only where setting `anonymous` opens the topic. */
bool ws_topics_are_open(const struct ws_frame *f);
void ws_topics_drained(struct ws_client *client);
void ws_topics_left(struct ws_client *client, int64_t room_id);
void ws_topics_about_user(struct ws_client *client, const char *session, struct pl_str frame);
void ws_topics_revisit(struct ws_client *client);
void ws_topics_closed(struct ws_client *client);

#endif

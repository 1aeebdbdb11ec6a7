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

/* The topic that a frame names. */
struct topic_name { const struct topic_ops *ops; int64_t number; char text[TOPIC_BYTES]; };

/* An open topic of a client. It is the first member of the struct of its kind; ws_topic.c creates and frees it. */
struct ws_topic {
	const struct topic_ops *ops;
	struct ws_client *client;
	struct ws_topic *next;
	int64_t number;			/* of topics such as room:7 */
	char name[TOPIC_BYTES];		/* in the form that answers contain */
};

/* State of a native client. */
struct ws_topics { struct ws_topic *first; };

/* Members from `parse` on may be NULL. */
struct topic_ops {
	const char *name;		/* whole name, or up to the colon */
	size_t bytes;			/* of its struct, which begins with struct ws_topic */
	int max;			/* per socket */
	const char *too_many;		/* error text if there are more */
	bool counted;			/* in the gauge of subscriptions */
	/* Opens a topic, which is zeroed except for its ws_topic. Answers f, now or later; may drop the topic. */
	void (*open)(struct ws_topic *topic, struct ws_frame *f);
	/* Parses the part after the name: sets the complete name->text, and name->number. false: invalid. */
	bool (*parse)(struct pl_str rest, struct topic_name *name);
	/* A second subscription. NULL: the old topic is closed, and a new one is opened. */
	void (*again)(struct ws_topic *topic, struct ws_frame *f);
	/* Releases everything; a request without an answer yet gets `cancelled`. */
	void (*close)(struct ws_topic *topic);
	/* Everything that waited was written to the socket. */
	void (*resume)(struct ws_topic *topic);
	/* Its user is no longer a member of a room. */
	void (*left)(struct ws_topic *topic, int64_t room_id);
	/* A frame about its user. */
	void (*about_user)(struct ws_topic *topic, struct pl_str frame);
	/* The client has authenticated, for the first time or again. */
	void (*revisit)(struct ws_topic *topic);
	/* Returns whether a client without authentication may subscribe. NULL: no. */
	bool (*is_open)(const struct ws_client *client);
};

#define TOPIC(name, called, text) extern const struct topic_ops topic_##name;
#include "api/ws/topics.def"
#undef TOPIC

/* parse of "room:NUMBER" and of "session:UUID" (lower case, as PostgreSQL writes them). */
bool ws_topic_number(struct pl_str rest, struct topic_name *name);
bool ws_topic_uuid(struct pl_str rest, struct topic_name *name);

/*
 * Checks that the topic of the frame is of kind ops. false: the frame failed; if its topic is of no kind, with that
 * rule.
 */
bool ws_topic_is(struct ws_frame *f, const struct topic_ops *ops, const char *rule, struct topic_name *name_r)
    PL_MUSTCHECK;
/* The open topic that the frame names, if it is of kind ops; else NULL. */
struct ws_topic *ws_topic_of(const struct ws_frame *f, const struct topic_ops *ops);
/* {"type":"subscribed","topic",...} with the head of a log, to be finished. */
struct pl_jw ws_topic_subscribed(struct ws_topic *topic, struct pl_str id, struct pl_buf *buf,
    const struct hub_subscribed *head);
/* The complete frame, for topics without a log, whose data can be read elsewhere. */
void ws_topic_opened(struct ws_topic *topic, struct ws_frame *f);
/* Reports that the next events cannot be read now and that the server retries: {"type":"error","topic",...}. */
void ws_topic_stalled(struct ws_topic *topic, const struct pl_err *err);
/* Closes and frees it. */
void ws_topic_drop(struct ws_topic *topic);
/* The same, and notifies the client: {"type":"unsubscribed","topic","code"}. */
void ws_topic_end(struct ws_topic *topic, enum pl_code code);

/* For the native dialect. */
/* Returns whether the frame may be answered without authentication: only if setting `anonymous` opens the topic. */
bool ws_topics_are_open(const struct ws_frame *f);
void ws_topics_drained(struct ws_client *client);
void ws_topics_left(struct ws_client *client, int64_t room_id);
void ws_topics_about_user(struct ws_client *client, const char *session, struct pl_str frame);
void ws_topics_revisit(struct ws_client *client);
void ws_topics_closed(struct ws_client *client);

#endif

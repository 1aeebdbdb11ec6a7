/* SPDX-License-Identifier: ISC */
/*
 * Answers of models: one engine for everybody who asks one.
 *
 * An answer: a place in shared memory -> the messages it replies to -> passages of the knowledge base -> the asker's
 * own key -> the model, piece by piece -> stored -> its end recorded -> over. Every way to end (whole, failed,
 * stopped, cut) goes through storing and ending, and keeps the text. What the database cannot do now is repeated every
 * second. Text of a worker that died is adopted by another one.
 *
 * What differs between users (where messages come from, where the text is stored, who hears it) is in their struct
 * answer_ops. An operation that takes time ends with one of the functions below, which may be called before the
 * operation returned. answer_move.c has the table of all states and events.
 */
#ifndef SVC_ANSWER_H
#define SVC_ANSWER_H

#include "svc/svc.h"

enum answer_state {
	/* its user prepares it: answer_begin(), answer_settle(), answer_fail(), answer_drop(), answer_adopt() */
	ANSWER_BEGINNING,
	ANSWER_ADOPTING,	/* of a worker that died; its user looks up what storing needs: answer_settle() */
	ANSWER_CONTEXT,		/* the user makes the request: answer_ready(), answer_fail() */
	ANSWER_SEARCHING,	/* passages of the knowledge base */
	ANSWER_KEY,		/* the asker's own key for the upstream */
	ANSWER_ASKING,		/* the model writes */
	/* the text is whole, or as whole as it gets: answer_stored(), answer_refused(), answer_again() */
	ANSWER_STORING,
	ANSWER_ENDING,		/* answer_ended(), answer_again() */
	ANSWER_OVER,		/* viewers in other processes may still read the text in shared memory */
	ANSWER_STATES
};
enum answer_outcome { ANSWER_WHOLE, ANSWER_FAILED, ANSWER_STOPPED, ANSWER_CUT };
enum answer_ending { ANSWER_GOES_ON, ANSWER_TO_STOP, ANSWER_TO_CUT };
/* Who adopts an orphan: an answer in shared memory has a room, or it belongs to a session. */
enum answer_kind { ANSWER_IN_ROOM, ANSWER_IN_SESSION, ANSWER_KINDS };

struct answer;
struct answers;

/* NULL: there is nothing to do. */
struct answer_ops {
	bool gathers;		/* `delta` comes at most once in the setting llm_delta */
	bool stores_empty;	/* an answer without text is stored too */
	int linger_s;		/* how long the text stays in shared memory afterwards */
	/* Fills ask and search; then answer_ready() or answer_fail(). */
	void (*context)(struct answer *answer);
	/* The model is asked now. */
	void (*asked)(struct answer *answer);
	/* More of the text; it ends where answer->text ends. */
	void (*delta)(struct answer *answer, struct pl_str text);
	/*
	 * The last word: outcome is set. result NULL: no model was asked. err NULL: none; with an outcome other than
	 * ANSWER_FAILED it is only how the generation ended.
	 */
	void (*answered)(struct answer *answer, const struct llm_result *result, const struct pl_err *err);
	/* Stores the text, 30 s; then answer_stored(), answer_refused(), or answer_again() to be called again. */
	void (*store)(struct answer *answer);
	/* Records the end, 30 s; then answer_ended() or answer_again(). */
	void (*end)(struct answer *answer);
	/* Somebody wants it to end (ending is set); once, in any state before ANSWER_OVER. */
	void (*ends)(struct answer *answer);
	/* Nothing more will happen: the last to be told. */
	void (*over)(struct answer *answer);
	/* Looks up what an adopted answer needs, 30 s; then answer_settle() or answer_again(). */
	void (*adopt)(struct answer *answer);
	/* answer_again() was called for the first time. */
	void (*waits)(struct answer *answer, const struct pl_err *err);
	/* The process ends before the answer does; another one adopts it. `free` follows. */
	void (*abandoned)(struct answer *answer);
	/* Everything of the user's that is not in the task's pool. */
	void (*free)(struct answer *answer);
};

struct answer {
	struct answers *answers;
	const struct answer_ops *ops;
	void *owner;				/* the user's */
	CONFIG_HELD const struct config *config;
	struct pl_task *task;			/* its own; the asker may be long gone */
	struct answer *prev, *next;
	enum answer_state state;
	enum answer_ending ending;		/* somebody wants it to end */
	enum answer_outcome outcome;
	char id[PL_UUID_LEN + 1];		/* its name in shared memory */
	int index;				/* its place there; -1: none */
	bool adopted, full, retried;		/* retried: answer_again() was called */

	/* The user fills these before answer_ready(); the texts live in the task's pool. */
	struct llm_request ask;
	int64_t user_id;			/* whose own key is used; 0: nobody's */
	struct pl_str search;			/* for passages; absent: not searched */
	size_t text_max;			/* what the model says beyond is cut off */

	struct pl_buf text;			/* heap */
	size_t told;				/* bytes of it that `delta` got */
	int64_t first_text_us;			/* wall clock; 0: no text yet */
	struct pl_str citations, knowledge;	/* knowledge_cite(), knowledge_lack(); set before `answered` */

	struct answer_run *run;			/* the engine's own */
};

struct answers *answers_new(struct svc *svc);
/* What did not end in time stays in shared memory: the other workers adopt it, as if this one had died. */
void answers_free(struct answers **answers);
/* End of the loop turn: looks at the cancel flags of this worker's answers. */
void answers_turn(void *answers);
/* The process will end: cuts all running answers (they are stored as interrupted). */
void answers_cut(struct answers *answers);
/* The process ends now: answers stay as they are until answers_free(). Before the database and the models go. */
void answers_close(struct answers *answers);
int answers_running(const struct answers *answers);
bool answers_stopping(const struct answers *answers);	/* answers_cut() was called: nothing new begins */

/* An orphan of this kind: makes an answer and calls answer_adopt(). info and text are borrowed. */
typedef void (answer_adopt_fn)(struct svc *svc, const struct shm_gen_info *info, struct pl_str text);
void answers_on_orphan(struct answers *answers, enum answer_kind kind, answer_adopt_fn *fn);
/* Text of answers whose worker died is stored and marked interrupted; called at start and when a slot died. */
void answers_adopt(struct answers *answers);

/* A new one, in state BEGINNING, with a fresh id and a task of 600 s. */
struct answer *answer_new(struct answers *answers, const struct config *config, const struct answer_ops *ops,
    void *owner);
/* Takes a place in shared memory under its id; false: all are taken. */
bool answer_place(struct answer *answer, const struct shm_gen_info *info);
/* One more question by `who` (limits_take() of LIMIT_ASK); answer_limit_give() gives it back. */
bool answer_limit_take(struct answer *answer, const struct pl_caller *who, struct pl_str extra, struct pl_err *err);
void answer_limit_give(struct answer *answer);

void answer_begin(struct answer *answer);		/* counts it */
void answer_stop(struct answer *answer);		/* as if somebody had asked for it in shared memory */
void answer_drop(struct answer *answer);		/* it never began: nothing is stored */
/* In answer_adopt_fn: takes over the orphan's place. */
void answer_adopt(struct answer *answer, const struct shm_gen_info *info, struct pl_str text);
void answer_settle(struct answer *answer, enum answer_outcome outcome);	/* no model is asked; the text stands */
void answer_ready(struct answer *answer);
void answer_fail(struct answer *answer, const struct pl_err *err);
void answer_stored(struct answer *answer);
void answer_refused(struct answer *answer);		/* it cannot be stored, now or later */
void answer_ended(struct answer *answer);
/* The database failed: true if the step is repeated in a second, false if err will not go away. */
bool answer_again(struct answer *answer, const struct pl_err *err) PL_MUSTCHECK;
/* Adds text that is not the model's: kept whole, told, and shared while there is memory. */
void answer_say(struct answer *answer, struct pl_str text);
/* Tells the rest of what was gathered; also when there is none. */
void answer_flush(struct answer *answer);

/* NULL and true: the built-in responder. name absent: the default. false: there is no upstream of that name. */
bool answer_upstream(const struct config *config, struct pl_str name, const struct upstream_settings **upstream_r);
/*
 * {"prompt_tokens","completion_tokens","total_tokens","stop"} in pool: what is known (-1, NULL: not), and "estimated"
 * where the tokens are.
 */
struct pl_str answer_usage(struct pl_pool *pool, int64_t prompt_tokens, int64_t completion_tokens, bool estimated,
    const char *stop);
/*
 * Characters of a message that become context, and how many are read for it: so answer_fit() is given little, and sees
 * which texts are longer.
 */
#define ANSWER_CONTEXT_PART 65536
#define ANSWER_CONTEXT_READ (ANSWER_CONTEXT_PART + 1)
/*
 * Keeps the newest messages that fit into the budget (bytes) and those with text, in place; the last one always. Of the
 * first one that does not fit the end is kept, in pool, if that is not too little. What is cut is marked.
 */
int answer_fit(struct pl_pool *pool, struct llm_message *messages, int count, int64_t budget);

#endif

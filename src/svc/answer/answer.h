/* SPDX-License-Identifier: ISC */
/*
 * Answers of models: one engine for all users of models.
 *
 * The steps of an answer: a place in shared memory -> the messages it replies to -> passages of the knowledge base ->
 * the own key of the asker -> the model, piece by piece -> stored -> its end recorded -> over. Every outcome (whole,
 * failed, stopped, cut) includes storing and ending, and keeps the text. A database operation that fails temporarily is
 * repeated every second. If a worker dies, another one adopts its texts.
 *
 * The differences between users (source of the messages, storage of the text, listeners) are in their struct
 * answer_ops. An asynchronous operation ends with one of the functions below, which may be called before the operation
 * returns. answer_move.c has the table of all states and events.
 */
#ifndef SVC_ANSWER_H
#define SVC_ANSWER_H

#include "svc/svc.h"

enum answer_state {
	/* the user prepares it: answer_begin(), answer_settle(), answer_fail(), answer_drop(), answer_adopt() */
	ANSWER_BEGINNING,
	ANSWER_ADOPTING,	/* of a worker that died; the user looks up the data for storing: answer_settle() */
	ANSWER_CONTEXT,		/* the user builds the request: answer_ready(), answer_fail() */
	ANSWER_SEARCHING,	/* passages of the knowledge base */
	ANSWER_KEY,		/* the own key of the asker for the upstream */
	ANSWER_ASKING,		/* the model writes */
	/* no more text will come: answer_stored(), answer_refused(), answer_again() */
	ANSWER_STORING,
	ANSWER_ENDING,		/* answer_ended(), answer_again() */
	ANSWER_OVER,		/* viewers in other processes may still read the text in shared memory */
	ANSWER_STATES
};
enum answer_outcome { ANSWER_WHOLE, ANSWER_FAILED, ANSWER_STOPPED, ANSWER_CUT };
enum answer_ending { ANSWER_GOES_ON, ANSWER_TO_STOP, ANSWER_TO_CUT };
/* The kind decides who adopts an orphan: an answer in shared memory belongs to a room or to a session. */
enum answer_kind { ANSWER_IN_ROOM, ANSWER_IN_SESSION, ANSWER_KINDS };

struct answer;
struct answers;

/* NULL: nothing to do. */
struct answer_ops {
	bool gathers;		/* `delta` is called at most once per llm_delta (setting) */
	bool stores_empty;	/* an answer without text is also stored */
	int linger_s;		/* time that the text stays in shared memory after the end */
	/* Fills in ask and search; then calls answer_ready() or answer_fail(). */
	void (*context)(struct answer *answer);
	/* The model was asked. */
	void (*asked)(struct answer *answer);
	/* More of the text; it ends where answer->text ends. */
	void (*delta)(struct answer *answer, struct pl_str text);
	/*
	 * The text is final, and outcome is set. result NULL: no model was asked. err NULL: no error; with an outcome
	 * other than ANSWER_FAILED, err is only how the generation ended.
	 */
	void (*answered)(struct answer *answer, const struct llm_result *result, const struct pl_err *err);
	/* Stores the text, 30 s; then answer_stored(), answer_refused(), or answer_again() to be called again. */
	void (*store)(struct answer *answer);
	/* Records the end, 30 s; then answer_ended() or answer_again(). */
	void (*end)(struct answer *answer);
	/* Its end was requested (ending is set). Called once, in any state before ANSWER_OVER. */
	void (*ends)(struct answer *answer);
	/* The last callback before `free`: nothing more will happen. */
	void (*over)(struct answer *answer);
	/* Looks up the data that an adopted answer needs, 30 s; then answer_settle() or answer_again(). */
	void (*adopt)(struct answer *answer);
	/* answer_again() was called for the first time. */
	void (*waits)(struct answer *answer, const struct pl_err *err);
	/* The process ends before the answer does; another one adopts it. `free` follows. */
	void (*abandoned)(struct answer *answer);
	/* Frees all data of the user that are not in the pool of the task. */
	void (*free)(struct answer *answer);
};

struct answer {
	struct answers *answers;
	const struct answer_ops *ops;
	void *owner;				/* belongs to the user */
	CONFIG_HELD const struct config *config;
	struct pl_task *task;			/* its own; the asker may have left */
	struct answer *prev, *next;
	enum answer_state state;
	enum answer_ending ending;		/* its end was requested */
	enum answer_outcome outcome;
	char id[PL_UUID_LEN + 1];		/* its name in shared memory */
	int index;				/* its place there; -1: none */
	bool adopted, full, retried;		/* retried: answer_again() was called */

	/* The user fills these before answer_ready(); the texts live in the task's pool. */
	struct llm_request ask;
	int64_t user_id;			/* the user whose own key is used; 0: none */
	struct pl_str search;			/* for passages; absent: not searched */
	size_t text_max;			/* longer text is cut off */

	struct pl_buf text;			/* heap */
	size_t told;				/* bytes of it that `delta` got */
	int64_t first_text_us;			/* wall clock; 0: no text yet */
	struct pl_str citations, knowledge;	/* knowledge_cite(), knowledge_lack(); set before `answered` */

	struct answer_run *run;			/* for the engine only */
};

struct answers *answers_new(struct svc *svc);
/* Answers that did not end in time stay in shared memory: other workers adopt them, as if this worker had died. */
void answers_free(struct answers **answers);
/* At the end of the loop turn: checks the cancel flags of the answers of this worker. */
void answers_turn(void *answers);
/* Called before the process ends: cuts all running answers, which are stored as interrupted. */
void answers_cut(struct answers *answers);
/* The process ends now: answers do not change until answers_free(). Called before database and models are freed. */
void answers_close(struct answers *answers);
int answers_running(const struct answers *answers);
bool answers_stopping(const struct answers *answers);	/* answers_cut() was called: nothing new may start */

/* Handles an orphan of this kind: creates an answer and calls answer_adopt(). info and text are borrowed. */
typedef void (answer_adopt_fn)(struct svc *svc, const struct shm_gen_info *info, struct pl_str text);
void answers_on_orphan(struct answers *answers, enum answer_kind kind, answer_adopt_fn *fn);
/* Stores the text of answers whose worker died, marked as interrupted. Called at start and when a slot died. */
void answers_adopt(struct answers *answers);

/* A new answer in state BEGINNING, with a new id and a task of 600 s. */
struct answer *answer_new(struct answers *answers, const struct config *config, const struct answer_ops *ops,
    void *owner);
/* Takes a place in shared memory under its id; false: all are taken. */
bool answer_place(struct answer *answer, const struct shm_gen_info *info);
/* Counts one more question of `who` (limits_take() of LIMIT_ASK); answer_limit_give() refunds it. */
bool answer_limit_take(struct answer *answer, const struct pl_caller *who, struct pl_str extra, struct pl_err *err);
void answer_limit_give(struct answer *answer);

void answer_begin(struct answer *answer);		/* counts it */
void answer_stop(struct answer *answer);		/* as if the stop had been requested in shared memory */
void answer_drop(struct answer *answer);		/* it did not start: nothing is stored */
/* In answer_adopt_fn: takes over the orphan's place. */
void answer_adopt(struct answer *answer, const struct shm_gen_info *info, struct pl_str text);
void answer_settle(struct answer *answer, enum answer_outcome outcome);	/* no model is asked; the text is final */
void answer_ready(struct answer *answer);
void answer_fail(struct answer *answer, const struct pl_err *err);
void answer_stored(struct answer *answer);
void answer_refused(struct answer *answer);		/* it cannot be stored, now or later */
void answer_ended(struct answer *answer);
/* The database failed. true: the step is repeated in a second; false: err is permanent. */
bool answer_again(struct answer *answer, const struct pl_err *err) PL_MUSTCHECK;
/* Adds text that no model wrote: it is never cut, passed to `delta`, and shared while there is memory. */
void answer_say(struct answer *answer, struct pl_str text);
/* Passes gathered text to `delta`; no effect if there is none. */
void answer_flush(struct answer *answer);

/* NULL and true: the built-in responder. name absent: the default. false: there is no upstream of that name. */
bool answer_upstream(const struct config *config, struct pl_str name, const struct upstream_settings **upstream_r);
/*
 * {"prompt_tokens","completion_tokens","total_tokens","stop"} in pool: only known values (-1, NULL: unknown), and
 * "estimated" if the tokens are.
 */
struct pl_str answer_usage(struct pl_pool *pool, int64_t prompt_tokens, int64_t completion_tokens, bool estimated,
    const char *stop);
/*
 * Characters of a message that become context, and the number that is read: a few more, so that answer_fit() sees which
 * texts are longer.
 */
#define ANSWER_CONTEXT_PART 65536
#define ANSWER_CONTEXT_READ (ANSWER_CONTEXT_PART + 1)
/*
 * Keeps, in place, the newest messages with text that fit in the budget (bytes), and always the last one. If enough of
 * the first message that does not fit remains, its end is kept, in pool. Cut texts are marked.
 */
int answer_fit(struct pl_pool *pool, struct llm_message *messages, int count, int64_t budget);

#endif

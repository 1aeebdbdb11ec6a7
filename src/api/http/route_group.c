/* SPDX-License-Identifier: ISC */
/*
 * The table of groups.
 */
#include "api/http/route_group.h"

#include <stddef.h>

const struct route_group route_groups[] = {
	[GROUP_SERVER] = { "server", "The server", "The server itself, its pages and its health." },
	[GROUP_ACCOUNTS] = { "accounts", "Accounts", "Accounts, tokens, login sessions, profiles." },
	[GROUP_ROLES] = { "roles", "Roles", "AI roles." },
	[GROUP_ROOMS] = { "rooms", "Rooms and messages", "Rooms, members, messages." },
	[GROUP_MODELS] = { "models", "Models and their answers", "Models, running answers, users' own keys." },
	[GROUP_SESSIONS] = { "sessions", "Sessions and the chatbot",
		"Sessions with the chatbot, guided forms, usage of sessions." },
	[GROUP_KNOWLEDGE] = { "knowledge", "Knowledge", "Documents that answers are based on." },
	[GROUP_FEEDBACK] = { "feedback", "Feedback", "Votes and feedback requests." },
	[GROUP_FIGURES] = { "figures", "Figures and insights", "KPIs, series, insights." },
	[GROUP_QUESTIONS] = { "questions", "Questions and dashboards",
		"Questions about the data in words, suggestions, dashboards." },
	[GROUP_ADMIN] = { "admin", "Administration", "Accounts of others, for operators and admins." },
	{ 0 },
};

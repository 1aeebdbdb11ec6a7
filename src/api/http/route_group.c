/* SPDX-License-Identifier: ISC */
/*
 * The table of groups, and the beginnings of paths that lead to them.
 */
#include "api/http/route_group.h"

#include <string.h>

#include "pool.h"

enum { SERVER, ACCOUNTS, ROLES, ROOMS, MODELS, SESSIONS, KNOWLEDGE, FEEDBACK, FIGURES, QUESTIONS };

const struct route_group route_groups[] = {
	[SERVER] = { "server", "The server", "The server itself, its pages and its health." },
	[ACCOUNTS] = { "accounts", "Accounts", "Accounts, tokens, login sessions, profiles." },
	[ROLES] = { "roles", "Roles", "AI roles." },
	[ROOMS] = { "rooms", "Rooms and messages", "Rooms, members, messages." },
	[MODELS] = { "models", "Models and their answers", "Models, running answers, users' own keys." },
	[SESSIONS] = { "sessions", "Sessions and the chatbot",
		"Sessions with the chatbot, guided forms, usage of sessions." },
	[KNOWLEDGE] = { "knowledge", "Knowledge", "Documents that answers are drawn from." },
	[FEEDBACK] = { "feedback", "Feedback", "Votes, and questions to people." },
	[FIGURES] = { "figures", "Figures and insights", "KPIs, series, insights." },
	[QUESTIONS] = { "questions", "Questions and dashboards",
		"Questions about the data in words, suggestions, dashboards." },
	{ 0 },
};

const struct route_group *route_group_of(const char *path)
{
	static const struct { const char *prefix; int group; } prefixes[] = {
		{ "/api/auth", ACCOUNTS }, { "/auth", ACCOUNTS }, { "/api/profile", ACCOUNTS }, { "/api/roles", ROLES },
		{ "/api/rooms", ROOMS }, { "/api/generations", MODELS }, { "/api/llm", MODELS },
		{ "/api/provider-keys", MODELS }, { "/api/sessions", SESSIONS }, { "/api/chat", SESSIONS },
		{ "/api/greeting", SESSIONS }, { "/api/knowledge", KNOWLEDGE }, { "/api/feedback", FEEDBACK },
		{ "/r/", FEEDBACK }, { "/api/metrics", FIGURES }, { "/api/insights", FIGURES },
		    { "/api/query", QUESTIONS },
		{ "/api/suggestions", QUESTIONS }, { "/api/dashboard", QUESTIONS },
	};

	for (size_t i = 0; i < PL_COUNT(prefixes); i++)
		if (strncmp(path, prefixes[i].prefix, strlen(prefixes[i].prefix)) == 0)
			return &route_groups[prefixes[i].group];
	return &route_groups[SERVER];
}
